"""The file below a database: opening it, and what becomes of it under a running server."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from gluon.contract.keys import ObjectKey
from gluon.models import catalog
from gluon.proton.storage import DatabaseUnavailable, DatabaseUnusable, file_identity, open_database, trouble
from gluon.proton.storage import database as database_module
from gluon.schema import parse_proton

A = ObjectKey("net-l3vpn", "Port", "a")


async def opened(file, protons, *, create=True):
    return await open_database(f"sqlite:///{file}", protons, create=create)


async def write(database):
    return await database.write(lambda tx: tx.outbox.append([A]))


async def read(database):
    return await database.read(lambda tx: tx.outbox.highest())


def pragma(tx, text):
    """What only the writer's own connection can be told."""
    result = tx._connection.exec_driver_sql(f"PRAGMA {text}")  # noqa: SLF001 - there is no door for it
    return result.scalar() if result.returns_rows else None


def remove(file):
    file.rename(file.with_suffix(".away"))


def put_back(file):
    file.with_suffix(".away").rename(file)


# -- opening -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("no url", "no database URL"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:///gluon.db?mode=memory", "takes no options"),
        ("postgresql+asyncpg://user:hunter2@127.0.0.1/db", "postgresql is not supported, only SQLite is"),
        ("unknown://host/db", "unknown is not supported"),
        ("sqlite:////nowhere/at/all/gluon.db", "can't be opened"),
    ],
)
@pytest.mark.asyncio
async def test_a_url_that_cannot_be_used_is_one_sentence(url, words, protons):
    with pytest.raises(DatabaseUnusable, match=words) as caught:
        await open_database(url, protons, create=True)
    assert "hunter2" not in str(caught.value)


@pytest.mark.asyncio
async def test_only_a_server_makes_a_database(file, protons):
    with pytest.raises(DatabaseUnusable, match=f"there is no database {file}"):
        await opened(file, protons, create=False)
    assert not file.exists()
    file.touch()
    await refused_untouched(file, protons)
    sqlite3.connect(file).executescript("CREATE TABLE other (id INTEGER)").connection.close()
    await refused_untouched(file, protons)
    await (await opened(file, protons)).close()
    await (await opened(file, protons, create=False)).close()


async def refused_untouched(file, protons):
    before = file.read_bytes()
    with pytest.raises(DatabaseUnusable, match="has no tables of the server's"):
        await opened(file, protons, create=False)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.asyncio
async def test_a_database_whose_tables_are_still_in_its_log_is_found(database, file, protons):
    other = await opened(file, protons, create=False)
    await write(other)
    await other.close()
    assert await write(database) == [2]


@pytest.mark.asyncio
async def test_a_database_has_one_id_for_life(file, protons):
    ids = []
    for _ in range(2):
        database = await opened(file, protons)
        ids.append((await database.read(lambda tx: tx.deployment.get())).id)
        await database.close()
    assert ids[0] == ids[1]


@pytest.mark.asyncio
async def test_a_file_that_is_no_database_is_one_sentence(file, protons):
    file.write_bytes(b"hello" * 1000)
    with pytest.raises(DatabaseUnusable, match="can't be opened: file is not a database"):
        await opened(file, protons)


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
async def test_a_table_that_does_not_fit_the_model_is_refused(file, protons, change, words):
    await (await opened(file, protons)).close()
    connection = sqlite3.connect(file)
    connection.executescript(f"PRAGMA foreign_keys=OFF; {change}")
    connection.close()
    if not words:
        await (await opened(file, protons)).close()
        return
    with pytest.raises(DatabaseUnusable, match=words):
        await opened(file, protons)


def model(extra: str) -> str:
    return f"""
file_version: "1.0"
imports: base.yaml
info: {{name: x, version: "1.0", description: d, author: {{name: n, url: "http://n.org", email: "n@n.org"}}}}
objects:
  Port: {{api: {{name: port}}, extends: BasePort}}
  Interface: {{api: {{name: interface}}, extends: BaseInterface, attributes: {{port_id: {{type: Port}}}}}}
  Service: {{api: {{name: service}}, extends: BaseService}}
  {extra}
"""


