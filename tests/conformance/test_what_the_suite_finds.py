"""The suite asks for no more than the contract, and finds each way to break it."""

# ruff: noqa: ARG002 - a callback takes what the port promises, used or not

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gluon.models import catalog
from gluon.schema import Base
from gluon.shim.backend import Backend, Binding, Model, Object, Refused, RetryLater
from gluon.testing.conformance import BackendConformance, NotConforming, Samples
from gluon.testing.conformance.driver import driving

L3VPN = catalog.load(["net-l3vpn"])["net-l3vpn"]


class Controller:
    """What lives on when a backend crashes.  Judges whether the calls come in an order of the shim's."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.hosts: dict[str, str] = {}

    def put(self, obj: Object) -> None:
        for attribute in L3VPN.objects[obj.type].references:
            for item in str(obj[attribute.name] or "").split(","):
                assert not item or (attribute.reference, item) in self.objects, f"{obj.id} before {item}"
        if obj.base is Base.SERVICE_BINDING:
            assert obj["interface_id"] in self.ports_bound(), f"{obj.id} before its port is bound"
        self.objects[obj.type, obj.key] = dict(obj.attributes)

    def delete(self, obj: Object) -> None:
        for name, attributes in self.objects.items():
            for attribute in L3VPN.objects[name[0]].references:
                named = attribute.reference == obj.type and obj.key in str(attributes[attribute.name]).split(",")
                assert not named, f"{obj.id} before {name}"
        assert obj.key not in self.hosts, f"{obj.id} while it is bound"
        self.objects.pop((obj.type, obj.key), None)

    def bind(self, port: Object) -> None:
        assert self.hosts.setdefault(port.key, str(port["host_id"])) == port["host_id"], f"{port.id} is elsewhere"
        self.objects[port.type, port.key] = dict(port.attributes)

    def unbind(self, port: Object) -> None:
        assert self.hosts.get(port.key, port["host_id"]) == port["host_id"], f"{port.id} not as it was bound"
        taking_part = [key for name, key in self.objects if name == "VpnBinding" and key in self.ports_bound()]
        assert not [key for key in taking_part if self.port_of(key) == port.key], f"{port.id} has service bindings"
        self.hosts.pop(port.key, None)

    def ports_bound(self) -> set[str]:
        """The interfaces of bound ports."""
        return {key for name, key in self.objects if name == "Interface" and self.port_of(key) in self.hosts}

    def port_of(self, interface: str) -> str:
        return str(self.objects["Interface", interface]["port_id"])


class Good(Backend):
    """Its callbacks are plain functions and coroutines; says RetryLater before it binds."""

    controller: Controller

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.asked: set[str] = set()

    async def bind_port(self, port: Object, model: Model) -> Binding:
        if port.key not in self.asked:
            self.asked.add(port.key)
            raise RetryLater("the host's agent is busy", delay=0.01)
        self.controller.bind(port)
        return Binding("ovs", {"bridge_name": "br"})

    def unbind_port(self, port: Object, model: Model) -> None:
        self.controller.unbind(port)

    async def modify_port(self, port: Object, previous: Object | None, model: Model) -> None:
        self.put(port)

    async def delete_port(self, port: Object, model: Model) -> None:
        self.delete(port)

    async def modify_interface(self, interface: Object, previous: Object | None, model: Model) -> None:
        self.put(interface)

    async def delete_interface(self, interface: Object, model: Model) -> None:
        self.delete(interface)

    async def modify_service(self, service: Object, previous: Object | None, model: Model) -> None:
        self.put(service)

    async def delete_service(self, service: Object, model: Model) -> None:
        self.delete(service)

    def modify_service_binding(self, binding: Object, previous: Object | None, model: Model) -> None:
        self.put(binding)

    def delete_service_binding(self, binding: Object, model: Model) -> None:
        self.delete(binding)

    async def modify_object(self, obj: Object, previous: Object | None, model: Model) -> None:
        self.put(obj)

    async def delete_object(self, obj: Object, model: Model) -> None:
        self.delete(obj)

    def put(self, obj: Object) -> None:
        self.controller.put(obj)

    def delete(self, obj: Object) -> None:
        self.controller.delete(obj)


class TestGood(BackendConformance):
    """The suite's orders are the shim's, or the Controller would object; it deletes all that it makes."""

    @pytest.fixture(autouse=True)
    def controller(self) -> None:
        self.objects = Controller()
        type(self).backend = type("Good", (Good,), {"controller": self.objects})

    def left_behind(self) -> Iterator[str]:
        yield from map(str, self.objects.objects)
        yield from map(str, self.objects.hosts)


class CreatesOnce(Good):
    def put(self, obj):
        if (obj.type, obj.key) in self.controller.objects and obj.type == "VpnService":
            raise RuntimeError("409 it exists")
        super().put(obj)


class DeletesWhatIsThere(Good):
    def delete(self, obj):
        del self.controller.objects[obj.type, obj.key]


class RemembersInItself(Good):
    def __init__(self, context):
        super().__init__(context)
        self.plugged = {}

    async def bind_port(self, port, model):
        self.plugged[port.key] = port["host_id"]
        return Binding("ovs")

    def unbind_port(self, port, model):
        self.plugged.pop(port.key)

    def put(self, obj):
        self.controller.objects[obj.type, obj.key] = {}

    def delete(self, obj):
        self.controller.objects.pop((obj.type, obj.key), None)


class WritesWhenItStops(Good):
    def __init__(self, context):
        super().__init__(context)
        self.unwritten = []

    def put(self, obj):
        if obj.type == "VpnAfConfig":
            self.unwritten.append(obj)
        else:
            super().put(obj)

    async def stop(self):
        for obj in self.unwritten:
            super().put(obj)


class AsksTheModelOnDelete(Good):
    async def delete_interface(self, interface, model):
        assert model.port_of(interface)["host_id"]
        self.delete(interface)


class AsksForThePrevious(Good):
    def put(self, obj):
        caller = inspect.currentframe().f_back.f_locals
        known = self.controller.objects.get((obj.type, obj.key))
        if known is not None and known != obj.attributes:
            assert caller["previous"]["tenant_id"]
        super().put(obj)


class NeedsWhatIsOptional(Good):
    async def modify_service(self, service, previous, model):
        service["ipv4_family"].split(",")
        self.put(service)


class BindsWhatItKnows(Good):
    async def bind_port(self, port, model):
        assert self.controller.objects["Port", port.key]
        self.controller.bind(port)
        return Binding("ovs")


class AnswersADict(Good):
    async def bind_port(self, port, model):
        return {"vif_type": "ovs"}


class MakesASocketEachTime(Good):
    count = 0

    async def bind_port(self, port, model):
        self.controller.bind(port)
        MakesASocketEachTime.count += 1
        return Binding("vhostuser", {"vhostuser_socket": f"/run/vhu{self.count}"})


class ChangesItsArguments(Good):
    async def modify_port(self, port, previous, model):
        self.put(port)
        port.attributes["mtu"] = 9000


class SharesOneVariable(Good):
    async def modify_object(self, obj, previous, model):
        self.current = obj
        await asyncio.sleep(0)
        assert self.current is obj
        self.put(obj)


class TakesTooMuch(Good):
    async def delete_port(self, port, model, changes):
        self.delete(port)


class Refuses(Good):
    async def modify_service(self, service, previous, model):
        raise Refused("no VPN today")


class Hangs(Good):
    def modify_service(self, service, previous, model):
        released.wait(30)


released = threading.Event()
"""Lets a thread that hangs go at the end of its test."""


class Suite(BackendConformance):
    __test__ = False
    patience = 0.5


FAULTS = [
    (CreatesOnce, "test_every_callback", "modify_service .* failed: .*409 it exists"),
    (CreatesOnce, "test_applied_again_without_a_change", "409 it exists"),
    (DeletesWhatIsThere, "test_deleting_what_is_absent", "delete_.* raised KeyError"),
    (RemembersInItself, "test_a_port_moves", "unbind_port .* raised KeyError"),
    (RemembersInItself, "test_deleting_needs_no_model", "unbind_port .* raised KeyError"),
    (WritesWhenItStops, "test_every_callback", "failed: .*before 65000"),
    (AsksTheModelOnDelete, "test_deleting_needs_no_model", "delete_interface .* raised TypeError"),
    (AsksForThePrevious, "test_previous_is_none_when_it_is_not_known", "modify_.* raised TypeError"),
    (NeedsWhatIsOptional, "test_every_callback", "modify_service .* raised AttributeError"),
    (BindsWhatItKnows, "test_bind_port_comes_first", "bind_port .* raised KeyError"),
    (AnswersADict, "test_bind_port_comes_first", "returned {'vif_type': 'ovs'}, expected"),
    (MakesASocketEachTime, "test_bind_port_answers_the_same_again", "answered .*vhu.*, and then .*vhu"),
    (ChangesItsArguments, "test_every_callback", "modify_port .* raised TypeError: an object's attributes can't be"),
    (SharesOneVariable, "test_different_objects_at_the_same_time", "modify_object .* raised AssertionError"),
    (TakesTooMuch, "test_the_shim_takes_the_class", r"delete_port\(self, port, model, changes\) can't be called"),
    (Refuses, "test_what_was_deleted_comes_back", "modify_service .* was refused: no VPN today"),
    (Hangs, "test_previous_is_none_when_it_is_not_known", "modify_service .* was not done within 0.5 s"),
]


def run(suite: BackendConformance, test: str, directory: Path) -> None:
    """Runs one test of the suite as pytest would, in its most demanding variants."""
    file = directory / "empty.conf"
    file.touch()
    method: Callable[..., None] = getattr(suite, test)
    parameters = inspect.signature(method).parameters
    known: dict[str, Any] = {"samples": Samples(L3VPN, "host-1", {}), "repetition": "again after a crash"}
    released.clear()
    try:
        with driving(suite.backend, L3VPN, file, suite.patience) as driver:
            for full in (False, True) if "full" in parameters else (True,):
                arguments = {**known, "driver": driver, "full": full}
                method(**{name: arguments[name] for name in parameters})
    finally:
        released.set()


@pytest.mark.parametrize(("faulty", "test", "message"), FAULTS, ids=lambda value: getattr(value, "__name__", value))
def test_it_finds(faulty: type[Good], test: str, message: str, tmp_path: Path) -> None:
    suite = Suite()
    Suite.backend = type(faulty.__name__, (faulty,), {"controller": Controller()})
    with pytest.raises(NotConforming, match=f"(?s){message}"):
        run(suite, test, tmp_path)


@pytest.mark.parametrize("test", sorted({test for _, test, _ in FAULTS}))
def test_and_nothing_without_a_fault(test: str, tmp_path: Path) -> None:
    suite = Suite()
    Suite.backend = type("Good", (Good,), {"controller": Controller()})
    run(suite, test, tmp_path)


def test_every_test_of_the_suite_has_found_something() -> None:
    tests = {name for name in vars(BackendConformance) if name.startswith("test_")}
    assert tests == {test for _, test, _ in FAULTS}
