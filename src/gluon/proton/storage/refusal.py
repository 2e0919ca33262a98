"""Why a constraint refused a change.

The constraints decide; only after a refusal is it asked why, in another transaction, so that a change
that goes well pays for no checks.
"""

from __future__ import annotations

from gluon.contract.keys import ObjectKey
from gluon.proton.storage.errors import ChangedMeanwhile, Duplicate, InUse, ReferenceMissing, StorageError
from gluon.proton.storage.object_rows import ObjectRows
from gluon.proton.storage.operations import ConstraintRefused, Operation, Verb
from gluon.proton.storage.transaction import Transaction


def explain(tx: Transaction, refused: ConstraintRefused) -> StorageError:
    """Which object made a constraint refuse the operation."""
    operation = refused.operation
    if operation is None:
        return ChangedMeanwhile("the change")
    key = operation.key
    rows = tx.objects(key.proton, key.object)
    found: StorageError | None = None
    if operation.verb is Verb.DELETE:
        found = _referrer(tx, rows, key, refused.done)
    elif operation.verb is Verb.INSERT and rows.exists(key.key):
        found = Duplicate(key.object, key.key)
    else:
        found = _missing(tx, rows, operation, refused.done)
    return found or ChangedMeanwhile(f"{operation.verb.value} of {key.object} {key.key}")


def _referrer(tx: Transaction, rows: ObjectRows, key: ObjectKey, gone: frozenset[ObjectKey]) -> InUse | None:
    """The object that keeps this one, other than those that were to go with it."""
    for other in rows.proton.objects.values():
        for attribute in other.references:
            if attribute.reference != key.object:
                continue
            but = [each.key for each in gone if each.object == other.name]
            referrer = tx.objects(key.proton, other.name).referrer(attribute.name, key.key, but=but)
            if referrer is not None:
                return InUse(f"{key.object} {key.key}", other.name, referrer, attribute.name)
    return None


def _missing(
    tx: Transaction, rows: ObjectRows, operation: Operation, made: frozenset[ObjectKey]
) -> ReferenceMissing | None:
    """The object that this one names and that isn't there, other than those made together with it."""
    proton = operation.key.proton
    for attribute in rows.object_type.references:
        target = tx.objects(proton, attribute.reference)
        for key in attribute.items(operation.attributes[attribute.name]):
            if ObjectKey(proton, attribute.reference, key) not in made and not target.exists(key):
                return ReferenceMissing(attribute.name, attribute.reference, key)
    return None
