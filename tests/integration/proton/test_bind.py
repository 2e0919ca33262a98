"""Binds over HTTP; the test answers in etcd as a shim does."""

from __future__ import annotations

import signal
import time

import pytest

HOST = {"host_id": "compute-1", "device_id": "vm-1"}
DETAILS = {"port_filter": False, "bridge_name": "br-gluon"}


@pytest.fixture
def etcd(shared_etcd, view_class):
    """Not cleared: the servers of this module stay for all its tests."""
    return view_class(shared_etcd)


@pytest.fixture(scope="module")
def patient(shared_etcd, tmp_path_factory, server_class):
    """A server that waits long enough for a test to answer."""
    made = server_class(tmp_path_factory.mktemp("patient"), shared_etcd.endpoint, bind_timeout=10)
    made.start()
    yield made
    made.end()


@pytest.fixture(scope="module")
def hasty(shared_etcd, tmp_path_factory, server_class):
    """A server that gives up after half a second."""
    made = server_class(tmp_path_factory.mktemp("hasty"), shared_etcd.endpoint, bind_timeout=0.5)
    made.start()
    yield made
    made.end()


@pytest.fixture
def bind(patient, in_background):
    """Starts a PUT that asks for a bind; its future."""

    def put(key, **attributes):
        return in_background(lambda: patient.client.put(f"/ports/{key}", json=attributes))

    return put


def test_a_bind_waits_for_the_answer(patient, etcd, bind):
    port = patient.create_port()
    answer = bind(port["id"], **HOST)
    revision = etcd.wanted(port["id"], **HOST)
    assert patient.port(port["id"])["status"] == "BUILD"
    assert not answer.done()
    etcd.answer(port["id"], revision, host_id="compute-1", vif_type="ovs", vif_details=DETAILS)
    bound = answer.result(10).json()
    assert (bound["vif_type"], bound["vif_details"], bound["status"]) == ("ovs", DETAILS, "ACTIVE")
    assert patient.port(port["id"]) == bound


def test_what_the_server_sets_is_not_published(patient, etcd, bind):
    port = patient.create_port()
    answer = bind(port["id"], **HOST)
    revision = etcd.wanted(port["id"], **HOST)
    etcd.answer(port["id"], revision, host_id="compute-1", vif_type="ovs")
    answer.result(10).raise_for_status()
    value, now = etcd.get(f"/proton/net-l3vpn/Port/{port['id']}")
    assert now == revision
    assert not {"vif_type", "vif_details", "status", "created_at", "status_reason"} & value.keys()
    registration, _ = etcd.get(f"/gluon/port/{port['id']}")
    assert registration == {
        "tenant_id": port["tenant_id"],
        "service": "net-l3vpn",
        "url": f"{patient.root}/proton/net-l3vpn/v1.0",
    }


def test_a_create_can_ask_for_a_bind(patient, etcd, in_background):
    key = "7d9be1d6-7f5e-4c11-b6e5-1d5f5b0a0001"
    answer = in_background(patient.create_port, id=key, **HOST)
    etcd.answer(key, etcd.wanted(key, **HOST), host_id="compute-1", vif_type="ovs")
    assert answer.result(10)["vif_type"] == "ovs"


def test_a_claim_is_not_an_answer(patient, etcd, bind):
    port = patient.create_port()
    answer = bind(port["id"], **HOST)
    revision = etcd.wanted(port["id"], **HOST)
    etcd.answer(port["id"], revision, host_id="compute-1")
    time.sleep(0.3)
    assert not answer.done()
    etcd.answer(port["id"], revision, host_id="compute-1", vif_type="ovs")
    assert answer.result(10).json()["vif_type"] == "ovs"


def test_a_refused_bind_fails_at_once_and_can_be_tried_again(patient, etcd, bind):
    port = patient.create_port()
    answer = bind(port["id"], **HOST)
    first = etcd.wanted(port["id"], **HOST)
    etcd.answer(port["id"], first, host_id="compute-1", vif_type="binding_failed", reason="no such bridge")
    failed = answer.result(5).json()
    assert (failed["vif_type"], failed["status"], failed["status_reason"]) == (
        "binding_failed",
        "ERROR",
        "no such bridge",
    )

    answer = bind(port["id"], host_id="compute-1")
    key = f"/proton/net-l3vpn/Port/{port['id']}"
    deadline = time.monotonic() + 5
    while etcd.get(key)[1] == first:
        assert time.monotonic() < deadline, "the value is the same, so only a new revision tells of the new try"
        time.sleep(0.01)
    assert not answer.done(), "the old answer must not count for the new try"
    etcd.answer(port["id"], etcd.get(key)[1], host_id="compute-1", vif_type="ovs")
    bound = answer.result(5).json()
    assert (bound["vif_type"], bound["status"], bound["status_reason"]) == ("ovs", "ACTIVE", None)


