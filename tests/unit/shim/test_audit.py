"""An audit mends what differs, in portions, and leaves alone what changes meanwhile."""

from __future__ import annotations

import asyncio
import logging

import pytest

from gluon.contract import keys
from gluon.contract.records import Status
from gluon.shim.backend import Held, RetryLater
from gluon.shim.plan.inventory import PORTION as COMPARED_AT_ONCE
from gluon.shim.plan.inventory import Comparison, Findings
from gluon.shim.reconcile.reconciler import Pace
from gluon.shim.state import Object
from gluon.shim.terms.audit import NAMED, PORTION, ROUNDS, Audited, result
from gluon.shim.terms.brake import Limits

from . import virtual_time
from .bench import MOMENT, Bench
from .samples import OURS, name, port, sample

P, S = port().id, name("VpnService", 1)
ON_1 = keys.binding(P, "host-1")
MANY_WORKERS = Pace(workers=64, retry_min=0.1, retry_max=1.0)


def services(number: int) -> list[Object]:
    return [sample("VpnService", each) for each in range(number)]


def test_what_is_as_it_should_be_makes_no_call() -> None:
    async def check() -> None:
        bench = Bench()
        bench.has_applied(port(), port(2, host=None), *services(30))
        async with bench.running():
            audited = await bench.audit.run()
            assert audited == Audited(
                findings=Findings(), sentence="32 objects held, 0 missing, 0 differ, 0 known to nobody"
            )
            assert bench.vendor.begun == []
            assert bench.written == []

    virtual_time.run(check())


def test_what_is_missing_or_differs_is_applied_again_and_what_nobody_wants_is_deleted() -> None:
    async def check() -> None:
        bench = Bench()
        bench.has_applied(port(), port(2, host=None), *services(3))
        held = bench.vendor.objects
        del held["Port", P.key]
        del held["VpnService", S.key]
        held["Port", name("Port", 2).key] = Held("Port", name("Port", 2).key, "other")
        held["VpnService", "stranger"] = Held("VpnService", "stranger")
        async with bench.running():
            audited = await bench.audit.run()
            assert sorted(bench.vendor.made) == sorted(
                [
                    f"bind_port {P.key}",
                    f"modify_port {name('Port', 2).key}",
                    f"modify_service {S.key}",
                    "delete_service stranger",
                ]
            )
            assert audited.ok
            assert audited.sentence == "4 objects held, 2 missing, 1 differ, 1 known to nobody"
            assert (await bench.audit.run()).findings == Findings()
            assert bench.statuses.of(P) == Status()
            assert bench.answer(P).vif_type == "ovs"

    virtual_time.run(check())


def test_a_dry_run_tells_and_changes_nothing() -> None:
    async def check() -> None:
        bench = Bench()
        bench.has_applied(*services(3))
        bench.vendor.objects.clear()
        bench.vendor.objects["VpnService", "stranger"] = Held("VpnService", "stranger")
        records = dict(bench.state.records)
        async with bench.running():
            audited = await bench.audit.run(dry_run=True)
            assert audited.sentence == ("1 objects held, 3 missing, 0 differ, 1 known to nobody; nothing was changed")
            assert bench.vendor.begun == []
            assert bench.state.records == records
            assert bench.brake.reason == ""

    virtual_time.run(check())


def test_a_lost_port_is_down_until_it_is_bound_again() -> None:
    async def check() -> None:
        bench = Bench()
        bench.has_applied(port())
        bench.vendor.objects.clear()
        bench.vendor.held_up["bind_port"] = held_up = asyncio.Event()
        async with bench.running():
            audit = asyncio.create_task(bench.audit.run())
            while not bench.vendor.begun:
                await asyncio.sleep(MOMENT)
            assert bench.statuses.of(P).state == "DOWN"
            assert bench.statuses.of(P).reason == "the SDN controller has lost it; it is being bound again"
            assert bench.answer(P).vif_type == "ovs"  # Nova has plugged it; that has not changed.
            held_up.set()
            await audit
            assert bench.statuses.of(P) == Status()

    virtual_time.run(check())


def test_a_few_objects_are_mended_at_once_and_live_changes_go_on() -> None:
    async def check() -> None:
        bench = Bench(MANY_WORKERS)
        bench.has_applied(*services(3 * PORTION))
        bench.vendor.objects.clear()
        bench.vendor.held_up["modify_service"] = held_up = asyncio.Event()
        async with bench.running():
            audit = asyncio.create_task(bench.audit.run())
            await asyncio.sleep(1)
            assert len(bench.vendor.begun) == PORTION
            bench.want(port())
            await asyncio.sleep(1)
            assert bench.answer(P).vif_type == "ovs"
            assert len(bench.vendor.begun) == PORTION + 1
            held_up.set()
            await audit
            assert len(bench.vendor.made) == 3 * PORTION + 1
            assert (await bench.audit.run()).findings == Findings()

    virtual_time.run(check())


