"""gluon-manage: what an operator decides by hand; the tests play the shims."""

from __future__ import annotations

import os
import pty
import subprocess
import uuid

import pytest

from gluon.testing.process import console_script
from gluon.testing.waiting import until

TENANT = "5b1a2d3c-0000-4000-8000-000000000001"
HOST = {"host_id": "h1", "device_id": "vm-1"}


def strangers(etcd, count: int) -> list[str]:
    """Ports that only etcd has."""
    keys = [f"/proton/net-l3vpn/Port/{uuid.uuid4()}" for _ in range(count)]
    for key in keys:
        etcd.put(key, {"id": key.rpartition("/")[2]})
    return keys


# -- resync ---------------------------------------------------------------------------------------


def test_resync_deletes_what_the_database_lacks_and_leaves_the_rest_untouched(server, etcd):
    kept = server.create_port()
    server.assert_in_step(etcd)
    before = etcd.get(f"/proton/net-l3vpn/Port/{kept['id']}")
    strangers(etcd, 1)
    etcd.put("/proton/net-l3vpn/VpnAfConfig/1:1", {"vrf_rt_value": "1:1"})
    etcd.put("/proton/another/Port/x", {"id": "x"})
    etcd.put("/proton/net-l3vpn/junk", {})
    registration = {"tenant_id": TENANT, "service": "net-l3vpn", "url": "http://127.0.0.1:1"}
    etcd.put(f"/gluon/port/{uuid.uuid4()}", registration)
    etcd.put("/gluon/port/of-another", {**registration, "service": "another"})
    done = server.manage("resync")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "objects in step with the database: 2; deleted, only etcd had them: 3" in done.stdout
    assert "left alone, no key of ours" in done.stdout
    for key in ("/gluon/port/of-another", "/proton/another/Port/x", "/proton/net-l3vpn/junk"):
        assert etcd.get(key) is not None
        etcd.delete(key)
    server.assert_in_step(etcd)
    assert etcd.get(f"/proton/net-l3vpn/Port/{kept['id']}") == before
    until(server.is_ready, "the server has seen that the other publisher is done")


