"""The outbox: a row for each change of an object that etcd has not been told yet.

A row belongs to the publisher session that is to publish it, or to none (null).  See
docs/adr/0003-outbox.md for the rules.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import (
    Connection,
    Integer,
    Table,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    update,
)

from gluon.contract.keys import ObjectKey
from gluon.proton.storage.changes import Changes
from gluon.proton.storage.circumstances import Circumstances
from gluon.proton.storage.errors import ChangesRefused

KEYS_AT_ONCE = 500
"""Keys that one statement names."""


class Pending(Struct, frozen=True):
    """All that one session has to publish of one object."""

    key: ObjectKey
    ids: tuple[int, ...]
    """Outbox ids, ascending."""
    request: str = ""
    """The id that the client gave to the latest of these changes; empty: none."""


class OutboxStatements:
    """The statements of every change and every round, built once."""

    def __init__(self, table: Table) -> None:
        own, other = table, table.alias("other")
        elder = select(other.c.id).where(
            other.c.proton == own.c.proton,
            other.c.object == own.c.object,
            other.c.key == own.c.key,
            other.c.id < own.c.id,
            or_(other.c.session.is_(None), other.c.session != bindparam("session")),
        )
        self.append = insert(table).returning(table.c.id)
        self.append_many = insert(table).returning(table.c.id, sort_by_parameter_order=True)
        self.pending = (
            select(own.c.id, own.c.proton, own.c.object, own.c.key, own.c.request, elder.exists())
            .where(own.c.session == bindparam("session"))
            .order_by(own.c.id)
            .limit(bindparam("limit", type_=Integer))
        )
        self.remove = delete(table).where(
            table.c.session == bindparam("session"), table.c.id.in_(bindparam("ids", expanding=True))
        )


class Outbox:
    """The outbox as one transaction sees it."""

    def __init__(
        self,
        connection: Connection,
        table: Table,
        statements: OutboxStatements,
        circumstances: Circumstances,
        changed: Changes,
        request: str = "",
    ) -> None:
        self._connection = connection
        self._table = table
        self._statements = statements
        self._circumstances = circumstances
        self._changed = changed
        self._request = request

    def append(self, keys: Sequence[ObjectKey]) -> list[int]:
        """Records that these objects changed; the rows belong to the database's current session.

        Called after the change itself, so that the ids of one object are in the order of its changes.

        Returns:
            The new ids, in the order of `keys`.

        Raises:
            ChangesRefused: `Database.refuse_changes` is in force.
        """
        self.require_open()
        if not keys:
            return []
        self._changed.published = True
        shared = {
            "session": self._circumstances.session,
            "created_at": self._circumstances.clock(),
            "request": self._request or None,
        }
        values = [{"proton": key.proton, "object": key.object, "key": key.key, **shared} for key in keys]
        if len(values) == 1:  # Most often; SQLAlchemy's way for many rows costs more.
            return [self._connection.execute(self._statements.append, values[0]).scalar_one()]
        return list(self._connection.execute(self._statements.append_many, values).scalars())

    def require_open(self) -> None:
        """Looks whether changes are accepted.

        Raises:
            ChangesRefused: `Database.refuse_changes` is in force.
        """
        if self._circumstances.refusal:
            raise ChangesRefused(self._circumstances.refusal)

    def pending(self, session: str, limit: int) -> tuple[list[Pending], bool]:
        """The objects that this session may publish now, oldest first; and whether there are some that wait.

        An object is left out while its oldest row belongs to another session: that one may be
        writing it at this moment.

        Args:
            session: whose rows.
            limit: most rows that are looked at.
        """
        found: dict[ObjectKey, list[int]] = {}
        requests: dict[ObjectKey, str] = {}
        waits: set[ObjectKey] = set()
        for row_id, proton, name, key, request, behind in self._connection.execute(
            self._statements.pending, {"session": session, "limit": limit}
        ):
            object_key = ObjectKey(proton, name, key)
            if behind and object_key not in found:
                waits.add(object_key)
            if object_key not in waits:
                found.setdefault(object_key, []).append(row_id)
                requests[object_key] = request or ""
        return [Pending(key, tuple(ids), requests[key]) for key, ids in found.items()], bool(waits)

    def keys(self, protons: Sequence[str]) -> list[ObjectKey]:
        """The objects of these protons that rows are pending for, of all sessions, each once."""
        c = self._table.c
        statement = select(c.proton, c.object, c.key).where(c.proton.in_(protons)).distinct()
        return [ObjectKey(*row) for row in self._connection.execute(statement.order_by(c.proton, c.object, c.key))]

    def among(self, proton: str, object_type: str, keys: Sequence[str]) -> set[str]:
        """Those of these objects that rows are pending for, of all sessions."""
        c = self._table.c
        statement = select(c.key).where(c.proton == proton, c.object == object_type).distinct()
        found: set[str] = set()
        for start in range(0, len(keys), KEYS_AT_ONCE):
            portion = keys[start : start + KEYS_AT_ONCE]
            found.update(self._connection.execute(statement.where(c.key.in_(portion))).scalars())
        return found

    def remove(self, ids: Sequence[int], session: str) -> None:
        """Removes rows that this session has published; those that another has adopted stay."""
        self._connection.execute(self._statements.remove, {"session": session, "ids": list(ids)})

    def sessions(self, protons: Sequence[str]) -> set[str | None]:
        """The owners of all rows of these protons; None among them when there are rows without one."""
        statement = select(self._table.c.session).where(self._table.c.proton.in_(protons)).distinct()
        return set(self._connection.execute(statement).scalars())

    def adopt(self, dead: Sequence[str], session: str, protons: Sequence[str]) -> int:
        """Gives this session the rows without an owner and those of dead sessions; returns how many."""
        table = self._table
        result = self._connection.execute(
            update(table)
            .where(table.c.proton.in_(protons), or_(table.c.session.is_(None), table.c.session.in_(dead)))
            .values(session=session)
        )
        return result.rowcount

    def size(self, protons: Sequence[str]) -> int:
        """How many rows are pending for these protons, of all sessions."""
        statement = select(func.count()).select_from(self._table).where(self._table.c.proton.in_(protons))
        return self._connection.execute(statement).scalar_one()

    def size_up_to(self, last: int, protons: Sequence[str]) -> int:
        """How many rows with an id of at most `last` are pending for these protons."""
        table = self._table
        statement = select(func.count()).select_from(table).where(table.c.proton.in_(protons), table.c.id <= last)
        return self._connection.execute(statement).scalar_one()

    def has(self, row_id: int) -> bool:
        """Whether this row is pending, of whatever session and proton."""
        return self._connection.execute(select(self._table.c.id).where(self._table.c.id == row_id)).first() is not None

    def highest(self) -> int:
        """The highest id that this database has ever given; 0: none."""
        return self._connection.execute(_HIGHEST).scalar() or 0

    def raise_above(self, serial: int) -> None:
        """Makes every id from now on greater than `serial`."""
        if self.highest() >= serial:
            return
        if self._connection.execute(_RAISE, {"serial": serial}).rowcount == 0:
            self._connection.execute(_BEGIN, {"serial": serial})


# SQLite's own table of an AUTOINCREMENT's highest id; it remembers ids whose rows are gone.
_HIGHEST = select(literal_column("seq", Integer)).select_from(text("sqlite_sequence")).where(text("name = 'outbox'"))
_RAISE = text("UPDATE sqlite_sequence SET seq = :serial WHERE name = 'outbox'")
_BEGIN = text("INSERT INTO sqlite_sequence (name, seq) VALUES ('outbox', :serial)")