def test_one_object_that_fails_does_not_hold_up_the_audit() -> None:
    async def check() -> None:
        bench = Bench(MANY_WORKERS)
        bench.has_applied(port(), *services(PORTION))
        bench.vendor.objects.clear()
        bench.vendor.failing["bind_port"] = RetryLater("busy", 1000)
        async with bench.running():
            async with asyncio.timeout(100):
                await bench.audit.run()
            assert len(bench.vendor.made) == PORTION

    virtual_time.run(check())


@pytest.mark.parametrize("orphaned", [True, False], ids=["listed", "not listed"])
def test_what_changes_while_the_inventory_is_taken_is_skipped(*, orphaned: bool) -> None:
    """The list may show it as it was before or after; either says nothing."""

    async def check() -> None:
        bench = Bench()
        one, two = services(2)
        bench.has_applied(one)
        bench.vendor.inventory_waits_for = waits = asyncio.Event()
        async with bench.running():
            audit = asyncio.create_task(bench.audit.run())  # Lists only the first.
            await asyncio.sleep(MOMENT)
            if orphaned:
                bench.forget(one.id)
            bench.want(two)
            await bench.settle()
            bench.vendor.begun.clear()
            waits.set()
            assert (await audit).findings == Findings()
            assert bench.vendor.begun == []

    virtual_time.run(check())


def test_a_call_that_ends_while_the_inventory_is_taken_is_skipped() -> None:
    """It began before, so the list may show either, and by now its record is certain."""

    async def check() -> None:
        bench = Bench()
        bench.vendor.held_up["modify_service"] = held_up = asyncio.Event()
        bench.vendor.inventory_waits_for = waits = asyncio.Event()
        async with bench.running():
            bench.want(sample("VpnService", 1))
            while not bench.vendor.begun:
                await asyncio.sleep(MOMENT)
            audit = asyncio.create_task(bench.audit.run())
            await asyncio.sleep(MOMENT)
            held_up.set()
            await bench.settle()
            assert not bench.records[S].claimed
            waits.set()
            assert (await audit).findings == Findings()

    virtual_time.run(check())


def test_what_was_skipped_is_looked_at_again() -> None:
    """A port is bound where it is wanted while the inventory is taken, and is held on another host too."""

    async def check() -> None:
        bench = Bench()
        waits = bench.vendor.inventory_waits_for = asyncio.Event()
        stray = Held("Port", P.key, attributes={"host_id": "host-2"})
        bench.vendor.objects["Port", "elsewhere"] = stray
        async with bench.running():
            audit = asyncio.create_task(bench.audit.run())
            await asyncio.sleep(MOMENT)
            bench.want(port())
            await bench.settle()
            waits.set()
            assert set((await audit).findings.orphans) == {keys.binding(P, "host-2")}
            assert f"unbind_port {P.key}" in bench.vendor.made
            assert list(bench.state.hosts(P)) == ["host-1"]

    virtual_time.run(check())


def test_what_is_held_and_could_not_be_applied_yet_is_deleted_once_it_is_not_wanted() -> None:
    """Its record was lost, and what it names is not there: without a record nobody would delete it."""

    async def check() -> None:
        bench = Bench()
        waiting = sample("VpnService", 1, ipv4_family=name("VpnAfConfig", 1).key)
        bench.vendor.objects["VpnService", S.key] = Held("VpnService", S.key)
        async with bench.running():
            bench.want(waiting)
            assert (await bench.audit.run()).findings.orphans == {}
            assert bench.vendor.made == []
            bench.forget(S)
            await bench.settle()
            assert bench.vendor.objects == {}

    virtual_time.run(check())


def test_what_never_rests_ends_the_audit_all_the_same() -> None:
    async def check() -> None:
        bench = Bench()
        bench.vendor.failing["modify_service"] = RetryLater("busy", 1000)
        async with bench.running():
            bench.want(sample("VpnService", 1))
            await bench.settle()
            bench.vendor.objects["VpnService", S.key] = Held("VpnService", S.key, "otherwise")
            assert (await bench.audit.run()).findings == Findings()
            assert bench.vendor.inventories == ROUNDS

    virtual_time.run(check())


def test_two_audits_do_not_disturb_each_other() -> None:
    async def check() -> None:
        bench = Bench()
        bench.has_applied(*services(3))
        bench.vendor.objects.clear()
        waits = bench.vendor.inventory_waits_for = asyncio.Event()
        async with bench.running():
            audits = asyncio.gather(bench.audit.run(), bench.audit.run())
            await asyncio.sleep(1)
            assert bench.vendor.inventories == 1
            waits.set()
            one, two = await audits
            assert len(one.findings.missing) == 3
            assert two.findings == Findings()

    virtual_time.run(check())


