"""The rules, one by one: what is wanted and what was applied, and the step that follows."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from gluon.contract.keys import ObjectKey
from gluon.contract.records import BINDING_FAILED, Answer, AppliedRecord
from gluon.schema import Proton
from gluon.shim.plan import Call, InUse, Nothing, Wait, next_step, outcome
from gluon.shim.state import HeldAnswer, Object, State

from .samples import L3VPN, OURS, SFC, applied, bound, name, port, sample, vpn_binding
from .simulation import World

TO_BIND = port()
UNBOUND = port(host=None)
RESTING = Answer(controller="ours", revision=1, host_id="host-1", vif_type="ovs")
THEIRS = Answer(controller="theirs", revision=1, host_id="host-1", vif_type="tap")
VPN = sample("VpnService", 1)
INTERFACE = sample("Interface", 1)
BINDING = vpn_binding()


@dataclass
class Situation:
    """What one State holds."""

    desired: list[Object] = field(default_factory=list)
    records: list[tuple[Object, AppliedRecord]] = field(default_factory=list)
    answers: dict[ObjectKey, Answer | None] = field(default_factory=dict)
    proton: Proton = L3VPN

    def state(self) -> State:
        state = State(self.proton)
        for obj, record in self.records:
            state.apply(obj.id, obj.base, record)
        for obj in self.desired:
            state.desire(obj)
        for key, answer in self.answers.items():
            state.hear(key, HeldAnswer(answer=answer, revision=7))
        return state


def seen(step: object) -> str:
    return str(step) if isinstance(step, Call | Wait | InUse) else type(step).__name__


FULL = [(TO_BIND, bound(TO_BIND)), (INTERFACE, applied(INTERFACE)), (VPN, applied(VPN)), (BINDING, applied(BINDING))]
P, IF, S, B = (o.id for o in (TO_BIND, INTERFACE, VPN, BINDING))

STEPS = {
    "a new port without a host": (Situation([UNBOUND]), P, f"modify_port {P}"),
    "a new port on our host": (Situation([TO_BIND]), P, f"bind_port {P}"),
    "a host without a device": (Situation([port(device_id=None)]), P, f"modify_port {P}"),
    "a port on a foreign host": (Situation([port(host="foreign")]), P, "Nothing"),
    "a port that moved to a foreign host, bound": (
        Situation([port(host="foreign")], [(TO_BIND, bound(TO_BIND))]),
        P,
        f"unbind_port {P}",
    ),
    "a port that moved to a foreign host, unbound": (
        Situation([port(host="foreign")], [(UNBOUND, applied(UNBOUND))]),
        P,
        f"delete_port {P}",
    ),
    "a port that was applied": (Situation([UNBOUND], [(UNBOUND, applied(UNBOUND))]), P, "Nothing"),
    "a port that was only claimed": (
        Situation([UNBOUND], [(UNBOUND, applied(UNBOUND, claimed=True))]),
        P,
        f"modify_port {P}",
    ),
    "a bind that was only claimed": (
        Situation([TO_BIND], [(TO_BIND, bound(TO_BIND, "", claimed=True))]),
        P,
        f"bind_port {P}",
    ),
    "a bound port": (Situation([TO_BIND], [(TO_BIND, bound(TO_BIND))], {P: RESTING}), P, "Nothing"),
    "a bound port whose answer is for an earlier revision": (
        Situation([replace(TO_BIND, revision=2)], [(TO_BIND, bound(TO_BIND))], {P: RESTING}),
        P,
        "Refresh",
    ),
    "a bound port whose answer is gone": (Situation([TO_BIND], [(TO_BIND, bound(TO_BIND))]), P, "Refresh"),
    "a bound port with another name": (
        Situation([port(name="new", revision=2)], [(TO_BIND, bound(TO_BIND))], {P: RESTING}),
        P,
        f"modify_port {P}",
    ),
    "a bound port with another vnic_type": (
        Situation([port(vnic_type="direct", revision=2)], [(TO_BIND, bound(TO_BIND))], {P: RESTING}),
        P,
        f"unbind_port {P}",
    ),
    "a bound port with another profile": (
        Situation([port(profile={"slot": 1}, revision=2)], [(TO_BIND, bound(TO_BIND))], {P: RESTING}),
        P,
        f"unbind_port {P}",
    ),
    "a bound port with another device": (
        Situation([port(device_id="other", revision=2)], [(TO_BIND, bound(TO_BIND))], {P: RESTING}),
        P,
        f"unbind_port {P}",
    ),
    "a refused bind": (
        Situation(
            [TO_BIND], [(TO_BIND, bound(TO_BIND, BINDING_FAILED))], {P: replace(RESTING, vif_type=BINDING_FAILED)}
        ),
        P,
        "Nothing",
    ),
    "a refused bind of a port that has changed": (
        Situation([port(name="new", revision=2)], [(TO_BIND, bound(TO_BIND, BINDING_FAILED))]),
        P,
        f"bind_port {P}",
    ),
    "a port that another controller holds": (
        Situation([TO_BIND], answers={P: THEIRS}),
        P,
        "is in use by controller theirs",
    ),
    "a port that another controller has released": (Situation([TO_BIND], answers={P: None}), P, f"bind_port {P}"),
    "a port that another controller took from us": (
        Situation([TO_BIND], [(TO_BIND, bound(TO_BIND))], {P: THEIRS}),
        P,
        f"unbind_port {P}",
    ),
    "a deleted port that is bound": (Situation([], [(TO_BIND, bound(TO_BIND))]), P, f"unbind_port {P}"),
    "a deleted port whose service binding is left": (Situation([], FULL), P, f"waits for {B} to be deleted"),
    "a deleted port whose interface is left": (
        Situation([], [(UNBOUND, applied(UNBOUND)), (INTERFACE, applied(INTERFACE))]),
        P,
        f"waits for {IF} to be deleted",
    ),
    "an answer of ours for a port that is gone": (Situation([], answers={P: RESTING}), P, "Drop"),
    "an empty answer for a port that is gone": (Situation([], answers={P: None}), P, "Drop"),
    "an answer of another for a port that is gone": (Situation([], answers={P: THEIRS}), P, "Nothing"),
    "an answer of ours for a port that is not bound": (
        Situation([UNBOUND], [(UNBOUND, applied(UNBOUND))], {P: RESTING}),
        P,
        "Refresh",
    ),
    "an interface without its port": (Situation([INTERFACE]), IF, "Nothing"),
    "an interface whose port is not applied": (Situation([UNBOUND, INTERFACE]), IF, f"waits for {P} to be applied"),
    "an interface whose port is applied": (
        Situation([UNBOUND, INTERFACE], [(UNBOUND, applied(UNBOUND))]),
        IF,
        f"modify_interface {IF}",
    ),
    "an interface of a port on a foreign host": (
        Situation([port(host="foreign"), INTERFACE], [(INTERFACE, applied(INTERFACE))]),
        IF,
        f"delete_interface {IF}",
    ),
    "an interface that changes its port": (
        Situation(
            [port(), port(2), sample("Interface", 1, port_id=name("Port", 2).key)],
            [(TO_BIND, applied(TO_BIND)), (port(2), applied(port(2))), (INTERFACE, applied(INTERFACE))],
        ),
        IF,
        f"delete_interface {IF}",
    ),
    "a service binding whose port is not bound": (
        Situation([UNBOUND, INTERFACE, VPN, BINDING], [(UNBOUND, applied(UNBOUND)), *FULL[1:3]]),
        B,
        "Nothing",
    ),
    "a service binding whose port is bound": (
        Situation([TO_BIND, INTERFACE, VPN, BINDING], FULL[:3]),
        B,
        f"modify_service_binding {B}",
    ),
    "a service binding whose service is not applied": (
        Situation([TO_BIND, INTERFACE, VPN, BINDING], FULL[:2]),
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
    "a service that is left by its binding": (Situation([], FULL[2:3]), S, f"delete_service {S}"),
    "a service whose binding is left": (
        Situation([TO_BIND, INTERFACE, BINDING], FULL),
        S,
        f"waits for {B} to be deleted",
    ),
    "a report on a service that is well again": (
        Situation([VPN], [(VPN, applied(VPN))], {S: Answer(controller="ours", revision=1, reason="broken")}),
        S,
        "Drop",
    ),
}


@pytest.mark.parametrize("what", STEPS)
def test_next_step(what: str) -> None:
    situation, key, expected = STEPS[what]
    assert seen(next_step(key, situation.state(), OURS)) == expected


@pytest.mark.parametrize(
    ("attempted", "expected"),
    [(None, "Nothing"), ({}, "modify_service"), ({"name": "other"}, "modify_service")],
    ids=["nothing attempted", "a delete attempted", "a change attempted"],
)
def test_what_was_attempted_and_not_recorded_is_made_sure_of(
    attempted: dict[str, object] | None, expected: str
) -> None:
    state = Situation([VPN], [(VPN, applied(VPN, attempted=attempted))]).state()
    step = next_step(S, state, OURS)
    assert seen(step).split(" ")[0] == expected
    if isinstance(step, Call):
        assert (step.previous is None) == (attempted == {})


def test_an_unbind_that_may_have_been_made_is_followed_by_a_bind() -> None:
    state = Situation([TO_BIND], [(TO_BIND, bound(TO_BIND, attempted={}))], {P: RESTING}).state()
    assert seen(next_step(P, state, OURS)) == f"bind_port {P}"


def test_a_missing_list_item_neither_applies_nor_deletes_the_service() -> None:
    named = sample("VpnService", 1, ipv4_family="65000:1")
    for records in ([], [(named, applied(named))]):
        step = next_step(S, Situation([named], records).state(), OURS)
        assert seen(step) == "waits for net-l3vpn/VpnAfConfig/65000:1 to be applied"


def test_a_deleted_list_item_stays_until_the_service_lets_go_of_it() -> None:
    target, named = sample("VpnAfConfig", 1), sample("VpnService", 1, ipv4_family="65000:1")
    state = Situation([named], [(target, applied(target)), (named, applied(named))]).state()
    assert seen(next_step(target.id, state, OURS)) == f"waits for {S} to be deleted"
    assert target.id in state.apply(S, VPN.base, applied(VPN))
    assert seen(next_step(target.id, state, OURS)) == f"delete_object {target.id}"


def test_what_a_call_under_way_names_is_not_deleted() -> None:
    other = sample("VpnService", 2)
    record = applied(BINDING, attempted=dict(vpn_binding(vpn=2).attributes))
    state = Situation([], [*FULL[:3], (other, applied(other)), (BINDING, record)]).state()
    assert seen(next_step(other.id, state, OURS)) == f"waits for {B} to be deleted"


def test_a_changed_route_target_applies_just_the_services_that_name_it() -> None:
    world = World(L3VPN, seed=1)
    world.want(name("VpnAfConfig", 1), dict(sample("VpnAfConfig", 1).attributes))
    for number, family in ((1, "65000:1"), (2, None)):
        service = sample("VpnService", number, ipv4_family=family)
        world.want(service.id, dict(service.attributes))
    world.settle()
    world.calls.clear()
    world.want(name("VpnAfConfig", 1), dict(sample("VpnAfConfig", 1, vrf_rt_type="both").attributes))
    world.settle()
    assert sorted(world.calls) == [f"modify_object {name('VpnAfConfig', 1)}", f"modify_service {S}"]


@pytest.mark.parametrize("change", [{"host": "host-2"}, {"vnic_type": "direct"}], ids=["host", "vnic_type"])
def test_a_bound_port_that_moves_is_taken_apart_and_put_together(change: dict[str, str]) -> None:
    world = World(L3VPN, seed=1)
    for obj in (TO_BIND, INTERFACE, VPN, BINDING):
        world.want(obj.id, dict(obj.attributes))
    world.settle()
    world.calls.clear()
    world.want(P, dict(port(**change).attributes))
    world.settle()
    assert world.calls == [
        f"delete_service_binding {B}",
        f"unbind_port {P}",
        f"bind_port {P}",
        f"modify_service_binding {B}",
    ]


def test_a_service_is_not_deleted_before_its_binding_in_a_second_proton() -> None:
    service, binding = sample("ServiceFunction", 1, SFC), name("SfDataPlaneLocator", 1, SFC)
    world = World(SFC, seed=3)
    world.want(service.id, dict(service.attributes))
    for obj in (sample("Port", 1, SFC, host_id="host-1", device_id="vm"), sample("Interface", 1, SFC)):
        world.want(obj.id, dict(obj.attributes))
    locator = sample("SfDataPlaneLocator", 1, SFC, service_id=service.key)
    world.want(binding, dict(locator.attributes))
    world.settle()
    assert world.calls.index(f"modify_service_binding {binding}") == len(world.calls) - 1
    world.calls.clear()
    world.want(service.id, None)
    world.settle()
    assert world.calls == [f"delete_service_binding {binding}", f"delete_service {service.id}"]


def test_delete_port_is_called_once_with_what_the_port_promises() -> None:
    world = World(L3VPN, seed=1)
    world.want(P, dict(TO_BIND.attributes))
    world.settle()
    world.calls.clear()
    state = world.state
    world.want(P, None)
    world.settle()
    assert world.calls == [f"unbind_port {P}", f"delete_port {P}"]
    assert P not in state.records


def test_an_unbind_leaves_the_claim_of_another_controller_alone() -> None:
    state = Situation([TO_BIND], [(TO_BIND, bound(TO_BIND))], {P: THEIRS}).state()
    step = next_step(P, state, OURS)
    assert isinstance(step, Call)
    assert not outcome.succeeded(step, state, "ours").touches_answer


def test_an_unbind_is_told_the_port_as_it_was_bound() -> None:
    record = bound(port(name="as bound"))
    state = Situation([port(host=None, name="now")], [(TO_BIND, record)]).state()
    step = next_step(P, state, OURS)
    assert isinstance(step, Call)
    assert (step.object["name"], step.object["host_id"]) == ("as bound", "host-1")


def test_a_failing_bind_is_answered_binding_failed_and_said_once() -> None:
    state = Situation([TO_BIND], [(TO_BIND, bound(TO_BIND, "", claimed=True))]).state()
    step = next_step(P, state, OURS)
    assert isinstance(step, Call)
    writes = outcome.report(step, "no route", state, "ours")
    assert writes is not None
    assert isinstance(writes.answer, Answer)
    assert (writes.answer.vif_type, writes.answer.reason) == (BINDING_FAILED, "no route")
    state.hear(P, HeldAnswer(answer=writes.answer, revision=9))
    assert outcome.report(step, "no route", state, "ours") is None


def test_a_key_that_nothing_is_known_of_needs_nothing() -> None:
    assert next_step(P, State(L3VPN), OURS) == Nothing()
