"""The reason is the reason: what an operator reads says what is so, and advises nothing that does harm."""

from __future__ import annotations

import sqlite3

import pytest

from gluon.testing.etcd import LocalEtcd
from gluon.testing.waiting import until

HERE, THERE = {"host_id": "h1", "device_id": "vm-1"}, {"host_id": "h2", "device_id": "vm-1"}


@pytest.fixture
def moved(etcd, server, in_background):
    """A port that controller `south` has on h2, to be bound to h1; asks for that and gives what comes of it."""
    port = server.create_port()["id"]
    asked = in_background(lambda: server.client.put(f"/ports/{port}", json=THERE))
    token = etcd.wanted(port, **THERE)
    etcd.answer(port, token, controller="south", host_id="h2", vif_type="ovs")
    asked.result(20)
    server.has(port, vif_type="ovs")

    def ask():
        return server.client.put(f"/ports/{port}", json=HERE).json()

    return port, ask


def test_a_port_of_a_living_controller_is_not_to_be_released(etcd, moved):
    _, ask = moved
    etcd.alive("south")
    failed = ask()
    assert failed["vif_type"] == "binding_failed"
    assert "controller south still has the port for host h2" in failed["status_reason"]
    assert "release" not in failed["status_reason"]


def test_an_unbind_that_fails_is_the_reason(etcd, server, moved):
    port, ask = moved
    etcd.alive("south")
    etcd.status(f"Port/{port}", controller="south", failure="unbind_port failed: the switch does not answer")
    until(lambda: server.port(port)["status_reason"], "the failure is known")
    failed = ask()
    assert "south: unbind_port failed: the switch does not answer" in failed["status_reason"]
    assert "release" not in failed["status_reason"]


def test_a_port_of_a_controller_without_a_leader_may_be_released(moved):
    port, ask = moved
    failed = ask()
    assert "controller south still has the port for host h2" in failed["status_reason"]
    assert f"gluon-manage release net-l3vpn {port}" in failed["status_reason"]


def test_a_living_controller_that_does_not_serve_the_proton_is_named_and_may_be_released(etcd, server, moved):
    port, ask = moved
    etcd.alive("south", "other")
    failed = ask()
    assert (
        "controller south still has the port for host h2, and its shim does not serve net-l3vpn any more"
        in (failed["status_reason"])
    )
    assert "name net-l3vpn in [shim] handlers again" in failed["status_reason"]
    assert f"gluon-manage release net-l3vpn {port}" in failed["status_reason"]
    refused = server.manage("release", "--controller", "south")
    assert refused.returncode == 1
    assert "controller south is alive" in refused.stderr
    assert server.manage("release", "net-l3vpn", port).returncode == 0
    assert etcd.get(f"/controller/net-l3vpn/Port/{port}")[0] == {}


def test_the_reason_goes_when_the_bind_succeeds_after_all(etcd, server, moved):
    port, ask = moved
    ask()
    etcd.answer(port, etcd.wanted(port, **HERE), controller="north", host_id="h1", vif_type="ovs")
    server.has(port, vif_type="ovs", status="ACTIVE", status_reason=None)


def test_etcd_out_of_space_is_said_in_those_words(tmp_path, make_server, view_class):
    with LocalEtcd(tmp_path / "etcd", quota=16 * 2**20) as etcd:
        view = view_class(etcd)
        server = make_server(view)
        server.start_in_step()
        port = server.create_port()
        server.assert_in_step(view)
        etcd.fill()
        failed = server.client.put(f"/ports/{port['id']}", json=HERE).json()
        assert "out of space" in failed["status_reason"]
        assert "unreachable" not in failed["status_reason"]
        until(lambda: "out of space" in server.etcd_state(), "/readyz says so")
        assert server.ready()[0] == 200, "changes are accepted, and wait"
        assert server.log.read_text().count("changes wait in the outbox") == 1
        etcd.make_room()
        until(server.is_ready, "it goes on by itself")
        server.assert_in_step(view)


def test_a_user_that_etcd_refuses_is_named(tmp_path, make_server, view_class):
    with LocalEtcd(tmp_path / "etcd", root_password="secret") as etcd:
        view = view_class(etcd)
        etcd.add_user("gluon", "hunter2")
        etcd.grant("gluon", "/")
        server = make_server(view, etcd_user="gluon", etcd_password="hunter2")
        server.start_in_step()
        port = server.create_port()
        server.assert_in_step(view)
        etcd.revoke("gluon", "/")
        failed = server.client.put(f"/ports/{port['id']}", json=HERE).json()
        assert "refuses user 'gluon'" in failed["status_reason"]
        until(lambda: "refuses user 'gluon'" in server.etcd_state(), "/readyz says so")
        etcd.grant("gluon", "/")
        until(server.is_ready, "it goes on by itself")
        server.assert_in_step(view)
        assert "hunter2" not in server.log.read_text()


def test_an_etcd_that_is_away_is_unreachable(own_etcd, make_server):
    server = make_server(own_etcd)
    server.start_in_step()
    own_etcd.etcd.stop()
    port = server.create_port()["id"]
    failed = server.client.put(f"/ports/{port}", json=HERE).json()
    assert "unreachable" in failed["status_reason"]
    assert "unreachable" in server.etcd_state()


def test_no_time_goes_back(server):
    """Whatever the clock does: here the row is from the future."""
    port = server.create_port()["id"]
    later = "2999-01-01T00:00:00.000000Z"
    connection = sqlite3.connect(server.database)
    connection.execute("UPDATE net_l3vpn_port SET created_at = ?, updated_at = ? WHERE id = ?", (later, later, port))
    connection.commit()
    connection.close()
    changed = server.client.put(f"/ports/{port}", json={"name": "n"}).json()
    assert changed["updated_at"] >= changed["created_at"] == later
