"""The binding of a port as a pure state machine.

    vif_type        status          bind_request   the port is
    unbound         DOWN            null           not to be bound
    unbound         BUILD           set            waiting for a controller's answer
    binding_failed  ERROR           set            refused, or not answered in time
    anything else   ACTIVE or DOWN  set            bound; DOWN while admin_state_up is false

A change of the port *requests* a bind or *releases* it; an answer ends the wait, and may come
late or again.  An answer counts only if it is for the bind last requested: for the same host,
and for a revision not older than the one that published the request.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from gluon.contract.records import BIND_ATTRIBUTES, BINDING_FAILED, UNBOUND, Answer
from gluon.proton.storage import Stored
from gluon.schema import Value

ACTIVE, DOWN, BUILD, ERROR = "ACTIVE", "DOWN", "BUILD", "ERROR"

_WHO_AND_WHERE = ("host_id", "device_id")


class BindChange(enum.Enum):
    """What a change of a port does to its binding."""

    NONE = enum.auto()
    REQUEST = enum.auto()
    RELEASE = enum.auto()


def is_wanted(attributes: Mapping[str, Value]) -> bool:
    """Whether the port is to be bound: host_id and device_id are both set."""
    return all(attributes[name] for name in _WHO_AND_WHERE)


def is_bound(attributes: Mapping[str, Value]) -> bool:
    """Whether a controller has bound the port."""
    return attributes["vif_type"] not in (None, UNBOUND, BINDING_FAILED)


def is_waiting(port: Stored) -> bool:
    """Whether a bind was requested and neither answered nor given up."""
    return port.bind_request is not None and port.attributes["vif_type"] == UNBOUND


def change(before: Mapping[str, Value] | None, after: Mapping[str, Value], named: Collection[str] = ()) -> BindChange:
    """What a create or an update does to the binding.

    Args:
        before: the attributes as they were; None for a create.
        after: the attributes as they will be.
        named: the attributes that the request names, changed or not.
    """
    wanted, wanted_before = is_wanted(after), before is not None and is_wanted(before)
    if not wanted:
        return BindChange.RELEASE if wanted_before else BindChange.NONE
    if before is None or not wanted_before:
        return BindChange.REQUEST
    changed = any(not same(before[name], after[name]) for name in BIND_ATTRIBUTES)
    tried_again = before["vif_type"] == BINDING_FAILED and any(name in named for name in _WHO_AND_WHERE)
    return BindChange.REQUEST if changed or tried_again else BindChange.NONE


def state_after(bind_change: BindChange, after: Mapping[str, Value]) -> dict[str, Value]:
    """The attributes that the server sets together with such a change."""
    if bind_change is BindChange.REQUEST:
        return {"vif_type": UNBOUND, "vif_details": {}, "status": BUILD}
    if bind_change is BindChange.RELEASE or after["vif_type"] is None:
        return {"vif_type": UNBOUND, "vif_details": {}, "status": DOWN}
    return {"status": _bound_status(after)} if is_bound(after) else {}


def answered(port: Stored, answer: Answer | None) -> dict[str, Any]:
    """The columns that a controller's answer changes; empty for none.

    Args:
        port: as it is stored, with the bind_revision as far as it is known.
        answer: None when there is none, or when the controller has unbound the port.
    """
    if port.bind_request is not None and answer is not None and answer.vif_type not in ("", UNBOUND):
        wanted = _bind_result(port, answer) if _is_current(port, answer) else {}
    else:
        wanted = _reason_only(port, answer)
    now = {**port.attributes, "status_reason": port.status_reason}
    return {name: value for name, value in wanted.items() if not same(now[name], value)}


def given_up(reason: str) -> dict[str, Any]:
    """The columns of a port whose request nobody answered."""
    return {"vif_type": BINDING_FAILED, "vif_details": {}, "status": ERROR, "status_reason": reason}


def same(one: Value, other: Value) -> bool:
    """Whether two values are the same JSON; to Python 1 and true are equal."""
    if isinstance(one, dict | list) or type(one) is not type(other):
        return _encoder.encode(one) == _encoder.encode(other)
    return one == other


def _is_current(port: Stored, answer: Answer) -> bool:
    return (
        port.bind_request is not None
        and port.bind_revision is not None
        and answer.revision >= port.bind_revision
        and answer.host_id == port.attributes["host_id"]
    )


def _bind_result(port: Stored, answer: Answer) -> dict[str, Any]:
    if answer.vif_type == BINDING_FAILED:
        return given_up(answer.reason or f"controller {answer.controller} refused the bind and gave no reason")
    return {
        "vif_type": answer.vif_type,
        "vif_details": answer.vif_details,
        "status": _bound_status(port.attributes),
        "status_reason": answer.reason or None,
    }


def _reason_only(port: Stored, answer: Answer | None) -> dict[str, Any]:
    explained = port.attributes["vif_type"] == BINDING_FAILED  # By its own failed bind.
    stale = is_waiting(port) and answer is not None and not _is_current(port, answer)
    if explained or stale:
        return {}
    return {"status_reason": (answer.reason or None) if answer is not None else None}


def _bound_status(attributes: Mapping[str, Value]) -> str:
    return ACTIVE if attributes["admin_state_up"] else DOWN


_encoder = msgspec.json.Encoder(order="deterministic")