@pytest.mark.asyncio
async def test_an_object_with_the_name_of_a_link_table_is_refused(file):
    base = (catalog.SHIPPED / "base.yaml").read_text()
    lists = "references: Config, format: route-target-list, length: 99, type: string, description: d"
    extra = f"""
  Config:
    api: {{name: config}}
    attributes:
      rt: {{type: string, format: route-target, length: 21, primary: true, description: d}}
  Vpn:
    api: {{name: vpn}}
    extends: BaseObject
    attributes: {{Targets: {{{lists}}}}}
  Vpn_targets: {{api: {{name: target}}, extends: BaseObject}}
"""
    proton = parse_proton("x.yaml", model(extra), lambda _: base)
    with pytest.raises(DatabaseUnusable, match="its table x_vpn_targets would be that of another object"):
        await opened(file, {"x": proton})


# -- under a running server ----------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_removed_file_is_noticed_and_taken_up_again(database, file):
    await write(database)
    remove(file)
    for work in (write, read):
        with pytest.raises(
            DatabaseUnavailable, match="replaced, removed, shortened or overwritten under the running server"
        ) as no:
            await work(database)
        assert str(file) not in str(no.value)
    with pytest.raises(DatabaseUnavailable):
        await database.check()
    put_back(file)
    assert await write(database) == [2]
    assert await read(database) == 2


@pytest.mark.asyncio
async def test_a_replaced_file_is_noticed(database, file, protons, tmp_path):
    other = tmp_path / "other.db"
    await (await opened(other, protons)).close()
    remove(file)
    shutil.copy(other, file)
    for work in (write, read):
        with pytest.raises(DatabaseUnavailable, match="replaced"):
            await work(database)
    file.unlink()
    put_back(file)
    assert await write(database) == [1]


@pytest.mark.asyncio
@pytest.mark.parametrize("other_database", [True, False])
async def test_a_file_that_cp_has_overwritten_is_noticed(file, protons, tmp_path, monkeypatch, *, other_database):
    """Its name, its inode and its size are as before, and the log and the cache show what it held."""
    moment = 1_700_000_000
    monkeypatch.setattr(file_identity.time, "time", lambda: moment)
    old = tmp_path / "old.db"
    first = await opened(old if other_database else file, protons)
    await write(first)
    await first.close()
    if not other_database:
        shutil.copy(file, old)
    moment += 60
    between = await opened(file, protons)
    await write(between)
    await between.close()
    database = await opened(file, protons)
    await write(database)
    inode, size = file.stat().st_ino, file.stat().st_size
    file.write_bytes(old.read_bytes().ljust(size, b"\0"))
    assert file.stat().st_ino == inode
    for work in (write, read):
        with pytest.raises(DatabaseUnavailable, match="overwritten"):
            await work(database)
    with pytest.raises(DatabaseUnavailable):
        await database.check()
    await database.close()


async def older_and_newer(file, protons, tmp_path, monkeypatch):
    """A database that was written a minute after a copy was made of it; it stays open."""
    moment = [1_700_000_000]
    monkeypatch.setattr(file_identity.time, "time", lambda: moment[0])
    for _ in range(2):  # The second time the file itself shows the first.
        database = await opened(file, protons)
        await write(database)
        await database.close()
    shutil.copy(file, tmp_path / "old.db")
    for _ in range(2):
        moment[0] += 60
        database = await opened(file, protons)
        await write(database)
        if moment[0] < 1_700_000_120:
            await database.close()
    return database


@pytest.mark.asyncio
async def test_a_file_that_was_overwritten_is_refused_by_the_next_start_too(file, protons, tmp_path, monkeypatch):
    """SQLite's log has laid pages of the newer one over it by then, the newest marks among them."""
    database = await older_and_newer(file, protons, tmp_path, monkeypatch)
    file.write_bytes((tmp_path / "old.db").read_bytes())
    await database.close()
    for _ in range(2):
        with pytest.raises(DatabaseUnusable, match="was overwritten with an older one"):
            await opened(file, protons)
    remove(file)
    (file.with_name(file.name + "-overwritten")).unlink()
    shutil.copy(tmp_path / "old.db", file)
    again = await opened(file, protons)
    assert await write(again)
    await again.close()


