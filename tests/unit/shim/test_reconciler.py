"""The loop: what is cancelled, what is not called any more, and whose word counts in the end."""

from __future__ import annotations

import asyncio
import logging

import pytest

from gluon.contract import keys
from gluon.contract.records import BINDING_FAILED, PortAnswer, Status
from gluon.etcd import FenceBroken
from gluon.shim.backend import Refused, RetryLater
from gluon.shim.plan import Callback
from gluon.shim.reconcile.reconciler import Pace

from . import virtual_time
from .bench import MOMENT, PACE, Bench
from .samples import name, port, sample, vpn_binding

P, S = port().id, name("VpnService", 1)
ON_1 = keys.binding(P, "host-1")
BIND, UNBIND = f"bind_port {P.key}", f"unbind_port {P.key}"


async def until_begun(bench: Bench, call: str) -> None:
    async with asyncio.timeout(60):
        while call not in bench.vendor.begun:
            await asyncio.sleep(MOMENT)


# -- a bind that is not wanted any more ------------------------------------------------------------------


@pytest.mark.parametrize(
    "elsewhere",
    [port(host="foreign", revision=2), port(host="host-2", revision=2), port(host=None, revision=2), None],
    ids=["on a foreign host", "on another host of ours", "on no host", "deleted"],
)
def test_a_bind_that_is_withdrawn_is_cancelled_and_undone(elsewhere: object) -> None:
    async def check() -> None:
        bench = Bench()
        bench.vendor.held_up["bind_port"] = asyncio.Event()
        async with bench.running() as running:
            bench.want(port())
            await until_begun(bench, BIND)
            bench.vendor.held_up.clear()
            bench.vendor.begun.clear()
            if elsewhere is None:
                bench.forget(P)
            else:
                bench.want(elsewhere)  # type: ignore[arg-type]
            await bench.settle()
            assert bench.vendor.begun[0] == UNBIND  # It may have been bound before it was cancelled.
            assert ON_1 not in bench.records
            assert "host-1" not in bench.answer(P).bindings
            assert not running.done()
            assert bench.reconciler.late == []

    virtual_time.run(check())


def test_a_bind_that_another_controller_took_over_is_cancelled() -> None:
    async def check() -> None:
        bench = Bench()
        bench.vendor.held_up["bind_port"] = asyncio.Event()
        async with bench.running():
            bench.want(port())
            await until_begun(bench, BIND)
            bench.other_answers(P, controller="theirs", host_id="host-1", vif_type="tap")
            await bench.settle()
            assert bench.vendor.made == [UNBIND]
            assert bench.answer(P).controller == "theirs"

    virtual_time.run(check())


@pytest.mark.parametrize(
    "change",
    [port(name="new", revision=2), port(profile={"migrating_to": "host-2"}, revision=2)],
    ids=["name", "profile"],
)
def test_a_bind_that_is_still_wanted_is_not_cancelled(change: object) -> None:
    async def check() -> None:
        bench = Bench()
        bench.vendor.held_up["bind_port"] = held_up = asyncio.Event()
        async with bench.running():
            bench.want(port())
            await until_begun(bench, BIND)
            bench.want(change)  # type: ignore[arg-type]
            held_up.set()
            await bench.settle()
            assert bench.vendor.made[0] == BIND
            assert UNBIND not in bench.vendor.begun

    virtual_time.run(check())


def test_another_bind_of_the_same_port_can_be_withdrawn_afterwards() -> None:
    async def check() -> None:
        bench = Bench()
        async with bench.running() as running:
            for revision in range(1, 6):
                bench.vendor.held_up["bind_port"] = asyncio.Event()
                bench.vendor.begun.clear()
                bench.want(port(revision=2 * revision))
                await until_begun(bench, BIND)
                bench.want(port(host=None, revision=2 * revision + 1))
                await bench.settle()
            bench.vendor.held_up.clear()
            bench.want(port(revision=20))
            await bench.settle()
            assert bench.answer(P).vif_type == "ovs"
            assert not running.done()

    virtual_time.run(check())


