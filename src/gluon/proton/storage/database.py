"""The door to the database: opening it, and running transactions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    NotSupportedError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gluon.proton.storage.engines import ANSWER_TIMEOUT, AsyncEngines, Engines, SqliteEngines
from gluon.proton.storage.errors import ConstraintViolated, DatabaseUnavailable, DatabaseUnusable
from gluon.proton.storage.table_check import create_missing_tables
from gluon.proton.storage.tables import Tables
from gluon.proton.storage.transaction import Transaction
from gluon.schema import Proton

T = TypeVar("T")


class Database:
    """Runs transactions; made by `open_database`."""

    def __init__(self, engines: Engines, tables: Tables, name: str) -> None:
        self._engines = engines
        self._tables = tables
        self.name = name
        """Its URL, with any password hidden."""

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Runs `work` in a transaction and commits it; undone as a whole when `work` raises.

        `work` is a plain function: it may run in another thread, so it touches nothing but the
        transaction and its own arguments.

        Raises:
            ConstraintViolated: a constraint refused a change.
            DatabaseUnavailable: now; after `ANSWER_TIMEOUT` the outcome is unknown.
        """
        return await self._run(self._engines.write, work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Runs `work` in a transaction that sees one state and changes nothing; see `write`."""
        return await self._run(self._engines.read, work)

    async def close(self) -> None:
        """Closes all connections."""
        await self._engines.close()

    async def _run(
        self, run: Callable[[Callable[[Connection], T]], Awaitable[T]], work: Callable[[Transaction], T]
    ) -> T:
        try:
            return await run(lambda connection: work(Transaction(connection, self._tables)))
        except IntegrityError as error:
            raise ConstraintViolated(str(error.orig)) from error
        except (ProgrammingError, DataError, NotSupportedError):
            raise  # A mistake of ours, not a state of the database.
        except (DBAPIError, PoolTimeout) as error:
            raise DatabaseUnavailable(f"the database {self.name} failed: {_reason(error)}; try again") from error
        except TimeoutError as error:
            raise DatabaseUnavailable(
                f"the database {self.name} did not answer within {ANSWER_TIMEOUT:g} s; look whether the change "
                "was made, and try again"
            ) from error


async def open_database(connection: str, protons: Mapping[str, Proton]) -> Database:
    """Opens the database, creates the tables that are missing and checks the others.

    Args:
        connection: SQLAlchemy URL.  `sqlite:///<file>` needs no driver; any other database needs
            the URL of an async driver that is installed.
        protons: the models, by name.

    Raises:
        DatabaseUnusable: a URL that can't be used, a database that can't be opened, or a table
            that doesn't fit its model.
    """
    tables = Tables(protons)
    url = _url(connection)
    name = url.render_as_string(hide_password=True)
    try:
        engines: Engines = SqliteEngines(url) if url.get_backend_name() == "sqlite" else AsyncEngines(url)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, SQLAlchemyError, TypeError) as error:
        raise DatabaseUnusable(
            f"[database] connection {name}: {_reason(error)}; expected sqlite:///<file>, or the URL of an async "
            "driver that is installed"
        ) from error
    try:
        await engines.write(partial(create_missing_tables, tables=tables))
    except DatabaseUnusable:
        await engines.close()
        raise
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        await engines.close()
        raise DatabaseUnusable(
            f"[database] connection {name}: it can't be opened: {_reason(error)}; check the URL, and that the "
            "database can be reached and written"
        ) from error
    return Database(engines, tables, name)


def _url(connection: str) -> URL:
    try:
        url = make_url(connection)
    except (ArgumentError, ValueError) as error:
        # The text isn't repeated: it may hold a password.
        raise DatabaseUnusable("[database] connection is no database URL; expected e.g. sqlite:///gluon.db") from error
    in_memory = url.database in (None, "", ":memory:") or "mode=memory" in connection
    if url.get_backend_name() == "sqlite" and in_memory:
        raise DatabaseUnusable("[database] connection: SQLite needs a file here, e.g. sqlite:///gluon.db")
    return url


def _reason(error: BaseException) -> str:
    """The driver's own words; SQLAlchemy's would add the statement with its values."""
    return str(getattr(error, "orig", None) or error).splitlines()[0] if str(error) else type(error).__name__
