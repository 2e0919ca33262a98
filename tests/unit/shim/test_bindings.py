"""Two bindings of a port, as in a live migration: the rules, for one controller and for two."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import (
    BINDING_FAILED,
    AppliedRecord,
    Attempt,
    BindingAnswer,
    PortAnswer,
    WantedBinding,
)
from gluon.shim.plan import Call, HeldBack, Identity, Refresh, next_steps, outcome
from gluon.shim.state import HeldAnswer, Object, State

from .samples import L3VPN, OURS, applied, bound, port, sample, vpn_binding
from .test_plan import call_of, steps_of

P = port().id
ON_1, ON_2 = keys.binding(P, "host-1"), keys.binding(P, "host-2")
SOURCE = Identity(controller="source", hosts=frozenset({"host-1"}))
TARGET = Identity(controller="target", hosts=frozenset({"host-2"}))
INTERFACE, VPN, BINDING = sample("Interface", 1), sample("VpnService", 1), vpn_binding()

BEFORE = port(host="host-1")
AFTER = port(host="host-2", revision=2)
"""The port when its traffic has moved."""


def entry(controller: str, host: str, token: str, vif_type: str = "ovs") -> BindingAnswer:
    return BindingAnswer(controller=controller, host_id=host, token=token, revision=1, vif_type=vif_type)


def state_of(
    wanted: Object | None,
    inactive: str = "",
    records: dict[object, AppliedRecord] | None = None,
    answer: PortAnswer | None = None,
    *others: Object,
) -> State:
    """A port whose active binding has the token `a`, and the one on the host `inactive` the token `i`."""
    state = State(L3VPN)
    for key, record in (records or {}).items():
        state.record(key, record)
    if wanted is not None:
        more = (WantedBinding(host_id=inactive, token="i", vnic_type="normal"),) if inactive else ()
        state.desire(wanted, "a", more)
    for obj in others:
        state.desire(obj)
    if answer is not None:
        state.hear(P, HeldAnswer(answer, revision=7))
    return state


ON_SOURCE = {P: applied(BEFORE), ON_1: bound(BEFORE, token="a")}
ON_BOTH = {**ON_SOURCE, ON_2: bound(port(host="host-2"), token="i")}
SAID = PortAnswer.of(entry("ours", "host-1", "a"), [entry("ours", "host-2", "i")])
SAID_AFTER = PortAnswer.of(entry("ours", "host-2", "a"), [entry("ours", "host-1", "i")])


# -- one controller has both hosts ---------------------------------------------------------------------


def test_the_target_is_prepared_and_the_source_left_alone() -> None:
    state = state_of(BEFORE, "host-2", ON_SOURCE, PortAnswer.of(entry("ours", "host-1", "a"), ()))
    assert steps_of(P, state) == f"bind_port {P} on host-2"
    call = call_of(P, state)
    assert (call.object.active, call.object["host_id"], call.token) == (False, "host-2", "i")
    writes = outcome.claim(call, state, OURS)
    assert writes is not None
    assert writes.answer is not None
    assert writes.answer.answer is not None
    assert writes.answer.answer.active == entry("ours", "host-1", "a")
    assert writes.answer.answer.inactive == (entry("ours", "host-2", "i", ""),)


def test_a_prepared_port_is_left_alone() -> None:
    assert steps_of(P, state_of(BEFORE, "host-2", ON_BOTH, SAID)) == "Nothing"


def test_a_result_for_the_target_is_answered_beside_the_source() -> None:
    claimed = PortAnswer.of(entry("ours", "host-1", "a"), [entry("ours", "host-2", "i", "")])
    records = {**ON_SOURCE, ON_2: applied(port(host="host-2"), claimed=True)}
    state = state_of(BEFORE, "host-2", records, claimed)
    writes = outcome.bound(call_of(P, state), "ovs", {}, state, OURS)
    assert writes.answer is not None
    assert writes.answer.answer == SAID
    assert P not in writes.records  # The port itself stays as it was applied, on its active host.


def test_a_refused_target_leaves_the_source_bound() -> None:
    claimed = PortAnswer.of(entry("ours", "host-1", "a"), [entry("ours", "host-2", "i", "")])
    records = {**ON_SOURCE, ON_2: applied(port(host="host-2"), claimed=True)}
    state = state_of(BEFORE, "host-2", records, claimed)
    writes = outcome.bind_refused(call_of(P, state), "full", state, OURS)
    assert writes.answer is not None
    assert writes.answer.answer is not None
    assert writes.answer.answer.active == entry("ours", "host-1", "a")
    [refused] = writes.answer.answer.inactive
    assert (refused.vif_type, refused.reason) == (BINDING_FAILED, "full")
    for key, record in writes.records.items():
        state.record(key, record)
    state.hear(P, HeldAnswer(writes.answer.answer, revision=8))
    assert steps_of(P, state) == "Nothing"


def test_a_source_that_is_bound_does_not_wait_for_a_target_that_is_refused() -> None:
    """A change of the port itself reaches it although one of its bindings has failed."""
    records = {**ON_SOURCE, ON_2: bound(port(host="host-2", name="new"), BINDING_FAILED, "i")}
    state = state_of(port(name="new", revision=2), "host-2", records, SAID)
    assert f"modify_port {P}" in steps_of(P, state)


def test_activation_binds_the_target_again_and_leaves_the_source_bound() -> None:
    state = state_of(AFTER, "host-1", ON_BOTH, SAID)
    calls = [step for step in next_steps(P, state, OURS) if isinstance(step, Call)]
    assert [str(call) for call in calls] == [f"bind_port {P} on host-2", f"bind_port {P} on host-1"]
    assert [call.object.active for call in calls] == [True, False]
    assert not [call for call in calls if call.callback.removes]


def test_the_source_is_released_when_its_binding_goes() -> None:
    records = {P: applied(AFTER), ON_1: bound(BEFORE, token="i"), ON_2: bound(AFTER, token="a")}
    state = state_of(AFTER, "", records, SAID_AFTER)
    assert steps_of(P, state) == f"unbind_port {P} on host-1"
    call = call_of(P, state)
    assert (call.object["host_id"], call.host) == ("host-1", "host-1")
    writes = outcome.succeeded(call, state, OURS)
    assert writes.records == {ON_1: None}
    assert writes.answer is not None
    assert writes.answer.answer == PortAnswer.of(entry("ours", "host-2", "a"), ())


def test_the_target_is_released_when_the_migration_is_given_up() -> None:
    state = state_of(BEFORE, "", ON_BOTH, SAID)
    assert steps_of(P, state) == f"unbind_port {P} on host-2"


def test_service_bindings_stay_while_one_of_two_hosts_is_released() -> None:
    records = {**ON_BOTH, INTERFACE.id: applied(INTERFACE), VPN.id: applied(VPN), BINDING.id: applied(BINDING)}
    state = state_of(BEFORE, "", records, SAID, INTERFACE, VPN, BINDING)
    assert steps_of(P, state) == f"unbind_port {P} on host-2"
    assert "delete" not in steps_of(BINDING.id, state)


def test_a_service_binding_follows_the_traffic() -> None:
    """It is applied again once the other host is the active one, and bound."""
    records = {
        **ON_BOTH,
        INTERFACE.id: applied(INTERFACE),
        VPN.id: applied(VPN),
        BINDING.id: applied(BINDING, references={f"Port/{P.key}": "host-1"}),
    }
    state = state_of(BEFORE, "host-2", records, SAID, INTERFACE, VPN, BINDING)
    assert steps_of(BINDING.id, state) == "Nothing"
    state = state_of(AFTER, "host-1", records, SAID, INTERFACE, VPN, BINDING)
    assert steps_of(BINDING.id, state) == f"modify_service_binding {BINDING.id}"


def test_a_service_binding_waits_until_the_port_is_bound_where_its_traffic_goes() -> None:
    records = {
        **ON_SOURCE,
        ON_2: applied(port(host="host-2"), claimed=True),
        INTERFACE.id: applied(INTERFACE),
        VPN.id: applied(VPN),
        BINDING.id: applied(BINDING, references={f"Port/{P.key}": "host-1"}),
    }
    state = state_of(AFTER, "host-1", records, SAID, INTERFACE, VPN, BINDING)
    assert steps_of(BINDING.id, state) == f"waits for {P} to be bound"


def with_service_binding(records: dict[ObjectKey, AppliedRecord]) -> dict[ObjectKey, AppliedRecord]:
    return {**records, INTERFACE.id: applied(INTERFACE), VPN.id: applied(VPN)}


def test_a_service_binding_waits_while_the_active_host_is_another_controllers() -> None:
    """Somebody has taken the source's host from us; the target, which is ours, is not where traffic goes."""
    stolen = PortAnswer.of(entry("thief", "host-1", "a"), [entry("ours", "host-2", "i")])
    state = state_of(BEFORE, "host-2", with_service_binding(ON_BOTH), stolen, INTERFACE, VPN, BINDING)
    assert steps_of(BINDING.id, state) == f"waits for {P} to be bound"


