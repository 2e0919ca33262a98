"""The objects of one type: reading and writing their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, insert, select

from gluon.proton.storage.statements import GUARD, VALUE
from gluon.proton.storage.stored import Stored
from gluon.proton.storage.tables import ObjectTable
from gluon.schema import ObjectType, Proton, Value

_IN_LIMIT = 500
"""Most values in one IN (...)."""


class ObjectRows:
    """The rows of one object type as one transaction sees them."""

    def __init__(self, connection: Connection, where: ObjectTable) -> None:
        self._connection = connection
        self._table = where.table
        self._key = where.key
        self._links = where.links
        self._statements = where.statements
        self.proton: Proton = where.proton
        self.object_type: ObjectType = where.object_type

    def get(self, key: str, *, lock: bool = False) -> Stored | None:
        """Reads one object.

        Args:
            key: its primary key, canonical.
            lock: keep it as it is until the end of the transaction (SQLite's writer already does).
        """
        statement = self._statements.get_locked if lock else self._statements.get
        row = self._connection.execute(statement, {"key": key}).first()
        return None if row is None else self._stored(row)

    def get_many(self, keys: Sequence[str], *, lock: bool = False) -> dict[str, Stored]:
        """Reads those objects that exist, by key; see `get`."""
        found: dict[str, Stored] = {}
        name = self.object_type.primary_key.name
        for start in range(0, len(keys), _IN_LIMIT):
            statement = self._statements.get_many_locked if lock else self._statements.get_many
            for row in self._connection.execute(statement, {"keys": keys[start : start + _IN_LIMIT]}):
                stored = self._stored(row)
                found[str(stored.attributes[name])] = stored
        return found

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        return self._connection.execute(self._statements.exists, {"key": key}).first() is not None

    def find(
        self, filters: Mapping[str, Value], *, limit: int | None = None, marker: str | None = None
    ) -> list[Stored]:
        """Reads objects in the order of their keys.

        Args:
            filters: values that attributes must equal.
            limit: most objects; None for all.
            marker: only keys after this one.
        """
        conditions = [self._table.c[name] == value for name, value in filters.items()]
        if marker is not None:
            conditions.append(self._key > marker)
        statement = select(self._table).where(*conditions).order_by(self._key).limit(limit)
        return [self._stored(row) for row in self._connection.execute(statement)]

    def all_keys(self) -> list[str]:
        """The keys of all objects."""
        return list(self._connection.execute(select(self._key)).scalars())

    def keys_with_status_reason(self) -> list[str]:
        """The keys of the objects that have a status_reason."""
        statement = select(self._key).where(self._table.c.status_reason.is_not(None))
        return list(self._connection.execute(statement).scalars())

    def open_binds(self, unbound: str) -> list[tuple[str, int]]:
        """Key and bind_request of the ports that wait for an answer.

        Args:
            unbound: the vif_type that they have meanwhile.
        """
        c = self._table.c
        statement = select(self._key, c.bind_request).where(c.bind_request.is_not(None), c.vif_type == unbound)
        return [(key, request) for key, request in self._connection.execute(statement)]

    def insert(self, stored: Stored) -> None:
        """Adds an object; IntegrityError when a constraint refuses it."""
        values: dict[str, Any] = {
            **stored.attributes,
            "created_at": stored.created_at,
            "updated_at": stored.updated_at,
            "status_reason": stored.status_reason,
        }
        self._connection.execute(self._statements.insert, values)
        key = stored.attributes[self.object_type.primary_key.name]
        for name, link in self._links.items():
            self._add_links(link, key, items(stored.attributes[name]))

    def update(self, key: str, values: Mapping[str, Any], **guards: Any) -> bool:
        """Changes the columns that `values` names.

        Args:
            key: the object's primary key.
            values: by column: attributes, updated_at, status_reason, bind_request, bind_revision.
            guards: by column, the value that it must have for anything to change.

        Returns:
            False when there is no such object, or a guard doesn't hold.
        """
        guarded = tuple((name, value is None) for name, value in guards.items())
        parameters = {VALUE + name: value for name, value in values.items()}
        parameters |= {GUARD + name: value for name, value in guards.items() if value is not None}
        statement = self._statements.update(tuple(values), guarded)
        if self._connection.execute(statement, {"key": key, **parameters}).rowcount == 0:
            return False
        for name, link in self._links.items():
            if name in values:
                self._connection.execute(delete(link).where(link.c.owner == key))
                self._add_links(link, key, items(values[name]))
        return True

    def delete(self, key: str) -> bool:
        """Removes an object; IntegrityError when another one refers to it."""
        return self._connection.execute(self._statements.delete, {"key": key}).rowcount > 0

    def referrer(self, attribute: str, target: str, *, other_than: str | None = None) -> str | None:
        """The key of an object that names `target` in that attribute; None when none does."""
        if attribute in self._links:
            link = self._links[attribute]
            statement = select(link.c.owner).where(link.c.target == target)
        else:
            statement = select(self._key).where(self._table.c[attribute] == target)
            if other_than is not None:
                statement = statement.where(self._key != other_than)
        return self._connection.execute(statement.limit(1)).scalar()

    def _add_links(self, link: Table, owner: Value, targets: Sequence[str]) -> None:
        if targets:
            self._connection.execute(insert(link), [{"owner": owner, "target": target} for target in targets])

    def _stored(self, row: Row[Any]) -> Stored:
        names = self.object_type.attributes
        created_at, updated_at, status_reason, *bind = row[len(names) :]
        return Stored(
            attributes=dict(zip(names, row, strict=False)),
            created_at=created_at,
            updated_at=updated_at,
            status_reason=status_reason,
            bind_request=bind[0] if bind else None,
            bind_revision=bind[1] if bind else None,
        )


def items(value: Value) -> list[str]:
    """The items of a list attribute's canonical text."""
    return value.split(",") if isinstance(value, str) and value else []
