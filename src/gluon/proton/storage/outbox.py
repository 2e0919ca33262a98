"""The outbox: a row for each change of an object that etcd has not been told yet.

A row belongs to the publisher session that is to publish it, or to none (null).  See
docs/adr/0003-outbox.md for the rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct
from sqlalchemy import Connection, Integer, Table, bindparam, delete, func, insert, or_, select, update

from gluon.contract.keys import ObjectKey


class OutboxRow(NamedTuple):
    """A change to record."""

    key: ObjectKey
    rewrite: bool = False
    """Write it even if etcd holds the same value, so that its revision rises."""


class Pending(Struct, frozen=True):
    """All that one session has to publish of one object."""

    key: ObjectKey
    ids: tuple[int, ...]
    """Outbox ids, ascending."""
    rewrite: bool


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
            select(own.c.id, own.c.proton, own.c.object, own.c.key, own.c.rewrite, elder.exists())
            .where(own.c.session == bindparam("session"))
            .order_by(own.c.id)
            .limit(bindparam("limit", type_=Integer))
        )
        self.remove = delete(table).where(
            table.c.session == bindparam("session"), table.c.id.in_(bindparam("ids", expanding=True))
        )


class Outbox:
    """The outbox as one transaction sees it."""

    def __init__(self, connection: Connection, table: Table, statements: OutboxStatements) -> None:
        self._connection = connection
        self._table = table
        self._statements = statements

    def append(self, rows: Sequence[OutboxRow], session: str | None, now: str) -> list[int]:
        """Records changes; after the change itself, so that ids of one object are in the order of its changes.

        Returns:
            The new ids, in the order of `rows`.
        """
        values = [
            {
                "proton": row.key.proton,
                "object": row.key.object,
                "key": row.key.key,
                "session": session,
                "rewrite": int(row.rewrite),
                "created_at": now,
            }
            for row in rows
        ]
        if not values:
            return []
        if len(values) == 1:  # Most often; SQLAlchemy's way for many rows costs more.
            return [self._connection.execute(self._statements.append, values[0]).scalar_one()]
        return list(self._connection.execute(self._statements.append_many, values).scalars())

    def pending(self, session: str, limit: int) -> tuple[list[Pending], bool]:
        """What this session may publish now, oldest first; and whether there are objects that wait.

        An object is left out while its oldest row belongs to another session: that one may be
        writing it at this moment.

        Args:
            session: whose rows.
            limit: most rows that are looked at.
        """
        found: dict[ObjectKey, list[int]] = {}
        rewrites: set[ObjectKey] = set()
        waits: set[ObjectKey] = set()
        for row_id, proton, name, key, rewrite, behind in self._connection.execute(
            self._statements.pending, {"session": session, "limit": limit}
        ):
            object_key = ObjectKey(proton, name, key)
            if behind and object_key not in found:
                waits.add(object_key)
            if object_key in waits:
                continue
            found.setdefault(object_key, []).append(row_id)
            if rewrite:
                rewrites.add(object_key)
        return [Pending(key, tuple(ids), key in rewrites) for key, ids in found.items()], bool(waits)

    def remove(self, ids: Sequence[int], session: str) -> None:
        """Removes what this session has published; rows that another has adopted stay."""
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