def test_what_is_under_way_or_failing_when_the_inventory_is_asked_for_is_skipped() -> None:
    async def check() -> None:
        bench = Bench()
        one, two = services(2)
        bench.has_applied(one)
        bench.vendor.failing["modify_service"] = RetryLater("busy", 1000)
        async with bench.running():
            bench.want(sample("VpnService", 0, name="new"))
            bench.want(two)
            await bench.settle()
            bench.vendor.objects.clear()
            assert (await bench.audit.run()).findings == Findings()

    virtual_time.run(check())


def test_a_comparison_goes_in_steps_and_skips_what_changes_between_them() -> None:
    bench = Bench()
    objects = services(2 * COMPARED_AT_ONCE + 1)
    bench.has_applied(*objects)
    touched: set[object] = set()
    comparison = Comparison([Held("VpnService", "stranger")], bench.state, bench.calls, OURS, touched)  # type: ignore[arg-type]
    steps = comparison.steps()
    next(steps)
    seen = set(comparison.findings.missing)
    assert len(seen) == COMPARED_AT_ONCE
    touched.update(obj.id for obj in objects)
    for _ in steps:
        pass
    assert set(comparison.findings.missing) == seen
    assert [key.key for key in comparison.findings.orphans] == ["stranger"]


# -- one object ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reapply", [True, False])
def test_an_audit_of_one_object_leaves_the_others_alone(*, reapply: bool) -> None:
    async def check() -> None:
        bench = Bench()
        bench.has_applied(port(), *services(3))
        bench.vendor.objects.clear()
        bench.vendor.objects["VpnService", "stranger"] = Held("VpnService", "stranger")
        async with bench.running():
            for only, call in (
                (f"VpnService/{S.key}", f"modify_service {S.key}"),
                (f"Port/{P.key}", f"bind_port {P.key}"),
                *([] if reapply else [("VpnService/stranger", "delete_service stranger")]),
            ):
                bench.vendor.made.clear()
                await (bench.audit.reapply(only=only) if reapply else bench.audit.run(only=only))
                assert call in bench.vendor.made
                assert len([each for each in bench.vendor.made if each.split()[1] != call.split()[1]]) == 0

    virtual_time.run(check())


@pytest.mark.parametrize("reapply", [True, False])
def test_an_object_that_nobody_knows_is_not_well(*, reapply: bool) -> None:
    async def check() -> None:
        bench = Bench()
        bench.has_applied(sample("VpnService", 1))
        async with bench.running():
            only = "VpnService/typo"
            audited = await (bench.audit.reapply(only=only) if reapply else bench.audit.run(only=only))
            assert not audited.ok
            assert "VpnService/typo" in audited.sentence
        assert bench.audit.covers("VpnService/typo")
        assert bench.audit.covers("")
        assert not bench.audit.covers("Prt/typo")

    virtual_time.run(check())


def test_an_audit_of_one_object_says_nothing_of_the_orphans_that_wait() -> None:
    """Else it would look as if an operator's word were no longer needed, and it would not be heard."""

    async def check() -> None:
        bench = Bench(limits=Limits(few=2))
        bench.has_applied(sample("VpnService", 1))
        for stranger in "abc":
            bench.vendor.objects["VpnService", stranger] = Held("VpnService", stranger)
        async with bench.running():
            await bench.audit.run()
            reason = bench.brake.reason
            assert reason
            await bench.audit.run(only=f"VpnService/{S.key}")
            assert bench.brake.reason == reason

    virtual_time.run(check())


# -- everything ----------------------------------------------------------------------------------------------


def test_reapply_makes_every_call_once_more_without_asking_the_controller() -> None:
    async def check() -> None:
        bench = Bench()
        bench.has_applied(port(), port(2, host=None), *services(20))
        bench.vendor.without_inventory = True
        async with bench.running():
            audited = await bench.audit.reapply()
            assert audited.sentence == "23 objects are applied again"  # A bound port is two.
            made = {call.split()[1] for call in bench.vendor.made}
            assert made == {P.key, name("Port", 2).key, *(obj.key for obj in services(20))}
            assert not [call for call in bench.vendor.made if call.startswith(("delete", "unbind"))]
            assert all(record.attempt is None for record in bench.records.values())

    virtual_time.run(check())


def test_a_controller_that_came_back_empty_is_filled_again() -> None:
    async def check() -> None:
        bench = Bench()
        bench.has_applied(port(), *services(20))
        bench.vendor.objects.clear()
        bench.vendor.without_inventory = True
        async with bench.running():
            await bench.audit.lost("rebooted")
            await bench.settle()
            assert len(bench.vendor.objects) == 21
            assert bench.statuses.of(P) == Status()
            assert all(not record.claimed and record.attempt is None for record in bench.records.values())

    virtual_time.run(check())


