"""Whether the database's files are still those that were opened.

SQLite writes on into a file that was removed or replaced, and nobody else will ever see these changes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, text

_CONTENTS = text("SELECT (SELECT id FROM deployment), (SELECT seq FROM sqlite_sequence WHERE name = 'outbox')")


class FileLost(Exception):
    """The files are not those that were opened; the message says which and how."""


class _Identity(NamedTuple):
    device: int
    inode: int


class FileIdentity:
    """Remembers the files of one SQLite database and compares them.

    It only looks at names: to open the file here and close it would drop SQLite's locks, which belong
    to the process.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._log = file.with_name(file.name + "-wal")
        self._opened: _Identity | None = None
        self._opened_log: _Identity | None = None
        self._deployment = ""
        """The id of the database, as soon as it is known."""
        self._highest = 0
        """The highest outbox id that was seen: it never goes back."""
        self._size = 0
        """The largest that was seen: without VACUUM, which a running server forbids, SQLite never shortens it."""

    def check_contents(self, connection: Connection) -> None:
        """Compares the contents with those that this process has seen: `cp` replaces them, and no file.

        Args:
            connection: within a transaction.

        Raises:
            FileLost: they are those of another database, or older ones.
        """
        if self._opened is None:
            return
        found, highest = connection.execute(_CONTENTS).one()
        highest = highest or 0
        if found != (self._deployment or found):
            raise FileLost(f"was overwritten with that of database {found}")
        if highest < self._highest:
            raise FileLost(f"was overwritten with an older one: it knows changes up to {highest}, not {self._highest}")
        self._deployment, self._highest = found, highest

    def remember(self) -> None:
        """Takes the files as they are now for the ones that are open."""
        self._opened, self._size = _look(self._file)
        self.remember_log()

    def remember_log(self) -> None:
        """Takes the write-ahead log as it is now: SQLite makes another one when its last connection closes."""
        self._opened_log = _look(self._log)[0]

    def check(self) -> None:
        """Compares.

        Raises:
            FileLost: a file was removed, replaced or shortened.
        """
        if self._opened is None:
            return
        found, size = _look(self._file)
        if found is None:
            raise FileLost("was removed")
        if found != self._opened:
            raise FileLost("was replaced by another one")
        if size < self._size:
            raise FileLost(f"was shortened from {self._size} to {size} bytes")
        self._size = size
        log = _look(self._log)[0]
        if self._opened_log is None:
            self._opened_log = log  # SQLite makes it with the first transaction.
        elif log != self._opened_log:
            raise FileLost("has lost its write-ahead log, which was removed or replaced")


def _look(file: Path) -> tuple[_Identity | None, int]:
    try:
        found = os.stat(file)  # noqa: PTH116 - on the way of every transaction, and Path.stat takes twice as long
    except OSError:
        return None, 0
    return _Identity(found.st_dev, found.st_ino), found.st_size
