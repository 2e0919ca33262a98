"""Released bindings with a real etcd: undone by the controller, or told to it after a loss."""

from __future__ import annotations

import pytest

from gluon.testing.waiting import until

pytestmark = pytest.mark.disaster

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


def create(server, plural: str, **values) -> str:
    body = {"tenant_id": "5b1a2d3c-0000-4000-8000-000000000001", **values}
    return str(server.client.post(f"/{plural}", json=body).raise_for_status().json()["id"])


def test_what_was_deleted_while_etcd_was_lost_is_named_and_told_to_all_that_may_have_it(
    own_etcd, start, in_background, tmp_path
):
    """Of objects that are no bound ports only the outbox tells: the backup of etcd is older than they are."""
    server = start(own_etcd)
    bound = bind(own_etcd, server, in_background)
    own_etcd.put("/shim/Recorded/applied/net-l3vpn/Port/x", {})
    own_etcd.put("/shim/Stranger/applied/another/Port/x", {})
    server.assert_in_step(own_etcd)
    backup = tmp_path / "backup"
    own_etcd.etcd.backup(backup)
    until(server.is_ready, "etcd is back")
    vpn, kept = create(server, "vpns", name="v"), create(server, "vpns", name="w")
    port = server.create_port()["id"]
    until(server.outbox_is_empty, "all of them are published")
    own_etcd.etcd.stop()
    for path in (f"/vpns/{vpn}", f"/ports/{port}", f"/ports/{bound}"):
        server.client.delete(path).raise_for_status()
    own_etcd.etcd.restore(backup)
    own_etcd.etcd.start()
    until(lambda: server.outbox_is_empty() and own_etcd.epoch.get("complete"), "etcd is filled")
    until(server.is_ready, "the server is ready")
    forgotten = {f"VpnService/{vpn}", f"Port/{port}", f"Interface/{port}"}
    for controller in ("TestShim", "Recorded"):
        prefix = f"/shim/{controller}/late/net-l3vpn/"
        notes = {key.removeprefix(prefix): note for key, note in own_etcd.dump(prefix).items()}
        assert forgotten <= notes.keys()
        assert not any(kept in key for key in notes)
        assert notes[f"VpnService/{vpn}"] == {"callback": "modify_object", "attributes": {"id": vpn}}
        assert notes[f"Interface/{port}"]["attributes"] == {"id": port, "port_id": port}
    assert own_etcd.dump("/shim/Stranger/late/") == {}
    log = server.log.read_text()
    assert "deleted while etcd was lost, which no longer tells whether a controller has them: 3 objects: " in log
    assert all(f"net-l3vpn/{key}" in log for key in forgotten)


def test_the_living_controllers_of_a_proton_are_told(own_etcd, start, tmp_path):
    server = start(own_etcd)
    own_etcd.alive("North")
    own_etcd.alive("South", "another")
    backup = tmp_path / "backup"
    own_etcd.etcd.backup(backup)
    until(server.is_ready, "etcd is back")
    vpn = create(server, "vpns", name="v")
    until(server.outbox_is_empty, "it is published")
    own_etcd.etcd.stop()
    server.client.delete(f"/vpns/{vpn}").raise_for_status()
    own_etcd.etcd.restore(backup)
    own_etcd.etcd.start()
    until(lambda: own_etcd.dump_keys("/shim/North/late/"), "it is told")
    assert own_etcd.dump_keys("/shim/South/late/") == []
