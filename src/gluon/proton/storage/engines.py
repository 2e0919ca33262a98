"""How transactions are run: SQLite in threads, any other database through its async driver.

A transaction is a plain function of a SQLAlchemy `Connection`.  For SQLite it runs as a whole in
one thread: an async driver for SQLite is a thread as well, but hops there and back four times a
statement, which costs more than the statements.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from gluon.proton.storage.group_commit import GroupCommitWriter

T = TypeVar("T")

BUSY_TIMEOUT = 10.0
"""Longest wait for another process that writes to the same SQLite file, in seconds."""

ANSWER_TIMEOUT = 30.0
"""Longest wait for one transaction, its turn included, in seconds."""

_READERS = 4


class Engines(Protocol):
    """Runs transactions; raises what SQLAlchemy raises, and TimeoutError."""

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` in a transaction that may write."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` in a transaction that sees one state and changes nothing."""

    async def close(self) -> None:
        """Closes all connections."""


class SqliteEngines:
    """One thread that writes and a few that read.

    The one writer is what keeps SQLite from ever answering `database is locked` inside a
    process; between processes its busy timeout does.
    """

    def __init__(self, url: URL) -> None:
        self._writer = _sqlite_engine(url, connections=1, begin="BEGIN IMMEDIATE")
        self._reader = _sqlite_engine(url, connections=_READERS, begin="BEGIN")
        self._writing = GroupCommitWriter(self._writer)
        self._reading = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-read")

    async def write(self, work: Callable[[Connection], T]) -> T:
        """See `Engines`."""
        return await _answer(asyncio.wrap_future(self._writing.submit(work)))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See `Engines`."""

        def transaction() -> T:
            with self._reader.begin() as connection:
                return work(connection)

        return await _answer(asyncio.get_running_loop().run_in_executor(self._reading, transaction))

    async def close(self) -> None:
        """See `Engines`."""
        self._writing.close()
        self._reading.shutdown(cancel_futures=True)
        self._writer.dispose()
        self._reader.dispose()


async def _answer(future: asyncio.Future[T]) -> T:
    async with asyncio.timeout(ANSWER_TIMEOUT):
        return await future


class AsyncEngines:
    """A database server, through SQLAlchemy's async engine."""

    def __init__(self, url: URL) -> None:
        self._engine: AsyncEngine = create_async_engine(
            url, isolation_level="REPEATABLE READ", pool_pre_ping=True, pool_size=10, pool_timeout=ANSWER_TIMEOUT
        )

    async def write(self, work: Callable[[Connection], T]) -> T:
        """See `Engines`."""
        async with asyncio.timeout(ANSWER_TIMEOUT), self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """See `Engines`."""
        return await self.write(work)

    async def close(self) -> None:
        """See `Engines`."""
        await self._engine.dispose()


def _sqlite_engine(url: URL, *, connections: int, begin: str) -> Engine:
    engine = create_engine(
        url.set(drivername="sqlite"),
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
    connection.execute("PRAGMA synchronous=FULL")  # What is answered 2xx must survive a power cut.
    connection.execute("PRAGMA foreign_keys=ON")