def test_a_change_that_does_not_concern_the_bind_leaves_a_failed_port_failed(patient, etcd, bind):
    port = patient.create_port()
    answer = bind(port["id"], **HOST)
    etcd.answer(
        port["id"], etcd.wanted(port["id"], **HOST), host_id="compute-1", vif_type="binding_failed", reason="no"
    )
    answer.result(5).raise_for_status()
    changed = patient.client.put(f"/ports/{port['id']}", json={"name": "n"}).json()
    assert (changed["vif_type"], changed["status"], changed["status_reason"]) == ("binding_failed", "ERROR", "no")


def test_no_answer_is_a_failed_bind_and_a_late_one_still_counts(hasty, etcd):
    port = hasty.create_port()
    failed = hasty.client.put(f"/ports/{port['id']}", json=HOST).json()
    assert (failed["vif_type"], failed["status"]) == ("binding_failed", "ERROR")
    assert "0.5 s" in failed["status_reason"]
    revision = etcd.wanted(port["id"], **HOST)
    etcd.answer(port["id"], revision, host_id="compute-1", vif_type="ovs")
    deadline = time.monotonic() + 5
    while hasty.port(port["id"])["vif_type"] != "ovs":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    late = hasty.port(port["id"])
    assert (late["status"], late["status_reason"]) == ("ACTIVE", None)


@pytest.mark.parametrize("stale", ["older revision", "other host"])
def test_a_stale_answer_is_dropped(patient, etcd, bind, stale):
    port = patient.create_port()
    before = etcd.wanted(port["id"], host_id=None)
    answer = bind(port["id"], **HOST)
    revision = etcd.wanted(port["id"], **HOST)
    if stale == "older revision":
        etcd.answer(port["id"], before, host_id="compute-1", vif_type="vrouter")
    else:
        etcd.answer(port["id"], revision, host_id="compute-2", vif_type="vrouter")
    time.sleep(0.3)
    assert not answer.done()
    etcd.answer(port["id"], revision, host_id="compute-1", vif_type="ovs")
    assert answer.result(10).json()["vif_type"] == "ovs"


def test_a_change_of_the_host_meanwhile_makes_the_answer_stale(patient, etcd, bind):
    port = patient.create_port()
    first = bind(port["id"], **HOST)
    old = etcd.wanted(port["id"], host_id="compute-1")
    second = bind(port["id"], host_id="compute-2")
    new = etcd.wanted(port["id"], host_id="compute-2")
    assert first.result(5).json()["host_id"] == "compute-2", "a superseded request answers with what is now"
    etcd.answer(port["id"], old, host_id="compute-1", vif_type="vrouter")
    time.sleep(0.3)
    assert not second.done()
    etcd.answer(port["id"], new, host_id="compute-2", vif_type="ovs")
    bound = second.result(5).json()
    assert (bound["host_id"], bound["vif_type"]) == ("compute-2", "ovs")


@pytest.mark.parametrize("change", [{"vnic_type": "direct"}, {"profile": {"slot": 1}}, {"device_id": "vm-2"}])
def test_a_change_of_what_the_bind_is_made_from_binds_again(patient, etcd, bind, change):
    port = patient.create_port()
    answer = bind(port["id"], **HOST)
    etcd.answer(port["id"], etcd.wanted(port["id"], **HOST), host_id="compute-1", vif_type="ovs")
    answer.result(5).raise_for_status()
    again = bind(port["id"], **change)
    revision = etcd.wanted(port["id"], **change)
    assert patient.port(port["id"])["vif_type"] == "unbound"
    etcd.answer(port["id"], revision, host_id="compute-1", vif_type="hw_veb")
    assert again.result(5).json()["vif_type"] == "hw_veb"


