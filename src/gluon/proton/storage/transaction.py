"""What can be done within one transaction."""

from __future__ import annotations

from sqlalchemy import Connection, select

from gluon.proton.storage.object_rows import ObjectRows
from gluon.proton.storage.outbox import Outbox
from gluon.proton.storage.tables import Tables


class Transaction:
    """One transaction; only of use inside the function that `Database` runs."""

    def __init__(self, connection: Connection, tables: Tables) -> None:
        self._connection = connection
        self._tables = tables
        self.outbox = Outbox(connection, tables.outbox, tables.outbox_statements)

    def objects(self, proton: str, object_name: str) -> ObjectRows:
        """The objects of one type, which a model has."""
        return ObjectRows(self._connection, self._tables[proton, object_name])

    def proton_with_port(self, key: str, *, but: str) -> str | None:
        """The name of a proton, other than `but`, that has a port of this key; None for none."""
        others = (proton for proton in self._tables.protons.values() if proton.name != but)
        return next((p.name for p in others if self.objects(p.name, p.port.name).exists(key)), None)

    def known_objects(self, proton: str, object_name: str) -> ObjectRows | None:
        """As `objects`; None when no model has that type."""
        found = self._tables.get(proton, object_name)
        return None if found is None else ObjectRows(self._connection, found)

    def newest_published(self, proton: str, object_name: str) -> str | None:
        """The key of the object that was created last, of those that have no change pending."""
        found, outbox = self._tables[proton, object_name], self._tables.outbox
        pending = select(outbox.c.id).where(
            outbox.c.proton == proton, outbox.c.object == object_name, outbox.c.key == found.key
        )
        statement = select(found.key).where(~pending.exists()).order_by(found.table.c.created_at.desc()).limit(1)
        return self._connection.execute(statement).scalar()
