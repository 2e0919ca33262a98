"""What the API says is what the network has: whatever a controller does by itself, and however late."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gluon.testing.process import ServerProcess
from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

from .observing import api, create_port, get, manage, put, shows, status
from .recording import Account, Recording

PROTON = {"api": {"bind_timeout": 1.5, "etcd_timeout": 2}}
SHIM: dict[str, Any] = {"leader_ttl": 2, "retry_min": 0.05, "retry_max": 0.3, "report_after": 0.4, "etcd_timeout": 2}
BOUND = {"vif_type": "ovs", "status": "ACTIVE", "status_reason": None}
ON_H1 = {"host_id": "h1", "device_id": "vm-1"}
ON_H2 = {"host_id": "h2", "device_id": "vm-1"}


def holdings(recording: Recording, controller: str) -> Account:
    return Account(entry for entry in recording.entries() if entry.controller == controller)


def in_sync(shim: ServerProcess) -> None:
    shim.wait_ready()
    until(lambda: status(shim)["in_sync"], f"{shim.name} is in sync")


def restarted(stack: LocalStack, name: str, options: Mapping[str, Mapping[str, object]]) -> ServerProcess:
    """The stack's shim, stopped, and another with other options in its place."""
    stack.shim.stop()
    return stack.shim_server(name, options)


def test_a_port_on_a_host_that_its_controller_has_no_more_is_not_active(tmp_path: Path, recording: Recording) -> None:
    both = recording.options(host_list="h1,h2", **SHIM)
    with (
        LocalStack(tmp_path, proton=PROTON, shim=both, environment=recording.environment) as stack,
        api(stack) as client,
    ):
        port = create_port(client, **ON_H2)["id"]
        with restarted(stack, "one-host", recording.options(host_list="h1", **SHIM)):
            lost = shows(client, port, vif_type="unbound", status="DOWN", host_id="h2")
            assert "controller SimServer no longer has it" in lost["status_reason"]
            assert recording.account().hosts == {}
            # Asking again really asks: nobody has the port, so nobody answers.
            asked = put(client, f"/ports/{port}", **ON_H2)
            assert (asked["vif_type"], asked["status"]) == ("binding_failed", "ERROR")
            assert "check that a shim runs and serves host h2" in asked["status_reason"]
        with restarted(stack, "both-hosts", both):
            shows(client, port, **BOUND)
            assert recording.account().hosts == {port: ["h2"]}


def test_a_port_made_again_under_its_uuid_while_the_shim_is_down_is_bound_by_a_call(
    tmp_path: Path, recording: Recording
) -> None:
    with (
        LocalStack(tmp_path, proton=PROTON, shim=recording.options(**SHIM), environment=recording.environment) as stack,
        api(stack) as client,
    ):
        port = create_port(client, **ON_H1)["id"]
        stack.shim.kill()
        assert client.delete(f"/ports/{port}").status_code == 204
        again = create_port(client, id=port, **ON_H1)
        assert again["vif_type"] == "binding_failed"
        before = recording.callbacks(port).count("bind_port")
        stack.shim.start()
        shows(client, port, **BOUND)
        assert recording.callbacks(port).count("bind_port") == before + 1
        assert recording.account().hosts == {port: ["h1"]}


def test_a_late_bind_undoes_itself_and_the_newer_owner_stands(tmp_path: Path, recording: Recording) -> None:
    north = recording.options(controller="north", handlers="net-l3vpn:blocking", **SHIM)
    south = recording.options(controller="south", **SHIM)
    with LocalStack(tmp_path, proton=PROTON, shim=north, environment=recording.environment) as stack:
        with api(stack) as client:
            port = str(uuid.uuid4())
            recording.misbehave(port, "bind_port", "wait")
            slow = create_port(client, id=port, **ON_H1)
            assert slow["vif_type"] == "binding_failed"
            with stack.shim_server("south", south) as other:
                in_sync(other)
                refused = manage(stack, "release", "net-l3vpn", port)
                assert refused.returncode == 1
                assert "controller north is alive" in refused.stderr + refused.stdout
                # South waits in its own bind: north's is the first to end.
                assert manage(stack, "release", "net-l3vpn", port, "--force").returncode == 0
                recording.misbehave(port, "bind_port", "none of it")
                until(lambda: holdings(recording, "south").hosts, "the other controller binds the port")
                shown = shows(client, port, **BOUND)
                assert shown["vif_details"]["bridge_name"] == "br-south"
                until(lambda: "unbind_port" in [e.callback for e in recording.entries()], "north undoes its bind")
                until(lambda: not holdings(recording, "north").hosts, "north has nothing bound")
                assert get(client, f"/ports/{port}")["vif_details"]["bridge_name"] == "br-south"
                assert holdings(recording, "south").hosts == {port: ["h1"]}


def test_an_unbind_that_fails_at_a_living_controller_is_the_reason_and_nothing_is_to_be_released(
    tmp_path: Path, recording: Recording
) -> None:
    north = recording.options(controller="north", host_list="h1", **SHIM)
    south = recording.options(controller="south", host_list="h2", **SHIM)
    with LocalStack(tmp_path, proton=PROTON, shim=north, environment=recording.environment) as stack:
        with stack.shim_server("south", south), api(stack) as client:
            port = create_port(client, **ON_H1)["id"]
            recording.misbehave(port, "unbind_port", "raise")
            moved = put(client, f"/ports/{port}", **ON_H2)
            assert moved["vif_type"] == "binding_failed"
            assert "unbind_port of backend recording raised RuntimeError: the device has no" in moved["status_reason"]
            assert "release" not in moved["status_reason"]
            recording.behave(port)
            shows(client, port, **BOUND)
            assert recording.account().hosts == {port: ["h2"]}


def test_a_coroutine_that_blocks_the_event_loop_keeps_the_lead_and_is_named(
    tmp_path: Path, recording: Recording
) -> None:
    options, proton = recording.options(hang=3.5, **SHIM), {"api": {"bind_timeout": 10}}
    with (
        LocalStack(tmp_path, proton=proton, shim=options, environment=recording.environment) as stack,
        stack.shim_server("standby", options) as standby,
        api(stack) as client,
    ):
        [leader] = [shim for shim in (stack.shim, standby) if status(shim)["role"] == "active"]
        fence = status(leader)["fence"]
        key = str(uuid.uuid4())
        recording.misbehave(key, "bind_port", "block")
        bind = threading.Thread(target=create_port, args=(client,), kwargs={"id": key, **ON_H1})
        bind.start()
        name = f"bind_port net-l3vpn/Port/{key} on h1 of backend recording"
        until(lambda: f"{name} has blocked the event loop" in leader.log, "it is said while it lasts")
        bind.join(30)
        [(blamed, seconds)] = until(lambda: status(leader)["blocked_by"], "it is named").items()
        assert blamed == name
        assert seconds >= 3
        assert status(leader)["fence"] == fence
        assert shows(client, key, **BOUND)["id"] == key
