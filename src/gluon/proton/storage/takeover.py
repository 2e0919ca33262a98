"""Takes over a database of the version before: to be deleted with the version after next.

There a binding was columns of its port (bind_request, bind_revision), an outbox row had a flag
(rewrite), and a status_reason could be anybody's.  The columns of the ports stay, unused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, insert, inspect, select, text, update

from gluon.contract.records import BINDING_FAILED, UNBOUND
from gluon.proton.storage.circumstances import now
from gluon.proton.storage.stored import BindingState
from gluon.proton.storage.tables import REVISION, ObjectTable, Tables
from gluon.schema import Proton


def is_of_version_1(tables: Tables, existing: set[str]) -> bool:
    """Whether these tables are those of a database of the version before."""
    objects = {tables[name, each].table.name for name, proton in tables.protons.items() for each in proton.objects}
    return (
        tables.deployment.name not in existing and tables.outbox.name in existing and not objects.isdisjoint(existing)
    )


def drop_rewrite(connection: Connection) -> None:
    """Takes the flag off the outbox, whose rows and highest id stay."""
    columns = {column["name"] for column in inspect(connection).get_columns("outbox")}
    if "rewrite" in columns:
        connection.execute(text("ALTER TABLE outbox DROP COLUMN rewrite"))


def add_revisions(connection: Connection, tables: Tables, existing: set[str]) -> None:
    """Gives the objects of a database that was made before they had one their first revision."""
    for proton in tables.protons.values():
        for name in proton.objects:
            table = tables[proton.name, name].table
            if table.name in existing and not _has(connection, table.name, REVISION):
                quoted = connection.dialect.identifier_preparer.format_table(table)
                connection.execute(text(f"ALTER TABLE {quoted} ADD COLUMN {REVISION} INTEGER NOT NULL DEFAULT 1"))


def add_requests(connection: Connection, existing: set[str]) -> None:
    """Gives an outbox that was made before it had one the column for requests' ids."""
    if "outbox" in existing and not _has(connection, "outbox", "request"):
        connection.execute(text("ALTER TABLE outbox ADD COLUMN request VARCHAR(40)"))


def _has(connection: Connection, table: str, column: str) -> bool:
    return column in {found["name"] for found in inspect(connection).get_columns(table)}


def take_over_ports(connection: Connection, tables: Tables) -> None:
    """Makes a binding for each port that was to be bound, and forgets reasons whose source is not known."""
    for proton in tables.protons.values():
        for name in proton.objects:
            where = tables[proton.name, name]
            if where.object_type is proton.port:
                _take_over_bindings(connection, tables, proton, where)
            connection.execute(update(where.table).values(status_reason=None).where(_is_not_failed_port(where)))


def _is_not_failed_port(where: ObjectTable) -> Any:
    """A failed bind's reason is the binding's, and stays; others are found out again."""
    c = where.table.c
    reason = c.status_reason.is_not(None)
    return reason & (c.vif_type != BINDING_FAILED) if where.object_type is where.proton.port else reason


def _take_over_bindings(connection: Connection, tables: Tables, proton: Proton, where: ObjectTable) -> None:
    c = where.table.c
    wanted = select(where.table).where(c.host_id != "", c.device_id != "")
    rows = [_binding(port, proton, where) for port in connection.execute(wanted).mappings()]
    if not rows:
        return
    connection.execute(insert(tables.port_binding), rows)
    asked = [row for row in rows if row["state"] == BindingState.PENDING.value]
    # A token is published with the port: without it no answer would count.
    shared = {"proton": proton.name, "object": proton.port.name, "session": None, "created_at": now()}
    if asked:
        connection.execute(insert(tables.outbox), [{**shared, "key": row["port"]} for row in asked])


def _binding(port: RowMapping, proton: Proton, where: ObjectTable) -> Mapping[str, Any]:
    vif_type = port["vif_type"] or UNBOUND
    state = {UNBOUND: BindingState.PENDING, BINDING_FAILED: BindingState.FAILED}.get(vif_type, BindingState.BOUND)
    bound = state is BindingState.BOUND
    return {
        "proton": proton.name,
        "port": port[where.key.name],
        "host": port["host_id"],
        # The answers that are in etcd have no token, which is the same as an empty one.
        "token": uuid4().hex if state is BindingState.PENDING else "",
        "active": True,
        "state": state.value,
        "controller": "",
        "vnic_type": port["vnic_type"],
        "profile": port["profile"],
        "device_id": port["device_id"],
        "vif_type": vif_type if bound else "",
        "vif_details": (port["vif_details"] or {}) if bound else {},
        "reason": (port["status_reason"] or "") if state is BindingState.FAILED else "",
        "created_at": port["updated_at"],
        "updated_at": port["updated_at"],
    }
