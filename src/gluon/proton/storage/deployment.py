"""The one row of table `deployment`: which database this is, and how far it has filled its etcd."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, select, update

from gluon.proton.storage.stored import Deployment


class DeploymentRow:
    """The row as one transaction sees it."""

    def __init__(self, connection: Connection, table: Table) -> None:
        self._connection = connection
        self._table = table

    def get(self) -> Deployment:
        """Reads it."""
        c = self._table.c
        row = self._connection.execute(select(c.id, c.epoch, c.serial, c.legacy)).one()
        return Deployment(id=row.id, epoch=row.epoch, serial=row.serial, legacy=row.legacy)

    def set(self, *, epoch: str | None = None, serial: int | None = None, legacy: bool | None = None) -> None:
        """Changes the members that are given; the id stays as it is."""
        given: dict[str, Any] = {"epoch": epoch, "serial": serial, "legacy": legacy}
        values = {name: value for name, value in given.items() if value is not None}
        if values:
            self._connection.execute(update(self._table).values(**values))

    def note_check(self, moment: str, *, padding: int = 0) -> None:
        """Writes something, to see that it can be done.

        Args:
            moment: now.
            padding: bytes to write beside, until the next check: a full disk often takes a few more.
        """
        self._connection.execute(update(self._table).values(checked_at=moment + " " * padding))
