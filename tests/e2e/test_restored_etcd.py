"""etcd comes back from a backup, and no shim has lived through it: only the database knows what to undo.

The backend has no inventory, so nobody can ask it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

from .observing import api, checks, create_port, dump, put, shows, status, wait_until_empty
from .recording import Account, Recording

pytestmark = pytest.mark.disaster

BIND = {"host_id": "h1", "device_id": "vm-1"}
UNBIND = {"host_id": None, "device_id": None}


@pytest.fixture
def stack(tmp_path: Path, recording: Recording) -> Iterator[LocalStack]:
    made = LocalStack(
        tmp_path,
        proton={"api": {"answer_grace": 1.0}},
        shim=recording.options(leader_ttl=3),
        environment=recording.environment,
    )
    with made:
        yield made


@pytest.fixture
def client(stack: LocalStack) -> Iterator[httpx.Client]:
    with api(stack) as opened:
        yield opened


def bind(client: httpx.Client, port: dict[str, Any]) -> None:
    assert put(client, f"/ports/{port['id']}", **BIND)["vif_type"] == "ovs"


def unbind(client: httpx.Client, port: dict[str, Any]) -> None:
    assert put(client, f"/ports/{port['id']}", **UNBIND)["vif_type"] == "unbound"


def backup(stack: LocalStack) -> Path:
    made = stack.directory / "backup"
    stack.etcd.backup(made)
    return made


def epoch(stack: LocalStack) -> dict[str, Any]:
    return dict(dump(stack.etcd, "/gluon/epoch").get("") or {})


def until_filled(stack: LocalStack, *, after: str) -> None:
    until(lambda: epoch(stack)["complete"] and epoch(stack)["id"] != after, "etcd is filled again")


def released(stack: LocalStack) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(stack.directory / "gluon.db", timeout=10)) as connection:
        return connection.execute("SELECT port, host, controller FROM released_binding").fetchall()


def until_nothing_is_bound(stack: LocalStack, recording: Recording) -> None:
    until(lambda: Account(recording.entries()).hosts == {}, "the backend has no port bound any more")
    until(lambda: released(stack) == [], "the database has nothing more to undo")
    wait_until_empty(stack.etcd, "/shim/SimServer/late/")
    until(lambda: not any(dump(stack.etcd, "/controller/net-l3vpn/Port/").values()), "no controller has a port")
    assert Account(recording.entries()).violations == []


def test_what_was_bound_after_the_backup_and_unbound_before_the_refill(
    stack: LocalStack, client: httpx.Client, recording: Recording
) -> None:
    unbound, later = create_port(client), create_port(client)
    until(lambda: recording.callbacks(later["id"]), "the shim knows the ports")
    copy, before = backup(stack), epoch(stack)["id"]
    deleted = create_port(client)
    for port in (unbound, later, deleted):
        bind(client, port)
    stack.shim.kill()
    stack.etcd.stop()
    unbind(client, unbound)
    client.delete(f"/ports/{deleted['id']}").raise_for_status()
    stack.etcd.restore(copy)
    stack.etcd.start()
    until_filled(stack, after=before)
    unbind(client, later)
    assert Account(recording.entries()).hosts.keys() == {unbound["id"], later["id"], deleted["id"]}
    with stack.shim:
        until_nothing_is_bound(stack, recording)
        until(lambda: recording.callbacks(deleted["id"])[-1] == "delete_port", "the deleted port is gone")
        bind(client, unbound)
        assert recording.callbacks(later["id"]).count("unbind_port") == 1


def test_what_was_unbound_before_both_servers_died(
    stack: LocalStack, client: httpx.Client, recording: Recording
) -> None:
    port = create_port(client)
    copy = backup(stack)
    bind(client, port)
    stack.shim.freeze()
    unbind(client, port)
    stack.proton.kill()
    stack.shim.kill()
    stack.etcd.restore(copy)
    for server in (stack.proton, stack.shim):
        server.start()
    until_nothing_is_bound(stack, recording)


def test_a_shim_that_lives_through_it_undoes_it(stack: LocalStack, client: httpx.Client, recording: Recording) -> None:
    port = create_port(client)
    copy, before = backup(stack), epoch(stack)["id"]
    bind(client, port)
    stack.etcd.stop()
    unbind(client, port)
    stack.etcd.restore(copy)
    stack.etcd.start()
    until_filled(stack, after=before)
    until_nothing_is_bound(stack, recording)
    assert recording.callbacks(port["id"]).count("bind_port") == 1


def test_a_standby_that_has_never_led_does_nothing_by_an_old_etcd(
    stack: LocalStack, client: httpx.Client, recording: Recording
) -> None:
    port, kept = create_port(client), create_port(client)
    bind(client, port)
    bind(client, kept)
    copy = backup(stack)
    client.delete(f"/ports/{port['id']}").raise_for_status()
    until(lambda: recording.callbacks(port["id"])[-1] == "delete_port", "the port is gone")
    with stack.shim_server("standby", recording.options(leader_ttl=3)) as standby:
        until(lambda: checks(standby)[1]["etcd"] == "standby", "it stands by")
        stack.shim.kill()
        stack.proton.stop()
        stack.etcd.stop()
        stack.etcd.restore(copy)
        stack.etcd.start()
        until(lambda: "has not filled it again yet" in status(standby)["brake"], "it leads, and waits")
        assert Account(recording.entries()).hosts.keys() == {kept["id"]}
        stack.proton.start()
        until(lambda: status(standby)["in_sync"], "etcd is filled")
        until(lambda: not status(standby)["brake"], "nothing is held back")
        bind(client, create_port(client))
        assert recording.callbacks(port["id"]).count("bind_port") == 1
        assert port["id"] not in Account(recording.entries()).hosts


@pytest.mark.parametrize("former", ["alive", "gone"])
def test_a_port_that_moved_to_another_controller_stays_there(tmp_path: Path, recording: Recording, former: str) -> None:
    """The backup shows the former owner's claim; the new one lives, and knows that it has the port."""
    first = recording.options(controller="first", host_list="h1", leader_ttl=3)
    second = recording.options(controller="second", host_list="h2", leader_ttl=3)
    made = LocalStack(tmp_path, proton={"api": {"answer_grace": 2.0}}, shim=first, environment=recording.environment)
    with made as stack, api(stack) as client, stack.shim_server("second", second):
        ports = [create_port(client) for _ in range(3)]
        for port in ports:
            bind(client, port)
        copy, before = backup(stack), epoch(stack)["id"]
        for port in ports:
            assert put(client, f"/ports/{port['id']}", host_id="h2")["vif_type"] == "ovs"
        if former == "gone":
            stack.shim.stop()
        calls = len(recording.entries())
        stack.etcd.stop()
        stack.etcd.restore(copy)
        stack.etcd.start()
        until_filled(stack, after=before)
        marker = create_port(client)
        assert put(client, f"/ports/{marker['id']}", host_id="h2", device_id="vm-9")["vif_type"] == "ovs"
        for port in ports:
            shows(client, port["id"], vif_type="ovs", status="ACTIVE", status_reason=None)
            assert put(client, f"/ports/{port['id']}", host_id="h2")["status"] == "ACTIVE"
        undone = [
            e for e in recording.entries()[calls:] if e.controller == "second" and e.callback.startswith(("un", "de"))
        ]
        assert undone == []
