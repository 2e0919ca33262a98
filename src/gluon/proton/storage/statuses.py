"""Statuses of objects, by the controllers and by the server's own parts: table `object_status`.

A row lives as long as its source has something to say, whether or not the object exists: that is the
source's to end.
"""

from __future__ import annotations

from msgspec.structs import asdict
from sqlalchemy import Connection, Table, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from gluon.contract.keys import ObjectKey
from gluon.proton.storage.stored import StoredStatus

_KEY = ("proton", "object", "key", "source")


class StatusStatements:
    """The statements on the table, built once."""

    def __init__(self, table: Table) -> None:
        c = table.c
        of_object = (
            c.proton == bindparam("of_proton"),
            c.object == bindparam("of_object"),
            c.key == bindparam("of_key"),
        )
        by_source = c.source == bindparam("by_source")
        self.of = select(c.source, c.state, c.reason, c.failure).where(*of_object).order_by(c.source)
        self.keys = select(c.proton, c.object, c.key).where(by_source)
        self.sources = select(c.source).distinct()
        self.sources_of = self.sources.where(c.proton == bindparam("of_proton"))
        put = insert(table)
        self.put = put.on_conflict_do_update(
            index_elements=_KEY,
            set_={"state": put.excluded.state, "reason": put.excluded.reason, "failure": put.excluded.failure},
        )
        self.delete = delete(table).where(*of_object, by_source)


class Statuses:
    """The statuses as one transaction sees them.

    Whoever changes one has the object's derived columns follow: `gluon.proton.service.refresh`.
    """

    def __init__(self, connection: Connection, statements: StatusStatements) -> None:
        self._connection = connection
        self._statements = statements

    def of(self, key: ObjectKey) -> list[StoredStatus]:
        """All that is said of an object, in the order of the sources."""
        rows = self._connection.execute(self._statements.of, _of(key))
        return [
            StoredStatus(source=row.source, state=row.state, reason=row.reason, failure=row.failure) for row in rows
        ]

    def set(self, key: ObjectKey, source: str, state: str, reason: str, failure: str = "") -> bool:
        """Keeps the status that this source gives now; clears it when all parts are empty.

        Returns:
            Whether it said something else before.
        """
        if not (state or reason or failure):
            return self.clear(key, source)
        wanted = StoredStatus(source=source, state=state, reason=reason, failure=failure)
        if wanted in self.of(key):
            return False
        name = {"proton": key.proton, "object": key.object, "key": key.key}
        self._connection.execute(self._statements.put, {**name, **asdict(wanted)})
        return True

    def clear(self, key: ObjectKey, source: str) -> bool:
        """Drops this source's status of the object; False when there is none."""
        return self._connection.execute(self._statements.delete, {**_of(key), "by_source": source}).rowcount > 0

    def keys(self, source: str) -> list[ObjectKey]:
        """The objects that this source says something of."""
        return [ObjectKey(*row) for row in self._connection.execute(self._statements.keys, {"by_source": source})]

    def sources(self, proton: str = "") -> frozenset[str]:
        """All sources that say anything; with a proton: of its objects."""
        statement = self._statements.sources_of if proton else self._statements.sources
        return frozenset(self._connection.execute(statement, {"of_proton": proton} if proton else {}).scalars())


def _of(key: ObjectKey) -> dict[str, str]:
    return {"of_proton": key.proton, "of_object": key.object, "of_key": key.key}
