"""Released bindings with a real etcd: undone by the controller, or told to it after a loss."""

from __future__ import annotations

import pytest

from gluon.testing.waiting import until

HOST = {"host_id": "compute-1", "device_id": "vm-1"}
OVS = {"host_id": "compute-1", "vif_type": "ovs"}


def bind(etcd, server, in_background) -> str:
    """A port that TestShim has bound; its key."""
    port = server.create_port()["id"]
    answer = in_background(lambda: server.client.put(f"/ports/{port}", json=HOST))
    etcd.answer(port, etcd.wanted(port, **HOST), **OVS)
    assert answer.result(20).json()["vif_type"] == "ovs"
    return port


def unbind(server, port) -> None:
    server.client.put(f"/ports/{port}", json=dict.fromkeys(HOST)).raise_for_status()


def released(server):
    return server.rows("SELECT port, host, controller FROM released_binding")


def notes(etcd):
    return etcd.dump("/shim/TestShim/late/")


@pytest.fixture
def start(make_server):
    def made(etcd):
        server = make_server(etcd, bind_timeout=5, answer_grace=1)
        server.start_in_step()
        return server

    return made


def test_what_its_controller_unbinds_is_done_with(etcd, start, in_background):
    server = start(etcd)
    unbound, deleted = (bind(etcd, server, in_background) for _ in range(2))
    unbind(server, unbound)
    server.client.delete(f"/ports/{deleted}").raise_for_status()
    assert sorted(released(server)) == sorted((port, "compute-1", "TestShim") for port in (unbound, deleted))
    etcd.unbind(unbound)
    etcd.delete(f"/controller/net-l3vpn/Port/{deleted}")
    until(lambda: released(server) == [], "both are undone")
    assert notes(etcd) == {}


def test_a_bind_that_nobody_begins_leaves_nothing(etcd, start):
    server = start(etcd)
    port = server.create_port(**HOST)["id"]
    assert server.port(port)["vif_type"] == "binding_failed"
    server.client.delete(f"/ports/{port}").raise_for_status()
    until(lambda: released(server) == [], "nobody has it")
    assert etcd.dump_keys("/shim/") == []


@pytest.mark.parametrize("restarted", [False, True])
def test_what_a_loss_of_etcd_hides_is_told_to_the_controller(own_etcd, start, in_background, restarted):
    server = start(own_etcd)
    unbound, deleted, later = (bind(own_etcd, server, in_background) for _ in range(3))
    if restarted:
        unbind(server, unbound)
        server.kill()
    own_etcd.etcd.stop()
    own_etcd.etcd.wipe()
    if restarted:
        own_etcd.etcd.start()
        server.start_in_step()
    else:
        unbind(server, unbound)
    server.client.delete(f"/ports/{deleted}").raise_for_status()
    if not restarted:
        own_etcd.etcd.start()
        until(lambda: own_etcd.epoch.get("complete"), "etcd is filled")
    unbind(server, later)
    prefix = "/shim/TestShim/late/net-l3vpn/"
    expected = {f"{prefix}Port.binding/{port}@compute-1" for port in (unbound, deleted, later)}
    until(lambda: set(notes(own_etcd)) == expected | {f"{prefix}Interface/{deleted}"}, "the notes are left")
    note = notes(own_etcd)[f"{prefix}Port.binding/{unbound}@compute-1"]
    assert note["callback"] == "bind_port"
    assert {name: note["attributes"][name] for name in ("id", *HOST)} == {"id": unbound, **HOST}
    until(lambda: released(server) == [], "nothing is left to tell")
