"""What controllers say by themselves: bindings that go, statuses that come, answers that can't be used."""

from __future__ import annotations

import pytest

from gluon.testing.waiting import until

HOST = {"host_id": "compute-1", "device_id": "vm-1"}
OVS = {"host_id": "compute-1", "vif_type": "ovs"}


@pytest.fixture
def bound(etcd, server, in_background):
    """A port that TestShim has bound to compute-1; its key and the token."""
    return bind(etcd, server, in_background)


def bind(etcd, server, in_background, **attributes):
    port = server.create_port(**attributes)
    answer = in_background(lambda: server.client.put(f"/ports/{port['id']}", json=HOST))
    token = etcd.wanted(port["id"], **HOST)
    etcd.answer(port["id"], token, **OVS)
    answer.result(20).raise_for_status()
    server.has(port["id"], vif_type="ovs", status="ACTIVE")
    return port["id"], token


@pytest.fixture
def server(etcd, make_server):
    made = make_server(etcd, bind_timeout=5, answer_grace=1)
    made.start_in_step()
    return made


@pytest.mark.parametrize("how", ["unbound", "key deleted", "another host"])
def test_a_port_that_no_controller_has_is_not_active_and_asking_again_really_asks(
    server, etcd, bound, how, in_background
):
    port, token = bound
    if how == "unbound":
        etcd.unbind(port)
    elif how == "key deleted":
        etcd.delete(f"/controller/net-l3vpn/Port/{port}")
    else:
        etcd.answer(port, token, host_id="compute-9", vif_type="ovs")
    lost = server.has(port, status="DOWN", vif_type="unbound")
    assert "controller TestShim no longer has it" in lost["status_reason"]
    etcd.unbind(port)
    asked = in_background(lambda: server.client.put(f"/ports/{port}", json=HOST))
    again = etcd.wanted(port, but=token, **HOST)
    assert not asked.done(), "nobody has it, so it can't be answered at once"
    etcd.answer(port, again, **OVS)
    shown = asked.result(20).json()
    assert (shown["vif_type"], shown["status"], shown["status_reason"]) == ("ovs", "ACTIVE", None)


def test_the_same_bind_again_is_bound_at_once_while_a_controller_has_it(server, etcd, bound):
    port, token = bound
    assert server.client.put(f"/ports/{port}", json=HOST).json()["vif_type"] == "ovs"
    assert etcd.wanted(port) == token


def test_a_controller_that_has_it_again_is_believed(server, etcd, bound):
    port, token = bound
    etcd.unbind(port)
    server.has(port, status="DOWN")
    etcd.answer(port, token, **OVS)
    server.has(port, status="ACTIVE", vif_type="ovs", status_reason=None)


def test_a_port_made_again_under_its_uuid_is_a_new_port(server, etcd, bound, in_background):
    port, token = bound
    assert server.client.delete(f"/ports/{port}").status_code == 204
    made = in_background(lambda: server.create_port(id=port, **HOST))
    new = etcd.wanted(port, but=token, **HOST)
    # The old answer is still there, and is for another request.
    etcd.answer(port, token, **OVS, vif_details={"old": True})
    etcd.answer(port, new, **OVS, vif_details={"old": False})
    assert made.result(20)["vif_details"] == {"old": False}


def test_answers_that_went_while_the_server_was_down(server, etcd, bound, in_background):
    kept, _ = bind(etcd, server, in_background, mac_address="c8:2a:14:04:43:90")
    port, _ = bound
    assert server.stop(8) == 0
    etcd.delete(f"/controller/net-l3vpn/Port/{port}")
    server.start()
    lost = server.has(port, status="DOWN", vif_type="unbound")
    assert "no controller has confirmed it since" in lost["status_reason"]
    assert server.port(kept)["status"] == "ACTIVE"


def test_what_a_backend_reports_is_the_ports_status(server, etcd, bound):
    port, _ = bound
    etcd.status(f"Port/{port}", state="DOWN", reason="no carrier")
    assert server.has(port, status="DOWN")["status_reason"] == "TestShim: no carrier"
    assert server.port(port)["vif_type"] == "ovs"
    etcd.status(f"Port/{port}", state="ERROR", reason="flow table full")
    server.has(port, status="ERROR", status_reason="TestShim: flow table full")
    etcd.status(f"Port/{port}", state="ACTIVE")
    server.has(port, status="ACTIVE", status_reason=None)


def test_statuses_are_as_they_are_after_a_restart(server, etcd, bound):
    port, _ = bound
    etcd.status(f"Port/{port}", state="DOWN", reason="no carrier")
    server.has(port, status="DOWN")
    assert server.stop(8) == 0
    etcd.status(f"Port/{port}")
    server.start()
    server.has(port, status="ACTIVE", status_reason=None)
    assert server.stop(8) == 0
    etcd.status(f"Port/{port}", state="ERROR", reason="meanwhile")
    server.start()
    server.has(port, status="ERROR")


