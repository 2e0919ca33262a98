"""Binds over HTTP; the test answers in etcd as a shim does."""

from __future__ import annotations

import contextlib
import signal

import httpx
import pytest

from gluon.testing.waiting import until

HOST = {"host_id": "compute-1", "device_id": "vm-1"}
DETAILS = {"port_filter": False, "bridge_name": "br-gluon"}
OVS = {"host_id": "compute-1", "vif_type": "ovs"}


@pytest.fixture
def etcd(shared_etcd, view_class):
    """Not cleared: the servers of this module stay for all its tests."""
    return view_class(shared_etcd)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Both servers have the same database: an etcd belongs to one."""
    return tmp_path_factory.mktemp("proton")


@pytest.fixture(scope="module")
def patient(shared_etcd, directory, server_class):
    """A server that waits long enough for a test to answer."""
    made = server_class(directory, shared_etcd.endpoint, "patient", bind_timeout=20)
    made.start_in_step()
    yield made
    made.end()


@pytest.fixture(scope="module")
def hasty(shared_etcd, directory, server_class):
    """A server that gives up after half a second."""
    made = server_class(directory, shared_etcd.endpoint, "hasty", bind_timeout=0.5)
    made.start_in_step()
    yield made
    made.end()


@pytest.fixture
def bind(patient, in_background):
    """Starts a PUT that asks for a bind; its future."""

    def put(key, **attributes):
        return in_background(lambda: patient.client.put(f"/ports/{key}", json=attributes))

    return put


@pytest.fixture
def bound(patient, etcd, bind):
    """Makes a port that is bound to compute-1; the port and the token."""

    def make(**attributes):
        port = patient.create_port(**attributes)
        answer = bind(port["id"], **HOST)
        token = etcd.wanted(port["id"], **HOST)
        etcd.answer(port["id"], token, **OVS)
        return answer.result(20).raise_for_status().json(), token

    return make


@pytest.fixture
def marker(patient, etcd):
    """Waits until the server has applied every answer that was written before: it has applied a later one."""

    def passed():
        port = patient.create_port()
        etcd.put(f"/controller/net-l3vpn/Port/{port['id']}", "not json")
        until(lambda: patient.port(port["id"])["status_reason"], "the later answer is applied")

    return passed


def test_a_bind_waits_for_the_answer(patient, etcd, bind):
    port = patient.create_port()
    answer = bind(port["id"], **HOST)
    token = etcd.wanted(port["id"], **HOST)
    assert patient.port(port["id"])["status"] == "BUILD"
    assert not answer.done()
    etcd.answer(port["id"], token, **OVS, vif_details=DETAILS)
    shown = answer.result(20).json()
    assert (shown["vif_type"], shown["vif_details"], shown["status"]) == ("ovs", DETAILS, "ACTIVE")
    assert patient.port(port["id"]) == shown


def test_what_the_server_sets_is_not_published(patient, etcd, bound):
    port, token = bound()
    value = etcd.published(port["id"])
    assert value["binding:token"] == token
    assert not {"vif_type", "vif_details", "status", "created_at", "status_reason"} & value.keys()
    registration, _ = etcd.get(f"/gluon/port/{port['id']}")
    assert registration == {"tenant_id": port["tenant_id"], "service": "net-l3vpn", "url": patient.root}


def test_a_create_can_ask_for_a_bind(patient, etcd, in_background):
    key = "7d9be1d6-7f5e-4c11-b6e5-1d5f5b0a0001"
    answer = in_background(patient.create_port, id=key, **HOST)
    etcd.answer(key, etcd.wanted(key, **HOST), **OVS)
    assert answer.result(20)["vif_type"] == "ovs"


def test_a_claim_is_not_an_answer(patient, etcd, bind, marker):
    port = patient.create_port()
    answer = bind(port["id"], **HOST)
    token = etcd.wanted(port["id"], **HOST)
    etcd.answer(port["id"], token, host_id="compute-1")
    marker()
    assert not answer.done()
    etcd.answer(port["id"], token, **OVS)
    assert answer.result(20).json()["vif_type"] == "ovs"


def test_a_refused_bind_fails_at_once_and_can_be_tried_again(patient, etcd, bind, marker):
    port = patient.create_port()
    answer = bind(port["id"], **HOST)
    first = etcd.wanted(port["id"], **HOST)
    etcd.answer(port["id"], first, host_id="compute-1", vif_type="binding_failed", reason="no such bridge")
    failed = answer.result(20).json()
    assert (failed["vif_type"], failed["status"]) == ("binding_failed", "ERROR")
    assert failed["status_reason"] == "no such bridge"
    answer = bind(port["id"], host_id="compute-1")
    second = etcd.wanted(port["id"], but=first, **HOST)
    etcd.answer(port["id"], first, host_id="compute-1", vif_type="binding_failed", reason="no such bridge")
    marker()
    assert not answer.done(), "the old answer must not count for the new try"
    etcd.answer(port["id"], second, **OVS)
    shown = answer.result(20).json()
    assert (shown["vif_type"], shown["status"], shown["status_reason"]) == ("ovs", "ACTIVE", None)


def test_a_change_that_does_not_concern_the_bind_leaves_a_failed_port_failed(patient, etcd, bind):
    port = patient.create_port()
    answer = bind(port["id"], **HOST)
    token = etcd.wanted(port["id"], **HOST)
    etcd.answer(port["id"], token, host_id="compute-1", vif_type="binding_failed", reason="no")
    answer.result(20).raise_for_status()
    changed = patient.client.put(f"/ports/{port['id']}", json={"name": "n"}).json()
    assert (changed["vif_type"], changed["status"], changed["status_reason"]) == ("binding_failed", "ERROR", "no")


def test_no_answer_is_a_failed_bind_and_a_late_one_still_counts(hasty, etcd):
    port = hasty.create_port()
    failed = hasty.client.put(f"/ports/{port['id']}", json=HOST).json()
    assert (failed["vif_type"], failed["status"]) == ("binding_failed", "ERROR")
    assert "0.5 s" in failed["status_reason"]
    etcd.answer(port["id"], etcd.wanted(port["id"], **HOST), **OVS)
    late = hasty.has(port["id"], vif_type="ovs")
    assert (late["status"], late["status_reason"]) == ("ACTIVE", None)


@pytest.mark.parametrize("stale", ["other token", "other host"])
def test_a_stale_answer_is_dropped(patient, etcd, bind, marker, stale):
    port = patient.create_port()
    answer = bind(port["id"], **HOST)
    token = etcd.wanted(port["id"], **HOST)
    if stale == "other token":
        etcd.answer(port["id"], "of another request", host_id="compute-1", vif_type="vrouter")
    else:
        etcd.answer(port["id"], token, host_id="compute-2", vif_type="vrouter")
    marker()
    assert not answer.done()
    etcd.answer(port["id"], token, **OVS)
    assert answer.result(20).json()["vif_type"] == "ovs"


def test_a_change_of_the_host_meanwhile_makes_the_answer_stale(patient, etcd, bind, marker):
    port = patient.create_port()
    first = bind(port["id"], **HOST)
    old = etcd.wanted(port["id"], host_id="compute-1")
    second = bind(port["id"], host_id="compute-2")
    new = etcd.wanted(port["id"], host_id="compute-2")
    assert first.result(20).json()["host_id"] == "compute-2", "a superseded request answers with what is now"
    etcd.answer(port["id"], old, host_id="compute-1", vif_type="vrouter")
    marker()
    assert not second.done()
    etcd.answer(port["id"], new, host_id="compute-2", vif_type="ovs")
    shown = second.result(20).json()
    assert (shown["host_id"], shown["vif_type"]) == ("compute-2", "ovs")


def test_a_new_profile_binds_a_bound_port_again_without_unbinding_it(patient, etcd, bind, bound):
    port, token = bound()
    again = bind(port["id"], profile={"migrating_to": "compute-2"})
    new = etcd.wanted(port["id"], but=token, profile={"migrating_to": "compute-2"})
    meanwhile = patient.port(port["id"])
    assert (meanwhile["vif_type"], meanwhile["status"]) == ("ovs", "ACTIVE")
    etcd.answer(port["id"], new, host_id="compute-1", vif_type="hw_veb")
    assert again.result(20).json()["vif_type"] == "hw_veb"


def test_another_device_binds_again(etcd, bind, bound):
    port, token = bound()
    again = bind(port["id"], device_id="vm-2")
    new = etcd.wanted(port["id"], but=token, device_id="vm-2")
    etcd.answer(port["id"], new, host_id="compute-1", vif_type="hw_veb")
    assert again.result(20).json()["vif_type"] == "hw_veb"


@pytest.mark.parametrize("change", [{"vnic_type": "direct"}, {"mac_address": "c8:2a:14:04:43:81"}])
def test_what_the_vm_was_given_does_not_change_while_it_is_bound(patient, bound, change):
    port, _ = bound()
    refused = patient.client.put(f"/ports/{port['id']}", json=change)
    assert refused.status_code == 409
    assert patient.port(port["id"]) == port
    unbound = patient.client.put(f"/ports/{port['id']}", json={**change, "host_id": None, "device_id": None})
    assert unbound.status_code == 200


def test_a_delete_meanwhile_ends_the_wait(patient, etcd, bind):
    port = patient.create_port()
    answer = bind(port["id"], **HOST)
    token = etcd.wanted(port["id"], **HOST)
    assert patient.client.delete(f"/ports/{port['id']}").status_code == 204
    assert answer.result(20).status_code == 404
    etcd.answer(port["id"], token, **OVS)
    until(lambda: not etcd.published(port["id"]), "the deletion is published")
    assert patient.client.get(f"/ports/{port['id']}").status_code == 404


def test_a_release_meanwhile_ends_the_wait(patient, etcd, bind, marker):
    port = patient.create_port()
    answer = bind(port["id"], **HOST)
    token = etcd.wanted(port["id"], **HOST)
    released = patient.client.put(f"/ports/{port['id']}", json={"host_id": "", "device_id": ""}).json()
    assert (released["vif_type"], released["status"]) == ("unbound", "DOWN")
    assert answer.result(20).json()["vif_type"] == "unbound"
    etcd.answer(port["id"], token, **OVS)
    marker()
    assert patient.port(port["id"])["vif_type"] == "unbound"


def test_status_follows_admin_state_up(patient, etcd, bind):
    port = patient.create_port(admin_state_up=False)
    answer = bind(port["id"], **HOST)
    etcd.answer(port["id"], etcd.wanted(port["id"], **HOST), **OVS)
    assert answer.result(20).json()["status"] == "DOWN"
    for up, status in ((True, "ACTIVE"), (False, "DOWN")):
        changed = patient.client.put(f"/ports/{port['id']}", json={"admin_state_up": up}).json()
        assert (changed["status"], changed["vif_type"]) == (status, "ovs")


def test_sigterm_ends_a_waiting_bind_and_the_server(own_etcd, make_server, in_background):
    server = make_server(own_etcd, bind_timeout=30)
    server.start_in_step()
    port = server.create_port()
    answer = in_background(lambda: server.client.put(f"/ports/{port['id']}", json=HOST))
    own_etcd.wanted(port["id"], **HOST)
    assert server.stop(timeout=8) == 0
    ended = answer.result(5).json()
    assert ended["vif_type"] == "binding_failed"
    assert "server stopped" in ended["status_reason"]
    assert "Traceback" not in server.log.read_text()


@pytest.fixture
def killed_while_binding(own_etcd, make_server, in_background):
    """A server that was killed while a port waited for its bind; the port and the token."""
    first = make_server(own_etcd, bind_timeout=30)
    first.start_in_step()
    port = first.create_port()

    def put():
        with contextlib.suppress(httpx.TransportError):
            first.client.put(f"/ports/{port['id']}", json=HOST)

    waiting = in_background(put)
    token = own_etcd.wanted(port["id"], **HOST)
    first.signal(signal.SIGKILL)
    waiting.result(10)
    return port, token


def test_binds_that_a_killed_server_left_open_get_their_timeout(own_etcd, make_server, killed_while_binding):
    port, _ = killed_while_binding
    second = make_server(own_etcd, bind_timeout=0.5)
    second.start()
    second.has(port["id"], vif_type="binding_failed")


def test_an_answer_that_came_while_the_server_was_down_counts(own_etcd, make_server, killed_while_binding):
    port, token = killed_while_binding
    before = own_etcd.get(f"/proton/net-l3vpn/Port/{port['id']}")
    own_etcd.answer(port["id"], token, **OVS)
    second = make_server(own_etcd, bind_timeout=30)
    second.start()
    second.has(port["id"], vif_type="ovs")
    second.assert_in_step(own_etcd)
    after = own_etcd.get(f"/proton/net-l3vpn/Port/{port['id']}")
    assert after == before, "publishing the same value again must not be a new revision"


@pytest.mark.usefixtures("auto_shim")
def test_many_ports_are_bound_at_once(patient, in_background):
    ports = [patient.create_port() for _ in range(40)]
    answers = [
        in_background(lambda key=port["id"]: patient.client.put(f"/ports/{key}", json=HOST).json()) for port in ports
    ]
    assert {answer.result(30)["vif_type"] for answer in answers} == {"ovs"}