def test_a_delete_meanwhile_ends_the_wait(patient, etcd, bind):
    port = patient.create_port()
    answer = bind(port["id"], **HOST)
    revision = etcd.wanted(port["id"], **HOST)
    assert patient.client.delete(f"/ports/{port['id']}").status_code == 204
    assert answer.result(5).status_code == 404
    etcd.answer(port["id"], revision, host_id="compute-1", vif_type="ovs")
    deadline = time.monotonic() + 5
    while etcd.get(f"/proton/net-l3vpn/Port/{port['id']}"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert patient.client.get(f"/ports/{port['id']}").status_code == 404


def test_a_release_meanwhile_ends_the_wait(patient, etcd, bind):
    port = patient.create_port()
    answer = bind(port["id"], **HOST)
    revision = etcd.wanted(port["id"], **HOST)
    released = patient.client.put(f"/ports/{port['id']}", json={"host_id": "", "device_id": ""}).json()
    assert (released["vif_type"], released["status"]) == ("unbound", "DOWN")
    assert answer.result(5).json()["vif_type"] == "unbound"
    etcd.answer(port["id"], revision, host_id="compute-1", vif_type="ovs")
    time.sleep(0.3)
    assert patient.port(port["id"])["vif_type"] == "unbound"


def test_status_follows_admin_state_up(patient, etcd, bind):
    port = patient.create_port(admin_state_up=False)
    answer = bind(port["id"], **HOST)
    etcd.answer(port["id"], etcd.wanted(port["id"], **HOST), host_id="compute-1", vif_type="ovs")
    assert answer.result(5).json()["status"] == "DOWN"
    for up, status in ((True, "ACTIVE"), (False, "DOWN")):
        changed = patient.client.put(f"/ports/{port['id']}", json={"admin_state_up": up}).json()
        assert (changed["status"], changed["vif_type"]) == (status, "ovs")


def test_a_reason_for_any_object_is_shown_and_cleared(hasty, etcd):
    port = hasty.create_port()
    key = f"/controller/net-l3vpn/Interface/{port['id']}"

    def reason(expected):
        deadline = time.monotonic() + 5
        while hasty.client.get(f"/interfaces/{port['id']}").json()["status_reason"] != expected:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    etcd.put(key, {"controller": "TestShim", "revision": 1, "reason": "segmentation is not supported"})
    reason("segmentation is not supported")
    etcd.delete(key)
    reason(None)


def test_malformed_answers_are_logged_and_skipped(patient, etcd, bind):
    port = patient.create_port()
    answer = bind(port["id"], **HOST)
    revision = etcd.wanted(port["id"], **HOST)
    path = f"/controller/net-l3vpn/Port/{port['id']}"
    details = {"controller": "TestShim", "revision": revision, "host_id": "compute-1"}
    before = patient.log.read_text().count("answer skipped")
    for key, value in {
        "/controller/junk": "1",
        "/controller/net-l3vpn/Nothing/x": "{}",
        "/controller/unknown/Port/x": "not json",
        "/controller/net-l3vpn/Port/%ff": "{}",
        path: "not json",
    }.items():
        etcd.put(key, value)
    etcd.put(path, {**details, "vif_type": 7})
    etcd.put(path, {**details, "vif_type": "x" * 65})
    etcd.put(path, {**details, "vif_type": "ovs", "vif_details": {"x": "y" * 5000}})
    etcd.put(path, {**details, "vif_type": "ovs"})
    assert answer.result(5).json()["vif_details"] == {}
    log = patient.log.read_text()
    assert log.count("answer skipped") == before + 7
    assert f"net-l3vpn/Port/{port['id']}" in log


def test_sigterm_ends_a_waiting_bind_and_the_server(etcd, make_server, in_background):
    server = make_server(etcd, bind_timeout=30)
    server.start()
    port = server.create_port()
    answer = in_background(lambda: server.client.put(f"/ports/{port['id']}", json=HOST))
    etcd.wanted(port["id"], **HOST)
    assert server.stop(timeout=5) == 0
    ended = answer.result(5).json()
    assert ended["vif_type"] == "binding_failed"
    assert "server stopped" in ended["status_reason"]
    assert "Traceback" not in server.log.read_text()


def test_binds_that_a_killed_server_left_open_get_their_timeout(etcd, make_server, in_background):
    first = make_server(etcd, bind_timeout=30)
    first.start()
    port = first.create_port()
    in_background(lambda: first.client.put(f"/ports/{port['id']}", json=HOST)).add_done_callback(
        lambda f: f.exception()
    )
    etcd.wanted(port["id"], **HOST)
    first.signal(signal.SIGKILL)
    second = make_server(etcd, bind_timeout=0.5)
    second.start()
    deadline = time.monotonic() + 10
    while second.port(port["id"])["vif_type"] != "binding_failed":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_answer_that_came_while_the_server_was_down_counts(etcd, make_server, in_background):
    first = make_server(etcd, bind_timeout=30)
    first.start()
    port = first.create_port()
    in_background(lambda: first.client.put(f"/ports/{port['id']}", json=HOST)).add_done_callback(
        lambda f: f.exception()
    )
    revision = etcd.wanted(port["id"], **HOST)
    first.kill()
    etcd.answer(port["id"], revision, host_id="compute-1", vif_type="ovs")
    second = make_server(etcd, bind_timeout=30)
    second.start()
    deadline = time.monotonic() + 25
    while second.port(port["id"])["vif_type"] != "ovs":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert etcd.wanted(port["id"], **HOST) == revision, "publishing the same value again must not be a new revision"


@pytest.mark.usefixtures("auto_shim")
def test_many_ports_are_bound_at_once(patient, in_background):
    ports = [patient.create_port() for _ in range(40)]
    answers = [
        in_background(lambda key=port["id"]: patient.client.put(f"/ports/{key}", json=HOST).json()) for port in ports
    ]
    assert {answer.result(20)["vif_type"] for answer in answers} == {"ovs"}
