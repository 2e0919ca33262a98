"""What only one object of a type can have: who gets it, who waits for whom, and who hears of it."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gluon.contract import keys
from gluon.contract.records import AppliedRecord, Attempt
from gluon.models.catalog import SHIPPED
from gluon.schema import Base, parse_proton
from gluon.shim.plan import Call, Taken, next_steps
from gluon.shim.plan.uniqueness import obstacles
from gluon.shim.state import Object, State

from . import virtual_time
from .bench import Bench
from .samples import L3VPN, OURS, SFC, applied, bound, name, port, sample, values, vpn_binding
from .simulation import World

MODEL = """
file_version: "1.0"
imports: base.yaml
info: {name: own, version: "1.0"}
objects:
  Port:
    extends: BasePort
    api: {name: port}
    rules: {one_port_for_each_mac: {unique: [mac_address]}}
  Interface: {extends: BaseInterface, api: {name: interface}, attributes: {port_id: {type: Port}}}
  Service:
    extends: BaseService
    api: {name: service}
    rules:
      one_for_each_code: {unique: [code]}
      one_for_each_owner: {unique: [owner]}
    attributes:
      code: {type: string, length: 8}
      owner: {type: uuid, format: project-id}
  Pointer:
    extends: BaseObject
    api: {name: pointer}
    attributes: {to: {type: string, format: uuid-list, references: Service, length: 255}}
"""

OWN = parse_proton("own.yaml", MODEL, lambda _: (SHIPPED / "base.yaml").read_text(encoding="utf-8"))

A, B, C = sorted((sample("BGPPeering", number) for number in (1, 2, 3)), key=lambda peering: peering.id)
"""In the order of their keys."""


def peering(like: Object, peer: int, **attributes: Any) -> Object:
    """The peering as it is to be: with another peer."""
    return replace(
        like,
        attributes={**like.attributes, "peer_ip_address": f"10.0.1.{peer}", **attributes},
        revision=like.revision + 1,
    )


def holding(desired: list[Object], has: Sequence[Object] = ()) -> State:
    """A state with these objects wanted, and those at the backend; a port is bound there."""
    state = State({"net-l3vpn": L3VPN, "own": OWN, "ietf-sfc": SFC}[desired[0].id.proton])
    for obj in has:
        state.record(obj.id, applied(obj))
        if obj.base is Base.PORT and obj["host_id"]:
            state.record(keys.binding(obj.id, str(obj["host_id"])), bound(obj))
    for obj in desired:
        state.desire(obj)
    return state


def step(obj: Object, state: State) -> str:
    [found] = [str(step) for step in next_steps(obj.id, state, OURS)]
    return found.removeprefix("modify_object ").replace(" local_ip_address and peer_ip_address", "")


def trying(attributes: Mapping[str, Any]) -> Attempt:
    return Attempt(callback="modify_object", attributes=dict(attributes))


def keeps(obj: Object) -> str:
    return f"waits for {obj.id}, which has the same: only one can have that"


def yields(obj: Object) -> str:
    return f"waits for {obj.id}, which gives up the same"


def comes_first(obj: Object) -> str:
    return f"waits for {obj.id}, which is to have the same and comes first: only one can have that"


# -- who gets it -------------------------------------------------------------------------------------


def test_one_that_has_it_keeps_it_whatever_the_keys() -> None:
    for one, other in itertools.permutations((peering(A, 1), peering(B, 1))):
        state = holding([one, other], [one])
        assert step(other, state) == keeps(one)
        assert step(one, state) == "Nothing()"


def test_one_that_may_have_it_comes_before_one_that_has_it_not() -> None:
    one, other = peering(B, 1), peering(A, 1)
    state = holding([one, other])
    state.record(one.id, applied(one, claimed=True))
    assert step(other, state) == keeps(one)
    assert step(one, state) == str(one.id)


def test_of_two_that_have_it_not_the_smaller_key_comes_first() -> None:
    one, other = peering(A, 1), peering(B, 1)
    for desired in ([one, other], [other, one]):
        state = holding(desired)
        assert step(one, state) == str(one.id)
        assert step(other, state) == comes_first(one)


def test_of_two_that_may_have_it_the_smaller_key_comes_first() -> None:
    one, other = peering(A, 1), peering(B, 1)
    state = holding([one, other])
    for obj in (one, other):
        state.record(obj.id, applied(obj, claimed=True))
    assert step(one, state) == str(one.id)
    assert step(other, state) == keeps(one)


def test_duplicates_that_the_backend_has_may_change_otherwise() -> None:
    """An older version applied them: what is changed of them brings no new duplicate."""
    one, other = peering(A, 1), peering(B, 1)
    renamed = peering(B, 1, as_number=7)
    state = holding([one, renamed], [one, other])
    assert step(renamed, state) == str(other.id)
    state.record(other.id, replace(applied(other), attempt=trying(renamed.attributes)))
    assert step(renamed, state) == str(other.id)


def test_one_that_is_to_change_to_what_another_keeps_is_left_as_it_is() -> None:
    one, other = peering(A, 1), peering(B, 2)
    changed = peering(B, 1)
    state = holding([one, changed], [one, other])
    assert step(changed, state) == keeps(one)
    assert state.applied.find(other.id) == replace(other, revision=other.revision)


def test_one_waits_for_another_to_give_it_up() -> None:
    one, other = peering(A, 1), peering(B, 1)
    changed = peering(A, 2)
    state = holding([changed, other], [one])
    assert step(other, state) == yields(one)
    assert step(changed, state) == str(one.id)
    gone = holding([other], [one])
    assert step(other, gone) == yields(one)
    attempted = holding([changed, other])
    attempted.record(one.id, replace(applied(peering(A, 3)), attempt=trying(one.attributes)))
    assert step(other, attempted) == yields(one)


def test_of_two_that_swap_the_smaller_key_goes_ahead() -> None:
    before = [peering(A, 1), peering(B, 2)]
    after = [peering(A, 2), peering(B, 1)]
    state = holding(after, before)
    assert step(after[0], state) == str(A.id)
    assert step(after[1], state) == yields(A)
    # Begun and not ended, as after a crash.
    begun = replace(applied(before[0]), attempt=trying(after[0].attributes))
    state.record(A.id, begun)
    assert step(after[0], state) == str(A.id)
    assert step(after[1], state) == yields(A)
    assert B.id in state.record(A.id, applied(after[0]))
    assert step(after[1], state) == str(B.id)


def test_a_circle_of_three_is_broken_once() -> None:
    before = [peering(A, 1), peering(B, 2), peering(C, 3)]
    after = [peering(A, 3), peering(B, 1), peering(C, 2)]
    state = holding(after, before)
    assert [step(obj, state) for obj in after] == [str(A.id), yields(A), yields(B)]


def test_one_that_swaps_with_what_another_keeps_does_not_go_ahead() -> None:
    """B would give its value to A, but can't have the one that C keeps."""
    before = [peering(A, 1), peering(B, 2), peering(C, 3)]
    after = [peering(A, 2), peering(B, 3), peering(C, 3)]
    state = holding(after, before)
    assert step(after[1], state) == keeps(C)
    assert step(after[0], state) == yields(B)