def test_reasons_of_several_controllers_stand_side_by_side(server, etcd):
    port = server.create_port()["id"]
    path = f"/interfaces/{port}"

    def reason(expected):
        until(lambda: server.client.get(path).json()["status_reason"] == expected, f"the reason is {expected}")

    etcd.status(f"Interface/{port}", controller="north", failure="segmentation is not supported")
    reason("north: segmentation is not supported")
    etcd.status(f"Interface/{port}", controller="south", failure="no such network")
    reason("north: segmentation is not supported; south: no such network")
    etcd.status(f"Interface/{port}", controller="north")
    reason("south: no such network")
    etcd.status(f"Interface/{port}", controller="south")
    reason(None)


MALFORMED = {
    "not JSON": ("not json", "malformed"),
    "a number for a word": ({"controller": "c", "host_id": "compute-1", "vif_type": 7}, "vif_type"),
    "too long": ({"controller": "c", "host_id": "compute-1", "vif_type": "x" * 65}, "vif_type"),
    "details too long": (
        {"controller": "c", "host_id": "compute-1", "vif_type": "ovs", "vif_details": {"x": "y" * 5000}},
        "vif_details",
    ),
    "no host": ({"controller": "c", "vif_type": "ovs"}, "host_id: missing"),
    "no controller": ({"host_id": "compute-1", "vif_type": "ovs"}, "controller: missing"),
    "inactive without host": ({"inactive": [{"controller": "c", "vif_type": "ovs"}]}, "host_id: missing"),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_an_answer_that_is_dropped_is_named_in_the_ports_reason(server, etcd, bound, kind):
    port, token = bound
    value, words = MALFORMED[kind]
    etcd.put(f"/controller/net-l3vpn/Port/{port}", value)
    until(lambda: server.port(port)["status_reason"], "the dropped answer is named")
    shown = server.port(port)
    assert "an answer of a controller was dropped" in shown["status_reason"]
    assert words in shown["status_reason"] or kind == "not JSON"
    assert (shown["vif_type"], shown["status"]) == ("ovs", "ACTIVE"), "nothing says that it is not bound"
    etcd.answer(port, token, **OVS)
    server.has(port, status_reason=None)
    assert f"answer dropped: net-l3vpn/Port/{port}" in server.log.read_text()


def test_a_dropped_answer_is_forgotten_when_it_was_replaced_while_the_server_was_down(server, etcd, bound):
    port, token = bound
    etcd.put(f"/controller/net-l3vpn/Port/{port}", "not json")
    until(lambda: server.port(port)["status_reason"], "the dropped answer is named")
    assert server.stop(8) == 0
    etcd.answer(port, token, **OVS)
    server.start()
    server.has(port, status_reason=None)


def test_keys_that_name_nothing_do_no_harm(server, etcd, bound):
    port, _ = bound
    for key, value in {
        "/controller/junk": "1",
        "/controller/net-l3vpn/Nothing/x": "{}",
        "/controller/unknown/Port/x": "not json",
        "/controller/net-l3vpn/Port/%ff": "{}",
        "/status/c/junk": "1",
        "/status/c/net-l3vpn/Nothing/x": "not json",
        f"/status/c/net-l3vpn/Port/{port}": "not json",
    }.items():
        etcd.put(key, value)
    assert "c: its status was dropped" in str(until(lambda: server.port(port)["status_reason"], "it is named"))
    assert server.port(port)["status"] == "ACTIVE"
    etcd.delete(f"/status/c/net-l3vpn/Port/{port}")
    server.has(port, status_reason=None)
    assert "Traceback" not in server.log.read_text()


def test_a_report_on_an_earlier_bind_says_nothing_of_a_new_port(server, etcd, bound, in_background):
    """Here the controller does not end it, as while its shim is away."""
    port, _ = bound
    etcd.status(f"Port/{port}", state="ERROR", reason="agent dead")
    server.has(port, status="ERROR")
    server.client.delete(f"/ports/{port}").raise_for_status()
    etcd.delete(f"/controller/net-l3vpn/Port/{port}")
    made = server.create_port(id=port)
    assert (made["status"], made["status_reason"]) == ("DOWN", None)
    asked = in_background(lambda: server.client.put(f"/ports/{port}", json={"host_id": "h9", "device_id": "vm"}))
    etcd.answer(port, etcd.wanted(port, host_id="h9"), host_id="h9", vif_type="ovs")
    shown = asked.result(20).json()
    assert (shown["vif_type"], shown["status"], shown["status_reason"]) == ("ovs", "ACTIVE", None)
    etcd.status(f"Port/{port}", state="DOWN", reason="no carrier")
    server.has(port, status="DOWN", status_reason="TestShim: no carrier")
