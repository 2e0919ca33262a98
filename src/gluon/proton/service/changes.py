"""The changes of an object, each within one transaction, with the objects that belong to it and its outbox rows.

Plain functions of a `Transaction`; `gluon.proton.service.objects` runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from gluon.contract.keys import ObjectKey
from gluon.process.unique import unique_id
from gluon.proton.service import binding, default_interface
from gluon.proton.service.binding import Asked
from gluon.proton.service.errors import Conflict, NotFound, PreconditionFailed
from gluon.proton.service.filters import Filters
from gluon.proton.service.refresh import derived
from gluon.proton.service.release import release
from gluon.proton.service.size import refuse_too_large
from gluon.proton.service.uniqueness import refuse_taken
from gluon.proton.storage import PUBLISHER, Duplicate, Stored, StoredBinding, Transaction
from gluon.schema import Base, InvalidAttributes, ObjectType, Problem, Proton, Value, validate_attributes, validate_key


class Parent(NamedTuple):
    """The object that a child is addressed below."""

    object_type: ObjectType
    key: str


class Target(Struct, frozen=True, kw_only=True):
    """The object type that a request addresses, below a parent or not."""

    proton: Proton
    object_type: ObjectType
    parent: Parent | None = None

    def key(self, key: str) -> ObjectKey:
        """Names one object of this type."""
        return ObjectKey(self.proton.name, self.object_type.name, key)

    @property
    def primary_key(self) -> str:
        """The attribute that is the key."""
        return self.object_type.primary_key.name


Work: TypeAlias = Callable[[Transaction], tuple[Stored, Asked | None]]
"""Changes one object; gives it back with the bind that the change asks for or has to wait for."""
Condition: TypeAlias = Callable[[Stored], bool]
"""Whether an object is as the client takes it to be."""


def new_attributes(target: Target, values: Mapping[str, Value]) -> dict[str, Value]:
    """All attributes of an object to create, its key generated where it is left out.

    Raises:
        InvalidAttributes: with all problems.
    """
    given = validate_attributes(target.object_type, _with_parent(target, values))
    given.setdefault(target.primary_key, str(unique_id()))
    refuse_too_large(target.object_type, given)
    return {name: given[name] for name in target.object_type.attributes}


def create(
    tx: Transaction, target: Target, attributes: dict[str, Value], token: str = ""
) -> tuple[Stored, Asked | None]:
    """Adds an object, and with a port its default interface.

    Args:
        tx: the transaction.
        target: the object's type.
        attributes: all of them, from `new_attributes`.
        token: names the bind, if it is a port that is to be bound.

    Raises:
        NotFound: the parent.
        Duplicate: another proton has a port with this key.
        Taken: another object has values that no two can have.
    """
    _require_parent(tx, target)
    key = str(attributes[target.primary_key])
    moment = tx.moment()
    stored = Stored(attributes=attributes, created_at=moment, updated_at=moment)
    asked = None
    if target.object_type.base is Base.PORT:
        _refuse_other_proton(tx, target, key)
        rows = binding.rows_after(key, None, attributes, attributes, (), token=token, moment=moment)
        put_bindings(tx, target, key, rows)
        asked = binding.asked(rows, attributes)
    stored = derived(tx, target.object_type, target.key(key), stored)
    refuse_taken(tx, target.object_type, target.key(key), stored.attributes)
    tx.objects(target.proton.name, target.object_type.name).insert(stored)
    changed = [target.key(key)]
    if target.object_type.base is Base.PORT:
        changed.append(_add_default_interface(tx, target.proton, stored))
    tx.outbox.append(changed)
    return stored, asked


def update(
    tx: Transaction, target: Target, key: str, values: Mapping[str, Value], token: str = ""
) -> tuple[Stored, Asked | None]:
    """Changes the attributes that `values` names.

    Args:
        tx: the transaction.
        target: the object's type.
        key: the object's.
        values: new values.
        token: names the bind, if the change asks for one.

    Raises:
        NotFound: the object, or the object below this parent.
        InvalidAttributes: with all problems.
        Conflict: a default interface can't move to another port; nor can some attributes of a port
            be changed while it is bound.
        Taken: another object has values that no two can have.
    """
    rows = tx.objects(target.proton.name, target.object_type.name)
    before = _required(rows.get(key), target, key)
    attributes = validate_attributes(target.object_type, _with_parent(target, values), existing=before.attributes)
    refuse_too_large(target.object_type, attributes)
    after = replace(before, attributes=attributes)
    moment = tx.moment(before.updated_at)
    asked, asks = None, False
    if target.object_type.base is Base.INTERFACE:
        _refuse_move(target, before, attributes)
    if target.object_type.base is Base.PORT:
        asked, asks = _rebind(tx, target, before, after, values, token, moment)
    refuse_taken(tx, target.object_type, target.key(key), attributes, values.keys())
    after = derived(tx, target.object_type, target.key(key), after)
    if not asks and all(binding.same(before.attributes[name], value) for name, value in after.attributes.items()):
        return before, asked
    after = rows.replace(before, replace(after, updated_at=moment))
    tx.outbox.append([target.key(key)])
    return after, asked


def delete(tx: Transaction, target: Target, key: str) -> None:
    """Removes an object, and with a port its default interface and its bindings.

    Raises:
        NotFound: the object, or the object below this parent.
        Conflict: a default interface goes with its port only.
    """
    proton, object_type = target.proton, target.object_type
    rows = tx.objects(proton.name, object_type.name)
    before = _required(rows.get(key), target, key)
    changed = [target.key(key)]
    if object_type.base is Base.INTERFACE and default_interface.is_default(proton, before.attributes):
        raise Conflict(
            f"{object_type.name} {key} is the default interface of {proton.port.name} {key}; it goes with its port: "
            f"delete {proton.port.name} {key} instead"
        )
    if object_type.base is Base.PORT:
        tx.objects(proton.name, proton.interface.name).delete(key)
        release(tx, proton, key)
        changed.append(ObjectKey(proton.name, proton.interface.name, key))
    rows.delete(key)
    # Controllers end their own statuses once they have deleted it; this one is about a value that is no more.
    for each in changed:
        tx.statuses.clear(each, PUBLISHER)
    tx.outbox.append(changed)


def require(tx: Transaction, target: Target, key: str, condition: Condition | None) -> None:
    """Looks whether the condition of a change holds.

    Raises:
        NotFound: the object, or the object below this parent.
        PreconditionFailed: it does not.
    """
    if condition is None:
        return
    stored = show(tx, target, key)
    if not condition(stored):
        raise PreconditionFailed(target.object_type.name, key, stored.revision)


def put_bindings(tx: Transaction, target: Target, port: str, rows: Sequence[StoredBinding]) -> None:
    """Makes these all of the port's bindings."""
    bindings = tx.bindings(target.proton.name)
    release(tx, target.proton, port, {each.host for each in bindings.of(port)} - {each.host for each in rows})
    for each in rows:
        bindings.put(each)


