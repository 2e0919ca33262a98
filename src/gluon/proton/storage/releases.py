"""Bindings that are gone from their ports, and that a controller may still have: table `released_binding`.

A row outlives its port, and etcd.  It goes once its controller is known to have let the port go, or was
told to make sure of it (`gluon.proton.answers.releases`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import asdict, replace
from sqlalchemy import Connection, Table, and_, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from gluon.proton.storage.stored import StoredRelease
from gluon.schema import Value

_FIELDS = StoredRelease.__struct_fields__
_KEY = ("proton", "port", "host", "controller")


class ReleaseStatements:
    """The statements on the table, built once."""

    def __init__(self, table: Table) -> None:
        c = table.c
        this = and_(*(c[name] == bindparam(f"of_{name}") for name in _KEY))
        self.all = select(*(c[name] for name in _FIELDS)).order_by(c.released_at)
        self.attributes = select(c.attributes).where(this)
        put = insert(table)
        others = {name: put.excluded[name] for name in ("attributes", "released_at")}
        self.put = put.on_conflict_do_update(index_elements=_KEY, set_=others)
        self.delete = delete(table).where(this)


class Releases:
    """The released bindings as one transaction sees them."""

    def __init__(self, connection: Connection, statements: ReleaseStatements) -> None:
        self._connection = connection
        self._statements = statements

    def add(self, release: StoredRelease, attributes: Mapping[str, Value]) -> None:
        """Keeps a binding; an earlier one of the same port, host and controller is replaced.

        Args:
            release: the binding.
            attributes: the port's, as it was bound.
        """
        values = {**asdict(release), "attributes": dict(attributes)}
        self._connection.execute(self._statements.put, values)

    def all(self) -> list[StoredRelease]:
        """All of them, of all protons, the oldest first."""
        rows = self._connection.execute(self._statements.all)
        return [StoredRelease(**dict(zip(_FIELDS, row, strict=True))) for row in rows]

    def attributes(self, release: StoredRelease) -> dict[str, Value] | None:
        """The port as it was bound; None when the row is gone."""
        found: dict[str, Value] | None = self._connection.execute(self._statements.attributes, _of(release)).scalar()
        return found

    def name(self, release: StoredRelease, controller: str) -> None:
        """Notes which controller has it, once that is known."""
        attributes = self.attributes(release)
        if attributes is not None:
            self.remove([release])
            self.add(replace(release, controller=controller), attributes)

    def remove(self, releases: Iterable[StoredRelease]) -> None:
        """Forgets them, as far as they are there."""
        parameters = [_of(each) for each in releases]
        if parameters:
            self._connection.execute(self._statements.delete, parameters)


def _of(release: StoredRelease) -> dict[str, str]:
    return {f"of_{name}": getattr(release, name) for name in _KEY}
