"""Database and etcd: which belongs to which, which is older, and what a server does about it."""

from __future__ import annotations

import resource
import shutil
import sqlite3
import uuid

import httpx
import pytest

from gluon.testing.etcd import LocalEtcd
from gluon.testing.waiting import until

pytestmark = pytest.mark.disaster

TENANT = "5b1a2d3c-0000-4000-8000-000000000001"
HOST = {"host_id": "compute-1", "device_id": "vm-1"}
OVS = {"host_id": "compute-1", "vif_type": "ovs"}


def lose(etcd, how: str, backup, tmp_path) -> None:
    """etcd comes back other than it was."""
    if how == "wiped":
        etcd.etcd.stop()
        etcd.etcd.wipe()
        etcd.etcd.start()
    elif how == "restored":
        etcd.etcd.restore(backup)
    else:  # Another cluster answers on the same address.
        with LocalEtcd(tmp_path / "other", name="other") as other:
            view = type(etcd)(other)
            view.put("/a", {})
        etcd.etcd.stop()
        etcd.etcd.wipe()
        shutil.copytree(other.data_directory, etcd.etcd.data_directory)
        etcd.etcd.start()


LOSSES = ["wiped", "restored", "another"]


@pytest.fixture
def running(own_etcd, make_server, tmp_path):
    """A server with objects; and a backup of etcd from before the last changes."""
    server = make_server(own_etcd, answer_grace=1)
    server.start_in_step()
    gone, kept = server.create_port(name="gone"), server.create_port(name="old")
    server.assert_in_step(own_etcd)
    backup = tmp_path / "etcd-backup"
    own_etcd.etcd.backup(backup)
    until(server.is_ready, "etcd is back")
    server.create_port(name="new")
    assert server.client.delete(f"/ports/{gone['id']}").status_code == 204
    assert server.client.put(f"/ports/{kept['id']}", json={"name": "changed"}).status_code == 200
    server.assert_in_step(own_etcd)
    return server, backup


@pytest.mark.parametrize("how", LOSSES)
def test_an_idle_server_notices_that_etcd_came_back_another_and_fills_it(own_etcd, running, how, tmp_path):
    server, backup = running
    epoch = own_etcd.epoch["id"]
    lose(own_etcd, how, backup, tmp_path)
    until(lambda: own_etcd.is_filled(but=epoch), "etcd was filled again")
    until(server.is_ready, "the server is ready")
    server.assert_in_step(own_etcd)
    assert "publishing everything" in server.log.read_text()
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("how", LOSSES)
def test_a_starting_server_notices_it_as_well(own_etcd, running, how, tmp_path):
    server, backup = running
    epoch = own_etcd.epoch["id"]
    assert server.stop(8) == 0
    lose(own_etcd, how, backup, tmp_path)
    server.start()
    until(lambda: own_etcd.is_filled(but=epoch), "etcd was filled again")
    server.assert_in_step(own_etcd)


def test_changes_go_on_while_etcd_comes_back_older(own_etcd, running, in_background):
    server, backup = running
    changes = [in_background(server.create_port) for _ in range(20)]
    own_etcd.etcd.restore(backup)
    changes += [in_background(server.create_port) for _ in range(20)]
    for change in changes:
        change.result(30)
    until(server.is_ready, "the server is ready")
    server.assert_in_step(own_etcd)


def test_a_server_that_writes_right_after_the_restore_does_not_hide_it(own_etcd, running):
    """The first write into the older etcd goes through; it must not look like a filled one."""
    server, backup = running
    server.signal(19)  # SIGSTOP: it does not see etcd stop.
    own_etcd.etcd.restore(backup)
    server.signal(18)
    server.create_port()
    server.kill()
    server.start()
    until(server.is_ready, "the server is ready")
    server.assert_in_step(own_etcd)


