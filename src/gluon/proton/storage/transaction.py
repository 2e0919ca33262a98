"""One transaction, and all that can be done in it."""

from __future__ import annotations

from sqlalchemy import Connection

from gluon.proton.storage.bindings import Bindings
from gluon.proton.storage.changes import Changes
from gluon.proton.storage.circumstances import Circumstances
from gluon.proton.storage.deployment import DeploymentRow
from gluon.proton.storage.object_rows import ObjectRows
from gluon.proton.storage.operations import Operation
from gluon.proton.storage.outbox import Outbox
from gluon.proton.storage.releases import Releases
from gluon.proton.storage.statuses import Statuses
from gluon.proton.storage.tables import Tables


class Transaction:
    """One transaction; only of use inside the function that `Database` runs."""

    def __init__(
        self, connection: Connection, tables: Tables, circumstances: Circumstances | None = None, request: str = ""
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._circumstances = circumstances or Circumstances()
        self.changed = Changes()
        """All that this transaction has changed so far."""
        self.last_operation: Operation | None = None
        """The latest insert, replacement or deletion of an object: the one that a constraint refuses."""
        self.outbox = Outbox(
            connection, tables.outbox, tables.outbox_statements, self._circumstances, self.changed, request
        )
        self.statuses = Statuses(connection, tables.status_statements)
        self.releases = Releases(connection, tables.release_statements)
        self.deployment = DeploymentRow(connection, tables.deployment)
        self._bindings: dict[str, Bindings] = {}

    def objects(self, proton: str, object_name: str) -> ObjectRows:
        """The objects of one type, which a model has."""
        return ObjectRows(self._connection, self._tables[proton, object_name], self.changed, self._begin)

    def known_objects(self, proton: str, object_name: str) -> ObjectRows | None:
        """As `objects`; None when no model has that type."""
        known = self._tables.get(proton, object_name) is not None
        return self.objects(proton, object_name) if known else None

    def bindings(self, proton: str) -> Bindings:
        """The bindings of the ports of one proton, which a model has."""
        found = self._bindings.get(proton)
        if found is None:
            port = self._tables.protons[proton].port.name
            found = Bindings(self._connection, self._tables.binding_statements, proton, port, self.changed)
            self._bindings[proton] = found
        return found

    def proton_with_port(self, key: str, *, but: str) -> str | None:
        """The name of a proton, other than `but`, that has a port of this key; None for none."""
        others = (proton for proton in self._tables.protons.values() if proton.name != but)
        return next((p.name for p in others if self.objects(p.name, p.port.name).exists(key)), None)

    def _begin(self, operation: Operation) -> None:
        self.last_operation = operation

    def moment(self, after: str = "") -> str:
        """This moment, RFC 3339, UTC, microseconds; never before `after`, whatever the clock says."""
        return max(self._circumstances.clock(), after)
