"""A port whose controller is gone: the API says who has it, and an operator can release it."""

from __future__ import annotations

from pathlib import Path

from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

from .observing import api, create, create_port, dump, manage, put, shows, status
from .recording import Recording


def test_a_port_of_a_controller_that_is_gone_can_be_released(tmp_path: Path, recording: Recording) -> None:
    north = recording.options(controller="north", host_list="h1")
    south = recording.options(controller="south", host_list="h2")
    proton = {"api": {"bind_timeout": 1.0}}
    with LocalStack(tmp_path, proton=proton, shim=north, environment=recording.environment) as stack:
        other = stack.shim_server("south", south)
        with api(stack) as client:
            with other:
                port = create_port(client, host_id="h2", device_id="vm-1")
                assert port["vif_type"] == "ovs"
            failed = put(client, f"/ports/{port['id']}", host_id="h1")
            assert failed["vif_type"] == "binding_failed"
            assert "controller south still has the port for host h2" in failed["status_reason"]
            assert f"gluon-manage release net-l3vpn {port['id']}" in failed["status_reason"]
            done = manage(stack, "release", "net-l3vpn", port["id"])
            assert done.returncode == 0, done.stderr
            assert "released from controller south, host h2" in done.stdout
            until(lambda: client.get(f"/ports/{port['id']}").json()["vif_type"] == "ovs", "the other binds it")
            # Back again, south sees that the port is not its own any more.
            with other:
                until(
                    lambda: [e.controller for e in recording.entries() if e.callback == "unbind_port"] == ["south"],
                    "south unbinds what it had",
                )
            assert recording.callbacks(port["id"]).count("bind_port") == 2


def test_a_controller_that_was_released_undoes_nothing_when_it_comes_back(tmp_path: Path, recording: Recording) -> None:
    north = recording.options(controller="north", host_list="h1")
    south = recording.options(controller="south", host_list="h2")
    proton = {"api": {"bind_timeout": 1.0}}
    with LocalStack(tmp_path, proton=proton, shim=north, environment=recording.environment) as stack:
        other = stack.shim_server("south", south)
        release = "release", "--controller", "south"
        with api(stack) as client:
            with other:
                ports = [create_port(client, host_id="h2", device_id=f"vm-{number}") for number in range(3)]
                assert {port["vif_type"] for port in ports} == {"ovs"}
                refused = manage(stack, *release)
                assert refused.returncode == 1
                assert "controller south is alive" in refused.stderr
            done = manage(stack, *release)
            assert "ports released: 3" in done.stdout
            moved = [put(client, f"/ports/{port['id']}", host_id="h1") for port in ports]
            assert {port["vif_type"] for port in moved} == {"ovs"}
            with other:
                # Once it has bound a new port it has looked at all others.
                marker = create_port(client, host_id="h2", device_id="vm-9")
                assert marker["vif_type"] == "ovs"
            undone = [e.callback for e in recording.entries() if e.callback in ("unbind_port", "delete_port")]
            assert undone == []
            shown = [client.get(f"/ports/{port['id']}").json() for port in ports]
            assert {(port["host_id"], port["vif_type"], port["status"]) for port in shown} == {("h1", "ovs", "ACTIVE")}
        assert manage(stack, *release).returncode == 0, "it has the marker"
        assert manage(stack, *release).returncode == 4


def test_a_renamed_controller_touches_nothing_until_the_old_one_is_released(
    tmp_path: Path, recording: Recording
) -> None:
    listed = {"one_sdn": True, "handlers": "net-l3vpn:listed"}
    old = recording.options(controller="old", **listed)
    with LocalStack(tmp_path, shim=old, environment=recording.environment) as stack, api(stack) as client:
        vpn = create(client, "vpns", name="blue")["id"]
        ports = [create_port(client, host_id="h1", device_id=f"vm-{number}")["id"] for number in range(3)]
        create(client, "vpnbindings", interface_id=ports[0], service_id=vpn, ipaddress="10.0.0.5", subnet_prefix=24)
        until(lambda: "modify_service_binding" in recording.callbacks(ports[0]), "all of it is applied")
        stack.shim.stop()
        before = len(recording.entries())
        with stack.shim_server("new", recording.options(controller="new", **listed)) as new:
            until(lambda: status(new)["in_sync"], "it leads")
            audited = manage(stack, "audit", "--controller", "new")
            assert audited.returncode == 0, audited.stderr
            changed = [e for e in recording.entries()[before:] if e.callback.startswith(("un", "de", "bind"))]
            assert changed == []
            for port in ports:
                shows(client, port, vif_type="ovs", status="ACTIVE")
            assert manage(stack, "release", "--controller", "old").returncode == 0
            until(lambda: all(bound_by(recording, before, port) == ["new"] for port in ports), "it takes them over")
            for port in ports:
                shows(client, port, vif_type="ovs", status="ACTIVE", status_reason=None)
            assert [e for e in recording.entries()[before:] if e.callback.startswith(("un", "de"))] == []


def bound_by(recording: Recording, before: int, port: str) -> list[str]:
    entries = recording.entries()[before:]
    return [e.controller for e in entries if (e.callback, e.key) == ("bind_port", port)]


def test_a_claim_that_nobody_finishes_is_no_port(tmp_path: Path, recording: Recording) -> None:
    mine = {"leader_ttl": 2, "report_after": 30}
    first = recording.options(controller="first", host_list="h1", **mine)
    proton = {"api": {"bind_timeout": 1.0, "answer_grace": 2}}
    stack = LocalStack(tmp_path, proton=proton, shim=first, environment=recording.environment)
    with stack, api(stack) as client:
        port = create_port(client, host_id="h1", device_id="vm-1")["id"]
        stack.proton.stop()
        stack.shim.stop()
        recording.misbehave(port, "bind_port", "wait")
        elsewhere = stack.shim_server("first-elsewhere", recording.options(controller="first", host_list="h9", **mine))
        second = stack.shim_server("second", recording.options(controller="second", **mine))
        with elsewhere, second:
            claim = "/controller/net-l3vpn/Port/"
            until(lambda: dump(stack.etcd, claim).get(port, {}).get("controller") == "second", "the other claims it")
            second.kill()
            stack.proton.start()
            stack.proton.wait_ready()
            shows(client, port, vif_type="unbound", status="DOWN")
            again = put(client, f"/ports/{port}", host_id="h1", device_id="vm-1")
            assert again["vif_type"] == "binding_failed"
        recording.behave(port)


def test_one_uuid_is_a_port_of_one_proton(tmp_path: Path) -> None:
    with (
        LocalStack(tmp_path, proton={"api": {"service_list": "net-l3vpn,ietf-sfc"}}) as stack,
        api(stack) as l3vpn,
        api(stack, "ietf-sfc") as sfc,
    ):
        port = create_port(l3vpn)
        body = {"id": port["id"], "tenant_id": port["tenant_id"], "mac_address": port["mac_address"]}
        refused = sfc.post("/ports", json=body)
        assert refused.status_code == 409
        assert refused.json()["error"]["message"].startswith(f"net-l3vpn Port {port['id']} exists already")
