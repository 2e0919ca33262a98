"""What one transaction does: a change of an object, what belongs to it, and its outbox rows.

Plain functions of a `Transaction`; `gluon.proton.service.objects` runs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

from msgspec import Struct
from msgspec.structs import replace

from gluon.contract.keys import ObjectKey
from gluon.contract.records import BINDING_FAILED
from gluon.proton.service import binding, default_interface
from gluon.proton.service.errors import Conflict, NotFound
from gluon.proton.storage import Duplicate, OutboxRow, Stored, Transaction
from gluon.schema import Base, InvalidAttributes, ObjectType, Problem, Proton, Value, validate_attributes, validate_key


class Parent(NamedTuple):
    """The object that a child is addressed below."""

    object_type: ObjectType
    key: str


class Target(Struct, frozen=True, kw_only=True):
    """What a request addresses: an object type, below a parent or not."""

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


class Changed(NamedTuple):
    """What a create or an update leaves behind."""

    stored: Stored
    bind_request: int | None = None
    """Set when the change asks for a bind: the outbox id that names the request."""


def now() -> str:
    """This moment, as objects carry it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def new_attributes(target: Target, values: Mapping[str, Value]) -> dict[str, Value]:
    """All attributes of an object to create, its key generated where it is left out.

    Raises:
        InvalidAttributes: with all problems.
    """
    given = validate_attributes(target.object_type, _with_parent(target, values))
    given.setdefault(target.primary_key, str(uuid4()))
    attributes = {name: given[name] for name in target.object_type.attributes}
    if target.object_type.base is Base.PORT:
        attributes |= binding.state_after(binding.change(None, attributes), attributes)
    return attributes


def create(tx: Transaction, target: Target, attributes: dict[str, Value], session: str | None) -> Changed:
    """Adds an object, and with a port its default interface.

    Raises:
        NotFound: the parent.
    """
    _require_parent(tx, target)
    proton, object_type = target.proton, target.object_type
    if object_type.base is Base.PORT:
        _refuse_other_proton(tx, target, str(attributes[target.primary_key]))
    moment = now()
    stored = Stored(attributes=attributes, created_at=moment, updated_at=moment)
    rows = tx.objects(proton.name, object_type.name)
    rows.insert(stored)
    key = str(attributes[target.primary_key])
    changes = [OutboxRow(target.key(key))]
    if object_type.base is Base.PORT:
        interface = Stored(
            attributes=default_interface.attributes(proton, attributes), created_at=moment, updated_at=moment
        )
        tx.objects(proton.name, proton.interface.name).insert(interface)
        changes.append(OutboxRow(ObjectKey(proton.name, proton.interface.name, key)))
    ids = tx.outbox.append(changes, session, moment)
    if object_type.base is Base.PORT and binding.is_wanted(attributes):
        rows.update(key, {"bind_request": ids[0]})
        return Changed(replace(stored, bind_request=ids[0]), ids[0])
    return Changed(stored)


def update(tx: Transaction, target: Target, key: str, values: Mapping[str, Value], session: str | None) -> Changed:
    """Changes the attributes that `values` names.

    Raises:
        NotFound: the object, or the object below this parent.
        InvalidAttributes: with all problems.
        Conflict: a default interface can't move to another port.
    """
    rows = tx.objects(target.proton.name, target.object_type.name)
    before = _required(rows.get(key, lock=True), target, key)
    after = validate_attributes(target.object_type, _with_parent(target, values), existing=before.attributes)
    bind_change = binding.BindChange.NONE
    if target.object_type.base is Base.PORT:
        bind_change = binding.change(before.attributes, after, values.keys())
        after |= binding.state_after(bind_change, after)
    elif target.object_type.base is Base.INTERFACE:
        _refuse_move(target, before, after)
    changed: dict[str, Any] = {
        name: value for name, value in after.items() if not binding.same(before.attributes[name], value)
    }
    if not changed and bind_change is binding.BindChange.NONE:
        return Changed(before)
    moment = now()
    rewrite = bind_change is not binding.BindChange.NONE and before.attributes["vif_type"] == BINDING_FAILED
    (request,) = tx.outbox.append([OutboxRow(target.key(key), rewrite)], session, moment)
    bind = _bind_columns(bind_change, request)
    rows.update(key, {**changed, **bind, "updated_at": moment})
    stored = replace(before, attributes=after, updated_at=moment, **bind)
    return Changed(stored, request if bind_change is binding.BindChange.REQUEST else None)


def delete(tx: Transaction, target: Target, key: str, session: str | None) -> None:
    """Removes an object, and with a port its default interface.

    Raises:
        NotFound: the object, or the object below this parent.
        Conflict: a default interface goes with its port only.
    """
    proton, object_type = target.proton, target.object_type
    rows = tx.objects(proton.name, object_type.name)
    before = _required(rows.get(key, lock=True), target, key)
    changes = [OutboxRow(target.key(key))]
    if object_type.base is Base.INTERFACE and default_interface.is_default(proton, before.attributes):
        raise Conflict(
            f"{object_type.name} {key} is the default interface of {proton.port.name} {key}; it goes with its port: "
            f"delete {proton.port.name} {key} instead"
        )
    if object_type.base is Base.PORT:
        tx.objects(proton.name, proton.interface.name).delete(key)
        changes.append(OutboxRow(ObjectKey(proton.name, proton.interface.name, key)))
    rows.delete(key)
    tx.outbox.append(changes, session, now())


def show(tx: Transaction, target: Target, key: str) -> Stored:
    """Reads an object.

    Raises:
        NotFound: the object, or the object below this parent.
    """
    rows = tx.objects(target.proton.name, target.object_type.name)
    return _required(rows.get(key), target, key)


def find(
    tx: Transaction, target: Target, filters: Mapping[str, Value], limit: int | None, marker: str | None
) -> list[Stored]:
    """Reads the objects that equal `filters`, below the parent if there is one.

    Raises:
        NotFound: the parent.
    """
    _require_parent(tx, target)
    rows = tx.objects(target.proton.name, target.object_type.name)
    if target.parent:
        parent_key = target.object_type.api.parent_key
        if filters.get(parent_key, target.parent.key) != target.parent.key:
            return []
        filters = {**filters, parent_key: target.parent.key}
    return rows.find(filters, limit=limit, marker=marker)


def _refuse_other_proton(tx: Transaction, target: Target, key: str) -> None:
    """A port's registration names one proton, so its uuid may stand in one only."""
    other = tx.proton_with_port(key, but=target.proton.name)
    if other is not None:
        raise Duplicate(f"{other} {target.object_type.name}", key)


def _bind_columns(bind_change: binding.BindChange, request: int) -> dict[str, Any]:
    if bind_change is binding.BindChange.NONE:
        return {}
    asked = request if bind_change is binding.BindChange.REQUEST else None
    return {"bind_request": asked, "bind_revision": None, "status_reason": None}


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
