"""Which object made a constraint refuse a change.

The constraints decide; only after a refusal is it asked why, so that a change that goes well
pays for no checks.
"""

from __future__ import annotations

from gluon.proton.storage.errors import ChangedMeanwhile, Duplicate, InUse, ReferenceMissing, StorageError
from gluon.proton.storage.object_rows import ObjectRows, items
from gluon.proton.storage.transaction import Transaction
from gluon.schema import Attribute, Value


def explain_insert(tx: Transaction, rows: ObjectRows, attributes: dict[str, Value]) -> StorageError:
    """Why an insert was refused."""
    key = str(attributes[rows.object_type.primary_key.name])
    if rows.exists(key):
        return Duplicate(rows.object_type.name, key)
    return explain_update(tx, rows, attributes)


def explain_update(tx: Transaction, rows: ObjectRows, attributes: dict[str, Value]) -> StorageError:
    """Why an update was refused."""
    for attribute in rows.object_type.references:
        missing = _missing(tx, rows, attribute, attributes[attribute.name])
        if missing is not None:
            return ReferenceMissing(attribute.name, attribute.reference, missing)
    return ChangedMeanwhile(f"the change of this {rows.object_type.name}")


def explain_delete(tx: Transaction, rows: ObjectRows, key: str, *, other_than: str | None = None) -> StorageError:
    """Why a delete was refused.

    Args:
        tx: the transaction to look in.
        rows: of the object's type.
        key: the object that was to be deleted.
        other_than: the key of a referring object that would have been deleted as well.
    """
    target = rows.object_type
    for other in rows.proton.objects.values():
        for attribute in other.references:
            if attribute.reference == target.name:
                referrer = tx.objects(rows.proton.name, other.name).referrer(attribute.name, key, other_than=other_than)
                if referrer is not None:
                    return InUse(f"{target.name} {key}", other.name, referrer, attribute.name)
    return ChangedMeanwhile(f"the deletion of {target.name} {key}")


def _missing(tx: Transaction, rows: ObjectRows, attribute: Attribute, value: Value) -> str | None:
    target = tx.objects(rows.proton.name, attribute.reference)
    named = items(value) if attribute.is_list else [] if value is None else [str(value)]
    return next((key for key in named if not target.exists(key)), None)
