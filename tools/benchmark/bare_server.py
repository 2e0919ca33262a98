"""The floor of create and bind: what proton-server does to SQLite and etcd, bare.

The tables are those that proton-server makes, and SQLite runs as it does there (WAL, FULL,
foreign keys); statements are written out, and run in the event loop's own thread.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmark import samples
from benchmark.bare_process import DETAILS, READY, bare_process
from benchmark.bare_watch import watch
from benchmark.load import RequestFailed
from gluon.contract import keys
from gluon.contract.records import PortRegistration, encode
from gluon.etcd import Client, Put
from gluon.proton.storage import open_database

PREFIX = b"/bench"
"""Before every key of ours, so that no server of Gluon looks at it."""
BIND_TIMEOUT = 8.0
PORTS_AT_ONCE = 30
"""Ports in one transaction, with their interfaces: proton-server publishes 60 objects at once."""


async def create_tables(file: Path) -> None:
    """Makes the tables as proton-server does."""
    database = await open_database(f"sqlite:///{file}", {samples.PROTON.name: samples.PROTON}, create=True)
    await database.close()


class BareDatabase:
    """SQLite, with the statements of a create and of a bind."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            self._connection.execute(f"PRAGMA {pragma}")

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def create(self, key: str) -> None:
        """A port, its default interface, and a row of the outbox for each; one commit."""
        with self._transaction() as execute:
            self._insert(execute, "net_l3vpn_port", {**samples.port(key), "vif_type": "unbound", "status": "DOWN"})
            self._insert(execute, "net_l3vpn_interface", samples.interface(key))
            for name in ("Port", "Interface"):
                self._append(execute, name, key)

    def ask(self, key: str, token: str) -> None:
        """The port is to be bound."""
        wanted, now = samples.bind_body(key), _now()
        row = (samples.PROTON.name, key, wanted["host_id"], token, "normal", wanted["device_id"], now, now)
        with self._transaction() as execute:
            self._append(execute, "Port", key)
            execute(
                "INSERT INTO port_binding (proton, port, host, token, active, state, controller, vnic_type, device_id,"
                " vif_type, vif_details, reason, created_at, updated_at)"
                " VALUES (?, ?, ?, ?, 1, 'PENDING', '', ?, ?, '', '{}', '', ?, ?)",
                row,
            )
            execute(
                "UPDATE net_l3vpn_port SET host_id=?, device_id=?, status='BUILD', status_reason=NULL, updated_at=?"
                " WHERE id=?",
                (wanted["host_id"], wanted["device_id"], now, key),
            )

    def answered(self, key: str, details: str) -> None:
        """The port is bound."""
        now = _now()
        with self._transaction() as execute:
            execute(
                "UPDATE port_binding SET state='BOUND', controller='bare', vif_type='ovs', vif_details=?, updated_at=?"
                " WHERE proton=? AND port=? AND host=?",
                (details, now, samples.PROTON.name, key, samples.HOST),
            )
            execute(
                "UPDATE net_l3vpn_port SET vif_type='ovs', vif_details=?, status='ACTIVE', updated_at=? WHERE id=?",
                (details, now, key),
            )

    def _transaction(self) -> _SqliteTransaction:
        return _SqliteTransaction(self._connection)

    @staticmethod
    def _insert(execute: Any, table: str, attributes: Mapping[str, Any]) -> None:
        values = {**attributes, "created_at": _now(), "updated_at": _now()}
        row = [json.dumps(value) if isinstance(value, dict) else value for value in values.values()]
        execute(f"INSERT INTO {table} ({','.join(values)}) VALUES ({','.join('?' * len(row))})", row)

    @staticmethod
    def _append(execute: Any, name: str, key: str) -> None:
        row = (samples.PROTON.name, name, key, "bare", _now())
        execute("INSERT INTO outbox (proton, object, key, session, created_at) VALUES (?,?,?,?,?)", row)


