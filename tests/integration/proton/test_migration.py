"""Two bindings of a port, for live migration: prepared, activated, and one of them removed."""

from __future__ import annotations

import pytest

from gluon.testing.waiting import until

SOURCE, TARGET = {"host_id": "h1", "device_id": "vm-1"}, {"binding": {"host": "h2", "profile": {"slot": 1}}}
ON_H1 = {"controller": "south", "host_id": "h1", "vif_type": "ovs"}
ON_H2 = {"controller": "north", "host_id": "h2", "vif_type": "hw_veb"}


@pytest.fixture
def server(etcd, make_server):
    made = make_server(etcd, bind_timeout=10)
    made.start_in_step()
    return made


def answer(etcd, port, active, *inactive):
    etcd.put(f"/controller/net-l3vpn/Port/{port}", {**active, "inactive": list(inactive)})


@pytest.fixture
def migrating(etcd, server, in_background):
    """A port that is bound on h1 and prepared on h2; its key, and both tokens."""
    port = server.create_port()["id"]
    asked = in_background(lambda: server.client.put(f"/ports/{port}", json=SOURCE))
    first = etcd.wanted(port, **SOURCE)
    answer(etcd, port, {**ON_H1, "token": first})
    asked.result(20).raise_for_status()
    made = in_background(lambda: server.client.post(f"/ports/{port}/bindings", json=TARGET))
    (wanted,) = until(lambda: etcd.published(port).get("binding:inactive"), "the second binding is published")
    assert (wanted["host_id"], wanted["profile"]) == ("h2", {"slot": 1})
    assert etcd.wanted(port, **SOURCE) == first, "the source stays as it is"
    answer(etcd, port, {**ON_H1, "token": first}, {**ON_H2, "token": wanted["token"]})
    created = made.result(20)
    assert created.status_code == 201, created.text
    shown = created.json()["binding"]
    assert (shown["host"], shown["status"], shown["vif_type"]) == ("h2", "INACTIVE", "hw_veb")
    assert server.port(port)["vif_type"] == "ovs"
    return port, first, wanted["token"]


def bindings(server, port):
    listed = server.client.get(f"/ports/{port}/bindings").raise_for_status().json()["bindings"]
    return {each["host"]: (each["status"], each["vif_type"]) for each in listed}


def test_the_target_is_activated_and_the_source_removed(etcd, server, migrating, in_background):
    port, first, second = migrating
    activated = in_background(lambda: server.client.put(f"/ports/{port}/bindings/h2/activate"))
    new = etcd.wanted(port, but=first, host_id="h2")
    (other,) = etcd.published(port)["binding:inactive"]
    assert (other["host_id"], other["token"]) == ("h1", first), "the source is not torn down"
    assert new != second
    answer(etcd, port, {**ON_H2, "token": new}, {**ON_H1, "token": first})
    assert activated.result(20).status_code == 200
    shown = server.port(port)
    assert (shown["host_id"], shown["vif_type"], shown["status"]) == ("h2", "hw_veb", "ACTIVE")
    assert bindings(server, port) == {"h2": ("ACTIVE", "hw_veb"), "h1": ("INACTIVE", "ovs")}
    assert server.client.delete(f"/ports/{port}/bindings/h1").status_code == 204
    until(lambda: "binding:inactive" not in etcd.published(port), "the source is to be unbound")
    assert etcd.wanted(port) == new


def test_the_target_may_be_removed_again(etcd, server, migrating):
    port, first, _ = migrating
    assert server.client.delete(f"/ports/{port}/bindings/h2").status_code == 204
    until(lambda: "binding:inactive" not in etcd.published(port), "the target is to be unbound")
    assert etcd.wanted(port) == first
    assert bindings(server, port) == {"h1": ("ACTIVE", "ovs")}


def test_a_target_that_is_lost_leaves_the_source_alone(etcd, server, migrating):
    port, first, _ = migrating
    answer(etcd, port, {**ON_H1, "token": first})
    until(lambda: bindings(server, port)["h2"][1] != "hw_veb", "the target is lost")
    assert bindings(server, port)["h1"] == ("ACTIVE", "ovs")
    assert server.port(port)["status"] == "ACTIVE"


def test_both_bindings_outlive_a_restart_and_a_lost_etcd(etcd, server, migrating):
    port, first, second = migrating
    server.kill()
    answered = etcd.get(f"/controller/net-l3vpn/Port/{port}")[0]
    etcd.clear()
    server.start_in_step()
    etcd.put(f"/controller/net-l3vpn/Port/{port}", answered)
    until(lambda: etcd.published(port), "the port is published again")
    value = etcd.published(port)
    assert value["binding:token"] == first
    assert [each["token"] for each in value["binding:inactive"]] == [second]
    assert bindings(server, port) == {"h1": ("ACTIVE", "ovs"), "h2": ("INACTIVE", "hw_veb")}