def test_a_backend_that_fails_over_a_cancellation_costs_no_worker() -> None:
    """An `async with` that can't be left cleanly raises something else than CancelledError."""

    async def check() -> None:
        bench = Bench(Pace(workers=1, retry_min=0.1, retry_max=1.0, report_after=5.0))
        entered: list[str] = []

        async def clean_up(callback: str, obj: object) -> None:  # noqa: ARG001 - the port's
            entered.append(callback)
            if callback != "bind_port" or len(entered) > 1:
                return
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ConnectionError("reset") from None

        bench.vendor.call = clean_up  # type: ignore[method-assign]
        async with bench.running():
            bench.want(port())
            while not entered:
                await asyncio.sleep(MOMENT)
            bench.want(port(host=None, revision=2))
            await bench.settle()
            assert entered[1] == "unbind_port"
            bench.want(sample("VpnService", 1))
            await bench.settle()
            assert entered[-1] == "modify_service"

    virtual_time.run(check())


# -- a result that comes too late ------------------------------------------------------------------------


def test_a_late_result_does_not_overwrite_anothers_answer_and_undoes_itself() -> None:
    """The bind runs in a thread, say, so it can't be cancelled; meanwhile the port was released and taken."""

    async def check() -> None:
        bench = Bench()
        bench.calls.cancels = lambda _: False  # type: ignore[method-assign]
        bench.vendor.held_up["bind_port"] = held_up = asyncio.Event()
        async with bench.running():
            bench.want(port())
            await until_begun(bench, BIND)
            bench.other_answers(P, controller="theirs", host_id="foreign", vif_type="tap")
            bench.want(port(host="foreign", revision=2))
            held_up.set()
            await bench.settle()
            assert bench.vendor.made[:2] == [BIND, UNBIND]
            assert bench.answer(P) == PortAnswer(controller="theirs", host_id="foreign", vif_type="tap")
            assert ON_1 not in bench.records

    virtual_time.run(check())


def test_a_late_result_that_knows_nothing_of_the_newer_owner_does_not_overwrite_it_either() -> None:
    """The other's answer is in etcd and the mirror has not told of it yet: the compare keeps us from it."""

    async def check() -> None:
        bench = Bench()
        bench.vendor.held_up["bind_port"] = held_up = asyncio.Event()
        async with bench.running():
            bench.want(port())
            await until_begun(bench, BIND)
            bench.other_answers(P, heard=False, controller="theirs", host_id="host-1", vif_type="tap")
            held_up.set()
            await bench.settle()
            assert bench.answer(P).controller == "theirs"
            bench.hear(P)
            await bench.settle()
            assert bench.vendor.made == [BIND, UNBIND]
            assert bench.answer(P).controller == "theirs"
            assert ON_1 not in bench.records

    virtual_time.run(check())


def test_a_claim_that_another_was_faster_with_makes_no_call() -> None:
    async def check() -> None:
        bench = Bench()
        bench.other_answers(P, heard=False, controller="theirs", host_id="host-1", vif_type="tap")
        async with bench.running():
            bench.want(port())
            await bench.settle()
            assert bench.vendor.begun == []
            assert bench.records == {}
            bench.hear(P)
            await bench.settle()
            assert str(bench.reconciler.held[P]) == "is in use by controller theirs"
            bench.other_answers(P)
            await bench.settle()
            assert bench.vendor.made == [BIND]
            assert bench.answer(P).controller == "ours"
            assert P not in bench.reconciler.held

    virtual_time.run(check())


def test_a_bound_port_that_another_took_over_is_unbound_with_all_that_hangs_on_it() -> None:
    async def check() -> None:
        bench = Bench()
        wanted = [port(), sample("Interface", 1), sample("VpnService", 1), vpn_binding()]
        bench.has_applied(*wanted)
        async with bench.running():
            await bench.settle()
            bench.other_answers(P, controller="theirs", host_id="host-1", vif_type="tap")
            await bench.settle()
            assert vpn_binding().id not in bench.records
            assert bench.vendor.made[-1] == UNBIND
            assert ON_1 not in bench.records

    virtual_time.run(check())


# -- the end of a lease --------------------------------------------------------------------------------------