def test_a_service_binding_is_applied_where_the_port_is_only_prepared() -> None:
    """Another controller has the active binding; traffic may come at any moment."""
    records = with_service_binding(ON_TARGET)
    state = state_of(BEFORE, "host-2", records, BOTH_SAY, INTERFACE, VPN, BINDING)
    assert steps_of(BINDING.id, state, TARGET) == f"modify_service_binding {BINDING.id}"


def test_a_target_that_is_only_claimed_does_not_keep_the_service_binding_from_leaving_the_source() -> None:
    """The bind waits for the unbind, the unbind for the service binding: one of the three has to give way."""
    records = with_service_binding({**ON_SOURCE, ON_2: applied(port(host="host-2"), claimed=True)})
    state = state_of(AFTER, "", {**records, BINDING.id: applied(BINDING)}, SAID, INTERFACE, VPN, BINDING)
    assert f"waits for {BINDING.id} to be deleted" in steps_of(P, state)
    assert steps_of(BINDING.id, state) == f"delete_service_binding {BINDING.id}"


def test_both_are_unbound_when_the_port_goes_and_either_may_be_first() -> None:
    state = state_of(None, "", ON_BOTH, SAID)
    told = steps_of(P, state)
    assert f"unbind_port {P} on host-1; unbind_port {P} on host-2" in told
    assert "delete_port" not in told
    state.record(ON_1, None)
    assert f"unbind_port {P} on host-2; waits for {ON_2} to be deleted" in steps_of(P, state)
    state.record(ON_2, None)
    assert f"delete_port {P}" in steps_of(P, state)