@pytest.mark.asyncio
async def test_a_file_that_was_overwritten_below_the_log_of_a_killed_server_is_refused(
    file, protons, tmp_path, monkeypatch
):
    database = await older_and_newer(file, protons, tmp_path, monkeypatch)
    killed = tmp_path / "killed"
    killed.mkdir()
    for suffix in ("", "-wal", "-shm"):
        shutil.copy(f"{file}{suffix}", killed)
    await database.close()
    kept = killed / file.name
    shutil.copytree(killed, tmp_path / "whole")
    whole = await opened(tmp_path / "whole" / file.name, protons)
    assert await write(whole)
    await whole.close()
    shutil.copy(tmp_path / "old.db", kept)
    for _ in range(2):
        with pytest.raises(DatabaseUnusable, match="older one while no server had it open"):
            await opened(kept, protons)


@pytest.mark.asyncio
async def test_a_clock_that_goes_back_is_no_older_file(file, protons, monkeypatch):
    moments = iter([1_700_000_000.0, *[1_600_000_000.0] * 1000])
    monkeypatch.setattr(file_identity.time, "time", lambda: next(moments))
    for _ in range(3):
        database = await opened(file, protons)
        await write(database)
        await database.check()
        await database.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [0, 4096])
async def test_a_shortened_file_is_noticed(file, protons, size):
    await (await opened(file, protons)).close()
    database = await opened(file, protons)
    os.truncate(file, size)
    for work in (write, read):
        with pytest.raises(DatabaseUnavailable, match="shortened"):
            await work(database)
    await database.close()


@pytest.mark.asyncio
@pytest.mark.parametrize(("contents", "words"), [("another", "of database"), ("older", "knows changes up to 1, not 3")])
async def test_a_file_whose_contents_are_overwritten_is_noticed(file, protons, tmp_path, caplog, contents, words):
    copy = tmp_path / "copy.db"
    for made in (file, copy):
        database = await opened(made, protons)
        await write(database)
        await database.close()
    if contents == "older":
        shutil.copy(file, copy)
    database = await opened(file, protons)
    await write(database)
    await write(database)
    await database.check()
    with closing(sqlite3.connect(copy)) as source, closing(sqlite3.connect(file)) as target:
        source.backup(target)  # As `cp` does, which may also leave a mixture with the log.
    with pytest.raises(DatabaseUnavailable, match="replaced"):
        await write(database)
    with pytest.raises(DatabaseUnavailable, match="replaced"):
        await database.check()
    assert words in caplog.text
    await database.close()


@pytest.mark.asyncio
async def test_a_removed_log_of_changes_is_noticed(database, file):
    await write(database)
    file.with_name(file.name + "-wal").unlink()
    with pytest.raises(DatabaseUnavailable, match="replaced, removed"):
        await write(database)


@pytest.mark.asyncio
async def test_many_changes_at_the_moment_of_the_removal_are_answered_truly(database, file):
    """Each is either answered as failed, or in the file: nothing is answered as done and lost."""
    writes = [asyncio.create_task(write(database)) for _ in range(200)]
    while not any(each.done() for each in writes):
        await asyncio.sleep(0)
    remove(file)
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    put_back(file)
    done = {outcome[0] for outcome in outcomes if isinstance(outcome, list)}
    pending = sqlite3.connect(file)
    try:
        assert done <= {row for (row,) in pending.execute("SELECT id FROM outbox")}
    finally:
        pending.close()
    assert all(isinstance(outcome, list | DatabaseUnavailable) for outcome in outcomes)