class _SqliteTransaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> Any:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection.execute

    def __exit__(self, kind: object, *_: object) -> None:
        self._connection.execute("ROLLBACK" if kind else "COMMIT")


class BareServer:
    """Creates and binds; made by `bare_server`."""

    def __init__(self, database: BareDatabase, etcd: Client) -> None:
        self._database = database
        self._etcd = etcd
        self._created: list[str] = []
        self._more = asyncio.Event()
        self._published = asyncio.Event()
        self._waiting: dict[bytes, asyncio.Future[None]] = {}

    async def create(self, key: str) -> None:
        """Commits a port; etcd is told behind the reply."""
        self._database.create(key)
        self._created.append(key)
        self._published.clear()
        self._more.set()
        await asyncio.sleep(0)

    async def published(self) -> None:
        """Waits until etcd has been told of all that was created."""
        async with asyncio.timeout(BIND_TIMEOUT):
            await self._published.wait()

    async def bind(self, key: str) -> None:
        """Commits the request, tells etcd, waits for the answer, commits that."""
        token = uuid4().hex
        self._database.ask(key, token)
        name = samples.port_key(key)
        answered = self._waiting[PREFIX + keys.answer(name)] = asyncio.get_running_loop().create_future()
        await self._etcd.put(PREFIX + keys.desired(name), samples.port_value(key, token, **samples.bind_body(key)))
        try:
            async with asyncio.timeout(BIND_TIMEOUT):
                await answered
        except TimeoutError as error:
            raise RequestFailed(f"floor: no answer to a bind within {BIND_TIMEOUT:g} s") from error
        self._database.answered(key, json.dumps(DETAILS))

    async def publish(self) -> None:
        """Writes what was created into etcd, many at once, without end."""
        while True:
            await self._more.wait()
            self._more.clear()
            while self._created:
                batch, self._created = self._created[:PORTS_AT_ONCE], self._created[PORTS_AT_ONCE:]
                await self._etcd.txn([], [put for key in batch for put in port_puts(key)])
            self._published.set()

    async def hear(self, endpoint: str, ready: asyncio.Event) -> None:
        """Wakes who waits for an answer, without end."""
        async with aclosing(watch(endpoint, PREFIX + keys.CONTROLLER)) as responses:
            async for response in responses:
                if response.created:
                    ready.set()
                for event in response.events:
                    if b'"vif_type"' in event.kv.value:
                        self._waiting.pop(event.kv.key).set_result(None)


def port_puts(key: str, prefix: bytes = PREFIX + b"/created") -> Sequence[Put]:
    """The keys that a created port leaves in etcd."""
    registration = PortRegistration(tenant_id=samples.TENANT, service=samples.PROTON.name, url="http://127.0.0.1:2705")
    return (
        Put(prefix + keys.desired(samples.port_key(key)), samples.port_value(key)),
        Put(prefix + keys.port_registration(key), encode(registration)),
        Put(prefix + keys.desired(samples.interface_key(key)), samples.interface_value(key)),
    )


@asynccontextmanager
async def bare_server(directory: Path, etcd: Client) -> AsyncIterator[BareServer]:
    """Runs the floor: the tables, the publisher, the watch for answers, and a process that answers."""
    file = directory / "bare.db"
    await create_tables(file)
    database = BareDatabase(file)
    server, heard = BareServer(database, etcd), asyncio.Event()
    [endpoint] = etcd.endpoints.hosts
    # Every port that was bound is below this prefix, those that were only created are not.
    prefixes = [(PREFIX + prefix).decode() for prefix in (keys.PROTON, keys.CONTROLLER, keys.applied_prefix("bare"))]
    background: list[asyncio.Task[None]] = []
    try:
        async with bare_process("answer", endpoint, *prefixes) as answering:
            background = [asyncio.create_task(server.publish()), asyncio.create_task(server.hear(endpoint, heard))]
            async with asyncio.timeout(BIND_TIMEOUT):
                await heard.wait()
            assert await answering.line() == READY
            yield server
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        database.close()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