def test_another_card_is_for_both_bindings_a_reason_to_begin_again() -> None:
    state = state_of(port(device_id="other", revision=2), "host-2", ON_BOTH, SAID)
    assert f"unbind_port {P} on host-1; unbind_port {P} on host-2" in steps_of(P, state)


def test_an_inactive_binding_that_is_asked_for_again_is_bound_again() -> None:
    records = {**ON_SOURCE, ON_2: bound(port(host="host-2"), token="before")}
    state = state_of(BEFORE, "host-2", records, SAID)
    assert steps_of(P, state) == f"bind_port {P} on host-2"


def test_an_unbind_of_the_target_that_may_have_been_made_is_made_good() -> None:
    attempt = Attempt(callback="unbind_port", attributes=dict(port(host="host-2").attributes))
    records = {**ON_SOURCE, ON_2: bound(port(host="host-2"), token="i", attempt=attempt)}
    assert steps_of(P, state_of(BEFORE, "host-2", records, SAID)) == f"bind_port {P} on host-2"


def test_what_the_brake_holds_is_not_bound_elsewhere_meanwhile() -> None:
    """Two hosts at once would carry the port's traffic."""
    state = state_of(AFTER, "", ON_BOTH, SAID)
    state.held_back = {ON_1}
    steps = next_steps(P, state, OURS)
    assert HeldBack() in steps
    assert not [step for step in steps if isinstance(step, Call)]


# -- one controller has the source, another the target ---------------------------------------------------


SOURCE_SAYS = PortAnswer.of(entry("source", "host-1", "a"), ())
BOTH_SAY = PortAnswer.of(entry("source", "host-1", "a"), [entry("target", "host-2", "i")])
ON_TARGET = {P: applied(port(host="host-2")), ON_2: bound(port(host="host-2"), token="i")}


def test_the_target_controller_prepares_beside_the_answer_of_the_source() -> None:
    state = state_of(BEFORE, "host-2", {}, SOURCE_SAYS)
    call = call_of(P, state, TARGET)
    assert str(call) == f"bind_port {P} on host-2"
    writes = outcome.claim(call, state, TARGET)
    assert writes is not None
    assert writes.answer is not None
    assert writes.answer.answer == PortAnswer.of(entry("source", "host-1", "a"), [entry("target", "host-2", "i", "")])
    assert set(writes.records) == {P, ON_2}


