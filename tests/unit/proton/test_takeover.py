"""A database of the version before, taken over: tests/data/version1/database.sql.

It was dumped after a proton-server of that version was killed.  Port 1 is bound (and in a VPN), 2 has
failed, 3 was never to be bound, 4 had just been asked for, 5 is bound and administratively down.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import pytest_asyncio

from gluon.contract.keys import ObjectKey
from gluon.contract.records import PortAnswer
from gluon.proton.service import apply_answer
from gluon.proton.storage import BindingState, DatabaseUnusable, open_database

DUMP = Path(__file__).parents[2] / "data" / "version1" / "database.sql"


def port(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def load(file: Path, extra: str = "") -> None:
    connection = sqlite3.connect(file)
    connection.executescript(DUMP.read_text() + extra)
    connection.close()


PENDING_ROW = (
    "INSERT INTO outbox (proton, object, key, session, rewrite, created_at) "
    f"VALUES ('net-l3vpn', 'Port', '{port(4)}', 's', 1, '2026-11-25T14:14:58.964970Z');"
)


@pytest_asyncio.fixture
async def taken_over(file, protons):
    load(file, PENDING_ROW)
    database = await open_database(f"sqlite:///{file}", protons, create=False)
    yield database
    await database.close()


@pytest.mark.asyncio
async def test_each_binding_is_made_of_its_port(taken_over):
    found = await taken_over.read(lambda tx: tx.bindings("net-l3vpn").of_many([port(n) for n in range(1, 6)]))
    rows = {int(key[-1]): rows[0] for key, rows in found.items() if rows}
    assert {number: (row.state, row.host, row.device_id, row.vif_type) for number, row in rows.items()} == {
        1: (BindingState.BOUND, "c1", "vm1", "ovs"),
        2: (BindingState.FAILED, "c9", "vm2", ""),
        4: (BindingState.PENDING, "c1", "vm4", ""),
        5: (BindingState.BOUND, "c2", "vm5", "ovs"),
    }
    assert rows[1].vif_details == {"bridge_name": "br-gluon", "port_filter": False}
    assert rows[1].profile == {"a": 1}
    assert rows[2].reason.startswith("no controller answered within 3 s")
    assert [bool(rows[number].token) for number in (1, 2, 4, 5)] == [False, False, True, False]
    assert all(row.active for row in rows.values())


@pytest.mark.asyncio
async def test_ports_show_what_they_showed(taken_over):
    ports = await taken_over.read(lambda tx: tx.objects("net-l3vpn", "Port").find({}))
    shown = [(each.attributes["vif_type"], each.attributes["status"], bool(each.status_reason)) for each in ports]
    assert shown == [
        ("ovs", "ACTIVE", False),
        ("binding_failed", "ERROR", True),
        ("unbound", "DOWN", False),
        ("unbound", "BUILD", False),
        ("ovs", "DOWN", False),
    ]


@pytest.mark.asyncio
async def test_the_outbox_keeps_its_rows_and_its_ids_and_has_the_open_bind(taken_over, protons):
    await taken_over.write(lambda tx: tx.outbox.adopt(["s"], "new", list(protons)))
    (pending,), _ = await taken_over.read(lambda tx: tx.outbox.pending("new", 10))
    assert pending.key == ObjectKey("net-l3vpn", "Port", port(4))
    assert pending.ids == (15, 16)
    assert await taken_over.read(lambda tx: tx.outbox.highest()) == 16


@pytest.mark.asyncio
async def test_an_answer_of_the_version_before_counts_for_a_bound_port(taken_over, protons):
    key = ObjectKey("net-l3vpn", "Port", port(1))
    answer = PortAnswer(controller="SimServer", host_id="c1", revision=4, vif_type="ovs")
    await taken_over.write(lambda tx: apply_answer(tx, protons["net-l3vpn"], key, answer))
    row = await taken_over.read(lambda tx: tx.bindings("net-l3vpn").get(port(1), "c1"))
    assert (row.state, row.controller) == (BindingState.BOUND, "SimServer")


@pytest.mark.asyncio
async def test_it_is_taken_over_once(taken_over, file, protons):
    before = await taken_over.read(lambda tx: (tx.deployment.get(), tx.bindings("net-l3vpn").pending()))
    assert before[0].legacy
    assert (before[0].epoch, before[0].serial) == ("", 0)
    await taken_over.write(lambda tx: tx.deployment.set(legacy=False))
    again = await open_database(f"sqlite:///{file}", protons, create=True)
    deployment, pending = await again.read(lambda tx: (tx.deployment.get(), tx.bindings("net-l3vpn").pending()))
    await again.close()
    assert (deployment.id, deployment.legacy) == (before[0].id, False)
    assert pending == before[1]


@pytest.mark.asyncio
async def test_a_takeover_that_fails_leaves_the_database_to_the_version_before(file, protons):
    load(file, "ALTER TABLE net_l3vpn_port DROP COLUMN mtu;")
    with pytest.raises(DatabaseUnusable, match="column mtu: it is missing"):
        await open_database(f"sqlite:///{file}", protons, create=True)
    connection = sqlite3.connect(file)
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    columns = {row[1] for row in connection.execute("PRAGMA table_info(outbox)")}
    connection.close()
    assert "rewrite" in columns
    assert not tables & {"port_binding", "object_status", "deployment"}
