"""The SDN controller speaks: reports, losses, health, audits; and what may be changed of a bound port."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from gluon.testing.process import ServerProcess
from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

from .agreement import wait_for_agreement
from .observing import MAC, TENANT, api, checks, create, create_port, dump, get, manage, put, shows, status
from .recording import Entry, Recording

PROTON = {"api": {"bind_timeout": 3, "etcd_timeout": 2}}
SHIM: dict[str, Any] = {
    "handlers": "net-l3vpn:listed",
    "leader_ttl": 2,
    "retry_min": 0.05,
    "retry_max": 0.3,
    "report_after": 0.4,
    "health_interval": 0.1,
}
ON_H1 = {"host_id": "h1", "device_id": "vm-1"}
BOUND = {"vif_type": "ovs", "status": "ACTIVE", "status_reason": None}


class Running(NamedTuple):
    """A stack whose backend can list what its SDN controller holds."""

    stack: LocalStack
    recording: Recording
    client: httpx.Client

    def bound_port(self, **attributes: Any) -> str:
        port = create_port(self.client, **ON_H1, **attributes)
        assert port["vif_type"] == "ovs", port
        return str(port["id"])

    def calls_since(self, before: int, key: str) -> list[str]:
        return [entry.callback for entry in self.recording.entries()[before:] if entry.key == key]

    def agree(self) -> None:
        wait_for_agreement(self.stack, self.recording)

    def audit(self, *arguments: str) -> str:
        done = manage(self.stack, "audit", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("controllers")
    recording = Recording(directory / "recording")
    options = recording.options(**SHIM)
    with (
        LocalStack(directory, proton=PROTON, shim=options, environment=recording.environment) as stack,
        api(stack) as client,
    ):
        yield Running(stack, recording, client)


@pytest.fixture
def running(started: Running) -> Running:
    """Whatever an earlier test left is at peace."""
    started.agree()
    return started


# -- a bound port ------------------------------------------------------------------------------


def test_a_new_profile_binds_again_and_never_unbinds(running: Running) -> None:
    port = running.bound_port()
    before = len(running.recording.entries())
    changed = put(running.client, f"/ports/{port}", profile={"migrating_to": "h2"})
    assert BOUND.items() <= changed.items()
    # Its interface has the same key, and may be made only now.
    (call,) = [e for e in running.recording.entries()[before:] if (e.object, e.key) == ("Port", port)]
    assert call.callback == "bind_port"
    assert call.attributes["profile"] == {"migrating_to": "h2"}


@pytest.mark.parametrize("change", [{"mac_address": "c8:2a:14:04:43:99"}, {"vnic_type": "direct"}], ids=str)
def test_the_card_of_a_bound_port_can_not_be_changed(running: Running, change: dict[str, str]) -> None:
    port = running.bound_port()
    refused = running.client.put(f"/ports/{port}", json=change)
    assert refused.status_code == 409
    assert next(iter(change)) in refused.json()["error"]["message"]
    assert BOUND.items() <= get(running.client, f"/ports/{port}").items()
    put(running.client, f"/ports/{port}", host_id=None, **change)
    again = put(running.client, f"/ports/{port}", **ON_H1)
    assert {**BOUND, **change}.items() <= again.items()


# -- what the SDN controller says ----------------------------------------------------------------


def test_a_report_reaches_the_api_and_holds_through_restarts(running: Running) -> None:
    port = running.bound_port()
    says = running.recording.says
    says("report", "Port", port, "DOWN", "the link is down")
    down = {"status": "DOWN", "vif_type": "ovs", "status_reason": "SimServer: the link is down"}
    shows(running.client, port, **down)
    stack = running.stack
    stack.shim.kill()
    stack.shim.start()
    stack.proton.kill()
    stack.proton.start()
    stack.proton.wait_ready()
    until(lambda: status_of(stack)["in_sync"], "the shim leads again")
    marker = running.bound_port()
    shows(running.client, port, **down)
    says("report", "Port", port, "ERROR", "no such VLAN")
    shows(running.client, port, status="ERROR", status_reason="SimServer: no such VLAN")
    says("report", "Port", marker, "DOWN", "")
    for state in ("DOWN", "ERROR", "ACTIVE"):
        says("report", "Port", port, state, "")
    shows(running.client, port, **BOUND)
    says("report", "Port", marker, "ACTIVE")
    shows(running.client, marker, **BOUND)
    # A bind that succeeds ends what was reported before.
    says("report", "Port", port, "ERROR", "no such VLAN")
    shows(running.client, port, status="ERROR")
    bound = put(running.client, f"/ports/{port}", profile={"try": 2})
    assert bound["vif_type"] == "ovs"
    # With the answer, not after it: a shim that dies now leaves nothing that would be taken for today's.
    assert port not in dump(stack.etcd, "/status/SimServer/net-l3vpn/Port/")
    shows(running.client, port, **BOUND)
    for key in (port, marker):
        assert running.client.delete(f"/ports/{key}").status_code == 204


def status_of(stack: LocalStack) -> dict[str, Any]:
    try:
        return status(stack.shim)
    except httpx.TransportError:
        return {"in_sync": False}


def test_a_service_s_report_is_its_reason(running: Running) -> None:
    vpn = create(running.client, "vpns", name="blue")["id"]
    until(lambda: running.recording.callbacks(vpn), "the backend is told of the VPN")
    running.recording.says("report", "VpnService", vpn, "ERROR", "no label left")
    path = f"/vpns/{vpn}"
    until(lambda: get(running.client, path)["status_reason"] == "SimServer: no label left", "its reason is shown")
    running.recording.says("report", "VpnService", vpn, "ACTIVE")
    until(lambda: get(running.client, path)["status_reason"] is None, "the reason is over")
    assert running.client.delete(path).status_code == 204


def test_a_controller_that_came_back_empty_is_filled_again(running: Running) -> None:
    vpn = create(running.client, "vpns", name="blue")["id"]
    port = running.bound_port()
    create(running.client, "vpnbindings", interface_id=port, service_id=vpn)
    running.agree()
    before = len(running.recording.entries())
    running.recording.comes_back_empty()
    running.recording.says("lost", "the switch was replaced")
    running.agree()
    assert "bind_port" in running.calls_since(before, port)
    assert "came back empty (the switch was replaced)" in running.stack.shim.log
    assert [e.callback for e in running.recording.entries()[before:] if e.callback.startswith(("un", "de"))] == []


def test_a_controller_that_is_away_is_said_and_is_no_reason_to_be_replaced(running: Running) -> None:
    shim = running.stack.shim
    running.recording.says("health", "503 from https://sdn.example.org")
    code, said = until(lambda: away(running), "its health is shown")
    assert (code, said["controller"]) == (200, "net-l3vpn: 503 from https://sdn.example.org")
    assert status(shim)["controllers_away"] == {"net-l3vpn": "503 from https://sdn.example.org"}
    until(
        lambda: (
            'gluon_shim_controller_reachable{proton="net-l3vpn"} 0' in metrics(running) or "0.0" in metrics(running)
        ),
        "the metrics show it",
    )
    running.recording.says("health", None)
    until(lambda: checks(shim)[1]["controller"] == "reachable", "it is back")
    assert shim.log.count("can't be reached: 503 from") == 1


def away(running: Running) -> tuple[int, dict[str, Any]] | None:
    code, said = checks(running.stack.shim)
    return (code, said) if said["controller"] != "reachable" else None


def metrics(running: Running) -> str:
    return httpx.get(f"{running.stack.shim.health}/metrics", trust_env=False).text


# -- audits ----------------------------------------------------------------------------------------


def test_an_audit_names_what_differs_and_mends_it(running: Running) -> None:
    recording, client = running.recording, running.client
    lost, changed, well = (running.bound_port() for _ in range(3))
    vpn = create(client, "vpns", name="blue")["id"]
    running.agree()
    stranger = str(uuid.uuid4())
    recording.loses("Port", lost)
    recording.loses("VpnService", vpn)
    held = recording.account().bindings[changed, "h1"]
    recording.journal.append(held._replace(fingerprint="another", fence=0))
    recording.journal.append(held._replace(key=stranger, attributes={**held.attributes, "id": stranger}))
    before = len(recording.entries())

    found = running.audit("--dry-run")
    for named in (f"{lost}@h1", f"VpnService/{vpn}", f"{changed}@h1", stranger):
        assert named in found, found
    assert "2 missing, 1 differ" in found
    assert len(recording.entries()) == before

    running.audit("--object", f"VpnService/{vpn}")
    assert [entry.key for entry in recording.entries()[before:]] == [vpn]
    assert "1 missing, 1 differ" in running.audit()
    running.agree()
    assert running.calls_since(before, stranger) == ["unbind_port", "delete_port"]
    assert running.calls_since(before, lost)[0] == "bind_port"
    assert running.calls_since(before, changed) != []
    assert running.calls_since(before, well) == []
    assert "0 missing, 0 differ, 0 known to nobody" in running.audit()
    for port in (lost, changed, well):
        shows(client, port, **BOUND)

    before = len(recording.entries())
    assert "applied again" in running.audit("--reapply")
    assert "bind_port" in running.calls_since(before, well)
    running.agree()


def test_more_strangers_than_a_few_are_deleted_at_an_operator_s_word(running: Running) -> None:
    recording, port = running.recording, running.bound_port()
    running.agree()
    held = recording.account().bindings[port, "h1"]
    strangers = [str(uuid.uuid4()) for _ in range(40)]
    for key in strangers:
        recording.journal.append(held._replace(key=key, attributes={**held.attributes, "id": key}))
    before = len(recording.entries())
    running.audit()
    assert "gluon-manage accept" in checks(running.stack.shim)[1]["brake"]
    assert "objects that nobody knows" in status(running.stack.shim)["brake"]
    # Live changes are not held up.
    free = running.bound_port()
    put(running.client, f"/ports/{free}", host_id=None, device_id=None)
    assert deleted(recording.entries()[before:]) <= {free}
    accepted = manage(running.stack, "accept")
    assert accepted.returncode == 0, accepted.stderr
    running.agree()
    assert deleted(recording.entries()[before:]) == set(strangers)
    assert checks(running.stack.shim)[1]["brake"] == "off"
    assert "nothing is held back" in manage(running.stack, "accept").stdout


def deleted(entries: list[Entry]) -> set[str]:
    return {entry.key for entry in entries if entry.callback.startswith("delete_")}


def test_nobody_is_asked_where_no_controller_is_alive(running: Running) -> None:
    done = manage(running.stack, "audit", "--controller", "nobody")
    assert done.returncode == 1
    assert "controller nobody is not alive" in done.stdout + done.stderr


# -- who does not belong here ------------------------------------------------------------------------


def test_a_server_with_another_database_publishes_nothing(running: Running) -> None:
    port, stack = running.bound_port(), running.stack
    other = stack.proton_server("other", {"database": {"connection": "sqlite:///other.db"}})
    other.start()
    try:
        until(lambda: "the wrong database or the wrong etcd" in other.log, "it says so at start")
        code, said = until(lambda: answered(other), "it answers")
        assert code == 503
        assert "the wrong database or the wrong etcd" in said["etcd"]
        with httpx.Client(base_url=f"{other.health}/proton/net-l3vpn/v1.0", trust_env=False, timeout=10) as client:
            refused = client.post("/ports", json={"tenant_id": TENANT, "mac_address": MAC})
            assert refused.status_code == 503
            assert client.get("/ports").json() == {"ports": []}
    finally:
        other.stop()
    shows(running.client, port, **BOUND)
    running.agree()


def test_a_standby_with_other_handlers_is_not_ready(running: Running) -> None:
    options = running.recording.options(**{**SHIM, "handlers": "net-l3vpn:recording"})
    other = running.stack.shim_server("other-handlers", options)
    other.start()
    try:
        code, said = until(lambda: answered(other, but="starting"), "it answers")
        assert code == 503
        assert "which has other handlers" in said["etcd"]
    finally:
        other.stop()


def answered(server: ServerProcess, but: str = "") -> tuple[int, dict[str, Any]] | None:
    """What `/readyz` says; None while nobody answers there, or it says `but` of etcd."""
    try:
        code, said = checks(server)
    except httpx.TransportError:
        return None
    return None if said["etcd"] == but else (code, said)
