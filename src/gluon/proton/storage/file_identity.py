"""Whether the database's files are still those that were opened, with the contents that they had.

SQLite writes on into a file that was removed or replaced, and nobody else will ever see these changes.
One that `cp` has overwritten keeps its name, its inode, and perhaps its size, while SQLite's log and
cache still show what was there before.  So the database carries two numbers in the file's header,
which is read past SQLite: `application_id` tells it from other databases, and `user_version`, the time
of a recent write, never goes back (https://www.sqlite.org/fileformat.html#the_database_header).

SQLite would lay the log of the newer database over the older file, when it closes it or opens it the
next time: pages of both, and nothing in them says so.  So an overwritten file is marked by another one
beside it, and the database notes the time that its file showed, which an older file can't have reached.
"""

from __future__ import annotations

import contextlib
import os
import struct
import time
import zlib
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, text

MARK = "-overwritten"
"""Ends the name of the file that is left beside one that was overwritten."""

_NOTE = text("UPDATE deployment SET file_stamp = :time")
_NOTED = text("SELECT file_stamp FROM deployment")
_CONTENTS = text("SELECT (SELECT id FROM deployment), (SELECT seq FROM sqlite_sequence WHERE name = 'outbox')")


class FileLost(Exception):
    """The files are not those that were opened; the message says which and how."""


class _Identity(NamedTuple):
    device: int
    inode: int


class _Stamp(NamedTuple):
    time: int
    """Seconds since 1970 of a recent write; 0: none was noted."""
    database: int
    """Made from the database's id; 0: not noted."""


_STAMP = struct.Struct(">I4xI")
_STAMP_OFFSET = 60


class FileIdentity:
    """Remembers the files of one SQLite database and compares them.

    To open the file here and close it would drop SQLite's locks, which belong to the process.  So it is
    kept open until `close`.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._log = file.with_name(file.name + "-wal")
        self._mark = file.with_name(file.name + MARK)
        self._opened: _Identity | None = None
        self._opened_log: _Identity | None = None
        self._deployment = ""
        """The id of the database, as soon as it is known."""
        self._highest = 0
        """The highest outbox id that was seen: it never goes back."""
        self._descriptor: int | None = None
        self._stamp = _Stamp(0, 0)
        """The latest that the file's header showed."""
        self._looked_at = 0
        """The second in which the header was last looked at by SQLite."""
        self._size = 0
        """The largest that was seen: without VACUUM, which a running server forbids, SQLite never shortens it."""

    def check_before_opening(self) -> None:
        """Looks at the file before SQLite does anything to it.

        Raises:
            FileLost: it was overwritten, as an earlier process has found.
        """
        if self._mark.exists():
            raise FileLost(f"{self._mark.read_text().strip()}, as {self._mark.name} says")
        with contextlib.suppress(OSError):
            descriptor = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._stamp = _read_stamp(descriptor)
            finally:
                os.close(descriptor)

    def check_opened(self, connection: Connection) -> None:
        """Compares the file as it was before it was opened with what the database, its log included, knows of it.

        Args:
            connection: within a transaction; the tables are there.

        Raises:
            FileLost: the file is older than the log that lies over it.
        """
        noted = connection.execute(_NOTED).scalar() or 0
        if 0 < self._stamp.time < noted:
            raise self._overwritten("was overwritten with an older one while no server had it open")

    def _overwritten(self, sentence: str) -> FileLost:
        with contextlib.suppress(OSError):  # A full disk; it will be found again.
            self._mark.write_text(sentence + "\n")
        return FileLost(sentence)

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
            raise self._overwritten(f"was overwritten with that of database {found}")
        if highest < self._highest:
            raise self._overwritten(
                f"was overwritten with an older one: it knows changes up to {highest}, not {self._highest}"
            )
        self._deployment, self._highest = found, highest

    def leave_stamp(self, connection: Connection) -> None:
        """Notes in the header when the database was written, and which it is.

        Once a second, so that it costs no write of its own under load; a clock that goes back is waited for.

        Args:
            connection: within a transaction whose contents were checked.
        """
        now = int(time.time())
        if not self._deployment or now == self._looked_at:
            return
        self._looked_at = now
        if now > connection.exec_driver_sql("PRAGMA user_version").scalar_one() & 0xFFFFFFFF:
            # Both are signed to SQLite.
            connection.exec_driver_sql(f"PRAGMA user_version = {_signed(now)}")
            database = zlib.crc32(self._deployment.encode()) | 1
            connection.exec_driver_sql(f"PRAGMA application_id = {_signed(database)}")
        connection.execute(_NOTE, {"time": self._stamp.time})

    def remember(self) -> None:
        """Takes the files as they are now for the ones that are open."""
        self._opened, self._size = _look(self._file)
        self.close()
        self._descriptor = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
        self._stamp = _read_stamp(self._descriptor)
        self.remember_log()

    def close(self) -> None:
        """Ends; to be called when SQLite has closed the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remember_log(self) -> None:
        """Takes the write-ahead log as it is now: SQLite makes another one when its last connection closes."""
        self._opened_log = _look(self._log)[0]

    def check(self) -> None:
        """Compares.

        Raises:
            FileLost: a file was removed, replaced, shortened or overwritten.
        """
        if self._opened is None:
            return
        found, size = _look(self._file)
        if found is None:
            raise FileLost("was removed")
        if found != self._opened:
            raise FileLost("was replaced by another one")
        if size < self._size:
            raise self._overwritten(f"was shortened from {self._size} to {size} bytes")
        self._size = size
        self._check_stamp()
        log = _look(self._log)[0]
        if self._opened_log is None:
            self._opened_log = log  # SQLite makes it with the first transaction.
        elif log != self._opened_log:
            raise FileLost("has lost its write-ahead log, which was removed or replaced")

    def _check_stamp(self) -> None:
        if self._descriptor is None:
            return
        stamp = _read_stamp(self._descriptor)
        if self._stamp.database not in (0, stamp.database):
            raise self._overwritten("was overwritten with another database")
        if stamp.time < self._stamp.time:
            raise self._overwritten("was overwritten with an older one")
        self._stamp = stamp


def _read_stamp(descriptor: int) -> _Stamp:
    """What the file itself says; SQLite's log may be ahead of it."""
    found = os.pread(descriptor, _STAMP.size, _STAMP_OFFSET)
    return _Stamp(*_STAMP.unpack(found)) if len(found) == _STAMP.size else _Stamp(0, 0)


def _signed(number: int) -> int:
    return number - (1 << 32) if number >= 1 << 31 else number


def _look(file: Path) -> tuple[_Identity | None, int]:
    try:
        found = os.stat(file)  # noqa: PTH116 - on the way of every transaction, and Path.stat takes twice as long
    except OSError:
        return None, 0
    return _Identity(found.st_dev, found.st_ino), found.st_size