def test_resync_dry_run_says_what_it_would_do_and_does_nothing(server, etcd):
    ports = [server.create_port()["id"] for _ in range(3)]
    server.assert_in_step(etcd)
    only_etcd = strangers(etcd, 12)
    etcd.put(f"/proton/net-l3vpn/Port/{ports[0]}", {"id": "other"})
    etcd.delete(f"/proton/net-l3vpn/Interface/{ports[1]}")
    before, rows = etcd.dump("/proton/"), server.rows("SELECT * FROM outbox")
    epoch = etcd.epoch
    done = server.manage("resync", "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "objects of the database: 6" in done.stdout
    assert "objects that only etcd has, to be deleted there: 12" in done.stdout
    assert only_etcd[0].rpartition("/")[2] in done.stdout
    assert (etcd.dump("/proton/"), server.rows("SELECT * FROM outbox"), etcd.epoch) == (before, rows, epoch)


def test_resync_asks_before_it_deletes_more_than_a_handful(server, etcd):
    server.create_port()
    server.assert_in_step(etcd)
    strangers(etcd, 11)
    before = etcd.dump("/proton/")
    refused = server.manage("resync")
    assert refused.returncode == 1
    assert "--yes" in refused.stdout
    assert etcd.dump("/proton/") == before
    done = server.manage("resync", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "deleted, only etcd had them: 11" in done.stdout
    server.assert_in_step(etcd)


@pytest.mark.parametrize(("typed", "code"), [("yes", 0), ("no", 1), ("", 1)])
def test_resync_takes_a_typed_yes_at_a_terminal(server, etcd, typed, code):
    server.create_port()
    server.assert_in_step(etcd)
    strangers(etcd, 11)
    terminal, stdin = pty.openpty()
    try:
        os.write(terminal, f"{typed}\n".encode())
        done = server.manage("resync", stdin=stdin)
    finally:
        os.close(terminal)
        os.close(stdin)
    assert done.returncode == code, done.stdout + done.stderr
    assert len(etcd.dump_keys("/proton/net-l3vpn/Port/")) == (1 if code == 0 else 12)


def test_resync_never_makes_a_database(server, etcd, tmp_path):
    """A mistyped connection used to make an empty database, and to delete everything from etcd."""
    server.create_port()
    server.assert_in_step(etcd)
    before = etcd.dump("/proton/")
    text = server.config.read_text().replace("gluon.db", "gluno.db")
    server.config.write_text(text)
    done = server.manage("resync", "--yes")
    assert done.returncode == 1
    assert "gluno.db" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "gluno.db").exists()
    assert etcd.dump("/proton/") == before


@pytest.mark.parametrize("command", [["resync", "--yes"], ["release", "net-l3vpn", "x"], ["audit"], ["accept"]])
def test_every_command_needs_a_configuration_file(tmp_path, command):
    done = subprocess.run(
        [console_script("gluon-manage"), *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "--config-file" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["--config-dir", "before", "home"])
def test_the_configuration_is_taken_as_the_server_takes_it(server, etcd, tmp_path, where):
    server.create_port()
    server.assert_in_step(etcd)
    directory = tmp_path / "home/.gluon"
    directory.mkdir(parents=True)
    (directory / "proton.conf").write_text(server.config.read_text())
    words = {
        "--config-dir": ["resync", "--dry-run", "--config-dir", str(directory)],
        "before": ["--config-file", str(server.config), "--debug", "resync", "--dry-run"],
        "home": ["resync", "--dry-run"],
    }[where]
    environment = {**os.environ, "HOME": str(directory.parent if where == "home" else tmp_path / "empty")}
    done = subprocess.run(
        [console_script("gluon-manage"), *words],
        cwd=server.config.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "to be deleted there: 0" in done.stdout


def test_resync_needs_a_file_that_names_the_database(server, etcd):
    server.create_port()
    server.assert_in_step(etcd)
    before = etcd.dump("/proton/")
    server.config.write_text(server.config.read_text().partition("[database]")[0])
    done = server.manage("resync", "--yes")
    assert done.returncode == 1
    assert "set [database] connection" in done.stderr
    assert etcd.dump("/proton/") == before


def test_resync_of_another_database_is_asked_about(server, etcd, make_server, tmp_path):
    server.create_port()
    server.assert_in_step(etcd)
    before = etcd.dump("/proton/")
    other = make_server(etcd, tmp_path / "other")
    other.start()
    done = other.manage("resync")
    assert done.returncode == 1
    assert "etcd was filled by database" in done.stdout
    assert etcd.dump("/proton/") == before


def test_resync_without_etcd_is_one_sentence(own_etcd, make_server):
    server = make_server(own_etcd)
    server.start_in_step()
    own_etcd.etcd.stop()
    done = server.manage("resync")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "resync: " in done.stderr


# -- release --------------------------------------------------------------------------------------


@pytest.fixture
def bound(server, etcd, in_background):
    """Makes ports that controller `south` has bound; the key of each."""

    def make(controller="south"):
        port = server.create_port()["id"]
        asked = in_background(lambda: server.client.put(f"/ports/{port}", json=HOST))
        etcd.answer(port, etcd.wanted(port, **HOST), controller=controller, host_id="h1", vif_type="ovs")
        asked.result(20)
        server.has(port, vif_type="ovs")
        return port

    return make


def test_a_port_is_released_from_a_controller_that_is_gone(server, etcd, bound):
    port = bound()
    etcd.status(f"Port/{port}", controller="south", state="ERROR", reason="gone")
    done = server.manage("release", "net-l3vpn", port)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "released from controller south, host h1" in done.stdout
    assert etcd.get(f"/controller/net-l3vpn/Port/{port}")[0] == {}
    assert etcd.get(f"/status/south/net-l3vpn/Port/{port}") is None
    lost = server.has(port, status="DOWN", vif_type="unbound")
    assert "controller south no longer has it" in lost["status_reason"]
    again = server.manage("release", "net-l3vpn", port)
    assert again.returncode == 4
    assert "nothing to release" in again.stdout


def test_only_the_entries_of_that_controller_go(server, etcd):
    port = server.create_port()["id"]
    other = {"controller": "north", "host_id": "h2", "token": "t2", "vif_type": "ovs"}
    etcd.answer(port, "t1", controller="south", host_id="h1", vif_type="ovs", inactive=[other])
    done = server.manage("release", "net-l3vpn", port, "--controller", "south")
    assert done.returncode == 0, done.stdout + done.stderr
    assert etcd.get(f"/controller/net-l3vpn/Port/{port}")[0] == {"inactive": [other]}
    assert server.manage("release", "net-l3vpn", port, "--controller", "south").returncode == 4
    assert server.manage("release", "net-l3vpn", port).returncode == 0
    assert etcd.get(f"/controller/net-l3vpn/Port/{port}")[0] == {}


@pytest.mark.parametrize("key", ["/status/south", "/shim/south/leader"])
def test_nothing_is_released_from_a_controller_that_is_alive(server, etcd, bound, key):
    port = bound()
    etcd.put(key, {})
    before = etcd.get(f"/controller/net-l3vpn/Port/{port}")
    for arguments in (["net-l3vpn", port], ["--controller", "south"]):
        refused = server.manage("release", *arguments)
        assert refused.returncode == 1
        assert "controller south is alive" in refused.stderr
        assert etcd.get(f"/controller/net-l3vpn/Port/{port}") == before
    assert server.manage("release", "net-l3vpn", port, "--force").returncode == 0
    assert etcd.get(f"/controller/net-l3vpn/Port/{port}")[0] == {}


def test_a_controller_is_released_as_a_whole(server, etcd, bound):
    ports, others = [bound() for _ in range(3)], bound("north")
    for controller in ("south", "north"):
        for port in ports:
            etcd.status(f"Port/{port}", controller=controller, failure="it fails")
            etcd.put(f"/shim/{controller}/applied/net-l3vpn/Port/{port}", {"attributes": {}, "revision": 1})
        etcd.put(f"/shim/{controller}/late/net-l3vpn/Port/{ports[0]}", {})
        etcd.put(f"/shim/{controller}/term", {"number": 7, "id": "known", "epoch": "e"})
    north = {**etcd.dump("/shim/north/"), **etcd.dump("/status/north/")}
    done = server.manage("release", "--controller", "south")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ports released: 3" in done.stdout
    for port in ports:
        assert etcd.get(f"/controller/net-l3vpn/Port/{port}")[0] == {}
        server.has(port, status="DOWN")
    assert server.port(others)["status"] == "ACTIVE"
    assert {**etcd.dump("/shim/north/"), **etcd.dump("/status/north/")} == north
    assert etcd.dump("/status/south/") == {}
    # The number goes on, or a controller that refuses smaller ones would refuse it for good.
    left = etcd.dump("/shim/south/")
    assert list(left) == ["/shim/south/term"]
    assert left["/shim/south/term"]["number"] == 8
    assert left["/shim/south/term"]["id"] != "known"
    again = server.manage("release", "--controller", "south")
    assert again.returncode == 4
    assert "nothing to release" in again.stdout


def test_releasing_what_does_not_exist(server):
    assert server.manage("release", "net-l3vpn", "no-such-port").returncode == 4
    assert server.manage("release", "--controller", "nobody").returncode == 4
    assert server.manage("release", "no-such-proton", "x").returncode == 1
    assert server.manage("release").returncode == 2
    assert server.manage("release", "net-l3vpn").returncode == 2


def test_an_answer_that_can_not_be_read_is_released_as_well(server, etcd):
    port = server.create_port()["id"]
    etcd.put(f"/controller/net-l3vpn/Port/{port}", "not json")
    until(lambda: server.port(port)["status_reason"], "the dropped answer is named")
    assert server.manage("release", "net-l3vpn", port).returncode == 0
    server.has(port, status_reason=None)
