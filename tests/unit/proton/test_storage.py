"""The database behind its own door, on SQLite files."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
import pytest_asyncio

from gluon.contract.keys import ObjectKey
from gluon.models import catalog
from gluon.proton.service import Target
from gluon.proton.service.changes import create, delete, new_attributes
from gluon.proton.storage import ConstraintViolated, DatabaseUnusable, OutboxRow, open_database
from gluon.schema import parse_proton

PROTONS = catalog.load(["net-l3vpn"])
L3VPN = PROTONS["net-l3vpn"]
TENANT = "5b1a2d3c-0000-4000-8000-000000000001"
A = ObjectKey("net-l3vpn", "Port", "a")
B = ObjectKey("net-l3vpn", "Port", "b")
NOW = "2026-01-31T12:00:00.000000Z"


@pytest_asyncio.fixture
async def database(tmp_path):
    opened = await open_database(f"sqlite:///{tmp_path / 'gluon.db'}", PROTONS)
    yield opened
    await opened.close()


async def append(database, key, session, *, rewrite=False):
    (row_id,) = await database.write(lambda tx: tx.outbox.append([OutboxRow(key, rewrite)], session, NOW))
    return row_id


def summary(pending):
    return [(each.key, each.ids, each.rewrite) for each in pending]


@pytest.mark.asyncio
async def test_a_session_gets_its_own_rows_merged_by_object(database):
    first, second, third = [await append(database, key, "s1") for key in (A, B, A)]
    pending, others = await database.read(lambda tx: tx.outbox.pending("s1", 100))
    assert summary(pending) == [(A, (first, third), False), (B, (second,), False)]
    assert not others


@pytest.mark.asyncio
async def test_an_object_belongs_to_the_owner_of_its_oldest_row(database):
    mine = await append(database, A, "s1")
    theirs = await append(database, A, "s2")
    again = await append(database, A, "s1", rewrite=True)
    assert summary((await database.read(lambda tx: tx.outbox.pending("s1", 100)))[0]) == [(A, (mine, again), True)]
    assert await database.read(lambda tx: tx.outbox.pending("s2", 100)) == ([], True)
    await database.write(lambda tx: tx.outbox.remove([mine, again], "s1"))
    pending, others = await database.read(lambda tx: tx.outbox.pending("s2", 100))
    assert summary(pending) == [(A, (theirs,), False)]
    assert not others


@pytest.mark.asyncio
async def test_a_row_without_an_owner_holds_its_object_back(database):
    await append(database, A, None)
    await append(database, A, "s1")
    assert await database.read(lambda tx: tx.outbox.pending("s1", 100)) == ([], True)
    assert await database.write(lambda tx: tx.outbox.adopt([], "s1", list(PROTONS))) == 1
    pending, _ = await database.read(lambda tx: tx.outbox.pending("s1", 100))
    assert [len(each.ids) for each in pending] == [2]


@pytest.mark.asyncio
async def test_rows_that_were_adopted_are_not_removed_by_their_former_owner(database):
    row = await append(database, A, "dead")
    await database.write(lambda tx: tx.outbox.adopt(["dead"], "s1", list(PROTONS)))
    await database.write(lambda tx: tx.outbox.remove([row], "dead"))
    assert await database.read(lambda tx: tx.outbox.size(list(PROTONS))) == 1


@pytest.mark.asyncio
async def test_rows_of_protons_that_are_not_served_are_left_alone(database):
    await append(database, ObjectKey("another", "Port", "x"), None)
    assert await database.write(lambda tx: tx.outbox.adopt(["dead"], "s1", list(PROTONS))) == 0
    assert await database.read(lambda tx: tx.outbox.sessions(list(PROTONS))) == set()


@pytest.mark.asyncio
async def test_outbox_ids_never_come_back(database):
    first = await append(database, A, "s1")
    await database.write(lambda tx: tx.outbox.remove([first], "s1"))
    assert await append(database, A, "s1") > first


@pytest.mark.asyncio
async def test_many_rows_get_their_ids_in_their_order(database):
    rows = [OutboxRow(ObjectKey("net-l3vpn", "Port", str(number))) for number in range(2500)]
    ids = await database.write(lambda tx: tx.outbox.append(rows, "s1", NOW))
    assert ids == sorted(set(ids))
    pending, _ = await database.read(lambda tx: tx.outbox.pending("s1", 5000))
    assert [each.key.key for each in pending] == [row.key.key for row in rows]


@pytest.mark.asyncio
async def test_a_transaction_that_fails_leaves_nothing(database):
    def work(tx):
        tx.outbox.append([OutboxRow(A)], "s1", NOW)
        raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        await database.write(work)
    assert await database.read(lambda tx: tx.outbox.size(list(PROTONS))) == 0


@pytest.mark.asyncio
async def test_failures_among_many_transactions_at_once_are_their_own(database):
    target = Target(proton=L3VPN, object_type=L3VPN.objects["VpnAfConfig"])

    def config(number):
        return new_attributes(target, {"tenant_id": TENANT, "vrf_rt_value": f"64512:{number}"})

    async def make(number):
        try:
            await database.write(lambda tx: create(tx, target, config(number), "s1"))
        except ConstraintViolated:
            return "refused"
        return "made"

    outcomes = await asyncio.gather(*(make(number % 20) for number in range(60)))
    assert sorted(outcomes) == ["made"] * 20 + ["refused"] * 40
    assert await database.read(lambda tx: len(tx.objects("net-l3vpn", "VpnAfConfig").all_keys())) == 20
    assert await database.read(lambda tx: tx.outbox.size(list(PROTONS))) == 20


@pytest.mark.asyncio
async def test_a_deleted_list_owner_takes_its_links_along(database):
    config = Target(proton=L3VPN, object_type=L3VPN.objects["VpnAfConfig"])
    vpn = Target(proton=L3VPN, object_type=L3VPN.objects["VpnService"])
    values = new_attributes(config, {"tenant_id": TENANT, "vrf_rt_value": "64512:1"})
    service = new_attributes(vpn, {"tenant_id": TENANT, "ipv4_family": "64512:1"})
    await database.write(lambda tx: create(tx, config, values, None))
    await database.write(lambda tx: create(tx, vpn, service, None))
    with pytest.raises(ConstraintViolated):
        await database.write(lambda tx: delete(tx, config, "64512:1", None))
    await database.write(lambda tx: delete(tx, vpn, service["id"], None))
    await database.write(lambda tx: delete(tx, config, "64512:1", None))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("no url", "no database URL"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("unknown://host/db", "can't be used|async driver"),
        ("sqlite:////nowhere/at/all/gluon.db", "can't be opened"),
    ],
)
@pytest.mark.asyncio
async def test_a_url_that_cannot_be_used_is_one_sentence(url, words):
    with pytest.raises(DatabaseUnusable, match=words):
        await open_database(url, PROTONS)


@pytest.mark.asyncio
async def test_a_password_is_not_repeated():
    with pytest.raises(DatabaseUnusable) as caught:
        await open_database("postgresql+nodriver://user:hunter2@127.0.0.1/db", PROTONS)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("ALTER TABLE net_l3vpn_port DROP COLUMN mtu", "table net_l3vpn_port, column mtu: it is missing"),
        ("ALTER TABLE net_l3vpn_port ADD COLUMN colour VARCHAR(9) NOT NULL DEFAULT 'x'", ""),
        (
            "DROP TABLE net_l3vpn_port; CREATE TABLE net_l3vpn_port (id INTEGER PRIMARY KEY)",
            "table net_l3vpn_port, column id: expected VARCHAR",
        ),
        (
            "DROP TABLE net_l3vpn_port; CREATE TABLE net_l3vpn_port (id VARCHAR(10) PRIMARY KEY)",
            "room for 36 characters, found 10",
        ),
    ],
)
@pytest.mark.asyncio
async def test_a_table_that_does_not_fit_the_model_is_refused(tmp_path, change, words):
    file = tmp_path / "gluon.db"
    await (await open_database(f"sqlite:///{file}", PROTONS)).close()
    connection = sqlite3.connect(file)
    connection.executescript(f"PRAGMA foreign_keys=OFF; {change}")
    connection.close()
    if not words:
        await (await open_database(f"sqlite:///{file}", PROTONS)).close()
        return
    with pytest.raises(DatabaseUnusable, match=words):
        await open_database(f"sqlite:///{file}", PROTONS)


def model(extra: str) -> str:
    return f"""
file_version: "1.0"
imports: base.yaml
info: {{name: x, version: "1.0", description: d, author: {{name: n, url: "http://n.org", email: "n@n.org"}}}}
objects:
  Port: {{api: {{name: port}}, extends: BasePort, attributes: {{{extra}}}}}
  Interface: {{api: {{name: interface}}, extends: BaseInterface, attributes: {{port_id: {{type: Port}}}}}}
  Service: {{api: {{name: service}}, extends: BaseService}}
"""


@pytest.mark.asyncio
async def test_an_attribute_with_the_name_of_a_column_of_the_servers_is_refused(tmp_path):
    base = (catalog.SHIPPED / "base.yaml").read_text()
    proton = parse_proton("x.yaml", model("bind_request: {type: integer, description: d}"), lambda _: base)
    with pytest.raises(DatabaseUnusable, match="attribute bind_request"):
        await open_database(f"sqlite:///{tmp_path / 'gluon.db'}", {"x": proton})
