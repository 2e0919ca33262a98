"""A live migration as Nova makes it: prepared, activated, cleaned up; and a shim that dies at any of its steps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from gluon.testing.process import ServerProcess
from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

from .observing import api, create, create_port, dump, get, put, shows, status
from .recording import Recording

PROTON = {"api": {"bind_timeout": 1.5, "etcd_timeout": 2}}
SHIM: dict[str, Any] = {"leader_ttl": 2, "retry_min": 0.05, "retry_max": 0.3, "report_after": 1.0, "etcd_timeout": 2}
BOUND = {"vif_type": "ovs", "status": "ACTIVE", "status_reason": None}


class Migration:
    """One port in a VPN, on its way from `source` to `target`."""

    def __init__(self, client: httpx.Client, recording: Recording) -> None:
        self.client = client
        self.recording = recording
        self.vpn = create(client, "vpns", name="blue")["id"]
        self.port = create_port(client, host_id="source", device_id="vm-1")["id"]
        create(client, "vpnbindings", interface_id=self.port, service_id=self.vpn)
        until(lambda: "modify_service_binding" in recording.callbacks(self.port), "the port is in its VPN")
        self.path = f"/ports/{self.port}/bindings"
        self.began = len(recording.entries())

    def prepare(self) -> httpx.Response:
        return self.client.post(self.path, json={"binding": {"host": "target", "profile": {"slot": 3}}})

    def activate(self) -> httpx.Response:
        return self.client.put(f"{self.path}/target/activate")

    def clean_up(self, host: str = "source") -> httpx.Response:
        return self.client.delete(f"{self.path}/{host}")

    def bindings(self) -> dict[str, tuple[str, str]]:
        listed = self.client.get(self.path).raise_for_status().json()["bindings"]
        return {each["host"]: (each["status"], each["vif_type"]) for each in listed}

    @property
    def hosts(self) -> list[str]:
        """Where the SDN controllers have the port bound."""
        return self.recording.account().hosts.get(self.port, [])

    def calls(self, callback: str) -> list[tuple[str, bool]]:
        """The host of each such call since the beginning, and whether it carried the traffic."""
        since = self.recording.entries()[self.began :]
        return [(e.host, e.active) for e in since if e.key == self.port and e.callback == callback]

    def violations(self) -> list[str]:
        return [each for each in self.recording.account().violations if self.port in each]

    def in_vpn(self) -> bool:
        return ("VpnBinding", self.port) in self.recording.account().objects


class Running(NamedTuple):
    """A stack, and its client."""

    stack: LocalStack
    recording: Recording
    client: httpx.Client


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("migration")
    recording = Recording(directory / "recording")
    options = recording.options(**SHIM)
    with (
        LocalStack(directory, proton=PROTON, shim=options, environment=recording.environment) as stack,
        api(stack) as client,
    ):
        yield Running(stack, recording, client)


@pytest.fixture
def migration(running: Running) -> Migration:
    until(lambda: leads(running.stack.shim), "the shim leads")
    return Migration(running.client, running.recording)


def leads(shim: ServerProcess) -> bool:
    try:
        return bool(status(shim)["in_sync"])
    except httpx.TransportError:
        return False


def test_the_source_carries_the_traffic_until_the_target_takes_over(migration: Migration) -> None:
    prepared = migration.prepare()
    assert prepared.status_code == 201, prepared.text
    shown = prepared.json()["binding"]
    assert (shown["host"], shown["status"], shown["vif_type"]) == ("target", "INACTIVE", "ovs")
    assert migration.bindings() == {"source": ("ACTIVE", "ovs"), "target": ("INACTIVE", "ovs")}
    assert {**BOUND, "host_id": "source"}.items() <= get(migration.client, f"/ports/{migration.port}").items()
    assert migration.calls("bind_port") == [("target", False)]

    activated = migration.activate()
    assert activated.status_code == 200, activated.text
    assert activated.json()["binding"]["status"] == "ACTIVE"
    assert migration.bindings() == {"source": ("INACTIVE", "ovs"), "target": ("ACTIVE", "ovs")}
    port = shows(migration.client, migration.port, host_id="target", **BOUND)
    assert port["profile"] == {"slot": 3}
    assert migration.calls("bind_port") == [("target", False), ("target", True)]
    assert migration.calls("unbind_port") == []

    assert migration.clean_up().status_code == 204
    until(lambda: migration.hosts == ["target"], "the source's is torn down")
    assert migration.calls("unbind_port") == [("source", False)]
    assert migration.bindings() == {"target": ("ACTIVE", "ovs")}
    assert migration.in_vpn()
    assert "delete_service_binding" not in migration.recording.callbacks(migration.port)
    assert migration.violations() == []


def test_a_migration_that_is_given_up_leaves_the_source_as_it_was(migration: Migration) -> None:
    migration.prepare()
    assert migration.clean_up("target").status_code == 204
    until(lambda: migration.hosts == ["source"], "the target's is torn down")
    assert migration.bindings() == {"source": ("ACTIVE", "ovs")}
    assert migration.calls("unbind_port") == [("target", False)]
    shows(migration.client, migration.port, host_id="source", **BOUND)
    assert migration.in_vpn()
    refused = migration.activate()
    assert refused.status_code == 404


def test_a_target_that_refuses_fails_alone(migration: Migration) -> None:
    migration.recording.misbehave(migration.port, "bind_port", "refuse")
    prepared = migration.prepare()
    assert prepared.json()["binding"]["vif_type"] == "binding_failed"
    shows(migration.client, migration.port, host_id="source", **BOUND)
    assert migration.activate().status_code == 409
    migration.recording.behave(migration.port)
    assert migration.clean_up("target").status_code == 204
    assert migration.prepare().json()["binding"]["vif_type"] == "ovs"
    assert migration.hosts == ["source", "target"]


def test_a_port_moved_by_hand_or_deleted_in_the_midst_leaves_nothing(migration: Migration) -> None:
    migration.prepare()
    put(migration.client, f"/ports/{migration.port}", host_id=None, device_id=None)
    until(lambda: migration.hosts == [], "both are torn down")
    put(migration.client, f"/ports/{migration.port}", host_id="source", device_id="vm-1")
    migration.prepare()
    migration.activate()
    assert migration.client.delete(f"/vpnbindings/{migration.port}").status_code == 204
    assert migration.client.delete(f"/ports/{migration.port}").status_code == 204
    until(lambda: ("Port", migration.port) not in migration.recording.account().objects, "the port is gone")
    assert migration.hosts == []


Step = Callable[[Migration], Any]

STEPS: dict[str, tuple[list[Step], Step, str, dict[str, tuple[str, str]]]] = {
    "prepare": ([], Migration.prepare, "bind_port", {"source": ("ACTIVE", "ovs"), "target": ("INACTIVE", "ovs")}),
    "activate": (
        [Migration.prepare],
        Migration.activate,
        "bind_port",
        {"source": ("INACTIVE", "ovs"), "target": ("ACTIVE", "ovs")},
    ),
    "clean up": (
        [Migration.prepare, Migration.activate],
        Migration.clean_up,
        "unbind_port",
        {"target": ("ACTIVE", "ovs")},
    ),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_shim_that_dies_at_a_step_ends_it_after_its_return(running: Running, migration: Migration, step: str) -> None:
    before, crashing, callback, expected = STEPS[step]
    for each in before:
        each(migration).raise_for_status()
    migration.recording.misbehave(migration.port, callback, "wait")
    called = len(migration.calls(callback))
    asking = threading.Thread(target=crashing, args=(migration,))
    asking.start()
    until(lambda: claimed(running, migration, step), "the call has begun")
    running.stack.shim.kill()
    migration.recording.behave(migration.port)
    asking.join(30)
    running.stack.shim.start()
    until(lambda: migration.bindings() == expected, f"the bindings are {expected}")
    until(lambda: migration.hosts == sorted(expected), "so it is at the SDN controller")
    active = next(host for host, (state, _) in expected.items() if state == "ACTIVE")
    shows(migration.client, migration.port, host_id=active, **BOUND)
    assert len(migration.calls(callback)) == called + 1
    assert migration.in_vpn()
    assert migration.violations() == []


def claimed(running: Running, migration: Migration, step: str) -> bool:
    """Whether the shim has written down that it makes the call which hangs."""
    host = "source" if step == "clean up" else "target"
    record = dump(running.stack.etcd, "/shim/SimServer/applied/net-l3vpn/Port.binding/").get(f"{migration.port}@{host}")
    return bool(record and (record.get("claimed") or record.get("attempt")))


def test_a_port_migrates_from_one_controller_to_another(tmp_path: Path, recording: Recording) -> None:
    north = recording.options(controller="north", host_list="source", **SHIM)
    south = recording.options(controller="south", host_list="target", **SHIM)
    stack = LocalStack(tmp_path, proton=PROTON, shim=north, environment=recording.environment)
    with stack, stack.shim_server("south", south), api(stack) as client:
        migration = Migration(client, recording)
        assert migration.prepare().json()["binding"]["vif_details"]["bridge_name"] == "br-south"
        assert holders(recording) == {("source", "north"), ("target", "south")}
        assert get(client, f"/ports/{migration.port}")["vif_details"]["bridge_name"] == "br-north"
        migration.activate().raise_for_status()
        moved = shows(client, migration.port, host_id="target", **BOUND)
        assert moved["vif_details"]["bridge_name"] == "br-south"
        assert holders(recording) == {("source", "north"), ("target", "south")}
        assert migration.clean_up().status_code == 204
        until(lambda: holders(recording) == {("target", "south")}, "the source's is torn down")
        until(lambda: in_vpn_of(recording) == {"south"}, "its place in the VPN has moved")
        shows(client, migration.port, host_id="target", **BOUND)


def holders(recording: Recording) -> set[tuple[str, str]]:
    """Host and controller of each binding."""
    return {(host, bound.controller) for (_, host), bound in recording.account().bindings.items()}


def in_vpn_of(recording: Recording) -> set[str]:
    """The controllers that have the port in its VPN."""
    found: set[str] = set()
    for entry in recording.entries():
        if entry.callback == "modify_service_binding":
            found.add(entry.controller)
        elif entry.callback == "delete_service_binding":
            found.discard(entry.controller)
    return found


def test_a_controller_that_comes_back_empty_meanwhile_is_filled_in_order(
    running: Running, migration: Migration
) -> None:
    assert migration.prepare().status_code == 201
    assert migration.hosts == ["source", "target"]
    running.recording.comes_back_empty()
    running.recording.says("lost", "the switch was replaced")
    until(lambda: migration.in_vpn() and migration.hosts == ["source", "target"], "it is filled again")
    assert migration.violations() == []
    assert migration.bindings() == {"source": ("ACTIVE", "ovs"), "target": ("INACTIVE", "ovs")}
    assert migration.clean_up("target").status_code == 204
    until(lambda: migration.hosts == ["source"], "the target is unbound")
