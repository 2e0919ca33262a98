"""The objects of one type: reading and writing their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    String,
    Table,
    Text,
    cast,
    delete,
    false,
    func,
    insert,
    or_,
    select,
)

from gluon.contract.keys import ObjectKey
from gluon.proton.storage.changes import Changes
from gluon.proton.storage.operations import Operation, Verb
from gluon.proton.storage.statements import VALUE
from gluon.proton.storage.stored import Stored
from gluon.proton.storage.tables import REVISION, ObjectTable
from gluon.schema import ObjectType, Proton, Unique, Value

_IN_LIMIT = 500
"""Most values in one IN (...)."""


class ObjectRows:
    """The rows of one object type as one transaction sees them."""

    def __init__(
        self, connection: Connection, where: ObjectTable, changed: Changes, begin: Callable[[Operation], None]
    ) -> None:
        self._connection = connection
        self._table = where.table
        self._key = where.key
        self._links = where.links
        self._statements = where.statements
        self._changed = changed
        self._begin = begin
        self.proton: Proton = where.proton
        self.object_type: ObjectType = where.object_type

    def get(self, key: str) -> Stored | None:
        """Reads one object by its primary key, canonical."""
        row = self._connection.execute(self._statements.get, {"key": key}).first()
        return None if row is None else self._stored(row)

    def get_many(self, keys: Sequence[str]) -> dict[str, Stored]:
        """Reads those objects that exist, by key."""
        found: dict[str, Stored] = {}
        for start in range(0, len(keys), _IN_LIMIT):
            part = {"keys": list(keys[start : start + _IN_LIMIT])}
            for row in self._connection.execute(self._statements.get_many, part):
                stored = self._stored(row)
                found[self._key_of(stored)] = stored
        return found

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        return self._connection.execute(self._statements.exists, {"key": key}).first() is not None

    def find(
        self, filters: Mapping[str, Value | tuple[Value, ...]], *, limit: int | None = None, marker: str | None = None
    ) -> list[Stored]:
        """Reads objects in the order of their keys.

        Args:
            filters: values that attributes must equal; a tuple holds alternatives, None among them.
            limit: most objects; None for all.
            marker: only keys after this one.
        """
        conditions = [_is_one_of(self._table.c[name], value) for name, value in filters.items()]
        if marker is not None:
            conditions.append(self._key > marker)
        statement = select(self._table).where(*conditions).order_by(self._key).limit(limit)
        return [self._stored(row) for row in self._connection.execute(statement)]

    def all_keys(self) -> list[str]:
        """The keys of all objects."""
        return list(self._connection.execute(select(self._key)).scalars())

    def insert(self, stored: Stored) -> None:
        """Adds an object; if a constraint refuses it, the transaction fails with the reason (`Database.write`)."""
        key = self._name(stored)
        self._begin(Operation(Verb.INSERT, key, stored.attributes))
        self._connection.execute(self._statements.insert, _columns(stored))
        for name, link in self._links.items():
            self._add_links(link, key.key, name, stored.attributes[name])
        self._changed.objects[key] = stored

    def replace(self, before: Stored, after: Stored) -> Stored:
        """Changes an object, which this transaction has read as `before`, to `after`; see `insert`.

        Its key stays the same.

        Returns:
            The object as it is now: with the next revision, if anything has changed.
        """
        old, new = _columns(before), _columns(after)
        # By their JSON: to Python 1 and true are equal, and a list may hold either.
        values = {name: value for name, value in new.items() if value is not old[name] and not _same(value, old[name])}
        if not values:
            return before
        after = replace(after, revision=before.revision + 1)
        values[REVISION] = after.revision
        key = self._name(after)
        self._begin(Operation(Verb.REPLACE, key, after.attributes))
        parameters = {VALUE + name: value for name, value in values.items()}
        self._connection.execute(self._statements.update(tuple(values)), {"key": key.key, **parameters})
        for name, link in self._links.items():
            if name in values:
                self._connection.execute(delete(link).where(link.c.owner == key.key))
                self._add_links(link, key.key, name, values[name])
        self._changed.objects[key] = after
        return after

    def delete(self, key: str) -> bool:
        """Removes an object; False when there is none.  See `insert`."""
        name = ObjectKey(self.proton.name, self.object_type.name, key)
        self._begin(Operation(Verb.DELETE, name))
        if self._connection.execute(self._statements.delete, {"key": key}).rowcount == 0:
            return False
        self._changed.objects[name] = None
        return True

    def referrer(self, attribute: str, target: str, *, but: Sequence[str] = ()) -> str | None:
        """The key of an object, other than `but`, that names `target` in that attribute; None when none does."""
        if attribute in self._links:
            link = self._links[attribute]
            owner = link.c.owner
            statement = select(owner).where(link.c.target == target, owner.not_in(but))
        else:
            statement = select(self._key).where(self._table.c[attribute] == target, self._key.not_in(but))
        return self._connection.execute(statement.limit(1)).scalar()

    def alike(self, rule: Unique) -> list[list[str]]:
        """The keys of objects that break the rule together, each group of two or more."""
        c = self._table.c
        columns = [self._compared(name, rule) for name in rule.unique]
        needed = [c[name] for name in rule.unique if name not in rule.nulls_equal]
        groups = (
            select(*columns)
            .where(*(column.is_not(None) for column in needed), *(cast(column, Text) != "" for column in needed))
            .group_by(*columns)
            .having(func.count() > 1)
        )
        if rule.unless:
            groups = groups.having(func.min(func.coalesce(c[rule.unless], false())) == false())
        found = self._connection.execute(groups).all()
        return [self._keys_with(zip(columns, values, strict=True)) for values in found]

    def _compared(self, name: str, rule: Unique) -> ColumnElement[Any]:
        """The column as it stands, so that the rule's index serves; unless an empty text is to be like null."""
        column = self._table.c[name]
        return func.nullif(column, "") if name in rule.nulls_equal and isinstance(column.type, String) else column

    def _keys_with(self, values: Iterable[tuple[ColumnElement[Any], Value]]) -> list[str]:
        same = (column == value for column, value in values)  # To SQLAlchemy `== None` is IS NULL.
        return list(self._connection.execute(select(self._key).where(*same).order_by(self._key)).scalars())

    def _add_links(self, link: Table, owner: str, attribute: str, value: Value) -> None:
        targets = dict.fromkeys(self.object_type.attributes[attribute].items(value))  # a list may repeat an item
        if targets:
            self._connection.execute(insert(link), [{"owner": owner, "target": target} for target in targets])

    def _key_of(self, stored: Stored) -> str:
        return str(stored.attributes[self.object_type.primary_key.name])

    def _name(self, stored: Stored) -> ObjectKey:
        return ObjectKey(self.proton.name, self.object_type.name, self._key_of(stored))

    def _stored(self, row: Row[Any]) -> Stored:
        names = self.object_type.attributes
        created_at, updated_at, status_reason, revision = row[len(names) :]
        return Stored(
            attributes=dict(zip(names, row, strict=False)),
            created_at=created_at,
            updated_at=updated_at,
            status_reason=status_reason,
            revision=revision,
        )


def _is_one_of(column: Column[Any], value: Value | tuple[Value, ...]) -> ColumnElement[bool]:
    alternatives = value if isinstance(value, tuple) else (value,)
    given = [each for each in alternatives if each is not None]
    conditions: list[ColumnElement[bool]] = (
        [column == given[0] if len(given) == 1 else column.in_(given)] if given else []
    )
    if len(given) < len(alternatives):
        conditions.append(column.is_(None))
    return or_(*conditions)


def _columns(stored: Stored) -> dict[str, Any]:
    return {
        **stored.attributes,
        "created_at": stored.created_at,
        "updated_at": stored.updated_at,
        "status_reason": stored.status_reason,
        REVISION: stored.revision,
    }


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and not isinstance(one, dict | list) and bool(one == other)
