"""The derived state of a port, as a pure function of its rows: no other place derives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from gluon.contract.records import BINDING_FAILED, UNBOUND
from gluon.proton.service.binding import active, is_plugged
from gluon.proton.storage import SERVER_SOURCES, BindingState, StoredBinding, StoredStatus
from gluon.schema import Value

ACTIVE, DOWN, BUILD, ERROR = "ACTIVE", "DOWN", "BUILD", "ERROR"


def project(
    attributes: Mapping[str, Value], rows: Sequence[StoredBinding], statuses: Sequence[StoredStatus]
) -> dict[str, Value]:
    """The derived columns of a port: vif_type, vif_details, status and status_reason.

        active binding    vif_type         status
        none              unbound          DOWN
        plugged           the binding's    as its controller reports, else ACTIVE; DOWN for ACTIVE while
                                           admin_state_up is false
        PENDING           unbound          BUILD
        FAILED            binding_failed   ERROR
        LOST              unbound          DOWN

    A report is about the bind that there is: one of another controller, or from before, says nothing.
    A failure counts whoever has it, since it may be what keeps the port from being bound elsewhere.

    Args:
        attributes: the port's; of them only those that clients set matter.
        rows: all of its bindings.
        statuses: all that is said of it.
    """
    now = active(rows)
    speaker = now.controller if now is not None and is_plugged(now) else ""
    current = [each if each.source == speaker else _without_report(each) for each in statuses]
    return {
        "vif_type": _vif_type(now),
        "vif_details": now.vif_details if now is not None else {},
        "status": _status(attributes, now, statuses),
        "status_reason": (now.reason if now is not None else "") or reason(current),
    }


def cause(statuses: Sequence[StoredStatus]) -> str | None:
    """As `reason`, why the port can't be bound: reports speak of a bind that succeeded."""
    return reason([_without_report(each) for each in statuses])


def reason(statuses: Sequence[StoredStatus]) -> str | None:
    """The reasons of all sources as one sentence; None for none."""
    return "; ".join(_told(each) for each in statuses if each.reason or each.failure) or None


def _told(status: StoredStatus) -> str:
    said = "; ".join(part for part in (status.failure, status.reason) if part)
    return said if status.source in SERVER_SOURCES else f"{status.source}: {said}"


def _without_report(status: StoredStatus) -> StoredStatus:
    return status if status.source in SERVER_SOURCES else replace(status, state="", reason="")


def _vif_type(now: StoredBinding | None) -> str:
    if now is not None and is_plugged(now):
        return now.vif_type
    return BINDING_FAILED if now is not None and now.state is BindingState.FAILED else UNBOUND


def _status(attributes: Mapping[str, Value], now: StoredBinding | None, statuses: Sequence[StoredStatus]) -> str:
    if now is not None and is_plugged(now):
        reported = next((each.state for each in statuses if each.source == now.controller), "") or ACTIVE
        return DOWN if reported == ACTIVE and not attributes["admin_state_up"] else reported
    if now is None or now.state is BindingState.LOST:
        return DOWN
    return ERROR if now.state is BindingState.FAILED else BUILD