def test_no_callback_begins_once_the_lease_has_run_out() -> None:
    """Frozen between the answer to its claim and the call, then woken."""

    async def check() -> None:
        bench = Bench()
        bench.alive = True
        write = bench.write

        async def frozen_after(writes: object) -> object:
            written = await write(writes)  # type: ignore[arg-type]
            bench.alive = False
            return written

        bench.write = frozen_after  # type: ignore[assignment,method-assign]
        async with bench.running() as running:
            bench.want(port())
            with pytest.raises(ExceptionGroup) as caught:
                await running
        assert caught.group_contains(FenceBroken, match="the lease of this term has run out")
        assert bench.vendor.begun == []
        assert bench.reconciler.late == []
        assert bench.records[ON_1].claimed

    virtual_time.run(check())


@pytest.mark.parametrize("failure", [None, RetryLater("busy"), Refused("no")], ids=["done", "failed", "refused"])
def test_a_result_after_the_lease_is_left_to_the_next_leader(failure: Exception | None) -> None:
    async def check() -> None:
        bench = Bench()
        bench.vendor.held_up["bind_port"] = held_up = asyncio.Event()
        if failure is not None:
            bench.vendor.failing["bind_port"] = failure
        async with bench.running() as running:
            bench.want(port())
            await until_begun(bench, BIND)
            writes = len(bench.written)
            bench.alive = False
            held_up.set()
            with pytest.raises(ExceptionGroup) as caught:
                await running
        assert caught.group_contains(FenceBroken)
        assert [call.callback for call in bench.reconciler.late] == [Callback.BIND_PORT]
        assert len(bench.written) == writes
        assert bench.answer(P).vif_type == ""

    virtual_time.run(check())


def test_a_call_under_way_at_the_end_of_the_term_is_late() -> None:
    async def check() -> None:
        bench = Bench()
        bench.vendor.held_up["bind_port"] = asyncio.Event()
        async with bench.running():
            bench.want(port())
            await until_begun(bench, BIND)
        assert [call.key for call in bench.reconciler.late] == [ON_1]

    virtual_time.run(check())


def test_a_call_is_told_the_fence() -> None:
    async def check() -> None:
        bench = Bench()
        async with bench.running():
            bench.want(port())
            await bench.settle()
        assert bench.vendor.fences == [7]

    virtual_time.run(check())


# -- what is said --------------------------------------------------------------------------------------------


def test_a_refused_bind_is_answered_at_once_and_not_made_again() -> None:
    async def check() -> None:
        bench = Bench()
        bench.vendor.failing["bind_port"] = Refused("no such network")
        async with bench.running():
            bench.want(port(), "t")
            await bench.settle()
            told = bench.answer(P)
            assert (told.vif_type, told.reason, told.token) == (BINDING_FAILED, "no such network", "t")
            await asyncio.sleep(100)
            assert bench.vendor.begun == [BIND]
            bench.vendor.failing.clear()
            bench.want(port(), "again")
            await bench.settle()
            assert (bench.answer(P).vif_type, bench.answer(P).token) == ("ovs", "again")

    virtual_time.run(check())


def test_a_refused_change_is_said_at_once_and_a_failing_one_with_its_latest_reason() -> None:
    async def check() -> None:
        bench = Bench()
        bench.vendor.failing["modify_service"] = Refused("no such tenant")
        async with bench.running():
            bench.want(sample("VpnService", 1))
            await bench.settle()
            assert bench.statuses.of(S).failure == "no such tenant"
            bench.vendor.failing["modify_service"] = RetryLater("busy")
            bench.want(sample("VpnService", 1, name="new", revision=2))
            await bench.settle()
            assert bench.statuses.of(S).failure == ""  # Another call: nothing is known of it yet.
            await asyncio.sleep(PACE.report_after + 1)
            assert bench.statuses.of(S).failure == "busy"
            bench.vendor.failing["modify_service"] = RetryLater("full")
            await asyncio.sleep(2 * PACE.retry_max)
            assert bench.statuses.of(S).failure == "full"

    virtual_time.run(check())


