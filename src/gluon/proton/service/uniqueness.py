"""Whether another object has values that no two objects of the type can have (`rules: unique` in the model).

The look is part of the transaction that writes, and SQLite lets one transaction write at a time: within a server
one thread does, and between servers each begins with `BEGIN IMMEDIATE`.  So nobody can come in between the look
and the change.  A unique index is not used: see `gluon.proton.storage.tables`.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from gluon.contract.keys import ObjectKey
from gluon.proton.service.errors import Taken
from gluon.proton.storage import Transaction
from gluon.schema import ObjectType, Unique, Value


def refuse_taken(
    tx: Transaction,
    object_type: ObjectType,
    key: ObjectKey,
    values: Mapping[str, Value],
    named: AbstractSet[str] | None = None,
) -> None:
    """Refuses an object that has what another one has.

    Args:
        tx: the transaction that is to write it.
        object_type: its type.
        key: names it; it need not exist.
        values: all of its attributes, as they are to be.
        named: the attributes that a change names, by whose rules it is judged; None: all.

    Raises:
        Taken: names the other object.
    """
    for rule in object_type.unique:
        if named is None or not named.isdisjoint(rule.attributes):
            other = _other(tx, object_type, key, rule, values)
            if other is not None:
                raise Taken(object_type.name, other, rule, tuple(values[name] for name in rule.unique))


_UNSET: tuple[Value, ...] = (None, "")


def _other(
    tx: Transaction, object_type: ObjectType, key: ObjectKey, rule: Unique, values: Mapping[str, Value]
) -> str | None:
    """The key of the first other object that the rule doesn't allow beside this one."""
    claim = rule.claim(values)
    if claim is None:
        return None
    same: dict[str, Value | tuple[Value, ...]] = {
        name: _UNSET if value is None else object_type.attributes[name].spellings(value)
        for name, value in zip(rule.unique, claim, strict=True)
    }
    if rule.is_excepted(values):
        same[rule.unless] = (False, None)
    primary_key = object_type.primary_key.name
    found = tx.objects(key.proton, key.object).find(same, limit=2)
    others = (str(each.attributes[primary_key]) for each in found)
    return next((other for other in others if other != key.key), None)