def show(tx: Transaction, target: Target, key: str) -> Stored:
    """Reads an object.

    Raises:
        NotFound: the object, or the object below this parent.
    """
    rows = tx.objects(target.proton.name, target.object_type.name)
    return _required(rows.get(key), target, key)


def find(tx: Transaction, target: Target, filters: Filters, limit: int | None, marker: str | None) -> list[Stored]:
    """Reads the objects that pass `filters`, below the parent if there is one.

    Raises:
        NotFound: the parent.
    """
    _require_parent(tx, target)
    rows = tx.objects(target.proton.name, target.object_type.name)
    if target.parent:
        parent_key = target.object_type.api.parent_key
        if target.parent.key not in filters.get(parent_key, (target.parent.key,)):
            return []
        filters = {**filters, parent_key: (target.parent.key,)}
    return rows.find(filters, limit=limit, marker=marker)


def _refuse_other_proton(tx: Transaction, target: Target, key: str) -> None:
    """A port's registration names one proton, so its uuid may stand in one only."""
    other = tx.proton_with_port(key, but=target.proton.name)
    if other is not None:
        raise Duplicate(f"{other} {target.object_type.name}", key)


def _add_default_interface(tx: Transaction, proton: Proton, port: Stored) -> ObjectKey:
    attributes = default_interface.attributes(proton, port.attributes)
    key = ObjectKey(proton.name, proton.interface.name, str(attributes[proton.interface.primary_key.name]))
    made = Stored(attributes=attributes, created_at=port.created_at, updated_at=port.updated_at)
    tx.objects(key.proton, key.object).insert(derived(tx, proton.interface, key, made))
    return key


def _rebind(
    tx: Transaction,
    target: Target,
    before: Stored,
    after: Stored,
    named: Mapping[str, Value],
    token: str,
    moment: str,
) -> tuple[Asked | None, bool]:
    """Has a port's bindings follow its change.

    Returns:
        The bind to wait for, if any, and whether the bindings changed.
    """
    port = str(after.attributes[target.primary_key])
    rows = tuple(tx.bindings(target.proton.name).of(port))
    binding.refuse_change_of_bound(before.attributes, after.attributes, named, rows)
    wanted = binding.rows_after(port, before.attributes, after.attributes, named, rows, token=token, moment=moment)
    put_bindings(tx, target, port, wanted)
    return binding.asked(wanted, named), wanted != rows


def _refuse_move(target: Target, before: Stored, after: Mapping[str, Value]) -> None:
    if (
        default_interface.is_default(target.proton, before.attributes)
        and after["port_id"] != before.attributes["port_id"]
    ):
        raise Conflict(
            f"{target.object_type.name} {after[target.primary_key]} is the default interface of "
            f"{target.proton.port.name} {before.attributes['port_id']} and stays with it; create another interface"
        )


def _with_parent(target: Target, values: Mapping[str, Value]) -> Mapping[str, Value]:
    """Fills in the parent's key, which must match where it is given."""
    if target.parent is None:
        return values
    name = target.object_type.api.parent_key
    if name not in values:
        return {**values, name: target.parent.key}
    if _canonical(target.parent, values[name]) != target.parent.key:
        raise InvalidAttributes([Problem(name, f"expected {target.parent.key} as in the URL; leave it out")])
    return values


def _canonical(parent: Parent, given: Value) -> str | None:
    try:
        return validate_key(parent.object_type, given) if isinstance(given, str) else None
    except InvalidAttributes:
        return None


def _require_parent(tx: Transaction, target: Target) -> None:
    if target.parent is None:
        return
    if not tx.objects(target.proton.name, target.parent.object_type.name).exists(target.parent.key):
        raise NotFound(target.parent.object_type.name, target.parent.key)


def _required(stored: Stored | None, target: Target, key: str) -> Stored:
    if stored is None:
        raise NotFound(target.object_type.name, key)
    if target.parent and stored.attributes[target.object_type.api.parent_key] != target.parent.key:
        raise NotFound(target.object_type.name, key, below=f"{target.parent.object_type.name} {target.parent.key}")
    return stored