def test_a_port_bound_before_the_loss_is_bound_again_after_it(own_etcd, running, in_background):
    """Tokens have no order: an answer given in the new etcd counts as one in the old did."""
    server, backup = running
    port = server.create_port()["id"]
    asked = in_background(lambda: server.client.put(f"/ports/{port}", json=HOST))
    token = own_etcd.wanted(port, **HOST)
    own_etcd.answer(port, token, **OVS)
    asked.result(20)
    epoch = own_etcd.epoch["id"]
    own_etcd.etcd.restore(backup)
    until(lambda: own_etcd.is_filled(but=epoch), "etcd was filled again")
    assert own_etcd.wanted(port, **HOST) == token
    assert server.port(port)["status"] == "ACTIVE", "nothing tells yet that its controller lost it"
    lost = server.has(port, status="DOWN")
    assert "no controller has confirmed it since" in lost["status_reason"]
    own_etcd.answer(port, token, **OVS)
    server.has(port, status="ACTIVE", vif_type="ovs", status_reason=None)


def refused(server, *words: str) -> None:
    """It says why it publishes nothing, everywhere, and refuses changes; reads go on."""
    until(lambda: server.ready()[0] == 503, "it is not ready")
    state = server.etcd_state()
    for word in words:
        assert word in state
    answer = server.client.post("/ports", json={"tenant_id": TENANT, "mac_address": "c8:2a:14:04:43:80"})
    assert answer.status_code == 503, answer.text
    for word in words:
        assert word in answer.text
    assert "gluon-manage resync" in answer.text
    ports = server.client.get("/ports").raise_for_status().json()["ports"]
    for port in ports[:1]:
        assert all(word in port["status_reason"] for word in words)
        path = f"/ports/{port['id']}"
        assert server.client.put(path, json={"name": port["name"]}).status_code == 503
        assert server.client.delete(path).status_code == 503
    assert server.log.read_text().count("nothing is published, and changes are refused") == 1


def everything(etcd) -> dict:
    found = {key: etcd.raw(key) for key in etcd.dump_keys("/")}
    return {key: value for key, value in found.items() if not key.startswith("/gluon/publisher/")}


