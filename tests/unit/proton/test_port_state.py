"""What a port shows: a function of its rows."""

from __future__ import annotations

from typing import Any

import pytest

from gluon.proton.service.port_state import project, reason
from gluon.proton.storage import ANSWER, PUBLISHER, BindingState, StoredBinding, StoredStatus

PENDING, BOUND, FAILED, LOST = BindingState.PENDING, BindingState.BOUND, BindingState.FAILED, BindingState.LOST


def row(state: BindingState, **members: Any) -> StoredBinding:
    return StoredBinding(
        **{"port": "p", "host": "h", "token": "t", "state": state, "created_at": "", "updated_at": "", **members}
    )


def said(source: str, state: str = "", reason: str = "", failure: str = "") -> StoredStatus:
    return StoredStatus(source=source, state=state, reason=reason, failure=failure)


PLUGGED = row(BOUND, vif_type="ovs", vif_details={"a": 1}, controller="c")


@pytest.mark.parametrize(
    ("rows", "statuses", "up", "expected"),
    [
        ([], [], True, ("unbound", "DOWN")),
        ([row(BOUND, active=False, vif_type="ovs")], [], True, ("unbound", "DOWN")),
        ([row(PENDING)], [], True, ("unbound", "BUILD")),
        ([row(PENDING)], [], False, ("unbound", "BUILD")),
        ([row(FAILED)], [], True, ("binding_failed", "ERROR")),
        ([row(LOST)], [], True, ("unbound", "DOWN")),
        ([PLUGGED], [], True, ("ovs", "ACTIVE")),
        ([PLUGGED], [], False, ("ovs", "DOWN")),
        ([PLUGGED], [said("c", "DOWN")], True, ("ovs", "DOWN")),
        ([PLUGGED], [said("c", "ERROR")], True, ("ovs", "ERROR")),
        ([PLUGGED], [said("c", "ERROR")], False, ("ovs", "ERROR")),
        ([PLUGGED], [said("c", "ACTIVE")], False, ("ovs", "DOWN")),
        ([PLUGGED], [said("d", "ERROR")], True, ("ovs", "ACTIVE")),
        ([row(FAILED)], [said("c", "ACTIVE")], True, ("binding_failed", "ERROR")),
        ([row(LOST, controller="c")], [said("c", "ACTIVE")], True, ("unbound", "DOWN")),
        ([row(PENDING, vif_type="ovs", controller="c")], [], True, ("ovs", "ACTIVE")),
        ([row(PENDING, vif_type="ovs", controller="c")], [said("c", "DOWN")], True, ("ovs", "DOWN")),
    ],
)
def test_vif_type_and_status(rows, statuses, up, expected):
    found = project({"admin_state_up": up}, rows, statuses)
    assert (found["vif_type"], found["status"]) == expected
    assert found["vif_details"] == ({"a": 1} if rows == [PLUGGED] else {})


@pytest.mark.parametrize(
    ("rows", "statuses", "expected"),
    [
        ([], [], None),
        ([PLUGGED], [said("c", "ACTIVE")], None),
        ([PLUGGED], [said("c", "DOWN", "no link")], "c: no link"),
        ([PLUGGED], [said("c", failure="a"), said("d", failure="b")], "c: a; d: b"),
        ([PLUGGED], [said("c", "DOWN", "no link", "a")], "c: a; no link"),
        # Reports on another bind than this one.
        ([PLUGGED], [said("d", "DOWN", "no link"), said("e", "DOWN", "no link", "b")], "e: b"),
        ([], [said("c", "DOWN", "no link")], None),
        ([row(PENDING)], [said("c", "DOWN", "no link", "a")], "c: a"),
        ([row(PENDING, vif_type="ovs", controller="c")], [said("c", "DOWN", "no link")], "c: no link"),
        ([PLUGGED], [said(PUBLISHER, reason="too large"), said(ANSWER, reason="dropped")], "too large; dropped"),
        ([row(FAILED, reason="no")], [said("c", failure="a")], "no"),
        ([row(FAILED, reason="no", active=False)], [], None),
    ],
)
def test_the_reason(rows, statuses, expected):
    assert project({"admin_state_up": True}, rows, statuses)["status_reason"] == expected


def test_of_other_objects_the_reason_is_that_of_all_sources():
    assert reason([said("c"), said("d", reason="b"), said("e", "ERROR", "x")]) == "d: b; e: x"
    assert reason([]) is None
