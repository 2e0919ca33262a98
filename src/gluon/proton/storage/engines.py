"""How transactions are run on a SQLite file: in threads.

A transaction is a plain function of a SQLAlchemy `Connection`, and runs as a whole in one thread.  An
async driver for SQLite is a thread as well, but hops there and back four times a statement, which
costs more than the statements.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from gluon.proton.storage.file_identity import FileIdentity, FileLost
from gluon.proton.storage.group_commit import GroupCommitWriter

T = TypeVar("T")

BUSY_TIMEOUT = 10.0
"""Longest wait for another process that writes to the same SQLite file, in seconds."""

_READERS = 4


class SqliteEngines:
    """One thread that writes and a few that read.

    The one writer keeps SQLite from ever answering `database is locked` inside a
    process; between processes its busy timeout does.

    Transactions fail with whatever SQLAlchemy raises, and with `FileLost`.

    Raises:
        FileLost: the file is not to be opened.
    """

    def __init__(self, file: Path) -> None:
        url = URL.create("sqlite", database=str(file))
        self._files = FileIdentity(file)
        self._files.check_before_opening()
        self._writer = _engine(url, connections=1, begin="BEGIN IMMEDIATE")
        self._reader = _engine(url, connections=_READERS, begin="BEGIN")
        self._writing = GroupCommitWriter(self._writer, self._files)
        self._reading = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-read")

    async def remember_files(self) -> None:
        """From here on the files must stay those that they are now.

        Raises:
            FileLost: they do not belong together.
        """
        await asyncio.wrap_future(self.write(self._files.check_opened))
        self._files.remember()

    @property
    def is_locked(self) -> bool:
        """Whether another process keeps transactions from being begun."""
        return self._writing.waits_for_lock

    def write(self, work: Callable[[Connection], T]) -> Future[T]:
        """Runs `work` in a transaction that may write."""
        return self._writing.submit(work)

    def read(self, work: Callable[[Connection], T]) -> Future[T]:
        """Runs `work` in a transaction that sees one state and changes nothing."""

        def transaction() -> T:
            self._files.check()
            with self._reader.begin() as connection:
                found = work(connection)
            self._files.check()
            return found

        return self._reading.submit(transaction)

    def close(self) -> None:
        """Closes all connections; a file that is not ours any more is marked before SQLite writes the log into it."""
        with contextlib.suppress(FileLost):
            self._files.check()
        self._writing.close()
        self._reading.shutdown(wait=False, cancel_futures=True)
        self._writer.dispose()
        self._reader.dispose()
        self._files.close()


def settled_tables(file: Path) -> set[str] | None:
    """The names of a file's tables, read without a lock and without writing a byte; None: the log may hold more.

    To be asked before anything of this process has the file open.

    Raises:
        sqlite3.Error, OSError: it can't be read.
    """
    log = file.with_name(file.name + "-wal")
    if log.is_file() and log.stat().st_size:
        return None
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _engine(url: URL, *, connections: int, begin: str) -> Engine:
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_reset_on_return=None,
        connect_args={"timeout": BUSY_TIMEOUT, "check_same_thread": False},
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin) and None)
    return engine


def _set_up(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # Else sqlite3 begins transactions on its own, and late.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # A change that is answered 2xx must survive a power cut.
    connection.execute("PRAGMA foreign_keys=ON")