def own(object_type: str, number: int, **attributes: Any) -> Object:
    return sample(object_type, number, OWN, **attributes)


def test_a_circle_through_references_is_broken() -> None:
    """One is to be deleted, which waits for who names it, which waits for the one that is to have its value."""
    old, new = own("Service", 1, code="x"), own("Service", 2, code="x")
    before, after = own("Pointer", 1, to=old.key), own("Pointer", 1, to=new.key, revision=2)
    state = holding([new, after], [old, before])
    assert [str(each) for each in next_steps(new.id, state, OURS)] == [f"modify_service {new.id}"]
    state = holding([new, before], [old, before])
    assert [str(each) for each in next_steps(new.id, state, OURS)] == [
        f"waits for {old.id}, which gives up the same code"
    ]


def test_one_that_can_not_come_is_not_waited_for() -> None:
    """The first in the order of keys is kept back by a third one, by another rule."""
    numbers = sorted((1, 2), key=lambda number: name("Service", number, OWN))
    owner = "0" * 31 + "1"
    third = own("Service", 3, owner=owner)
    first, second = own("Service", numbers[0], code="x", owner=owner), own("Service", numbers[1], code="x")
    state = holding([third, first, second], [third])
    assert isinstance(next_steps(first.id, state, OURS)[0], Taken)
    assert isinstance(next_steps(second.id, state, OURS)[0], Call)


def test_an_object_that_is_not_ours_to_apply_is_not_waited_for() -> None:
    bindings = sorted((vpn_binding(number, ipaddress="10.0.0.5") for number in (1, 2)), key=lambda each: each.id)
    numbers = sorted((1, 2), key=lambda number: name("VpnBinding", number))
    theirs, ours = port(numbers[0], host="foreign"), port(numbers[1])
    there = [sample("VpnService", 1), *(sample("Interface", number) for number in numbers), ours]
    state = holding([theirs, *there, *bindings], there)
    assert [str(each) for each in next_steps(bindings[0].id, state, OURS)] == ["Nothing()"]
    assert isinstance(next_steps(bindings[1].id, state, OURS)[0], Call)