def test_what_a_lost_object_is_needed_by_waits_for_it() -> None:
    async def check() -> None:
        bench = Bench()
        interface = sample("Interface", 1)
        bench.has_applied(port(), sample("VpnService", 1), interface)
        bench.vendor.held_up["bind_port"] = asyncio.Event()
        async with bench.running():
            await bench.audit.lost("")
            await asyncio.sleep(1)
            assert str(bench.reconciler.held[interface.id]) == f"waits for {P} to be applied"

    virtual_time.run(check())


# -- what can't be done --------------------------------------------------------------------------------------


def test_a_backend_without_an_inventory_says_what_else_there_is() -> None:
    async def check() -> None:
        bench = Bench()
        bench.vendor.without_inventory = True
        audited = await bench.audit.run()
        assert not audited.ok
        assert audited.sentence == "backend acme has no inventory; `--reapply` applies everything to it again"

    virtual_time.run(check())


def test_an_inventory_that_fails_changes_nothing() -> None:
    async def check() -> None:
        bench = Bench()
        bench.has_applied(*services(3))
        bench.vendor.listed = 7  # type: ignore[assignment]
        async with bench.running():
            audited = await bench.audit.run()
            assert not audited.ok
            assert audited.sentence.startswith("the inventory failed: inventory of backend acme returned 7")
            assert bench.vendor.begun == []

    virtual_time.run(check())


def test_a_type_that_the_model_does_not_have_is_named_and_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> Audited:
        bench = Bench()
        bench.vendor.listed = [Held("Firewall", "f")]
        async with bench.running():
            return await bench.audit.run()

    audited = virtual_time.run(check())
    assert audited.findings.unknown == ("Firewall/f",)
    assert "the SDN controller holds Firewall/f, whose type the model does not have; it is left alone" in caplog.text


# -- orphans and the brake -----------------------------------------------------------------------------------


def test_too_many_orphans_wait_for_an_operators_word() -> None:
    async def check() -> None:
        bench = Bench(limits=Limits(few=2))
        bench.has_applied(*services(3))
        strangers = [f"stranger {number}" for number in range(3)]
        for stranger in strangers:
            bench.vendor.objects["VpnService", stranger] = Held("VpnService", stranger)
        async with bench.running():
            audited = await bench.audit.run()
            assert len(audited.findings.orphans) == 3
            assert bench.vendor.begun == []
            assert "holds 3 objects that nobody knows" in bench.brake.reason
            assert await bench.audit.accept() == 3
            await bench.settle()
            assert sorted(bench.vendor.made) == [f"delete_service {stranger}" for stranger in strangers]
            assert await bench.audit.accept() == 0

    virtual_time.run(check())


def test_orphans_that_are_gone_before_the_operators_word_are_not_deleted() -> None:
    """One of them may be wanted by then, and applied."""

    async def check() -> None:
        bench = Bench(limits=Limits(few=2))
        bench.has_applied(*services(3))
        for stranger in "abc":
            bench.vendor.objects["VpnService", stranger] = Held("VpnService", stranger)
        async with bench.running():
            await bench.audit.run()
            for stranger in "abc":
                del bench.vendor.objects["VpnService", stranger]
            await bench.audit.run()
            assert bench.brake.reason == ""
            assert await bench.audit.accept() == 0
            await bench.settle()
            assert bench.vendor.begun == []

    virtual_time.run(check())


def test_an_orphan_is_named_before_it_is_deleted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    async def check() -> None:
        bench = Bench()
        bench.vendor.objects["VpnService", "stranger"] = Held("VpnService", "stranger")
        async with bench.running():
            await bench.audit.run()

    virtual_time.run(check())
    assert "holds net-l3vpn/VpnService/stranger, which nobody wants; it is deleted" in caplog.text


# -- what is told ----------------------------------------------------------------------------------------------


def test_the_audits_of_all_protons_make_one_result() -> None:
    one = Audited(findings=Findings(missing=(S,), unknown=("Firewall/f",)), sentence="1 missing")
    other = Audited(findings=Findings(differing=(P,)), sentence="failed", ok=False)
    told = result([("net-l3vpn", one), ("ietf-sfc", other)])
    assert not told.ok
    assert told.message == "net-l3vpn: 1 missing; ietf-sfc: failed"
    assert (told.missing, told.differing, told.orphans) == ((str(S),), (str(P),), ("Firewall/f",))
    assert result([]).message == "nothing to audit"


def test_a_result_names_a_bounded_number_of_objects() -> None:
    many = tuple(name("VpnService", number) for number in range(NAMED + 5))
    assert len(result([("p", Audited(findings=Findings(missing=many), sentence=""))]).missing) == NAMED
