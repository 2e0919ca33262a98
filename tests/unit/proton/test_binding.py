"""The bindings' state machine: every transition."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gluon.contract.records import BindingAnswer
from gluon.proton.service import Conflict, binding
from gluon.proton.service.binding import Asked
from gluon.proton.storage import BindingState, StoredBinding

PENDING, BOUND, FAILED, LOST = BindingState.PENDING, BindingState.BOUND, BindingState.FAILED, BindingState.LOST

FREE: dict[str, Any] = {
    "host_id": None,
    "device_id": None,
    "mac_address": "c8:2a:14:04:43:80",
    "vnic_type": "normal",
    "profile": None,
    "name": None,
}
WANTED = {**FREE, "host_id": "h1", "device_id": "d1"}


def row(state: BindingState = PENDING, **members: Any) -> StoredBinding:
    plugged = {"vif_type": "ovs", "controller": "c"} if state is BOUND else {}
    return StoredBinding(
        **{
            "port": "p",
            "host": "h1",
            "token": "old",
            "state": state,
            "vnic_type": "normal",
            "device_id": "d1",
            "created_at": "0",
            "updated_at": "0",
            **plugged,
            **members,
        }
    )


def after(before: dict[str, Any] | None, change: dict[str, Any], rows: Any) -> tuple[StoredBinding, ...]:
    attributes = {**(before or FREE), **change}
    return binding.rows_after("p", before, attributes, change, rows, token="new", moment="1")


@pytest.mark.parametrize(
    ("before", "change", "rows"),
    [
        (None, {"host_id": "h1", "device_id": "d1"}, []),
        (FREE, {"host_id": "h1", "device_id": "d1"}, []),
        ({**WANTED, "device_id": None}, {"device_id": "d1"}, []),
        (WANTED, {"host_id": "h1"}, [row(FAILED)]),
        (WANTED, {"device_id": "d1"}, [row(FAILED)]),
        (WANTED, {"host_id": "h1"}, [row(LOST)]),
        (WANTED, {"vnic_type": "direct"}, [row(FAILED)]),
        (WANTED, {"vnic_type": "direct"}, [row()]),
        (WANTED, {"mac_address": "c8:2a:14:04:43:81"}, [row()]),
        (WANTED, {"mac_address": "c8:2a:14:04:43:81"}, [row(LOST)]),
        (WANTED, {"profile": {"a": 1}}, [row()]),
        (WANTED, {"device_id": "d2"}, [row(BOUND)]),
        (WANTED, {"host_id": "h2"}, [row(BOUND)]),
    ],
)
def test_a_change_that_asks_for_a_bind_leaves_one_new_pending_binding(before, change, rows):
    (found,) = after(before, change, rows)
    assert (found.host, found.token, found.state, found.active) == (change.get("host_id", "h1"), "new", PENDING, True)
    assert (found.vif_type, found.reason) == ("", "")


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"name": "n"}, PENDING),
        ({"name": "n"}, BOUND),
        ({"name": "n"}, FAILED),
        ({"name": "n"}, LOST),
        ({"host_id": "h1", "device_id": "d1"}, BOUND),
        ({"host_id": "h1", "device_id": "d1"}, PENDING),
        ({"profile": {}}, BOUND),
    ],
)
def test_a_change_that_does_not_ask_leaves_the_binding_as_it_is(change, state):
    assert after(WANTED, change, [row(state)]) == (row(state),)


@pytest.mark.parametrize("change", [{"host_id": None}, {"device_id": None}, {"host_id": ""}])
def test_a_port_that_is_not_wanted_any_more_has_no_bindings(change):
    assert after(WANTED, change, [row(BOUND), row(BOUND, host="h2", active=False)]) == ()


def test_a_port_without_an_active_binding_keeps_the_prepared_ones():
    prepared = row(BOUND, host="h2", active=False)
    assert after({**WANTED, "host_id": None}, {"name": "n"}, [prepared]) == (prepared,)
    (active, other) = after({**WANTED, "host_id": None}, {"host_id": "h1"}, [prepared])
    assert (active.host, active.active, active.state, other) == ("h1", True, PENDING, prepared)


@pytest.mark.parametrize("change", [{"host_id": None}, {"device_id": ""}])
def test_a_request_to_unbind_takes_the_prepared_ones_as_well(change):
    assert after({**WANTED, "host_id": None}, change, [row(BOUND, host="h2", active=False)]) == ()


def test_a_prepared_binding_is_of_the_vm_that_has_the_port():
    found = after(WANTED, {"device_id": "d2"}, [row(BOUND), row(BOUND, host="h2", active=False)])
    assert [(each.host, each.device_id, each.state) for each in found] == [("h1", "d2", PENDING), ("h2", "d2", BOUND)]


def test_a_new_profile_of_a_bound_port_asks_again_and_leaves_it_plugged():
    (found,) = after(WANTED, {"profile": {"migrating_to": "h2"}}, [row(BOUND)])
    assert (found.token, found.state, found.vif_type, found.controller) == ("new", PENDING, "ovs", "c")
    assert found.profile == {"migrating_to": "h2"}


def test_a_port_moved_to_a_host_where_it_is_prepared_stays_plugged():
    found = after(WANTED, {"host_id": "h2"}, [row(BOUND), row(BOUND, host="h2", active=False, vif_type="tap")])
    assert [(each.host, each.active, each.state, each.vif_type) for each in found] == [("h2", True, PENDING, "tap")]


@pytest.mark.parametrize(
    ("change", "rows", "refused"),
    [
        ({"mac_address": "x"}, [row(BOUND)], True),
        ({"vnic_type": "direct"}, [row(BOUND)], True),
        ({"mac_address": "x"}, [row(PENDING, vif_type="ovs")], True),
        ({"mac_address": "x", "host_id": "h2"}, [row(BOUND)], True),
        ({"mac_address": "x"}, [row(FAILED), row(BOUND, host="h2", active=False)], True),
        ({"mac_address": "x", "host_id": None}, [row(BOUND)], False),
        ({"mac_address": "x", "host_id": None}, [row(BOUND, host="h2", active=False)], False),
        ({"vnic_type": "direct", "device_id": None}, [row(BOUND)], False),
        ({"mac_address": "x"}, [row(FAILED)], False),
        ({"mac_address": "x"}, [row(LOST)], False),
        ({"mac_address": "x"}, [row(PENDING)], False),
        ({"vnic_type": "direct"}, [row(FAILED), row(BOUND, host="h2", active=False)], False),
        ({"mac_address": WANTED["mac_address"], "vnic_type": "normal"}, [row(BOUND)], False),
    ],
)
def test_mac_address_and_vnic_type_of_a_bound_port_stay(change, rows, refused):
    attributes = {**WANTED, **change}
    if refused:
        with pytest.raises(Conflict, match="unbind the port first"):
            binding.refuse_change_of_bound(WANTED, attributes, change, rows)
    else:
        binding.refuse_change_of_bound(WANTED, attributes, change, rows)


@pytest.mark.parametrize(
    ("rows", "named", "expected"),
    [
        ([row()], ["host_id"], Asked("h1", "old")),
        ([row()], ["profile"], Asked("h1", "old")),
        ([row()], ["name"], None),
        ([row(BOUND)], ["host_id"], None),
        ([row(FAILED)], ["host_id"], None),
        ([], ["host_id"], None),
        ([row(active=False)], ["host_id"], None),
    ],
)
def test_the_bind_that_a_request_waits_for(rows, named, expected):
    assert binding.asked(rows, named) == expected


def answer(**members: Any) -> BindingAnswer:
    return BindingAnswer(**{"controller": "c", "host_id": "h1", "token": "old", **members})


OVS = {"vif_type": "ovs", "vif_details": {"a": 1}}


@pytest.mark.parametrize(
    ("before", "given", "expected"),
    [
        (row(), answer(**OVS), (BOUND, "ovs", {"a": 1}, "")),
        (row(), answer(**OVS, reason="mtu"), (BOUND, "ovs", {"a": 1}, "mtu")),
        (row(), answer(vif_type="binding_failed", reason="no"), (FAILED, "", {}, "no")),
        (row(PENDING, vif_type="tap"), answer(**OVS), (BOUND, "ovs", {"a": 1}, "")),
        (row(PENDING, vif_type="tap"), answer(vif_type="binding_failed", reason="no"), (FAILED, "", {}, "no")),
        (row(FAILED, reason="late"), answer(**OVS), (BOUND, "ovs", {"a": 1}, "")),
        (row(LOST, reason="gone"), answer(**OVS), (BOUND, "ovs", {"a": 1}, "")),
        (row(BOUND), answer(**OVS, controller="d"), (BOUND, "ovs", {"a": 1}, "")),
        (row(BOUND), answer(vif_type="binding_failed", reason="no"), (FAILED, "", {}, "no")),
    ],
)
def test_an_answer_that_counts(before, given, expected):
    found = binding.answered(before, given, moment="1")
    assert (found.state, found.vif_type, found.vif_details, found.reason) == expected
    assert (found.controller, found.token, found.updated_at) == (given.controller, "old", "1")


@pytest.mark.parametrize("before", [row(), row(BOUND), row(FAILED), row(LOST), row(PENDING, vif_type="ovs")])
@pytest.mark.parametrize(
    "given", [answer(token="other", **OVS), answer(token="", **OVS), answer(), answer(vif_type="unbound")]
)
def test_an_answer_for_another_request_and_a_claim_change_nothing(before, given):
    assert binding.answered(before, given, moment="1") is before


@pytest.mark.parametrize(
    "given", [answer(token="other", **OVS), answer(token="", **OVS), answer(), answer(vif_type="unbound")]
)
def test_another_controller_s_claim_means_that_the_former_owner_has_let_go(given):
    given = replace(given, controller="d")
    found = binding.answered(row(BOUND), given, moment="1")
    assert (found.state, found.vif_type) == (LOST, "")
    assert "controller c no longer has it on h1" in found.reason
    again = binding.answered(row(PENDING, vif_type="ovs", controller="c"), given, moment="1")
    assert (again.state, again.vif_type, again.controller, again.token) == (PENDING, "", "", "old")
    for before in (row(), row(FAILED, reason="late"), row(LOST)):
        assert binding.answered(before, given, moment="1") is before


@pytest.mark.parametrize("before", [row(BOUND), row(FAILED, controller="c")])
def test_a_binding_that_its_controller_dropped_is_lost(before):
    found = binding.answered(before, None, moment="1")
    assert (found.state, found.vif_type, found.updated_at) == (LOST, "", "1")
    assert "controller c no longer has it on h1" in found.reason
    assert "set host_id or device_id again" in found.reason
    assert binding.answered(before, None, moment="1", gone="nobody knows it").reason.startswith("nobody knows it; ")


def test_what_is_asked_for_again_and_dropped_is_not_plugged_any_more():
    found = binding.answered(row(PENDING, vif_type="ovs", controller="c"), None, moment="1")
    assert (found.state, found.vif_type, found.controller, found.token) == (PENDING, "", "", "old")


def test_an_inactive_binding_that_is_lost_is_to_be_made_again():
    found = binding.answered(row(BOUND, active=False), None, moment="1")
    assert found.reason.endswith("no longer has it on h1; delete this binding and create it again")


@pytest.mark.parametrize("before", [row(), row(FAILED, reason="late"), row(LOST)])
def test_no_answer_says_nothing_of_a_binding_that_was_not_answered(before):
    assert binding.answered(before, None, moment="1") is before


def test_the_same_answer_again_is_no_news():
    before = row(BOUND, vif_details={"a": 1})
    assert binding.answered(before, answer(**OVS), moment="1") is before


def test_a_refusal_without_a_reason_gets_one_that_names_the_controller():
    assert "controller c" in binding.answered(row(), answer(vif_type="binding_failed"), moment="1").reason


@pytest.mark.parametrize(
    ("before", "held", "expected"),
    [
        (row(), False, (FAILED, "")),
        (row(), True, (FAILED, "")),
        (row(PENDING, vif_type="ovs"), True, (BOUND, "ovs")),
        (row(PENDING, vif_type="ovs"), False, (FAILED, "")),
    ],
)
def test_a_bind_that_nobody_answered(before, held, expected):
    found = binding.given_up(before, "why", held=held, moment="1")
    assert (found.state, found.vif_type) == expected
    assert (found.reason, found.token) == ("why", "old")


def test_activation_swaps_and_asks_without_unplugging():
    rows = [row(BOUND), row(BOUND, host="h2", active=False), row(FAILED, host="h3", active=False)]
    found = binding.activated(rows, "h2", token="new", moment="1")
    assert [(each.host, each.active, each.state, each.token, each.vif_type) for each in found] == [
        ("h1", False, BOUND, "old", "ovs"),
        ("h2", True, PENDING, "new", "ovs"),
        ("h3", False, FAILED, "old", ""),
    ]


@given(st.tuples(*[st.sampled_from([None, True, 1, 1.0, "1", {"a": 1}, {"a": True}, [1], [True]])] * 2))
def test_only_the_same_json_is_the_same(pair):
    one, other = pair
    assert binding.same(one, other) == (repr(one) == repr(other))