@pytest.mark.parametrize("anycast", [(True, True), (True, False), (False, True), (False, False)])
def test_an_exception_holds_only_where_both_are_one(anycast: tuple[bool, bool]) -> None:

    vpn, interfaces, ports = sample("VpnService", 1), [sample("Interface", n) for n in (1, 2)], [port(1), port(2)]
    one, other = (vpn_binding(n, ipaddress="10.0.0.5", anycast=a) for n, a in zip((1, 2), anycast, strict=True))
    state = holding([*ports, vpn, *interfaces, one, other], [*ports, vpn, *interfaces, one])
    for each in ports:
        state.record(each.id, applied(each))
        state.record(keys.binding(each.id, "host-1"), bound(each))
    assert bool(obstacles(other.id, state, OURS)) is not all(anycast)
    assert bool(state.claims) is not all(anycast)


def test_what_others_may_have_as_well_does_not_become_what_only_one_has() -> None:

    vpn, interfaces, ports = sample("VpnService", 1), [sample("Interface", n) for n in (1, 2)], [port(1), port(2)]
    one, other = (vpn_binding(n, ipaddress="10.0.0.5", anycast=True) for n in (1, 2))
    alone = vpn_binding(1, ipaddress="10.0.0.5", anycast=False, revision=2)
    state = holding([*ports, vpn, *interfaces, alone, other], [*ports, vpn, *interfaces, one, other])
    assert [each.by for each in obstacles(alone.id, state, OURS)] == [other.id]
    assert obstacles(other.id, state, OURS) == []


def test_what_is_unset_is_like_nothing_unless_it_counts_as_a_value() -> None:
    unset = [own("Service", number) for number in (1, 2)]
    assert all(isinstance(next_steps(each.id, holding(unset), OURS)[0], Call) for each in unset)
    locators = [
        sample("SfDataPlaneLocator", number, SFC, service_id=name("ServiceFunction", 1, SFC).key, ipaddress="10.0.0.9")
        for number in (1, 2)
    ]
    assert holding(locators).claims


def test_spellings_of_one_project_are_one_value() -> None:
    owner = "0123456789abcdef0123456789abcdef"
    hyphenated = "01234567-89ab-cdef-0123-456789abcdef"
    one, other = own("Service", 1, owner=owner), own("Service", 2, owner=hyphenated)
    state = holding([one, other], [one])
    assert (
        str(next_steps(other.id, state, OURS)[0])
        == f"waits for {one.id}, which has the same owner: only one can have that"
    )


def test_a_port_is_not_bound_while_another_has_what_it_is_to_have() -> None:
    ports = [
        own("Port", number, mac_address="fa:16:3e:00:00:01", host_id="host-1", device_id="vm") for number in (1, 2)
    ]
    state = holding(ports, [ports[1]])
    found = next_steps(ports[0].id, state, OURS)
    assert [str(each) for each in found if isinstance(each, Taken)] == [
        f"waits for {ports[1].id}, which has the same mac_address: only one can have that"
    ]
    assert not any(isinstance(each, Call) for each in found)


def test_values_that_no_object_can_have_are_like_no_others() -> None:
    """An SDN controller lists what it likes."""
    state = State(OWN)
    for number, value in ((1, {"a": 1}), (2, ["a"]), (3, "no project")):
        obj = own("Service", number)
        state.record(obj.id, AppliedRecord(attributes={**obj.attributes, "owner": value}, revision=0, claimed=True))
    assert not state.claims


# -- who hears of it ---------------------------------------------------------------------------------


def test_whoever_claims_the_same_hears_of_each_change() -> None:
    one, other = peering(A, 1), peering(B, 1)
    state = State(L3VPN)
    state.desire(one)
    assert state.desire(other) == {A.id, B.id}
    assert state.record(A.id, applied(one, claimed=True)) == {A.id, B.id}
    assert state.record(A.id, applied(one)) == {A.id, B.id}
    assert state.desire(peering(A, 2)) == {A.id, B.id}
    assert state.record(A.id, applied(peering(A, 2))) == {A.id, B.id}
    assert not state.claims
    assert state.forget(A.id) == {A.id}
    assert state.record(A.id, None) == {A.id}
    assert state.desire(peering(B, 3)) == {B.id}
    assert state.forget(B.id) == {B.id}


def test_the_last_to_hear_is_the_one_that_was_held_back() -> None:
    one, other = peering(A, 1), peering(B, 1)
    state = holding([one, other], [one])
    assert B.id in state.forget(A.id)
    assert step(other, state) == yields(one)
    assert B.id in state.record(A.id, None)
    assert step(other, state) == str(B.id)


