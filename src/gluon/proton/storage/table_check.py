"""At start: creates the tables that are missing, refuses those that don't fit the model."""

from __future__ import annotations

import logging
from typing import Any
from uuid import uuid4

from sqlalchemy import Column, Connection, Table, insert, inspect, select, text
from sqlalchemy.engine.interfaces import ReflectedColumn

from gluon.proton.storage import takeover
from gluon.proton.storage.columns import ADDED
from gluon.proton.storage.errors import DatabaseUnusable
from gluon.proton.storage.tables import Tables

log = logging.getLogger(__name__)


def refuse_foreign(existing: set[str], tables: Tables) -> None:
    """Refuses a database that is not a server's.

    Raises:
        DatabaseUnusable: it is empty, or has none of these tables.
    """
    if existing.isdisjoint(tables.metadata.tables):
        raise DatabaseUnusable(
            "[database] connection: the database has no tables of the server's; give the configuration file of the "
            "server whose database it is"
        )


def prepare_tables(connection: Connection, *, tables: Tables, create: bool) -> None:
    """Brings an empty database up, takes over one of the version before, and leaves any other as it is.

    Args:
        connection: within a transaction.
        tables: as the models have them.
        create: bring up an empty database; False: refuse it.

    Raises:
        DatabaseUnusable: the database is empty, or names the first table and column that don't fit.
    """
    existing = set(inspect(connection).get_table_names())
    if not create:
        refuse_foreign(existing, tables)
    legacy = takeover.is_of_version_1(tables, existing)
    if legacy:
        takeover.drop_rewrite(connection)
    takeover.add_revisions(connection, tables, existing)
    takeover.add_requests(connection, existing)
    inspector = inspect(connection)
    for table in tables.metadata.sorted_tables:
        if table.name in existing:
            found = inspector.get_columns(table.name)
            _check(table, found)
            _add_columns(connection, table, {column["name"] for column in found})
    tables.metadata.create_all(connection)
    for table in tables.metadata.sorted_tables:
        if table.name in existing:
            _add_indexes(connection, table)
    if connection.execute(select(tables.deployment.c.id)).first() is None:
        row = {"id": str(uuid4()), "epoch": "", "serial": 0, "legacy": legacy}
        connection.execute(insert(tables.deployment), row)
    if legacy:
        takeover.take_over_ports(connection, tables)
        log.info("the database of the version before is taken over")


def _check(table: Table, found: list[ReflectedColumn]) -> None:
    by_name = {column["name"]: column for column in found}
    for column in table.columns:
        reflected = by_name.pop(column.name, None)
        if reflected is None and ADDED in column.info:
            continue
        problem = "it is missing" if reflected is None else _mismatch(column, reflected)
        if problem:
            raise _refusal(table, column.name, problem)
    for name, reflected in by_name.items():
        if not reflected["nullable"] and reflected.get("default") is None:
            raise _refusal(table, name, "the model has no such attribute, and the column does not allow null")


def _add_columns(connection: Connection, table: Table, existing: set[str]) -> None:
    """Columns that came later than their table, most of them of attributes.

    They stay null, which means the default, until an object is changed: so no object is published again.
    """
    for column in table.columns:
        if column.name in existing:
            continue
        name = connection.dialect.identifier_preparer.format_column(column)
        type_ = column.type.compile(connection.dialect)
        owner = connection.dialect.identifier_preparer.format_table(table)
        connection.execute(text(f"ALTER TABLE {owner} ADD COLUMN {name} {type_}"))
        log.info("table %s has got column %s", table.name, column.name)


def _add_indexes(connection: Connection, table: Table) -> None:
    for index in table.indexes:
        index.create(connection, checkfirst=True)


def _refusal(table: Table, column: str, problem: str) -> DatabaseUnusable:
    return DatabaseUnusable(
        f"table {table.name}, column {column}: {problem}; the model has changed since the table was made. Go back to "
        "that model, change the table by hand, or give the server a new database. An attribute that was added to an "
        "object says so with added: true"
    )


def _mismatch(column: Column[Any], reflected: ReflectedColumn) -> str:
    """Why the column can't hold every value of the model; empty: it can."""
    wanted, found = column.type, reflected["type"]
    if not _same_kind(wanted.python_type, found.python_type):
        return f"expected {wanted}, found {found}"
    # SQLite keeps text of any length whatever the column was made with, so a model may lengthen an attribute.  A key
    # of another length is the key of another object.
    wanted_length, found_length = getattr(wanted, "length", None), getattr(found, "length", None)
    if column.primary_key and wanted_length and found_length and found_length < wanted_length:
        return f"expected room for {wanted_length} characters, found {found_length}"
    if column.nullable and not reflected["nullable"]:
        return "the model lets it be null, the column does not"
    return ""


def _same_kind(wanted: type[Any], found: type[Any]) -> bool:
    # Some databases have no boolean of their own and give an integer back.
    return wanted is found or (wanted is bool and found is int)
