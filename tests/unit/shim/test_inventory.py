"""What an inventory of the SDN controller means for the records."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from msgspec.structs import replace

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import BINDING_FAILED, AppliedRecord, Attempt, PortAnswer, WantedBinding
from gluon.shim.backend import Held
from gluon.shim.plan import Call, Callback, next_steps
from gluon.shim.plan.inventory import Findings, again, compare, orphan
from gluon.shim.state import HeldAnswer, Model, Object, State

from .samples import L3VPN, OURS, applied, bound, name, port, sample, vpn_binding

PORT, ELSEWHERE, UNBOUND = port(), port(host="host-2"), port(host=None)
P = PORT.id
ON_1, ON_2 = keys.binding(P, "host-1"), keys.binding(P, "host-2")
VPN, INTERFACE, BINDING = sample("VpnService", 1), sample("Interface", 1), vpn_binding()
S = VPN.id

ALL = frozenset(Callback)


class Judge:
    """A backend that keeps `Model.fingerprint`, and has these callbacks."""

    def __init__(
        self, callbacks: Collection[Callback] = ALL, *, blind: bool = False, listed: Collection[str] | None = None
    ) -> None:
        self._listed = listed
        self._callbacks = callbacks
        self._blind = blind

    def lists(self, object_type: str) -> bool:
        return self._listed is None or object_type in self._listed

    def writes(self, callback: Callback) -> bool:
        return callback in self._callbacks

    def fingerprint(self, obj: Object, model: Model) -> str | None:
        return None if self._blind else model.fingerprint(obj)


JUDGE = Judge()


def state_of(records: dict[ObjectKey, AppliedRecord], *desired: Object, inactive: str = "") -> State:
    state = State(L3VPN)
    for key, record in records.items():
        state.record(key, record)
    for obj in desired:
        state.desire(obj, "t", (WantedBinding(host_id=inactive, vnic_type="normal"),) if inactive else ())
    return state


def print_of(obj: Object, state: State) -> str:
    return state.desired.fingerprint(obj)


def held(obj: Object, state: State, fingerprint: str | None = "as wanted", **attributes: str) -> Held:
    """The object as the controller lists it, by default as it was applied."""
    told = print_of(obj, state) if fingerprint == "as wanted" else fingerprint
    return Held(obj.type, obj.key, told, attributes)


EVERYTHING = {
    P: applied(PORT),
    ON_1: bound(PORT, token="t"),
    INTERFACE.id: applied(INTERFACE),
    S: applied(VPN),
    BINDING.id: applied(BINDING),
}
WANTED = (PORT, INTERFACE, VPN, BINDING)


def test_what_is_as_it_was_applied_is_no_finding() -> None:
    state = state_of(EVERYTHING, *WANTED)
    assert compare([held(obj, state) for obj in WANTED], state, JUDGE) == Findings()


def test_an_empty_controller_lacks_everything_once() -> None:
    state = state_of(EVERYTHING, *WANTED)
    findings = compare([], state, JUDGE)
    assert sorted(findings.missing) == sorted([ON_1, INTERFACE.id, S, BINDING.id])
    assert (findings.differing, findings.orphans, findings.unknown) == ((), {}, ())


def test_a_port_that_is_not_bound_is_expected_for_itself() -> None:
    state = state_of({P: applied(UNBOUND)}, UNBOUND)
    assert compare([], state, JUDGE).missing == (P,)
    assert compare([held(UNBOUND, state)], state, JUDGE) == Findings()


@pytest.mark.parametrize("obj", [PORT, VPN, BINDING], ids=["port", "service", "service binding"])
def test_what_is_held_otherwise_differs(obj: Object) -> None:
    state = state_of(EVERYTHING, *WANTED)
    found = [held(each, state, "other" if each is obj else "as wanted") for each in WANTED]
    assert compare(found, state, JUDGE) == Findings(differing=(ON_1 if obj is PORT else obj.id,))


def test_a_changed_list_item_makes_what_names_it_differ() -> None:
    target = sample("VpnAfConfig", 1)
    service = sample("VpnService", 1, ipv4_family="65000:1")
    state = state_of({S: applied(service), target.id: applied(target)}, service, target)
    found = [held(service, state), held(target, state)]
    assert compare(found, state, JUDGE) == Findings()
    state.desire(sample("VpnAfConfig", 1, vrf_rt_type="import_extcommunity"))
    assert S in compare(found, state, JUDGE).differing


@pytest.mark.parametrize("who", ["backend", "controller"])
def test_without_a_fingerprint_only_being_there_counts(who: str) -> None:
    state = state_of(EVERYTHING, *WANTED)
    if who == "backend":
        found, judge = [held(obj, state, "other") for obj in WANTED], Judge(blind=True)
    else:
        found, judge = [held(obj, state, None) for obj in WANTED], JUDGE
    assert compare(found, state, judge) == Findings()
    assert compare(found[1:], state, judge).missing == (ON_1,)


# -- ports ---------------------------------------------------------------------------------------------


def test_a_bound_port_is_held_as_it_was_last_told() -> None:
    """After a modify it is the port as modified; a backend without modify_port heard of it by the bind."""
    renamed = port(name="new", revision=2)
    state = state_of({P: applied(renamed), ON_1: bound(PORT, token="t")}, renamed)
    as_modified, as_bound = held(renamed, state), held(PORT, state)
    assert compare([as_modified], state, JUDGE) == Findings()
    assert compare([as_bound], state, JUDGE).differing == (ON_1,)
    lazy = Judge({Callback.BIND_PORT})
    assert compare([as_bound], state, lazy) == Findings()
    assert compare([as_modified], state, lazy).differing == (ON_1,)


def test_a_type_that_the_inventory_does_not_list_is_not_missed() -> None:
    state = state_of({P: applied(PORT), ON_1: bound(PORT, token="t")}, PORT)
    assert compare([], state, JUDGE).missing
    assert compare([], state, Judge(listed={"VpnService"})) == Findings()


BOTH = {P: applied(PORT), ON_1: bound(PORT, token="t"), ON_2: bound(ELSEWHERE)}


def test_a_port_on_two_hosts_is_listed_for_each() -> None:
    state = state_of(BOTH, PORT, inactive="host-2")
    on_both = [held(PORT, state, host_id="host-1"), held(ELSEWHERE, state, host_id="host-2")]
    assert compare(on_both, state, JUDGE) == Findings()
    assert compare(on_both[:1], state, JUDGE).missing == (ON_2,)
    assert compare(on_both[1:], state, JUDGE).missing == (ON_1,)
    assert sorted(compare([], state, JUDGE).missing) == sorted([ON_1, ON_2])


def test_a_port_on_two_hosts_may_be_listed_once_without_a_host() -> None:
    state = state_of(BOTH, PORT, inactive="host-2")
    for obj in (PORT, ELSEWHERE):
        assert compare([held(obj, state)], state, JUDGE) == Findings()
    assert sorted(compare([held(PORT, state, "other")], state, JUDGE).differing) == sorted([ON_1, ON_2])


def test_a_host_where_the_port_is_not_ours_is_an_orphan() -> None:
    state = state_of({P: applied(PORT), ON_1: bound(PORT, token="t")}, PORT)
    found = [held(PORT, state, host_id="host-1"), held(ELSEWHERE, state, host_id="host-2")]
    findings = compare(found, state, JUDGE)
    assert set(findings.orphans) == {ON_2}
    assert findings.orphans[ON_2].claimed
    assert findings.orphans[ON_2].attributes["host_id"] == "host-2"
    assert (findings.missing, findings.differing) == ((), ())


def test_a_host_that_the_port_is_about_to_be_bound_on_is_no_orphan() -> None:
    state = state_of({P: applied(PORT), ON_1: bound(PORT, token="t")}, PORT, inactive="host-2")
    found = [held(PORT, state, host_id="host-1"), held(ELSEWHERE, state, host_id="host-2")]
    assert compare(found, state, JUDGE) == Findings()


def test_a_host_of_an_object_that_is_no_port_means_nothing() -> None:
    state = state_of(EVERYTHING, *WANTED)
    found = [held(obj, state, host_id="host-2") for obj in WANTED if obj is not PORT]
    assert compare([held(PORT, state), *found], state, JUDGE) == Findings()


@pytest.mark.parametrize(
    "record",
    [
        bound(PORT, BINDING_FAILED),
        applied(PORT, claimed=True),
        bound(PORT, attempt=Attempt(callback="unbind_port", attributes={})),
    ],
    ids=["refused", "claimed", "perhaps unbound"],
)
@pytest.mark.parametrize("listed", [True, False], ids=["listed", "not listed"])
def test_a_port_in_an_uncertain_state_says_nothing(record: AppliedRecord, *, listed: bool) -> None:
    state = state_of({P: applied(PORT), ON_1: record}, PORT)
    assert compare([held(PORT, state, "other")] if listed else [], state, JUDGE) == Findings()


# -- what says nothing -----------------------------------------------------------------------------------


def test_a_type_that_the_backend_does_not_write_may_be_listed_or_not() -> None:
    state = state_of(EVERYTHING, *WANTED)
    judge = Judge({Callback.BIND_PORT, Callback.MODIFY_INTERFACE})
    for more in ([], [held(VPN, state, "other")]):
        assert compare([held(PORT, state), held(INTERFACE, state), *more], state, judge) == Findings()


def test_an_object_whose_call_is_under_way_says_nothing() -> None:
    attempt = Attempt(callback="modify_service", attributes={})
    for record in (applied(VPN, claimed=True), applied(VPN, attempt=attempt)):
        state = state_of({S: record}, VPN)
        for listed in ([], [held(VPN, state, "other")]):
            assert compare(listed, state, JUDGE) == Findings()


@pytest.mark.parametrize("obj", [VPN, PORT], ids=lambda obj: obj.type)
def test_what_changed_meanwhile_says_nothing(obj: Object) -> None:
    state = state_of(EVERYTHING, *WANTED)
    others = [held(each, state) for each in WANTED if each is not obj]
    for listed in ([], [held(obj, state, "other", host_id="host-2")]):
        assert compare([*others, *listed], state, JUDGE, {obj.id}) == Findings()
    gone = state_of({})
    assert compare([held(obj, gone)], gone, JUDGE, {obj.id}) == Findings()


def test_a_deletion_that_the_brake_holds_back_is_no_orphan() -> None:
    """It has its record; that it is not wanted is known."""
    state = state_of({S: applied(VPN)})
    state.held_back = {S}
    assert compare([held(VPN, state)], state, JUDGE) == Findings()


# -- orphans ---------------------------------------------------------------------------------------------


def test_what_nobody_knows_is_an_orphan() -> None:
    state = state_of({})
    findings = compare([held(VPN, state)], state, JUDGE)
    assert set(findings.orphans) == {S}
    record = findings.orphans[S]
    assert record.claimed
    assert record.attributes["id"] == VPN.key
    assert {value for attribute, value in record.attributes.items() if attribute != "id"} == {None}


def test_what_is_wanted_and_not_applied_yet_is_no_orphan() -> None:
    """It gets a record all the same, which takes it away if it is not wanted any more before that."""
    state = state_of({}, VPN)
    record = AppliedRecord(attributes=dict(VPN.attributes), revision=0, claimed=True)
    assert compare([held(VPN, state)], state, JUDGE) == Findings(unrecorded={VPN.id: record})


@pytest.mark.parametrize(
    ("wanted", "claim", "attributes"),
    [
        (PORT, "theirs", {"host_id": "host-1"}),
        (PORT, "theirs", {}),
        (port(host="foreign"), "", {"host_id": "foreign"}),
        (port(host="foreign"), "theirs", {"host_id": "foreign"}),
        (ELSEWHERE, "theirs", {"host_id": "host-1"}),
    ],
    ids=["claimed", "claimed, listed without a host", "another's host", "another's claim", "on its way"],
)
def test_what_another_controller_has_is_left_alone(wanted: Object, claim: str, attributes: dict[str, str]) -> None:
    host = attributes.get("host_id", "host-1")
    state = state_of({}, wanted, INTERFACE, BINDING)
    if claim:
        entry = PortAnswer(controller=claim, host_id=host, vif_type="ovs")
        state.hear(P, HeldAnswer(entry, 1))
    found = [held(wanted, state, **attributes)]
    if wanted is not ELSEWHERE:
        found += [held(INTERFACE, state), held(BINDING, state)]
    assert compare(found, state, JUDGE, identity=OURS) == Findings()


def test_a_type_that_the_model_does_not_have_is_only_named() -> None:
    state = state_of({})
    found = [Held("Firewall", "f"), Held("Port.binding", "p@h")]
    assert compare(found, state, JUDGE) == Findings(unknown=("Firewall/f", "Port.binding/p@h"))


@pytest.mark.parametrize(
    ("listed", "hosts"),
    [
        ([{"host_id": "host-1"}], ["host-1"]),
        ([{"host_id": "host-1"}, {"host_id": "host-2"}], ["host-1", "host-2"]),
        ([{"host_id": "foreign"}], ["foreign"]),
        ([{}], [""]),
    ],
    ids=["one host", "two hosts", "a foreign host", "no host"],
)
def test_an_orphaned_port_is_unbound_wherever_it_is_and_deleted(listed: list[dict[str, str]], hosts: list[str]) -> None:
    state = state_of({})
    orphans = compare([Held("Port", P.key, None, attributes) for attributes in listed], state, JUDGE).orphans
    assert set(orphans) == {P, *(keys.binding(P, host) for host in hosts)}
    for key, record in orphans.items():
        state.record(key, record)
    made: list[str] = []
    while calls := [step for step in next_steps(P, state, OURS) if isinstance(step, Call)]:
        assert calls[0].object["host_id"] in {*hosts, None}
        made.append(f"{calls[0].callback} {calls[0].host}")
        state.record(calls[0].key, None)
    assert sorted(made[:-1]) == [f"unbind_port {host}" for host in hosts]
    assert made[-1] == "delete_port "


def test_an_orphan_keeps_what_is_known_of_it_and_has_all_attributes() -> None:
    known = {"host_id": "host-1", "mac_address": "fa:16:3e:00:00:01", "vif_type": "read only", "more": "unknown"}
    record = orphan(P, known, state_of({}))[P]
    assert record.attributes["mac_address"] == "fa:16:3e:00:00:01"
    assert record.attributes.keys() == PORT.attributes.keys()
    assert record.attributes["id"] == P.key


def test_an_orphan_waits_until_what_names_it_is_gone() -> None:
    listed = [
        Held("VpnService", S.key),
        Held("VpnBinding", BINDING.key, None, {"service_id": S.key, "interface_id": BINDING.key}),
    ]
    state = state_of({})
    for key, record in compare(listed, state, JUDGE).orphans.items():
        state.record(key, record)
    assert [str(step) for step in next_steps(S, state, OURS)] == [f"waits for {BINDING.id} to be deleted"]
    assert [str(step) for step in next_steps(BINDING.id, state, OURS)] == [f"delete_service_binding {BINDING.id}"]


def test_a_port_that_moved_away_and_is_still_held_on_a_host_of_ours_is_an_orphan() -> None:
    """The shim's records were lost with its etcd, and meanwhile the port went to a host of another."""
    state = state_of({}, port(host="foreign"))
    findings = compare([held(PORT, state, host_id="host-1")], state, JUDGE)
    assert set(findings.orphans) == {P, ON_1}


# -- making it good ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "callback"),
    [
        (P, "modify_port"),
        (ON_1, "bind_port"),
        (S, "modify_service"),
        (INTERFACE.id, "modify_interface"),
        (BINDING.id, "modify_service_binding"),
    ],
)
def test_what_is_made_again_is_made_as_it_was_applied(key: ObjectKey, callback: str) -> None:
    state = state_of(EVERYTHING, *WANTED)
    attempt = again(key, state)
    assert attempt == Attempt(callback=callback, attributes=EVERYTHING[key].attributes)
    state.record(key, replace(state.records[key], attempt=attempt))
    steps = [step for step in next_steps(P if key == ON_1 else key, state, OURS) if isinstance(step, Call)]
    assert [step.callback for step in steps] == [callback]


def test_an_orphan_of_another_key_than_its_own_is_named_by_its_key() -> None:
    record = orphan(name("VpnAfConfig", 1), {"vrf_rt_value": "another"}, state_of({}))[name("VpnAfConfig", 1)]
    assert record.attributes["vrf_rt_value"] == "65000:1"
