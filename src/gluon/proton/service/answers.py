"""The changes that controllers' answers for ports, and their statuses of objects, bring about."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec.structs import replace

from gluon.contract.keys import ObjectKey
from gluon.contract.records import BindingAnswer, PortAnswer, Status
from gluon.proton.service.binding import answered
from gluon.proton.service.refresh import refresh, set_status
from gluon.proton.storage import ANSWER, BindingState, Transaction
from gluon.schema import Attribute, Mismatch, Proton

NOTHING_LEFT: Mapping[str, Status] = MappingProxyType({})

MAX_REASON = 4095
"""Longest reason that is kept, in characters."""


def checked_answer(proton: Proton, answer: PortAnswer) -> PortAnswer:
    """Checks a shim's answer against the attributes of the proton's port, and shortens long reasons.

    Raises:
        ValueError: says which member is wrong and what was expected.
    """
    inactive = tuple(_checked(proton, each) for each in answer.inactive)
    return PortAnswer.of(_checked(proton, answer.active) if answer.active else None, inactive)


def apply_answer(
    tx: Transaction,
    proton: Proton,
    port: ObjectKey,
    answer: PortAnswer,
    *,
    gone: str = "",
    left: Mapping[str, Status] = NOTHING_LEFT,
) -> None:
    """Has the bindings of a port follow the controllers' answer, and tells whoever waits for them.

    Args:
        tx: the transaction.
        proton: the port's.
        port: the port; it need not exist.
        answer: `NOBODY` when no controller has it.
        gone: why a binding that is not in the answer counts as lost, e.g. `no controller has
            confirmed it since ...`; empty: its controller no longer has it.
        left: by controller, the rest of its status once it has bound the port: a bind that succeeds ends
            the reports before it.
    """
    bindings = tx.bindings(port.proton)
    by_host = answer.bindings
    for before in bindings.of(port.key):
        after = answered(before, by_host.get(before.host), moment=tx.moment(before.updated_at), gone=gone)
        if after is not before:
            bindings.put(after)
            answers_request = before.state is BindingState.PENDING and after.state is BindingState.BOUND
            if answers_request and after.controller in left:
                apply_status(tx, proton, port, after.controller, left[after.controller])
    tx.statuses.clear(port, ANSWER)
    refresh(tx, proton, port)
    bindings.tell(port.key)


def drop_answer(tx: Transaction, proton: Proton, port: ObjectKey, problem: str) -> None:
    """Names an answer that can't be used in the port's reason; its bindings stay as they are.

    Args:
        tx: the transaction.
        proton: the port's.
        port: the port; it need not exist.
        problem: why the answer can't be used.
    """
    set_status(tx, proton, port, ANSWER, reason=_kept(f"an answer of a controller was dropped: {problem}"))


def apply_status(tx: Transaction, proton: Proton, key: ObjectKey, controller: str, status: Status | None) -> None:
    """Keeps the status that a controller gives of an object.

    Args:
        tx: the transaction.
        proton: the object's.
        key: the object, of a type that the proton has; it need not exist.
        controller: who says it.
        status: None: nothing any more.
    """
    said = status or Status()
    reason, failure = _kept(said.reason), _kept(said.failure)
    set_status(tx, proton, key, controller, state=said.state, reason=reason, failure=failure)


def _checked(proton: Proton, answer: BindingAnswer) -> BindingAnswer:
    port = proton.port.attributes
    if not answer.host_id:
        raise ValueError("host_id: missing")
    _check(port["vif_type"], answer.vif_type or None)
    _check(port["vif_details"], answer.vif_details)
    return replace(answer, reason=_kept(answer.reason))


def _check(attribute: Attribute, value: object) -> None:
    if value is None:
        return
    try:
        attribute.check(value)
    except Mismatch as mismatch:
        raise ValueError(f"{attribute.name}: {attribute.refusal(value, mismatch)}") from mismatch


def _kept(reason: str) -> str:
    return reason.replace("\0", "")[:MAX_REASON]
