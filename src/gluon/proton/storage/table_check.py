"""At start: creates the tables that are missing, refuses those that don't fit the model."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection, Table, inspect
from sqlalchemy.engine.interfaces import ReflectedColumn

from gluon.proton.storage.errors import DatabaseUnusable
from gluon.proton.storage.tables import Tables


def create_missing_tables(connection: Connection, *, tables: Tables) -> None:
    """Brings an empty database up, and leaves one that fits as it is.

    Raises:
        DatabaseUnusable: names the first table and column that don't fit.
    """
    inspector = inspect(connection)
    existing = set(inspector.get_table_names())
    for table in tables.metadata.sorted_tables:
        if table.name in existing:
            _check(table, inspector.get_columns(table.name))
    tables.metadata.create_all(connection)


def _check(table: Table, found: list[ReflectedColumn]) -> None:
    by_name = {column["name"]: column for column in found}
    for column in table.columns:
        reflected = by_name.pop(column.name, None)
        problem = "it is missing" if reflected is None else _mismatch(column, reflected)
        if problem:
            raise _refusal(table, column.name, problem)
    for name, reflected in by_name.items():
        if not reflected["nullable"] and reflected.get("default") is None:
            raise _refusal(table, name, "the model has no such attribute, and the column does not allow null")


def _refusal(table: Table, column: str, problem: str) -> DatabaseUnusable:
    return DatabaseUnusable(
        f"table {table.name}, column {column}: {problem}; the model has changed since the table was made. Go back to "
        "that model, change the table by hand, or give the server a new database"
    )


def _mismatch(column: Column[Any], reflected: ReflectedColumn) -> str:
    """What keeps the column from holding every value of the model; empty when nothing does."""
    wanted, found = column.type, reflected["type"]
    if not _same_kind(wanted.python_type, found.python_type):
        return f"expected {wanted}, found {found}"
    wanted_length, found_length = getattr(wanted, "length", None), getattr(found, "length", None)
    if wanted_length and found_length and found_length < wanted_length:
        return f"expected room for {wanted_length} characters, found {found_length}"
    if column.nullable and not reflected["nullable"]:
        return "the model lets it be null, the column does not"
    return ""


def _same_kind(wanted: type[Any], found: type[Any]) -> bool:
    # Some databases have no boolean of their own and give an integer back.
    return wanted is found or (wanted is bool and found is int)