def test_a_bind_that_does_not_succeed_is_answered_and_tried_on() -> None:
    async def check() -> None:
        bench = Bench()
        bench.vendor.failing["bind_port"] = RetryLater("no route")
        async with bench.running():
            bench.want(port(), "t")
            await asyncio.sleep(PACE.report_after - 1)
            assert bench.answer(P).vif_type == ""
            await asyncio.sleep(2)
            assert (bench.answer(P).vif_type, bench.answer(P).reason) == (BINDING_FAILED, "no route")
            assert bench.statuses.of(P) == Status(failure="no route")
            bench.vendor.failing.clear()
            await asyncio.sleep(2)
            assert bench.answer(P).vif_type == "ovs"
            assert bench.statuses.of(P) == Status()

    virtual_time.run(check())


def test_a_call_that_does_not_return_is_said_and_gives_its_place_away() -> None:
    async def check() -> None:
        bench = Bench(Pace(workers=1, retry_min=0.1, retry_max=1.0, report_after=5.0))
        bench.vendor.held_up["bind_port"] = held_up = asyncio.Event()
        async with bench.running():
            bench.want(port())
            await until_begun(bench, BIND)
            bench.want(sample("VpnService", 1))
            await asyncio.sleep(PACE.report_after - 1)
            assert bench.vendor.made == []
            await asyncio.sleep(2)
            assert bench.vendor.made == [f"modify_service {S.key}"]
            assert bench.statuses.of(P).failure == "bind_port has not returned for 5 s"
            assert bench.answer(P).vif_type == BINDING_FAILED
            held_up.set()
            await asyncio.sleep(1)
            assert bench.answer(P).vif_type == "ovs"
            assert bench.statuses.of(P) == Status()

    virtual_time.run(check())


def test_a_refused_delete_is_never_given_up() -> None:
    async def check() -> None:
        bench = Bench()
        bench.has_applied(sample("VpnService", 1), wanted=False)
        bench.vendor.failing["delete_service"] = Refused("in use")
        async with bench.running():
            await asyncio.sleep(20)
            assert len(bench.vendor.begun) > 3
            assert bench.statuses.of(S).failure == "in use"
            bench.vendor.failing.clear()
            await asyncio.sleep(2)
            assert S not in bench.records
            assert bench.statuses.of(S) == Status()

    virtual_time.run(check())


def test_a_controller_that_is_away_is_two_lines_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gluon.shim.reconcile.troubles")

    async def check() -> None:
        bench = Bench()
        bench.vendor.failing["modify_service"] = ConnectionError("refused")
        async with bench.running():
            for number in range(20):
                bench.want(sample("VpnService", number))
            await asyncio.sleep(30)
            assert len([line for line in caplog.messages if "refused" in line]) == 1
            bench.vendor.failing.clear()
            await asyncio.sleep(5)
            assert len(bench.records) == 20

    virtual_time.run(check())
    assert len(caplog.messages) == 2
    assert "modify_service of backend acme raised ConnectionError: refused" in caplog.messages[0]
    assert caplog.messages[1].startswith("over, after ")


def test_a_mistake_of_ours_over_one_object_leaves_the_others_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> None:
        bench = Bench()
        make, broken = bench.calls.make, [True]

        async def mistaken(call: object, *more: object) -> object:
            if broken and S.key in str(call):
                raise ZeroDivisionError
            return await make(call, *more)  # type: ignore[arg-type]

        bench.calls.make = mistaken  # type: ignore[assignment,method-assign]
        async with bench.running() as running:
            bench.want(sample("VpnService", 1))
            bench.want(port())
            await bench.settle()
            assert bench.answer(P).vif_type == "ovs"
            assert not running.done()
            broken.clear()
            await asyncio.sleep(PACE.retry_max + 1)
            assert f"modify_service {S.key}" in bench.vendor.made

    virtual_time.run(check())
    assert "trying again in 1 s" in caplog.text


# -- what a backend reported ---------------------------------------------------------------------------------


def test_what_was_reported_of_a_port_is_over_with_its_binding() -> None:
    """Else the next bind would be answered with the link of the last one."""

    async def check() -> None:
        bench = Bench()
        async with bench.running():
            bench.want(port())
            await bench.settle()
            bench.statuses.report(P, "DOWN", "no link")
            bench.want(port(host=None, revision=2))
            await bench.settle()
            assert UNBIND in bench.vendor.made
            assert bench.statuses.of(P) == Status()

    virtual_time.run(check())
