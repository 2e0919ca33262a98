"""The one writer of the columns that are derived: whoever changes a binding or a status ends here."""

from __future__ import annotations

from msgspec.structs import replace

from gluon.contract.keys import ObjectKey
from gluon.proton.service import port_state
from gluon.proton.storage import Stored, Transaction
from gluon.schema import Base, ObjectType, Proton


def refresh(tx: Transaction, proton: Proton, key: ObjectKey) -> Stored | None:
    """Has the derived columns of an object follow its bindings and statuses.

    A port derives vif_type, vif_details, status and status_reason, any other object status_reason.

    Args:
        tx: the transaction that changed them.
        proton: the object's.
        key: the object, of a type that the proton has.

    Returns:
        The object as it is now; None when there is none.
    """
    rows = tx.objects(key.proton, key.object)
    before = rows.get(key.key)
    if before is None:
        return None
    after = derived(tx, proton.objects[key.object], key, before)
    if after == before:
        return before
    return rows.replace(before, replace(after, updated_at=tx.moment(before.updated_at)))


def derived(tx: Transaction, object_type: ObjectType, key: ObjectKey, stored: Stored) -> Stored:
    """The object with its derived columns as they have to be; updated_at stays."""
    statuses = tx.statuses.of(key)
    if object_type.base is not Base.PORT:
        return replace(stored, status_reason=port_state.reason(statuses))
    columns = port_state.project(stored.attributes, tx.bindings(key.proton).of(key.key), statuses)
    reason = columns.pop("status_reason")
    return replace(stored, attributes={**stored.attributes, **columns}, status_reason=reason)


def set_status(
    tx: Transaction,
    proton: Proton,
    key: ObjectKey,
    source: str,
    *,
    state: str = "",
    reason: str = "",
    failure: str = "",
) -> None:
    """Keeps the status that a source gives of an object now, or clears it, and refreshes the object.

    Args:
        tx: the transaction.
        proton: the object's.
        key: the object, of a type that the proton has; it need not exist.
        source: a controller's name, or one of `gluon.proton.storage.SERVER_SOURCES`.
        state: ACTIVE, DOWN, ERROR, or empty.
        reason: a sentence, or empty.
        failure: why a controller has not applied the object, or empty.
    """
    if tx.statuses.set(key, source, state, reason, failure):
        refresh(tx, proton, key)
