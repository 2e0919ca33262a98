"""The binding's state machine: every transition, and what holds in every order."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gluon.contract.records import Answer
from gluon.proton.service import binding
from gluon.proton.service.binding import BindChange
from gluon.proton.storage import Stored

FREE: dict[str, Any] = {
    "host_id": None,
    "device_id": None,
    "vnic_type": "normal",
    "profile": None,
    "admin_state_up": True,
    "vif_type": "unbound",
    "vif_details": {},
    "status": "DOWN",
    "name": None,
}
WANTED = {**FREE, "host_id": "h1", "device_id": "d1"}
WAITING = {**WANTED, "status": "BUILD"}
BOUND = {**WANTED, "vif_type": "ovs", "status": "ACTIVE"}
FAILED = {**WANTED, "vif_type": "binding_failed", "status": "ERROR"}


def port(
    attributes: dict[str, Any], request: int | None = 5, revision: int | None = 10, reason: str | None = None
) -> Stored:
    return Stored(
        attributes=attributes,
        created_at="",
        updated_at="",
        status_reason=reason,
        bind_request=request,
        bind_revision=revision,
    )


def answer(**members: Any) -> Answer:
    return Answer(**{"controller": "c", "revision": 10, "host_id": "h1", **members})


@pytest.mark.parametrize(
    ("before", "change", "expected"),
    [
        (None, {}, BindChange.NONE),
        (None, {"host_id": "h1"}, BindChange.NONE),
        (None, {"host_id": "h1", "device_id": "d1"}, BindChange.REQUEST),
        (FREE, {"host_id": "h1"}, BindChange.NONE),
        (FREE, {"host_id": "h1", "device_id": "d1"}, BindChange.REQUEST),
        (FREE, {"host_id": "h1", "device_id": ""}, BindChange.NONE),
        (BOUND, {"name": "n"}, BindChange.NONE),
        (BOUND, {"host_id": "h1"}, BindChange.NONE),
        (BOUND, {"host_id": "h2"}, BindChange.REQUEST),
        (BOUND, {"device_id": "d2"}, BindChange.REQUEST),
        (BOUND, {"vnic_type": "direct"}, BindChange.REQUEST),
        (BOUND, {"profile": {"a": 1}}, BindChange.REQUEST),
        (BOUND, {"host_id": None}, BindChange.RELEASE),
        (BOUND, {"device_id": ""}, BindChange.RELEASE),
        (WAITING, {"name": "n"}, BindChange.NONE),
        (WAITING, {"host_id": "h2"}, BindChange.REQUEST),
        (WAITING, {"device_id": None}, BindChange.RELEASE),
        (FAILED, {"name": "n"}, BindChange.NONE),
        (FAILED, {"host_id": "h1"}, BindChange.REQUEST),
        (FAILED, {"device_id": "d1"}, BindChange.REQUEST),
        (FAILED, {"vnic_type": "direct"}, BindChange.REQUEST),
        (FAILED, {"host_id": None}, BindChange.RELEASE),
    ],
)
def test_what_a_change_does(before, change, expected):
    after = {**(before or FREE), **change}
    assert binding.change(before, after, change.keys()) is expected


@pytest.mark.parametrize(
    ("change", "after", "expected"),
    [
        (BindChange.REQUEST, BOUND, {"vif_type": "unbound", "vif_details": {}, "status": "BUILD"}),
        (BindChange.RELEASE, BOUND, {"vif_type": "unbound", "vif_details": {}, "status": "DOWN"}),
        (BindChange.NONE, {**FREE, "vif_type": None}, {"vif_type": "unbound", "vif_details": {}, "status": "DOWN"}),
        (BindChange.NONE, BOUND, {"status": "ACTIVE"}),
        (BindChange.NONE, {**BOUND, "admin_state_up": False}, {"status": "DOWN"}),
        (BindChange.NONE, FAILED, {}),
        (BindChange.NONE, WAITING, {}),
        (BindChange.NONE, FREE, {}),
    ],
)
def test_what_the_server_sets_with_it(change, after, expected):
    assert binding.state_after(change, after) == expected


OVS = {"vif_type": "ovs", "vif_details": {"a": 1}}


@pytest.mark.parametrize(
    ("stored", "given", "expected"),
    [
        (port(WAITING), answer(**OVS), {**OVS, "status": "ACTIVE"}),
        (port({**WAITING, "admin_state_up": False}), answer(**OVS), {**OVS, "status": "DOWN"}),
        (port(WAITING), answer(revision=11, **OVS), {**OVS, "status": "ACTIVE"}),
        (port(WAITING), answer(revision=9, **OVS), {}),
        (port(WAITING), answer(host_id="h2", **OVS), {}),
        (port(WAITING, revision=None), answer(**OVS), {}),
        (port(FREE, request=None, revision=None), answer(**OVS), {}),
        (port(WAITING), answer(), {}),
        (port(WAITING), None, {}),
        (port(WAITING), answer(vif_type="unbound"), {}),
        (
            port(WAITING),
            answer(vif_type="binding_failed", reason="no"),
            {"vif_type": "binding_failed", "status": "ERROR", "status_reason": "no"},
        ),
        (port(FAILED, reason="late"), answer(**OVS), {**OVS, "status": "ACTIVE", "status_reason": None}),
        (port(FAILED, reason="why"), None, {}),
        (port(FAILED, reason="why"), answer(reason="other"), {}),
        (port(BOUND), answer(vif_type="ovs"), {}),
        (port(BOUND), None, {}),
        (port(BOUND), answer(reason="mtu"), {"status_reason": "mtu"}),
        (port(BOUND, reason="mtu"), None, {"status_reason": None}),
        (port(WAITING), answer(reason="slow"), {"status_reason": "slow"}),
        (port(WAITING), answer(revision=9, reason="old"), {}),
        (port(FREE, request=None, revision=None), answer(reason="bad mac"), {"status_reason": "bad mac"}),
    ],
)
def test_what_an_answer_changes(stored, given, expected):
    assert binding.answered(stored, given) == expected


def test_a_refusal_without_a_reason_gets_one_that_names_the_controller():
    assert "controller c" in binding.answered(port(WAITING), answer(vif_type="binding_failed"))["status_reason"]


@given(st.tuples(*[st.sampled_from([None, True, 1, 1.0, "1", {"a": 1}, {"a": True}, [1], [True]])] * 2))
def test_only_the_same_json_is_the_same(pair):
    one, other = pair
    assert binding.same(one, other) == (repr(one) == repr(other))


answers = st.none() | st.builds(
    Answer,
    controller=st.just("c"),
    revision=st.integers(1, 12),
    host_id=st.sampled_from(["", "h1", "h2"]),
    vif_type=st.sampled_from(["", "unbound", "binding_failed", "ovs", "hw_veb"]),
    reason=st.sampled_from(["", "r"]),
)
requests = st.fixed_dictionaries(
    {},
    optional={
        "host_id": st.sampled_from([None, "", "h1", "h2"]),
        "device_id": st.sampled_from([None, "d1"]),
        "admin_state_up": st.booleans(),
        "name": st.sampled_from(["a", "b"]),
    },
)


@given(st.lists(st.one_of(requests, st.tuples(st.just("answer"), answers), st.just("published"), st.just("timeout"))))
def test_whatever_happens_status_vif_type_and_request_agree(events):
    current, ids = port(FREE, None, None), itertools.count(1)
    for event in events:
        if event == "published":
            if current.bind_request is not None and current.bind_revision is None:
                current = replace(current, bind_revision=5)
        elif event == "timeout":
            if binding.is_waiting(current):
                current = applied(current, binding.given_up("late"))
        elif isinstance(event, tuple):
            current = applied(current, binding.answered(current, event[1]))
        else:
            current = requested(current, event, next(ids))
        check(current)


def applied(before: Stored, columns: dict[str, Any]) -> Stored:
    reason = columns.get("status_reason", before.status_reason)
    attributes = {**before.attributes, **{n: v for n, v in columns.items() if n != "status_reason"}}
    return replace(before, attributes=attributes, status_reason=reason)


def requested(before: Stored, values: dict[str, Any], request: int) -> Stored:
    after = {**before.attributes, **values}
    change = binding.change(before.attributes, after, values.keys())
    after |= binding.state_after(change, after)
    if change is BindChange.NONE:
        return replace(before, attributes=after)
    asked = request if change is BindChange.REQUEST else None
    return replace(before, attributes=after, bind_request=asked, bind_revision=None, status_reason=None)


def check(now: Stored) -> None:
    """The table at the top of `binding`."""
    state = (now.attributes["vif_type"], now.attributes["status"], now.bind_request is not None)
    bound = now.attributes["vif_type"] in ("ovs", "hw_veb")
    up = "ACTIVE" if now.attributes["admin_state_up"] else "DOWN"
    assert binding.is_wanted(now.attributes) == (now.bind_request is not None)
    assert state in {("unbound", "DOWN", False), ("unbound", "BUILD", True), ("binding_failed", "ERROR", True)} or (
        bound and state[1:] == (up, True)
    )
    assert binding.is_bound(now.attributes) == bound