def test_what_is_held_back_is_said_once_and_over_when_the_other_goes(caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> None:
        bench = Bench()
        first, second = peering(A, 1), peering(B, 1)
        async with bench.running():
            bench.want(first)
            await bench.settle()
            for _ in range(3):
                bench.want(second)
                await bench.settle()
            assert bench.statuses.of(B.id).failure == (
                f"not applied: it waits for {A.id}, which has the same local_ip_address and peer_ip_address: "
                "only one can have that"
            )
            assert str(bench.reconciler.held[B.id]) in bench.statuses.of(B.id).failure
            assert B.id not in bench.records
            bench.forget(A.id)
            await bench.settle()
            assert bench.statuses.of(B.id).failure == ""
            assert B.id in bench.records
            assert B.id not in bench.reconciler.held

    with caplog.at_level(logging.INFO):
        virtual_time.run(check())
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [f"{B.id} is not applied: it waits for {A.id}" in warning for warning in warnings] == [True]


def test_the_one_that_closes_a_circle_wakes_the_one_that_breaks_it() -> None:
    """The pointer's change is the last event, and concerns neither of the two services."""
    old, new, pointer = (name(*each, OWN) for each in (("Service", 1), ("Service", 2), ("Pointer", 1)))

    async def check() -> None:
        async with World(OWN, seed=1) as world:
            world.want(old, values("Service", 1, OWN, code="x"))
            world.want(pointer, values("Pointer", 1, OWN, to=old.key))
            await world.settle()
            world.want(old, None)
            world.want(new, values("Service", 2, OWN, code="x"))
            await world.settle()
            assert set(world.backend.objects) == {old, pointer}
            world.calls.clear()
            world.want(pointer, values("Pointer", 1, OWN, to=new.key))
            await world.settle()
            world.check()
            assert world.calls == [f"modify_service {new}", f"modify_object {pointer}", f"delete_service {old}"]

    virtual_time.run(check())


# -- in any order ------------------------------------------------------------------------------------

SETTINGS = settings(
    max_examples=int(os.environ.get("GLUON_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
PEERS = st.permutations([1, 2, 3, 4]).map(lambda order: order[:3])
"""Three peerings, and four peers to have."""
SERVICES = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3), st.integers(0, 8)), max_size=20)
"""Which service, what happens to it, and how long until the next."""


@SETTINGS
@given(
    rounds=st.lists(PEERS, min_size=2, max_size=6),
    order=st.randoms(use_true_random=False),
    seed=st.integers(0, 2**32),
    failing=st.sampled_from([0, 0, 30]),
    crashes=st.booleans(),
)
def test_values_that_change_hands_arrive(
    rounds: list[list[int]],
    order: Any,
    seed: int,
    failing: int,
    crashes: bool,  # noqa: FBT001 - hypothesis'
) -> None:
    """Whatever events come first, and whenever the shim crashes, nobody waits for ever."""

    async def check() -> None:
        async with World(L3VPN, seed, failing) as world:
            for peers in rounds:
                changes = list(zip((1, 2, 3), peers, strict=True))
                order.shuffle(changes)
                for number, peer in changes:
                    key = name("BGPPeering", number)
                    world.want(key, values("BGPPeering", number, peer_ip_address=f"10.0.1.{peer}"))
                    await world.advance(order.randrange(4))
                await world.advance(order.randrange(12))
                if crashes and order.random() < 0.5:
                    await world.crash()
            await world.settle()
            world.check()

    virtual_time.run(check())


@SETTINGS
@given(
    script=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3), st.integers(0, 8)), max_size=20),
    seed=st.integers(0, 2**32),
)
def test_a_replaced_object_hands_its_value_and_its_referrers_over(
    script: list[tuple[int, int, int]], seed: int
) -> None:
    """Services with one code between them come and go, and a pointer goes from one to the next."""

    async def check() -> None:
        async with World(OWN, seed) as world:
            for number, what, steps in script:
                service, pointer = name("Service", number, OWN), name("Pointer", 1, OWN)
                match what:
                    case 0:
                        world.want(service, values("Service", number, OWN, code="x"))
                    case 1:
                        world.want(pointer, values("Pointer", 1, OWN, to=service.key))
                    case 2:
                        world.want(service, None)
                    case _:
                        world.want(pointer, None)
                await world.advance(steps)
            # In the end one of them is left.
            world.want(name("Service", 1, OWN), values("Service", 1, OWN, code="x"))
            world.want(name("Pointer", 1, OWN), values("Pointer", 1, OWN, to=name("Service", 1, OWN).key))
            for number in (2, 3):
                world.want(name("Service", number, OWN), None)
            await world.settle()
            world.check()

    virtual_time.run(check())
