"""The suite asks for no more than the contract, and finds each way to break it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gluon.shim.backend import Refused
from gluon.testing.conformance import BackendConformance, Bounds, NotConforming, Samples
from gluon.testing.conformance.driver import driving

from . import faulty_backends as faulty
from . import good_backend
from .good_backend import L3VPN, Controller, Good


class TestGood(good_backend.Suite):
    """The suite's orders are the shim's, or the Controller would object; it deletes all that it makes."""

    __test__ = True

    @pytest.fixture(autouse=True)
    def made(self) -> None:
        self.controller = Controller()
        type(self).backend = type("Good", (Good,), {"controller": self.controller})


class RefusesTheSecond(Good):
    async def bind_port(self, port, model, call):
        if not port.active:
            raise Refused("no live migration here")
        return await super().bind_port(port, model, call)


class TestRefusesTheSecond(TestGood):
    @pytest.fixture(autouse=True)
    def made(self) -> None:
        self.controller = Controller()
        type(self).backend = type("RefusesTheSecond", (RefusesTheSecond,), {"controller": self.controller})


FAULTS = [
    (faulty.CreatesOnce, "test_every_callback", "modify_service .* failed: .*409 it exists"),
    (faulty.CreatesOnce, "test_applied_again_without_a_change", "409 it exists"),
    (faulty.DeletesWhatIsThere, "test_deleting_what_is_absent", "delete_.* raised KeyError"),
    (faulty.RemembersInItself, "test_a_port_moves", "unbind_port .* raised KeyError"),
    (faulty.RemembersInItself, "test_deleting_needs_no_model", "unbind_port .* raised KeyError"),
    (faulty.AsksTheModelOnDelete, "test_deleting_needs_no_model", "delete_interface .* raised TypeError"),
    (faulty.AsksForThePrevious, "test_previous_is_none_when_it_is_not_known", "modify_.* raised TypeError"),
    (faulty.NeedsWhatIsOptional, "test_every_callback", "modify_service .* raised AttributeError"),
    (faulty.BindsWhatItKnows, "test_bind_port_comes_first", "bind_port .* raised KeyError"),
    (faulty.BindsOnce, "test_the_profile_of_a_bound_port_changes", "bind_port .* on host-1 failed: .*unbind it first"),
    (faulty.KnowsOneLeader, "test_bind_port_answers_the_same_again", "bind_port .* raised AssertionError"),
    (faulty.AnswersADict, "test_bind_port_comes_first", "returned {'vif_type': 'ovs'}, expected"),
    (faulty.MakesASocketEachTime, "test_bind_port_answers_the_same_again", "answered .*vhu.*, and then .*vhu"),
    (
        faulty.ChangesItsArguments,
        "test_every_callback",
        "modify_port .* raised TypeError: an object's attributes can't be",
    ),
    (faulty.SharesOneVariable, "test_different_objects_at_the_same_time", "modify_object .* raised AssertionError"),
    (
        faulty.TakesTooMuch,
        "test_the_shim_takes_the_class",
        r"delete_port\(self, port, model, changes\) can't be called",
    ),
    (faulty.Refuses, "test_what_was_deleted_comes_back", "modify_service .* was refused: no VPN today"),
    (
        faulty.NeedsMoreThanAKey,
        "test_an_orphan_is_deleted",
        "delete_service_binding .* raised AttributeError: 'NoneType'",
    ),
    (faulty.Hangs, "test_previous_is_none_when_it_is_not_known", "modify_service .* was not done within 2 s"),
    (
        faulty.Blocks,
        "test_every_callback",
        r"modify_service .* kept the event loop for \d+\.\d s, which all objects share",
    ),
    (faulty.WritesWhenItStops, "test_every_callback", "after the last call .* lacks BGPPeering"),
    (faulty.ClearsUpWhenItStarts, "test_deleting_needs_no_model", "after the last call .* lacks VpnBinding"),
    (
        faulty.WritesTheFirstTime,
        "test_each_attribute_changes",
        "after the last call .* has VpnBinding .*/service_id as",
    ),
    (faulty.UnbindsEverywhere, "test_a_live_migration", "unbind_port .* on host-1 failed: .* has service bindings"),
    (
        faulty.MovesWhenItPrepares,
        "test_a_live_migration",
        "after the last call .* lacks Port .* on host-1: True.* on host-2$",
    ),
    (
        faulty.RefusesHavingMoved,
        "test_a_live_migration",
        "after the last call .* lacks Port .* on host-1: True.* on host-2$",
    ),
    (
        faulty.NeverHearsOfALoss,
        "test_a_controller_that_came_back_empty",
        r"came back empty, and 0.5 s later context.lost\(\) was not called",
    ),
    (faulty.KeepsACache, "test_a_controller_that_came_back_empty", "after the last call .* lacks"),
    (
        faulty.LosesErrors,
        "test_a_controller_that_can_not_be_used",
        "modify_.* returned while the controller could not be used",
    ),
    (
        faulty.RefusesWhatIsAway,
        "test_a_controller_that_can_not_be_used",
        "modify_.* raised Refused .*; raise RetryLater",
    ),
    (faulty.SendsInParts, "test_a_request_that_fails", "after the last call .* lacks"),
    (faulty.IsNeverWell, "test_it_is_well", r"health\(\) says 'no heartbeat yet'"),
    (
        faulty.IsAlwaysWell,
        "test_a_controller_that_can_not_be_used",
        r"health\(\) says nothing of a controller that can't",
    ),
    (
        faulty.ListsNothingOfWhatIsAway,
        "test_a_controller_that_can_not_be_used",
        r"inventory\(\) returned \[\].* has to raise",
    ),
    (faulty.ForgetsPorts, "test_inventory", r"inventory\(\) does not list Port .* on host-1, which was applied"),
    (faulty.ListsWhatIsGone, "test_what_was_deleted_comes_back", r"inventory\(\) lists \w+ .*, which nobody wants"),
    (faulty.KnowsTheFirstFingerprint, "test_inventory", r"inventory\(\) lists .* but fingerprint\(\) of it is"),
    (faulty.HasOneFingerprint, "test_every_callback", "and no fingerprint.. has changed: no audit would see it"),
    (
        faulty.NeedsMoreForAFingerprint,
        "test_inventory",
        r"fingerprint\(\) of VpnAfConfig 65000:40 raised KeyError: 'name'",
    ),
    (faulty.ReportsNonsense, "test_every_callback", "report of 'Vpn' .* as 'UP', '': net-l3vpn has Port,"),
]


def run(suite: good_backend.Suite, test: str, directory: Path) -> None:
    """Runs one test of the suite as pytest would, in its most demanding variants."""
    file = directory / "empty.conf"
    file.touch()
    method: Callable[..., None] = getattr(suite, test)
    parameters = inspect.signature(method).parameters
    faulty.released.clear()
    try:
        for full, outcome in ((False, "the target takes over"), (True, "the target is given up")):
            suite.controller = suite.backend.controller = Controller()
            known: dict[str, Any] = {"samples": Samples(L3VPN, "host-1", {}), "repetition": "again after a crash"}
            bounds = Bounds(patience=suite.patience, max_block=suite.max_block)
            with driving(suite.backend, L3VPN, file, bounds, suite.picture()) as driver:
                arguments = {**known, "driver": driver, "full": full, "outcome": outcome}
                method(**{name: arguments[name] for name in parameters})
                driver.delete_all()
    finally:
        faulty.released.set()


def suite_of(backend: type[Good]) -> good_backend.Suite:
    bounds = {name: getattr(backend, name) for name in ("patience", "max_block") if hasattr(backend, name)}
    members = {"backend": type(backend.__name__, (backend,), {}), "__test__": False, **bounds}
    suite: good_backend.Suite = type("Suite", (good_backend.Suite,), members)()
    return suite


@pytest.mark.parametrize(("backend", "test", "message"), FAULTS, ids=lambda value: getattr(value, "__name__", value))
def test_it_finds(backend: type[Good], test: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(NotConforming, match=f"(?s){message}"):
        run(suite_of(backend), test, tmp_path)


@pytest.mark.parametrize("test", sorted({test for _, test, _ in FAULTS}))
def test_and_nothing_without_a_fault(test: str, tmp_path: Path) -> None:
    run(suite_of(Good), test, tmp_path)


def test_every_test_of_the_suite_has_found_something() -> None:
    tests = {name for name in vars(BackendConformance) if name.startswith("test_")}
    assert tests == {test for _, test, _ in FAULTS}


LIVES = [
    (faulty.CannotConnect, r"^start\(\) of CannotConnect raised ConnectionRefusedError: no controller at 192.0.2.1$"),
    (faulty.NeverConnects, r"^start\(\) of NeverConnects was not done within 2 s$"),
    (faulty.NeedsAnOption, r"^NeedsAnOption\(\) raised NoSuchOptError: no such option shim_acme in group \[DEFAULT\]$"),
    (faulty.CannotStop, r"^stop\(\) of CannotStop raised RuntimeError: Event loop is closed$"),
]


@pytest.mark.parametrize(("backend", "sentence"), LIVES, ids=lambda value: getattr(value, "__name__", ""))
def test_an_instance_that_does_not_start_or_stop_is_told_in_a_sentence(backend, sentence, tmp_path) -> None:
    with pytest.raises(NotConforming, match=sentence):
        run(suite_of(backend), "test_it_is_well", tmp_path)
