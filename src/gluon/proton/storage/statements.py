"""The statements on one object table, built once: building one takes longer than running it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Column, Table, bindparam, delete, insert, select, update
from sqlalchemy.sql.dml import Update

VALUE = "value_"
"""Prefix of the parameters that hold new values."""


class ObjectStatements:
    """Parameters: `key`, or `keys` for several."""

    def __init__(self, table: Table, key: Column[str]) -> None:
        self._table = table
        self._key = key
        self.get = select(table).where(key == bindparam("key"))
        self.get_many = select(table).where(key.in_(bindparam("keys", expanding=True)))
        self.exists = select(key).where(key == bindparam("key"))
        self.insert = insert(table)
        self.delete = delete(table).where(key == bindparam("key"))
        self.update = cache(self._update)

    def _update(self, columns: Sequence[str]) -> Update:
        c = self._table.c
        values: dict[str, Any] = {name: bindparam(VALUE + name, type_=c[name].type) for name in columns}
        return update(self._table).where(self._key == bindparam("key")).values(values)