def test_a_database_that_came_back_older_publishes_nothing_until_resync(own_etcd, make_server, tmp_path):
    server = make_server(own_etcd)
    server.start_in_step()
    server.create_port(name="old")
    server.assert_in_step(own_etcd)
    backup = tmp_path / "backup.db"
    server.backup(backup)
    newer = server.create_port(name="newer")
    server.assert_in_step(own_etcd)
    before = everything(own_etcd)
    assert server.stop(8) == 0
    server.restore(backup)
    server.start()
    refused(server, "the database is older than etcd")
    assert everything(own_etcd) == before
    said = server.manage("release", "net-l3vpn", newer["id"])
    assert "the database is older than etcd" in said.stdout
    unconfirmed = server.manage("resync")
    assert unconfirmed.returncode == 1
    assert "the database is older than etcd" in unconfirmed.stdout
    assert everything(own_etcd) == before
    done = server.manage("resync", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    until(server.is_ready, "the running server goes on by itself")
    server.create_port()
    server.assert_in_step(own_etcd)
    assert own_etcd.published(newer["id"]) == {}


def test_an_older_database_that_went_on_while_etcd_was_away_is_told_from_the_newer_one(own_etcd, make_server, tmp_path):
    server = make_server(own_etcd)
    server.start_in_step()
    server.create_port(name="old")
    server.assert_in_step(own_etcd)
    backup = tmp_path / "backup.db"
    server.backup(backup)
    for _ in range(3):
        server.create_port(name="newer")
    server.assert_in_step(own_etcd)
    before = everything(own_etcd)
    assert server.stop(8) == 0
    server.restore(backup)
    own_etcd.etcd.stop()
    server.start()
    for _ in range(10):
        server.create_port(name="by the older one")
    own_etcd.etcd.start()
    refused(server, "the database is older than etcd")
    assert everything(own_etcd) == before


def test_a_second_server_with_another_database_overwrites_nothing(own_etcd, make_server, tmp_path):
    first = make_server(own_etcd)
    first.start_in_step()
    first.create_port()
    first.assert_in_step(own_etcd)
    before = everything(own_etcd)
    second = make_server(own_etcd, tmp_path / "second")
    second.start()
    (theirs,), (ours,) = first.rows("SELECT id FROM deployment"), second.rows("SELECT id FROM deployment")
    refused(second, f"etcd was filled by database {theirs[0]}", f"this is database {ours[0]}")
    assert everything(own_etcd) == before
    assert first.is_ready()
    # After an operator has decided for the other one, the first is the wrong one, and sees that by itself.
    assert second.manage("resync", "--yes").returncode == 0
    until(second.is_ready, "the second server goes on by itself")
    refused(first, f"etcd was filled by database {ours[0]}")


def test_a_running_server_whose_etcd_is_replaced_by_that_of_another_database(own_etcd, make_server, tmp_path):
    with LocalEtcd(tmp_path / "other", name="other") as other:
        theirs = type(own_etcd)(other)
        second = make_server(theirs, tmp_path / "second")
        second.start_in_step()
        for _ in range(30):
            second.create_port()
        second.assert_in_step(theirs)
        assert second.stop(8) == 0
        before = everything(theirs)
    server = make_server(own_etcd)
    server.start_in_step()
    server.create_port()
    server.assert_in_step(own_etcd)
    assert server.stop(8) == 0
    server.start_in_step()  # So that it has filled nothing itself.
    own_etcd.etcd.stop()
    own_etcd.etcd.wipe()
    shutil.copytree(other.data_directory, own_etcd.etcd.data_directory)
    own_etcd.etcd.start()
    refused(server, f"etcd was filled by database {theirs_id(second)}")
    assert everything(own_etcd) == before


def theirs_id(server) -> str:
    return str(server.rows("SELECT id FROM deployment")[0][0])


def test_objects_of_nobody_known_are_left_alone(own_etcd, make_server):
    key = f"/proton/net-l3vpn/Port/{uuid.uuid4()}"
    own_etcd.put(key, {"id": "x"})
    server = make_server(own_etcd)
    server.start()
    refused(server, "does not say which database they come from")
    assert own_etcd.get(key)


@pytest.mark.parametrize(("key", "value"), [("/gluon/epoch", "{}"), ("/gluon/serial", "many")])
def test_malformed_marks_are_named(own_etcd, make_server, key, value):
    server = make_server(own_etcd)
    server.start_in_step()
    server.create_port()
    own_etcd.put(key, value)
    refused(server, key)
    assert server.manage("resync", "--yes").returncode == 0
    until(server.is_ready, "the running server goes on by itself")
    server.assert_in_step(own_etcd)


def test_a_lost_serial_only_means_to_fill_again(own_etcd, make_server):
    server = make_server(own_etcd)
    server.start_in_step()
    server.create_port()
    server.assert_in_step(own_etcd)
    epoch = own_etcd.epoch["id"]
    own_etcd.delete("/gluon/serial")
    until(lambda: own_etcd.is_filled(but=epoch), "etcd was filled again")
    server.assert_in_step(own_etcd)


def test_a_filling_that_its_publisher_did_not_live_to_complete_is_taken_over(own_etcd, make_server):
    server = make_server(own_etcd)
    server.start_in_step()
    server.create_port()
    server.assert_in_step(own_etcd)
    own_etcd.put("/gluon/epoch", {**own_etcd.epoch, "complete": False})
    until(lambda: own_etcd.epoch["complete"], "the epoch is complete")
    server.assert_in_step(own_etcd)


def test_two_servers_fill_a_lost_etcd_and_come_to_rest(own_etcd, make_server):
    servers = [make_server(own_etcd), make_server(own_etcd)]
    for server in servers:
        server.start()
    for server in servers:
        until(server.is_ready, "etcd is filled")
        server.create_port()
    own_etcd.etcd.stop()
    own_etcd.etcd.wipe()
    own_etcd.etcd.start()
    for server in servers:
        until(lambda server=server: server.is_ready() and own_etcd.epoch.get("complete"), "etcd is filled again")
    servers[0].assert_in_step(own_etcd)
    settled = own_etcd.epoch
    for server in servers:
        server.create_port()
    servers[0].assert_in_step(own_etcd)
    assert own_etcd.epoch == settled


# -- the database file under a running server -----------------------------------------------------


def test_a_database_that_is_removed_under_the_server_is_not_written_to(server, etcd):
    port = server.create_port()
    server.assert_in_step(etcd)
    hidden = server.database.with_suffix(".hidden")
    for suffix in ("", "-wal", "-shm"):
        source = server.database.parent / (server.database.name + suffix)
        if source.exists():
            source.rename(f"{hidden}{suffix}")
    answer = server.client.post("/ports", json={"tenant_id": TENANT, "mac_address": "c8:2a:14:04:43:80"})
    assert answer.status_code == 503
    assert "under the running server" in answer.text
    assert str(server.database) not in answer.text
    assert server.client.get("/ports").status_code == 503
    assert server.ready()[0] == 503
    assert not server.ready()[1]["database"]["ok"]
    for suffix in ("", "-wal", "-shm"):
        source = hidden.parent / (hidden.name + suffix)
        if source.exists():
            source.rename(server.database.parent / (server.database.name + suffix))
    until(server.is_ready, "the database is back")
    assert server.port(port["id"])
    server.create_port()
    server.assert_in_step(etcd)
    assert "Traceback" not in server.log.read_text()


def test_a_database_that_is_replaced_under_the_server_is_not_written_to(server, etcd, tmp_path):
    server.create_port()
    server.assert_in_step(etcd)
    copy = tmp_path / "copy.db"
    server.backup(copy)
    server.database.unlink()
    copy.rename(server.database)
    answer = server.client.post("/ports", json={"tenant_id": TENANT, "mac_address": "c8:2a:14:04:43:80"})
    assert answer.status_code == 503
    assert server.ready()[0] == 503


def test_a_database_that_is_locked_is_said_in_readyz(server):
    connection = sqlite3.connect(server.database, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        status, checks = server.ready()
        assert status == 503
        assert not checks["database"]["ok"]
    finally:
        connection.close()
    until(lambda: server.ready()[0] == 200, "the database is free again")


def test_a_damaged_database_is_one_line_not_a_traceback_a_second(server, etcd):
    server.create_port()
    server.assert_in_step(etcd)
    connection = sqlite3.connect(server.database)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with server.database.open("r+b") as file:
        file.write(b"\xff" * 8192)
    answer = server.client.post("/ports", json={"tenant_id": TENANT, "mac_address": "c8:2a:14:04:43:80"})
    assert answer.status_code == 503, answer.text
    until(lambda: server.ready()[0] == 503, "it is not ready")
    log = server.log.read_text()
    assert "Traceback" not in log
    assert len([line for line in log.splitlines() if " WARNING " in line or " ERROR " in line]) < 8


def test_readyz_never_shows_the_path_of_the_database(server):
    with httpx.Client(trust_env=False) as client:
        assert str(server.database.parent) not in client.get(f"{server.root}/readyz").text


def test_a_full_disk_is_not_ready_and_passes(server, etcd):
    """No file of the server may grow beyond a page; its log is shorter."""
    server.create_port()
    server.assert_in_step(etcd)
    connection = sqlite3.connect(server.database)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (4096, hard))
    try:
        body = {"tenant_id": TENANT, "mac_address": "c8:2a:14:04:43:80"}
        assert server.client.post("/ports", json=body).status_code == 503
        status, checks = server.ready()
        assert status == 503
        assert not checks["database"]["ok"]
        assert server.client.get("/ports").status_code == 200
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    until(server.is_ready, "there is room again")
    server.create_port()
    server.assert_in_step(etcd)
