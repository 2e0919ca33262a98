"""The rules, one by one: what is wanted and what was applied, and the steps that follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import (
    BINDING_FAILED,
    NOBODY,
    AppliedRecord,
    Attempt,
    PortAnswer,
    WantedBinding,
)
from gluon.schema import Proton
from gluon.shim.plan import Call, Callback, Drop, HeldBack, Identity, InUse, Nothing, Refresh, Wait, next_steps, outcome
from gluon.shim.state import HeldAnswer, Object, State

from . import virtual_time
from .samples import L3VPN, OURS, SFC, applied, bound, name, port, sample, vpn_binding
from .simulation import World

TO_BIND = port()
UNBOUND = port(host=None)
RESTING = PortAnswer(controller="ours", revision=1, token="t", host_id="host-1", vif_type="ovs")
THEIRS = PortAnswer(controller="theirs", revision=1, host_id="host-1", vif_type="tap")
VPN = sample("VpnService", 1)
INTERFACE = sample("Interface", 1)
BINDING = vpn_binding()
P, IF, S, B = (o.id for o in (TO_BIND, INTERFACE, VPN, BINDING))
ON_1, ON_2 = keys.binding(P, "host-1"), keys.binding(P, "host-2")

Records = Mapping[ObjectKey, AppliedRecord]


@dataclass
class Situation:
    """What one State holds."""

    desired: list[Object] = field(default_factory=list)
    records: Records = field(default_factory=dict)
    answer: PortAnswer | None = None
    inactive: tuple[WantedBinding, ...] = ()
    proton: Proton = L3VPN
    token: str = "t"

    def state(self) -> State:
        state = State(self.proton)
        for key, record in self.records.items():
            state.record(key, record)
        for obj in self.desired:
            state.desire(obj, self.token, self.inactive)
        if self.answer is not None:
            state.hear(P, HeldAnswer(answer=self.answer, revision=7))
        return state


def seen(steps: object) -> str:
    """The steps that say something, as one line."""
    assert isinstance(steps, list)
    told = [str(step) if isinstance(step, Call | Wait | InUse) else type(step).__name__ for step in steps]
    return "; ".join(step for step in told if step != "Nothing") or "Nothing"


def steps_of(key: ObjectKey, state: State, identity: Identity = OURS) -> str:
    return seen(next_steps(key, state, identity))


def call_of(key: ObjectKey, state: State, identity: Identity = OURS) -> Call:
    [call] = [step for step in next_steps(key, state, identity) if isinstance(step, Call)]
    return call


def is_bound_as(obj: Object = TO_BIND, vif_type: str = "ovs", **members: object) -> Records:
    """The records of a port that has been bound on its host."""
    return {obj.id: applied(obj), keys.binding(obj.id, str(obj["host_id"])): bound(obj, vif_type, "t", **members)}


IS_BOUND = is_bound_as()
FULL: Records = {**IS_BOUND, IF: applied(INTERFACE), S: applied(VPN), B: applied(BINDING)}
REFUSED = replace(RESTING, vif_type=BINDING_FAILED)


def but(records: Records, *left_out: ObjectKey) -> Records:
    return {key: record for key, record in records.items() if key not in left_out}


STEPS = {
    "a new port without a host": (Situation([UNBOUND]), P, f"modify_port {P}"),
    "a new port on our host": (Situation([TO_BIND]), P, f"bind_port {P} on host-1"),
    "a host without a device": (Situation([port(device_id=None)]), P, f"modify_port {P}"),
    "a port on a foreign host": (Situation([port(host="foreign")]), P, "Nothing"),
    "a port that moved to a foreign host, bound": (
        Situation([port(host="foreign")], IS_BOUND),
        P,
        f"unbind_port {P} on host-1; waits for {ON_1} to be deleted",
    ),
    "a port that moved to a foreign host, unbound": (
        Situation([port(host="foreign")], {P: applied(UNBOUND)}),
        P,
        f"delete_port {P}",
    ),
    "a port on a host that is no longer ours, bound": (
        Situation([port(host="dropped")], is_bound_as(port(host="dropped"))),
        P,
        f"unbind_port {P} on dropped; waits for {keys.binding(P, 'dropped')} to be deleted",
    ),
    "a port that was applied": (Situation([UNBOUND], {P: applied(UNBOUND)}), P, "Nothing"),
    "a port that was only claimed": (Situation([UNBOUND], {P: applied(UNBOUND, claimed=True)}), P, f"modify_port {P}"),
    "a bind that was only claimed": (
        Situation([TO_BIND], {P: applied(TO_BIND), ON_1: applied(TO_BIND, claimed=True)}, RESTING),
        P,
        f"bind_port {P} on host-1",
    ),
    "a bound port": (Situation([TO_BIND], IS_BOUND, RESTING), P, "Nothing"),
    "a bound port that was published again": (
        Situation([replace(TO_BIND, revision=2)], IS_BOUND, RESTING),
        P,
        "Nothing",
    ),
    "a bound port that is asked for again": (
        Situation([TO_BIND], IS_BOUND, RESTING, token="again"),
        P,
        f"bind_port {P} on host-1",
    ),
    "a bound port whose answer is gone": (Situation([TO_BIND], IS_BOUND), P, "Refresh"),
    "a bound port whose answer is for another request": (
        Situation([TO_BIND], IS_BOUND, replace(RESTING, token="before")),
        P,
        "Refresh",
    ),
    "a bound port with another name": (
        Situation([port(name="new", revision=2)], IS_BOUND, RESTING),
        P,
        f"modify_port {P}",
    ),
    "a bound port with another vnic_type": (
        Situation([port(vnic_type="direct", revision=2)], IS_BOUND, RESTING),
        P,
        f"unbind_port {P} on host-1",
    ),
    "a bound port with another device": (
        Situation([port(device_id="other", revision=2)], IS_BOUND, RESTING),
        P,
        f"unbind_port {P} on host-1",
    ),
    "a bound port with another profile": (
        Situation([port(profile={"migrating_to": "host-2"}, revision=2)], IS_BOUND, RESTING),
        P,
        f"bind_port {P} on host-1",
    ),
    "a refused bind": (Situation([TO_BIND], is_bound_as(vif_type=BINDING_FAILED), REFUSED), P, "Nothing"),
    "a refused bind of a port that has changed": (
        Situation([port(name="new", revision=2)], is_bound_as(vif_type=BINDING_FAILED), REFUSED),
        P,
        f"bind_port {P} on host-1",
    ),
    "a refused bind that is asked for again": (
        Situation([TO_BIND], is_bound_as(vif_type=BINDING_FAILED), REFUSED, token="again"),
        P,
        f"bind_port {P} on host-1",
    ),
    "a port that another controller holds": (
        Situation([TO_BIND], answer=THEIRS),
        P,
        "is in use by controller theirs",
    ),
    "a port that another controller holds on a host that is not wanted": (
        Situation([TO_BIND], answer=replace(THEIRS, host_id="foreign")),
        P,
        "is in use by controller theirs",
    ),
    "a port that another controller has released": (
        Situation([TO_BIND], answer=NOBODY),
        P,
        f"bind_port {P} on host-1",
    ),
    "a port that another controller took from us": (
        Situation([TO_BIND], IS_BOUND, THEIRS),
        P,
        f"unbind_port {P} on host-1",
    ),
    "a port that another controller took from us, on a foreign host": (
        Situation([TO_BIND], IS_BOUND, replace(THEIRS, host_id="foreign")),
        P,
        f"unbind_port {P} on host-1",
    ),
    "a port that is wanted on another host of ours": (
        Situation([port(host="host-2", revision=2)], IS_BOUND, RESTING),
        P,
        f"waits for {ON_1} to be unbound; unbind_port {P} on host-1",
    ),
    "a deleted port that is bound": (
        Situation([], IS_BOUND),
        P,
        f"unbind_port {P} on host-1; waits for {ON_1} to be deleted",
    ),
    "a deleted port whose service binding and interface are left": (
        Situation([], FULL, RESTING),
        P,
        f"waits for {B} to be deleted; waits for {IF} to be deleted",
    ),
    "a deleted port whose interface is left": (
        Situation([], {P: applied(UNBOUND), IF: applied(INTERFACE)}),
        P,
        f"waits for {IF} to be deleted",
    ),
    "an answer of ours for a port that is gone": (Situation([], answer=RESTING), P, "Drop"),
    "an empty answer for a port that is gone": (Situation([], answer=NOBODY), P, "Drop"),
    "an answer of another for a port that is gone": (Situation([], answer=THEIRS), P, "Nothing"),
    "an answer of ours for a port that is not bound": (
        Situation([UNBOUND], {P: applied(UNBOUND)}, RESTING),
        P,
        "Refresh",
    ),
    "an interface without its port": (Situation([INTERFACE]), IF, "Nothing"),
    "an interface whose port is not applied": (Situation([UNBOUND, INTERFACE]), IF, f"waits for {P} to be applied"),
    "an interface whose port is applied": (
        Situation([UNBOUND, INTERFACE], {P: applied(UNBOUND)}),
        IF,
        f"modify_interface {IF}",
    ),
    "an interface whose port may have been deleted": (
        Situation([UNBOUND, INTERFACE], {P: applied(UNBOUND, attempt=Attempt(callback="delete_port", attributes={}))}),
        IF,
        f"waits for {P} to be applied",
    ),
    "an interface of a port on a foreign host": (
        Situation([port(host="foreign"), INTERFACE], {IF: applied(INTERFACE)}),
        IF,
        f"delete_interface {IF}",
    ),
    "an interface that changes its port": (
        Situation(
            [port(), port(2), sample("Interface", 1, port_id=name("Port", 2).key)],
            {P: applied(TO_BIND), name("Port", 2): applied(port(2)), IF: applied(INTERFACE)},
        ),
        IF,
        f"delete_interface {IF}",
    ),
    "a service binding whose port is not bound": (
        Situation([UNBOUND, INTERFACE, VPN, BINDING], but(FULL, B, ON_1)),
        B,
        "Nothing",
    ),
    "a service binding whose port is being bound": (
        Situation([TO_BIND, INTERFACE, VPN, BINDING], {**but(FULL, B), ON_1: applied(TO_BIND, claimed=True)}),
        B,
        f"waits for {P} to be bound",
    ),
    "a service binding whose port is refused": (
        Situation([TO_BIND, INTERFACE, VPN, BINDING], {**but(FULL, B), ON_1: bound(TO_BIND, BINDING_FAILED, "t")}),
        B,
        "Nothing",
    ),
    "a service binding whose port is bound": (
        Situation([TO_BIND, INTERFACE, VPN, BINDING], but(FULL, B)),
        B,
        f"modify_service_binding {B}",
    ),
    "a service binding whose port is being bound again": (
        Situation(
            [TO_BIND, INTERFACE, VPN, BINDING],
            {
                **but(FULL, B),
                ON_1: bound(TO_BIND, attempt=Attempt(callback="bind_port", attributes=dict(TO_BIND.attributes))),
            },
        ),
        B,
        f"modify_service_binding {B}",
    ),
    "a service binding whose port may have been unbound": (
        Situation(
            [TO_BIND, INTERFACE, VPN, BINDING],
            {**but(FULL, B), ON_1: bound(TO_BIND, attempt=Attempt(callback="unbind_port", attributes={}))},
        ),
        B,
        f"waits for {P} to be bound",
    ),
    "a service binding whose port the SDN controller has lost": (
        Situation([TO_BIND, INTERFACE, VPN, BINDING], {**but(FULL, B), ON_1: bound(TO_BIND, claimed=True)}),
        B,
        f"waits for {P} to be bound",
    ),
    "a service binding whose service is not applied": (
        Situation([TO_BIND, INTERFACE, VPN, BINDING], but(FULL, B, S)),
        B,
        f"waits for {S} to be applied",
    ),
    "a service binding whose service is gone": (
        Situation([TO_BIND, INTERFACE, BINDING], FULL),
        B,
        f"delete_service_binding {B}",
    ),
    "a service binding whose port is to be unbound": (
        Situation([UNBOUND, INTERFACE, VPN, BINDING], FULL),
        B,
        f"delete_service_binding {B}",
    ),
    "a service that is left by its binding": (Situation([], {S: applied(VPN)}), S, f"delete_service {S}"),
    "a service whose binding is left": (
        Situation([TO_BIND, INTERFACE, BINDING], FULL),
        S,
        f"waits for {B} to be deleted",
    ),
}


@pytest.mark.parametrize("what", STEPS)
def test_next_steps(what: str) -> None:
    situation, key, expected = STEPS[what]
    assert steps_of(key, situation.state()) == expected


@pytest.mark.parametrize(
    ("attempt", "expected", "knows_previous"),
    [
        (None, "Nothing", False),
        (Attempt(callback="delete_service", attributes={}), f"modify_service {S}", False),
        (Attempt(callback="modify_service", attributes={"name": "other"}), f"modify_service {S}", True),
    ],
    ids=["nothing attempted", "a delete attempted", "a change attempted"],
)
def test_what_was_attempted_and_not_recorded_is_made_sure_of(
    attempt: Attempt | None, expected: str, *, knows_previous: bool
) -> None:
    state = Situation([VPN], {S: applied(VPN, attempt=attempt)}).state()
    assert steps_of(S, state) == expected
    if attempt is not None:
        assert (call_of(S, state).previous is not None) == knows_previous


def test_an_unbind_that_may_have_been_made_is_followed_by_a_bind() -> None:
    attempt = Attempt(callback="unbind_port", attributes=dict(TO_BIND.attributes))
    state = Situation([TO_BIND], is_bound_as(attempt=attempt), RESTING).state()
    assert steps_of(P, state) == f"bind_port {P} on host-1"


def test_a_missing_list_item_neither_applies_nor_deletes_the_service() -> None:
    named = sample("VpnService", 1, ipv4_family="65000:1")
    for records in ({}, {S: applied(named)}):
        assert steps_of(S, Situation([named], records).state()) == (
            "waits for net-l3vpn/VpnAfConfig/65000:1 to be applied"
        )


def test_a_list_item_that_is_about_to_be_deleted_is_not_named_any_more() -> None:
    target, named = sample("VpnAfConfig", 1), sample("VpnService", 1, ipv4_family="65000:1")
    state = Situation([named], {target.id: applied(target)}).state()
    assert steps_of(S, state) == f"waits for {target.id} to be applied"


def test_a_deleted_list_item_stays_until_the_service_lets_go_of_it() -> None:
    target, named = sample("VpnAfConfig", 1), sample("VpnService", 1, ipv4_family="65000:1")
    state = Situation([named], {target.id: applied(target), S: applied(named)}).state()
    assert steps_of(target.id, state) == f"waits for {S} to be deleted"
    assert target.id in state.record(S, applied(VPN))
    assert steps_of(target.id, state) == f"delete_object {target.id}"


def test_what_a_call_under_way_names_is_not_deleted() -> None:
    other = sample("VpnService", 2)
    attempt = Attempt(callback="modify_service_binding", attributes=dict(vpn_binding(vpn=2).attributes))
    state = Situation([], {**but(FULL, B), other.id: applied(other), B: applied(BINDING, attempt=attempt)}).state()
    assert steps_of(other.id, state) == f"waits for {B} to be deleted"


# -- with the reconciler ---------------------------------------------------------------------------


async def settled(world: World, *wanted: Object) -> list[str]:
    """Wants the objects, and returns the calls that follow."""
    world.calls.clear()
    for obj in wanted:
        world.want(obj.id, dict(obj.attributes))
    await world.settle()
    return list(world.calls)


def test_a_changed_route_target_applies_just_the_services_that_name_it() -> None:
    async def check() -> None:
        async with World(L3VPN, seed=1) as world:
            services = [sample("VpnService", n, ipv4_family=f) for n, f in ((1, "65000:1"), (2, None))]
            await settled(world, sample("VpnAfConfig", 1), *services)
            calls = await settled(world, sample("VpnAfConfig", 1, vrf_rt_type="import_extcommunity"))
            assert sorted(calls) == [f"modify_object {name('VpnAfConfig', 1)}", f"modify_service {S}"]

    virtual_time.run(check())


@pytest.mark.parametrize(
    ("change", "host"), [({"host": "host-2"}, "host-2"), ({"vnic_type": "direct"}, "host-1")], ids=["host", "vnic_type"]
)
def test_a_bound_port_that_moves_is_taken_apart_and_put_together(change: dict[str, str], host: str) -> None:
    async def check() -> None:
        async with World(L3VPN, seed=1) as world:
            await settled(world, TO_BIND, INTERFACE, VPN, BINDING)
            assert await settled(world, port(**change)) == [
                f"delete_service_binding {B}",
                f"unbind_port {P} on host-1",
                f"bind_port {P} on {host}",
                f"modify_service_binding {B}",
            ]

    virtual_time.run(check())


def test_a_new_profile_binds_again_without_an_unbind() -> None:
    """Nova writes `migrating_to` there before a live migration: the running VM keeps its network."""

    async def check() -> None:
        async with World(L3VPN, seed=1) as world:
            await settled(world, TO_BIND, INTERFACE, VPN, BINDING)
            calls = await settled(world, port(profile={"migrating_to": "host-2"}))
            assert calls == [f"bind_port {P} on host-1"]

    virtual_time.run(check())


def test_a_service_is_not_deleted_before_its_binding_in_a_second_proton() -> None:
    service, binding = sample("ServiceFunction", 1, SFC), name("SfDataPlaneLocator", 1, SFC)

    async def check() -> None:
        async with World(SFC, seed=3) as world:
            calls = await settled(
                world,
                service,
                sample("Port", 1, SFC, host_id="host-1", device_id="vm"),
                sample("Interface", 1, SFC),
                sample("SfDataPlaneLocator", 1, SFC, service_id=service.key),
            )
            assert calls[-1] == f"modify_service_binding {binding}"
            world.calls.clear()
            world.want(service.id, None)
            await world.settle()
            assert world.calls == [f"delete_service_binding {binding}", f"delete_service {service.id}"]

    virtual_time.run(check())


def test_delete_port_is_called_once_with_what_the_port_promises() -> None:
    async def check() -> None:
        async with World(L3VPN, seed=1) as world:
            await settled(world, TO_BIND)
            world.calls.clear()
            world.want(P, None)
            await world.settle()
            assert world.calls == [f"unbind_port {P} on host-1", f"delete_port {P}"]
            assert P not in world.state.records

    virtual_time.run(check())


# -- what a result means ---------------------------------------------------------------------------


def test_an_unbind_leaves_the_claim_of_another_controller_alone() -> None:
    state = Situation([TO_BIND], IS_BOUND, THEIRS).state()
    writes = outcome.succeeded(call_of(P, state), state, OURS)
    assert writes.answer is None
    assert writes.records == {ON_1: None}


def test_an_unbind_is_told_the_port_as_it_was_bound() -> None:
    records = is_bound_as(port(name="as bound"))
    state = Situation([port(host=None, name="now")], records).state()
    call = call_of(P, state)
    assert (call.object["name"], call.object["host_id"]) == ("as bound", "host-1")


def test_a_bind_claims_the_port_before_it_is_made() -> None:
    state = Situation([TO_BIND]).state()
    call = call_of(P, state)
    writes = outcome.claim(call, state, OURS)
    assert writes is not None
    assert writes.claim
    assert writes.answer is not None
    assert writes.answer.answer == PortAnswer(controller="ours", host_id="host-1", token="t", revision=1)
    assert set(writes.records) == {P, ON_1}
    assert all(record is not None and record.claimed for record in writes.records.values())
    for key, record in writes.records.items():
        state.record(key, record)
    state.hear(P, HeldAnswer(writes.answer.answer, revision=8))
    assert outcome.claim(call_of(P, state), state, OURS) is None


def test_a_bind_that_is_made_again_keeps_its_answer_until_it_has_another() -> None:
    state = Situation([TO_BIND], IS_BOUND, RESTING, token="again").state()
    call = call_of(P, state)
    writes = outcome.claim(call, state, OURS)
    assert writes is not None
    assert writes.answer is None
    assert not writes.claim
    record = writes.records[ON_1]
    assert record is not None
    assert record.bound == IS_BOUND[ON_1].bound
    assert record.attempt == Attempt(callback="bind_port", attributes=dict(TO_BIND.attributes))


def test_what_may_be_there_is_deleted_without_a_note_before() -> None:
    """The record says already that nothing is certain."""
    state = Situation([], {S: applied(VPN, claimed=True)}).state()
    assert outcome.claim(call_of(S, state), state, OURS) is None


def test_after_a_delete_that_may_have_been_made_a_change_begins_from_nothing() -> None:
    attempt = Attempt(callback="delete_service", attributes=dict(VPN.attributes))
    state = Situation([VPN], {S: applied(VPN, attempt=attempt)}).state()
    writes = outcome.claim(call_of(S, state), state, OURS)
    assert writes is not None
    record = writes.records[S]
    assert record is not None
    assert record.claimed
    assert record.attempt == Attempt(callback="modify_service", attributes=dict(VPN.attributes))


def test_a_bind_notes_that_the_backend_hears_of_the_port_as_well() -> None:
    renamed = port(name="new", revision=2)
    state = Situation([renamed], IS_BOUND, RESTING, token="again").state()
    writes = outcome.claim(call_of(P, state), state, OURS)
    assert writes is not None
    record = writes.records[P]
    assert record is not None
    assert (record.attributes["name"], record.claimed) == (None, False)
    assert record.attempt == Attempt(callback="modify_port", attributes=dict(renamed.attributes))


def test_a_bind_that_ends_when_the_port_has_changed_back_does_not_hide_it() -> None:
    """The backend heard of the new name by the bind; the old one is due again."""
    renamed = port(name="new", revision=2)
    state = Situation([renamed], IS_BOUND, RESTING, token="again").state()
    call = call_of(P, state)
    for key, record in (outcome.claim(call, state, OURS) or outcome.Writes(subject=P)).records.items():
        state.record(key, record)
    state.desire(TO_BIND, "again")
    for key, record in outcome.bound(call, "ovs", {}, state, OURS).records.items():
        state.record(key, record)
    assert f"modify_port {P}" in steps_of(P, state)


def test_a_failing_bind_is_answered_binding_failed_and_said_once() -> None:
    claimed = PortAnswer(controller="ours", host_id="host-1", token="t", revision=1)
    state = Situation([TO_BIND], {ON_1: applied(TO_BIND, claimed=True)}, claimed).state()
    call = call_of(P, state)
    writes = outcome.bind_overdue(call, "no route", state, OURS)
    assert writes is not None
    assert writes.answer is not None
    assert writes.answer.answer is not None
    told = writes.answer.answer
    assert (told.vif_type, told.reason, told.token) == (BINDING_FAILED, "no route", "t")
    state.hear(P, HeldAnswer(answer=told, revision=9))
    assert outcome.bind_overdue(call, "no route", state, OURS) is None


@pytest.mark.parametrize("answer", [NOBODY, THEIRS], ids=["nobody's", "another's"])
def test_a_failing_bind_says_nothing_of_a_port_that_is_not_ours(answer: PortAnswer) -> None:
    state = Situation([TO_BIND], {ON_1: applied(TO_BIND, claimed=True)}, answer).state()
    call = Call(Callback.BIND_PORT, TO_BIND, token="t", record=ON_1)
    assert outcome.bind_overdue(call, "no route", state, OURS) is None


@pytest.mark.parametrize("what", ["overdue", "refused"])
def test_a_bound_port_that_is_bound_again_in_vain_stays_bound(what: str) -> None:
    state = Situation([TO_BIND], IS_BOUND, RESTING, token="again").state()
    call = call_of(P, state)
    if what == "overdue":
        assert outcome.bind_overdue(call, "no route", state, OURS) is None
        return
    writes = outcome.bind_refused(call, "no route", state, OURS)
    assert writes.answer is not None
    assert writes.answer.answer is not None
    told = writes.answer.answer
    assert (told.vif_type, told.token, told.reason) == ("ovs", "again", "no route")


def test_a_refused_bind_is_answered_binding_failed() -> None:
    claimed = PortAnswer(controller="ours", host_id="host-1", token="t", revision=1)
    state = Situation([TO_BIND], {ON_1: applied(TO_BIND, claimed=True)}, claimed).state()
    writes = outcome.bind_refused(call_of(P, state), "no such host", state, OURS)
    assert writes.answer is not None
    assert writes.answer.answer is not None
    told = writes.answer.answer
    assert (told.vif_type, told.token, told.reason) == (BINDING_FAILED, "t", "no such host")


def test_a_bind_that_ends_when_the_port_is_anothers_is_recorded_not_answered() -> None:
    """The plan then finds a port that we have bound and another has claimed, and undoes our bind."""
    state = Situation([TO_BIND], {ON_1: applied(TO_BIND, claimed=True)}, THEIRS).state()
    call = Call(Callback.BIND_PORT, TO_BIND, token="t", record=ON_1)
    writes = outcome.bound(call, "ovs", {}, state, OURS)
    assert writes.answer is None
    for key, record in writes.records.items():
        state.record(key, record)
    assert steps_of(P, state) == f"unbind_port {P} on host-1"


def test_the_answer_of_a_deleted_port_goes_with_it() -> None:
    state = Situation([], {P: applied(UNBOUND)}, NOBODY).state()
    writes = outcome.succeeded(call_of(P, state), state, OURS)
    assert writes.answer is not None
    assert writes.answer.answer is None
    theirs = Situation([], {P: applied(UNBOUND)}, THEIRS).state()
    assert outcome.succeeded(call_of(P, theirs), theirs, OURS).answer is None


def test_a_key_that_nothing_is_known_of_needs_nothing() -> None:
    assert next_steps(P, State(L3VPN), OURS) == [Nothing(), Nothing()]
    assert next_steps(S, State(L3VPN), OURS) == [Nothing()]


# -- the brake -------------------------------------------------------------------------------------


def test_what_is_absent_is_held_back_and_what_is_there_goes_on() -> None:
    state = Situation([VPN], FULL, RESTING).state()
    state.hold_all_absent = True
    assert steps_of(B, state) == "HeldBack"
    assert steps_of(IF, state) == "HeldBack"
    assert steps_of(P, state) == "HeldBack; HeldBack"
    assert steps_of(S, state) == "Nothing"
    state.desire(sample("VpnService", 1, name="changed"))
    assert steps_of(S, state) == f"modify_service {S}"


def test_nothing_is_answered_for_a_port_that_is_absent_and_held_back() -> None:
    """etcd was lost with the answer, and the port may never come back."""
    state = Situation([], IS_BOUND).state()
    state.hold_all_absent = True
    assert steps_of(P, state) == "HeldBack; HeldBack"


def test_a_port_that_is_there_and_not_to_be_bound_is_unbound_while_etcd_is_filled() -> None:
    """A user's wish, not something that is merely absent."""
    state = Situation([UNBOUND], IS_BOUND, RESTING).state()
    state.hold_all_absent = True
    assert steps_of(P, state) == f"unbind_port {P} on host-1"


def test_the_brake_holds_back_just_what_it_was_told() -> None:
    state = Situation([], {S: applied(VPN), name("VpnService", 2): applied(sample("VpnService", 2))}).state()
    state.held_back = {S}
    assert next_steps(S, state, OURS) == [HeldBack()]
    assert steps_of(name("VpnService", 2), state) == f"delete_service {name('VpnService', 2)}"


def test_an_unbind_that_is_held_back_says_nothing_of_the_answer() -> None:
    state = Situation([UNBOUND], IS_BOUND, RESTING).state()
    state.held_back = {ON_1}
    assert not any(isinstance(step, Refresh | Drop) for step in next_steps(P, state, OURS))
