"""One thread that writes to SQLite, and commits transactions together that wait together.

This serves SQLite, which has one writer; with a database server it would only be in the way.  A commit
that survives a power cut waits for the disk, some milliseconds; the statements take a fraction of
that.  Transactions that arrive while the disk is busy therefore share the next commit: each runs inside
a savepoint, sees the changes of those before it, and is undone alone when it fails.  No caller hears of its
success before the commit.  When the shared commit itself fails, each transaction is run once more, alone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from gluon.proton.storage.file_identity import FileIdentity

log = logging.getLogger(__name__)

T = TypeVar("T")

AT_ONCE = 64
"""Most transactions of one commit."""
CLOSE_TIMEOUT = 1.0
"""Longest wait at the end, in seconds: another process may hold the database for longer."""


class _Job(NamedTuple):
    work: Callable[[Connection], Any]
    done: Future[Any]


class _Undone(Exception):
    """The database undid the whole commit, not just one savepoint."""


class GroupCommitWriter:
    """Runs transactions one after the other in its thread."""

    def __init__(self, engine: Engine, files: FileIdentity) -> None:
        """Starts the thread.

        Args:
            engine: has one connection; its transactions may write.
            files: checked before and after each commit, so that no success is reported of a
                commit into a file that is not there any more.
        """
        self._engine = engine
        self._files = files
        self._opened: Connection | None = None
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self.waits_for_lock = False
        """A transaction can't be begun yet, since another process has the lock; for others to look at."""
        self._thread = threading.Thread(target=self._run, name="sqlite-write", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Runs `work` in a transaction, perhaps twice; the future has its result once that is committed."""
        done: Future[T] = Future()
        self._jobs.put(_Job(work, done))
        return done

    def close(self) -> None:
        """Ends the thread after the transactions that were submitted, which get `CLOSE_TIMEOUT`."""
        self._jobs.put(None)
        self._thread.join(CLOSE_TIMEOUT)

    def _run(self) -> None:
        open_ = True
        while open_:
            jobs, open_ = self._gather()
            running = [job for job in jobs if job.done.set_running_or_notify_cancel()]
            if len(running) == 1:
                self._run_alone(running[0])
            elif running:
                self._run_together(running)
        if self._opened is not None:
            self._opened.close()

    def _connection(self) -> Connection:
        # Kept open: to take one from the engine each time costs as much as a transaction's statements.
        if self._opened is None or self._opened.invalidated:
            self._opened = self._engine.connect()
            self._files.remember_log()
        return self._opened

    @contextmanager
    def _transaction(self) -> Generator[Connection]:
        connection = self._connection()
        self.waits_for_lock = True
        try:
            transaction = connection.begin()
        finally:
            self.waits_for_lock = False
        with transaction:
            self._files.check_contents(connection)
            self._files.leave_stamp(connection)
            yield connection

    def _gather(self) -> tuple[list[_Job], bool]:
        """Waits for a job; returns it with those behind it, and whether more will come."""
        jobs: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == AT_ONCE:
                return jobs, True
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return jobs, True
        return jobs, False

    def _run_alone(self, job: _Job) -> None:
        try:
            self._files.check()
            with self._transaction() as connection:
                result = job.work(connection)
            self._files.check()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the caller
            job.done.set_exception(error)
        else:
            job.done.set_result(result)

    def _run_together(self, jobs: Sequence[_Job]) -> None:
        undone = False
        try:
            self._files.check()
            with self._transaction() as connection:
                undone = True
                outcomes = [_in_savepoint(connection, job) for job in jobs]
            undone = False
            self._files.check()
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the callers
            log.debug("a commit of %d transactions failed: %s", len(jobs), error)
            for job in jobs:
                if undone:
                    self._run_alone(job)
                else:
                    # It never began: the next try would wait for the same lock, one caller after the
                    # other.  Or it is committed, into a file that nobody will find.
                    job.done.set_exception(error)
            return
        for job, (result, failure) in zip(jobs, outcomes, strict=True):
            if failure is None:
                job.done.set_result(result)
            else:
                job.done.set_exception(failure)


def _in_savepoint(connection: Connection, job: _Job) -> tuple[Any, BaseException | None]:
    try:
        with connection.begin_nested():
            return job.work(connection), None
    except IntegrityError as error:
        return None, error
    except DBAPIError as error:
        # A full disk or an I/O error ends the outer transaction inside SQLite, unnoticed by the savepoint.
        raise _Undone(str(error)) from error
    except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the caller
        return None, error