@pytest.mark.asyncio
async def test_a_damaged_file_is_one_line_in_the_log(file, protons, caplog):
    caplog.set_level(logging.INFO, logger="gluon.proton.storage")
    await (await opened(file, protons)).close()
    database = await opened(file, protons)
    with file.open("r+b") as damaged:
        damaged.seek(4096)  # The first page stays: it says that this is a database.
        damaged.write(b"\xff" * (file.stat().st_size - 4096))
    for _ in range(5):
        with pytest.raises(
            DatabaseUnavailable,
            match=r"the database is damaged: database disk image is malformed; put a backup in its place",
        ):
            await database.read(lambda tx: tx.outbox.size(list(protons)))
    (said,) = caplog.messages
    assert said.startswith(f"reading the database {database.name} fails: it is damaged: database disk image is malf")
    assert caplog.records[0].exc_info is None
    await database.close()
    with pytest.raises(DatabaseUnusable, match=r"can't be opened: database disk image is malformed"):
        await opened(file, protons)


@pytest.mark.asyncio
async def test_damage_is_not_forgotten_because_other_pages_are_well(file, protons, monkeypatch):
    monkeypatch.setattr(trouble, "CALM", 0.0)
    await (await opened(file, protons)).close()
    with closing(sqlite3.connect(file)) as connection:
        name = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_net_l3vpn_port_1'"
        (page,), (size,) = connection.execute(name).fetchone(), connection.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as damaged:
        damaged.seek((page - 1) * size)
        damaged.write(b"\xff" * size)
    database = await opened(file, protons)
    await database.check()
    with pytest.raises(DatabaseUnavailable, match="damaged"):
        await database.read(lambda tx: tx.objects("net-l3vpn", "Port").all_keys())
    await write(database)
    assert await read(database) == 1
    with pytest.raises(DatabaseUnavailable, match="damaged"):
        await database.check()
    await database.close()


@pytest.mark.asyncio
async def test_trouble_is_one_line_when_it_begins_and_one_when_it_ends(database, file, caplog, monkeypatch):
    monkeypatch.setattr(trouble, "CALM", 0.0)
    caplog.set_level(logging.INFO, logger="gluon.proton.storage")
    remove(file)
    for _ in range(5):
        with pytest.raises(DatabaseUnavailable):
            await write(database)
    put_back(file)
    await write(database)
    await write(database)
    begun, ended = caplog.messages
    assert begun.startswith(f"writing to the database sqlite:///{file} fails: its file was removed; put it back; or")
    assert ended == f"writing to the database sqlite:///{file} works again; failures meanwhile: 5"
    assert all(record.exc_info is None for record in caplog.records)


@pytest.mark.asyncio
async def test_a_check_writes_so_that_a_database_that_takes_no_writes_fails_it(database):
    await database.check()
    await database.write(lambda tx: pragma(tx, "query_only=ON"))
    with pytest.raises(DatabaseUnavailable, match="readonly"):
        await database.check()
    await read(database)


@pytest.mark.asyncio
async def test_a_full_database_fails_the_check_and_changes_not_reads(database, monkeypatch):
    await database.write(lambda tx: pragma(tx, f"max_page_count={pragma(tx, 'page_count')}"))
    keys = [ObjectKey("net-l3vpn", "Port", "x" * 500) for _ in range(200)]
    with pytest.raises(DatabaseUnavailable, match="full"):
        await database.write(lambda tx: tx.outbox.append(keys))
    assert await read(database) == 0
    with pytest.raises(DatabaseUnavailable, match="full"):
        await database.check()
    monkeypatch.setattr(trouble, "CALM", 0.0)
    await database.write(lambda tx: pragma(tx, "max_page_count=100000"))
    await database.check()
    assert len(await database.write(lambda tx: tx.outbox.append(keys))) == 200


@pytest.mark.asyncio
async def test_a_check_of_a_locked_database_is_bounded(database, file, monkeypatch):
    monkeypatch.setattr(database_module, "CHECK_TIMEOUT", 0.05)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable, match=r"did not answer within 0.05 s: it is locked by another process"):
        await database.check()
    await read(database)
    other.execute("ROLLBACK")
    other.close()
    await write(database)
