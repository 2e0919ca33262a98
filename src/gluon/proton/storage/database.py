"""The door to the database: opening it, running transactions, and telling subscribers of their changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoResultFound,
    NotSupportedError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gluon.process import request_id
from gluon.proton.storage.changes import Changes
from gluon.proton.storage.circumstances import Circumstances, now
from gluon.proton.storage.engines import SqliteEngines, settled_tables
from gluon.proton.storage.errors import DatabaseUnavailable, DatabaseUnusable, StorageError
from gluon.proton.storage.file_identity import MARK, FileLost
from gluon.proton.storage.operations import ConstraintRefused
from gluon.proton.storage.refusal import explain
from gluon.proton.storage.table_check import prepare_tables, refuse_foreign
from gluon.proton.storage.tables import Tables
from gluon.proton.storage.transaction import Transaction
from gluon.proton.storage.trouble import Trouble
from gluon.schema import Proton

log = logging.getLogger(__name__)

T = TypeVar("T")

ANSWER_TIMEOUT = 30.0
"""Longest wait for one transaction, its turn included, in seconds."""
CHECK_TIMEOUT = 1.5
"""Longest wait of `Database.check`, in seconds: shorter than whoever asks waits, who could not tell why."""
CHECK_SIZE = 256 * 1024
"""Bytes that a check writes after work has failed: more than most changes need."""

PUT_BACK = (
    "put it back; or stop the server, put the right one there without its -wal, -shm and -overwritten, and start it"
)
"""What to do about a file that is not the one that was opened."""

Subscriber = Callable[[Changes], None]


class _Outcome(NamedTuple):
    result: object
    changed: Changes


class Database:
    """Runs transactions, and tells subscribers of each that changed something; made by `open_database`.

    Used from one event loop.  It owns the facts that transactions share: the publisher's current session
    (`session`), whether objects may be changed (`refuse_changes`), and the clock.
    """

    def __init__(self, engines: SqliteEngines, tables: Tables, name: str, circumstances: Circumstances) -> None:
        self._engines = engines
        self._tables = tables
        self._circumstances = circumstances
        self._subscribers: list[Subscriber] = []
        self._reading = Trouble(f"reading the database {name}")
        self._writing = Trouble(f"writing to the database {name}")
        self._checking = Trouble(f"a check of the database {name}")
        self.name = name
        """Its URL, for the log; not for clients."""

    @property
    def session(self) -> str | None:
        """The publisher session that new outbox rows belong to; None while there is none.

        The publisher sets it.  Transactions read it when they append to the outbox, so rows that are
        committed after it was set to None belong to nobody, until a publisher adopts them.
        """
        return self._circumstances.session

    @session.setter
    def session(self, session: str | None) -> None:
        self._circumstances.session = session

    @property
    def refusal(self) -> str:
        """Why changes are refused at this moment; empty: they are not."""
        return self._circumstances.refusal

    def refuse_changes(self, reason: str) -> None:
        """From here on `change`, and every append to the outbox, fails with `ChangesRefused`; reads go on.

        Answers, statuses and the publisher's own books can still be written.

        Args:
            reason: a sentence for clients: why, and what to do.  Empty: changes are accepted again.
        """
        self._circumstances.refusal = reason

    def subscribe(self, subscriber: Subscriber) -> None:
        """Has it called in the event loop after each commit that changed something, in the order of the commits.

        It is called even if whoever asked for the transaction has stopped waiting, and before
        that one's `write` returns.  It must not block.
        """
        self._subscribers.append(subscriber)

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Runs `work` in a transaction and commits it; undone as a whole when `work` raises.

        `work` is a plain function.  It runs in another thread and touches nothing but the transaction
        and its own arguments.  It may run twice, when a commit that it shared with others fails: each
        run has a transaction, and `Transaction.changed`, of its own.

        Raises:
            Duplicate, ReferenceMissing, InUse, ChangedMeanwhile: a constraint refused the transaction's
                last operation.
            ChangesRefused: see `refuse_changes`.
            DatabaseUnavailable: now; after `ANSWER_TIMEOUT` the outcome is unknown.
        """
        try:
            return await self._run(self._engines.write, work, self._writing, ANSWER_TIMEOUT)
        except ConstraintRefused as refused:
            raise await self._explained(refused) from refused

    async def change(self, work: Callable[[Transaction], T]) -> T:
        """As `write`, for a change that a client asks for: refused as a whole, even if it would change nothing.

        Raises:
            As `write`.
        """

        def unless_refused(tx: Transaction) -> T:
            tx.outbox.require_open()
            return work(tx)

        return await self.write(unless_refused)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Runs `work` in a transaction that sees one state and changes nothing; see `write`.

        Raises:
            DatabaseUnavailable: now.
        """
        return await self._run(self._engines.read, work, self._reading, ANSWER_TIMEOUT)

    async def check(self) -> None:
        """Writes a little, to see that it can be done: not while the file is read-only, locked, or the disk full.

        A check meets one page of the file only, so work that has failed counts for more: it has to work
        again, or to be idle while the check writes as much as that would.  Damage stays until the end.

        Raises:
            DatabaseUnavailable: it could not be done within `CHECK_TIMEOUT`, or work fails.
        """
        padding = CHECK_SIZE if self._writing.words else 0
        work = partial(_note_check, padding=padding)
        await self._run(self._engines.write, work, self._checking, CHECK_TIMEOUT)
        if padding:
            self._writing.worked()
        trouble = self._writing.words or self._reading.words
        if trouble:
            raise DatabaseUnavailable(trouble)

    async def close(self) -> None:
        """Closes all connections."""
        self._engines.close()

    async def _explained(self, refused: ConstraintRefused) -> StorageError:
        return await self.read(partial(explain, refused=refused))

    async def _run(
        self,
        run: Callable[[Callable[[Connection], _Outcome]], Future[_Outcome]],
        work: Callable[[Transaction], T],
        trouble: Trouble,
        seconds: float,
    ) -> T:
        try:
            async with asyncio.timeout(seconds):
                outcome = await self._outcome(run(partial(self._transaction, work, request_id.given())))
        except (ProgrammingError, DataError, NotSupportedError):
            raise  # A mistake of ours, not a state of the database.
        except (FileLost, DBAPIError, PoolTimeout, NoResultFound, TimeoutError) as error:
            reason, words = self._explain(error, seconds, changes=trouble is not self._checking)
            trouble.failed(reason, words, lasting=_is_damage(error))
            raise DatabaseUnavailable(words) from error
        trouble.worked()
        result: T = outcome.result  # type: ignore[assignment]
        return result

    def _explain(self, error: Exception, seconds: float, *, changes: bool) -> tuple[str, str]:
        """A failure for the log, and for clients."""
        if isinstance(error, FileLost):
            words = "the database was replaced, removed, shortened or overwritten under the running server"
            return f"its file {error}; {PUT_BACK}", f"{words}; {PUT_BACK}"
        if isinstance(error, TimeoutError):
            why = f"within {seconds:g} s{': it is locked by another process' if self._engines.is_locked else ''}"
            advice = "; look whether the change was made, and try again" if changes else ""
            return f"no answer {why}", f"the database did not answer {why}{advice}"
        if _is_damage(error):
            advice = "put a backup in its place, and restart the server"
            return f"it is damaged: {_reason(error)}; {advice}", f"the database is damaged: {_reason(error)}; {advice}"
        return _reason(error), f"the database failed: {_reason(error)}; try again"

    def _transaction(self, work: Callable[[Transaction], object], request: str, connection: Connection) -> _Outcome:
        """Runs in a thread."""
        tx = Transaction(connection, self._tables, self._circumstances, request)
        try:
            return _Outcome(work(tx), tx.changed)
        except IntegrityError as error:
            raise ConstraintRefused(tx.last_operation, frozenset(tx.changed.objects)) from error

    async def _outcome(self, running: Future[_Outcome]) -> _Outcome:
        """Waits for a transaction.  Subscribers are told in any case; so is whoever still waits, after them."""
        loop = asyncio.get_running_loop()
        ended = loop.create_future()

        def deliver() -> None:
            failure = None if running.cancelled() else running.exception()
            if not running.cancelled() and failure is None:
                self._tell(running.result().changed)
            if ended.done():
                return
            if failure is not None:
                ended.set_exception(failure)
            elif running.cancelled():
                ended.cancel()
            else:
                ended.set_result(running.result())

        def hand_over(_: Future[_Outcome]) -> None:
            with contextlib.suppress(RuntimeError):  # The loop is closed: nobody is left to be told.
                loop.call_soon_threadsafe(deliver)

        running.add_done_callback(hand_over)
        try:
            outcome: _Outcome = await ended
        except asyncio.CancelledError:
            running.cancel()  # Only if it hasn't begun.
            raise
        return outcome

    def _tell(self, changed: Changes) -> None:
        for subscriber in self._subscribers if changed else ():
            try:
                subscriber(changed)
            except Exception:  # Else whoever asked for the transaction would wait for its timeout.
                log.exception("a subscriber of the database failed")


async def open_database(
    connection: str, protons: Mapping[str, Proton], *, create: bool, clock: Callable[[], str] = now
) -> Database:
    """Opens the database, creates the tables that are missing and checks the others.

    A database of the version before this one is taken over.

    Args:
        connection: `sqlite:///<file>`, the only kind of database that is supported so far.
        protons: the models, by name.
        create: make a database where there is none.  False: that is an error.
        clock: this moment, RFC 3339, UTC, microseconds.

    Raises:
        DatabaseUnusable: a URL that can't be used, a database that can't be opened or isn't there, or
            a table that doesn't fit its model.
    """
    file = _file(connection)
    if not create and not file.is_file():
        raise DatabaseUnusable(
            f"[database] connection {connection}: there is no database {file}; give the configuration file of the "
            "server whose database it is"
        )
    tables = Tables(protons)
    if not create:
        _refuse_foreign(connection, file, tables)
    try:
        engines = SqliteEngines(file)
    except FileLost as error:
        raise _overwritten(connection, file, error) from error
    try:
        await asyncio.wrap_future(engines.write(partial(prepare_tables, tables=tables, create=create)))
        await engines.remember_files()
    except DatabaseUnusable:
        engines.close()
        raise
    except FileLost as error:
        engines.close()
        raise _overwritten(connection, file, error) from error
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        engines.close()
        raise _unopened(connection, error) from error
    return Database(engines, tables, connection, Circumstances(clock=clock))


def _refuse_foreign(connection: str, file: Path, tables: Tables) -> None:
    """Refuses a database that is not a server's before anything is written to it, as SQLite's journal mode is."""
    try:
        existing = settled_tables(file)
    except (sqlite3.Error, OSError) as error:
        raise _unopened(connection, error) from error
    if existing is not None:
        refuse_foreign(existing, tables)


def _unopened(connection: str, error: Exception) -> DatabaseUnusable:
    return DatabaseUnusable(
        f"[database] connection {connection}: it can't be opened: {_reason(error)}; check the path, and that the "
        "file and its directory can be written"
    )


def _overwritten(connection: str, file: Path, error: FileLost) -> DatabaseUnusable:
    return DatabaseUnusable(
        f"[database] connection {connection}: the file {error}; SQLite may have mixed both, so it can't be trusted: "
        f"put a whole backup in its place, delete {file.name}-wal, {file.name}-shm and {file.name}{MARK} beside it, "
        "and start again"
    )


def _note_check(tx: Transaction, *, padding: int) -> None:
    tx.deployment.note_check(tx.moment(), padding=padding)


def _is_damage(error: BaseException) -> bool:
    """Whether the file's contents are not what SQLite has written."""
    name = getattr(getattr(error, "orig", None), "sqlite_errorname", "")
    return isinstance(error, NoResultFound) or name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def _file(connection: str) -> Path:
    """The file of a SQLite URL."""
    try:
        url: URL = make_url(connection)
    except (ArgumentError, ValueError) as error:
        # The text isn't repeated: it may hold a password.
        raise DatabaseUnusable("[database] connection is no database URL; expected e.g. sqlite:///gluon.db") from error
    if url.get_backend_name() != "sqlite":
        raise DatabaseUnusable(
            f"[database] connection: {url.get_backend_name()} is not supported, only SQLite is; "
            "expected sqlite:///<file>"
        )
    if url.query:
        raise DatabaseUnusable("[database] connection: SQLite takes no options here; expected sqlite:///<file>")
    if url.database in (None, "", ":memory:"):
        raise DatabaseUnusable("[database] connection: SQLite needs a file here, e.g. sqlite:///gluon.db")
    return Path(str(url.database)).absolute()


def _reason(error: BaseException) -> str:
    """The driver's own words; SQLAlchemy's would add the statement with its values."""
    return str(getattr(error, "orig", None) or error).splitlines()[0] if str(error) else type(error).__name__