def test_neither_controller_touches_the_others_binding() -> None:
    assert steps_of(P, state_of(BEFORE, "host-2", ON_SOURCE, BOTH_SAY), SOURCE) == "Nothing"
    assert steps_of(P, state_of(BEFORE, "host-2", ON_TARGET, BOTH_SAY), TARGET) == "Nothing"


@pytest.mark.parametrize("identity", [SOURCE, TARGET], ids=["source", "target"])
def test_whoever_is_first_after_the_activation_arranges_the_answer(identity: Identity) -> None:
    records = ON_SOURCE if identity is SOURCE else ON_TARGET
    state = state_of(AFTER, "host-1", records, BOTH_SAY)
    steps = next_steps(P, state, identity)
    assert [str(step) for step in steps if isinstance(step, Call)] == [
        f"bind_port {P} on {'host-1' if identity is SOURCE else 'host-2'}"
    ]
    call = call_of(P, state, identity)
    writes = outcome.bound(call, "ovs", {}, state, identity)
    assert writes.answer is not None
    assert writes.answer.answer is not None
    assert set(writes.answer.answer.bindings) == {"host-1", "host-2"}
    assert writes.answer.answer.active is not None
    assert writes.answer.answer.active.host_id == "host-2"


def test_the_source_controller_releases_and_forgets_the_port() -> None:
    records = {P: applied(BEFORE), ON_1: bound(BEFORE, token="i")}
    both = PortAnswer.of(entry("target", "host-2", "a"), [entry("source", "host-1", "i")])
    state = state_of(AFTER, "", records, both)
    call = call_of(P, state, SOURCE)
    assert str(call) == f"unbind_port {P} on host-1"
    writes = outcome.succeeded(call, state, SOURCE)
    assert writes.answer is not None
    assert writes.answer.answer == PortAnswer.of(entry("target", "host-2", "a"), ())
    state.record(ON_1, None)
    state.hear(P, HeldAnswer(writes.answer.answer, revision=8))
    assert steps_of(P, state, SOURCE) == f"delete_port {P}"


def test_the_target_controller_forgets_the_port_when_the_migration_is_given_up() -> None:
    state = state_of(BEFORE, "", ON_TARGET, BOTH_SAY)
    assert f"unbind_port {P} on host-2" in steps_of(P, state, TARGET)
    writes = outcome.succeeded(call_of(P, state, TARGET), state, TARGET)
    assert writes.answer is not None
    assert writes.answer.answer == SOURCE_SAYS
    assert steps_of(P, state_of(BEFORE, "", ON_SOURCE, BOTH_SAY), SOURCE) == "Nothing"


def test_without_a_second_binding_a_port_changes_its_controller_by_unbind_then_bind() -> None:
    state = state_of(AFTER, "", {}, SOURCE_SAYS)
    assert steps_of(P, state, TARGET) == "is in use by controller source"
    assert f"unbind_port {P} on host-1" in steps_of(P, state_of(AFTER, "", ON_SOURCE, SOURCE_SAYS), SOURCE)
    state.hear(P, HeldAnswer(PortAnswer(), revision=8))
    assert steps_of(P, state, TARGET) == f"bind_port {P} on host-2"


def test_a_target_that_answers_before_the_source_leaves_the_active_place_free() -> None:
    state = state_of(BEFORE, "host-2", {})
    writes = outcome.claim(call_of(P, state, TARGET), state, TARGET)
    assert writes is not None
    assert writes.answer is not None
    assert writes.answer.answer is not None
    assert writes.answer.answer.active is None
    state.hear(P, HeldAnswer(writes.answer.answer, revision=8))
    assert steps_of(P, state, SOURCE) == f"bind_port {P} on host-1"


def test_a_refresh_repairs_only_what_is_ours() -> None:
    torn = PortAnswer.of(entry("target", "host-2", "i"), ())  # As active, and the source's entry is gone.
    state = state_of(BEFORE, "host-2", ON_SOURCE, torn)
    [refresh] = [step for step in next_steps(P, state, SOURCE) if isinstance(step, Refresh)]
    assert refresh.answer == replace(BOTH_SAY)


def test_another_controller_that_claims_the_same_host_takes_it_over() -> None:
    taken = PortAnswer.of(entry("thief", "host-1", "a"), [entry("target", "host-2", "i")])
    assert f"unbind_port {P} on host-1" in steps_of(P, state_of(BEFORE, "host-2", ON_SOURCE, taken), SOURCE)
    assert steps_of(P, state_of(BEFORE, "host-2", ON_TARGET, taken), TARGET) == "Nothing"
