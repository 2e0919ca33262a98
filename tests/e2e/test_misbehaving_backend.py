"""A backend that misbehaves for one object: the others go on, and the API says what is wrong."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

from .observing import api, create, create_port, get, put, shows
from .recording import Recording

BACKENDS = {"net-l3vpn": "recording", "ietf-sfc": "blocking"}
"""Two protons in one stack: the callbacks of the one are coroutines, of the other they block."""
SERVICES = {"net-l3vpn": ("vpns", "VpnService"), "ietf-sfc": ("servicefunctions", "ServiceFunction")}
PROTON = {"api": {"bind_timeout": 6, "service_list": ",".join(BACKENDS)}}
WORKERS = 4
SHIM: dict[str, Any] = {"report_after": 0.3, "retry_min": 0.05, "retry_max": 0.2, "workers": WORKERS}
OTHERS = 8

BAD_BINDS = {
    "raise": "bind_port of backend {backend} raised RuntimeError: the device has no Port",
    "refuse": "the device is full",
    "hang": "bind_port has not returned for 0.3 s",
    "dict": "expected gluon.shim.backend.Binding",
    "none": "bind_port of backend {backend} returned None",
    "type": "returned vif_type 7, expected a name",
    "empty": "returned vif_type '', expected a name",
    "unbound": "returned vif_type unbound; to refuse a port raise",
    "object": "vif_details that are not JSON",
    "long": "expected at most 4095",
}


class Running:
    """One proton of a stack, and the backend that it has."""

    def __init__(self, client: httpx.Client, recording: Recording, proton: str) -> None:
        self.client = client
        self.recording = recording
        self.backend = BACKENDS[proton]
        self.services, self.service_type = SERVICES[proton]

    def bad_port(self, fault: str) -> dict[str, Any]:
        """A port whose bind goes wrong, created unbound."""
        key = str(uuid.uuid4())
        self.recording.misbehave(key, "bind_port", fault)
        return create_port(self.client, id=key)

    def assert_others_bind(self) -> None:
        for number in range(OTHERS):
            port = create_port(self.client, host_id="compute-1", device_id=f"vm-{number}")
            assert (port["vif_type"], port["status"]) == ("ovs", "ACTIVE"), port

    def bind_fails(self, port: dict[str, Any]) -> dict[str, Any]:
        put(self.client, f"/ports/{port['id']}", host_id="compute-1", device_id="vm-1")
        shown = get(self.client, f"/ports/{port['id']}")
        assert (shown["vif_type"], shown["status"]) == ("binding_failed", "ERROR"), shown
        return shown


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalStack, Recording]]:
    directory = tmp_path_factory.mktemp("misbehaving")
    recording = Recording(directory / "recording")
    handlers = ",".join(f"{proton}:{backend}" for proton, backend in BACKENDS.items())
    options = recording.options(handlers=handlers, **SHIM)
    with LocalStack(directory, proton=PROTON, shim=options, environment=recording.environment) as stack:
        yield stack, recording


@pytest.fixture(params=BACKENDS)
def running(shared: tuple[LocalStack, Recording], request: pytest.FixtureRequest) -> Iterator[Running]:
    stack, recording = shared
    with api(stack, request.param) as client:
        yield Running(client, recording, request.param)


@pytest.mark.parametrize("fault", BAD_BINDS)
def test_a_bind_that_fails_says_why(running: Running, fault: str) -> None:
    shown = running.bind_fails(running.bad_port(fault))
    assert BAD_BINDS[fault].format(backend=running.backend) in shown["status_reason"]


def test_more_hanging_binds_than_workers_hold_nobody_up(running: Running) -> None:
    hanging = [running.bad_port("hang") for _ in range(2 * WORKERS)]
    for port in hanging:
        running.bind_fails(port)
    running.assert_others_bind()


def test_others_bind_while_one_hangs(running: Running) -> None:
    port = running.bad_port("hang")
    running.bind_fails(port)
    running.assert_others_bind()
    assert get(running.client, f"/ports/{port['id']}")["status"] == "ERROR"


def test_others_bind_while_one_raises_again_and_again(running: Running) -> None:
    port = running.bad_port("raise")
    running.bind_fails(port)
    running.assert_others_bind()
    tried = len(running.recording.callbacks(port["id"]))
    until(lambda: len(running.recording.callbacks(port["id"])) > tried, "it is tried again")


def test_a_bind_that_works_again_is_bound_without_a_request(running: Running) -> None:
    port = running.bad_port("raise")
    running.bind_fails(port)
    running.recording.behave(port["id"])
    shows(running.client, port["id"], vif_type="ovs", status="ACTIVE", status_reason=None)


def test_a_refused_bind_is_not_tried_again_until_it_is_asked_for(running: Running) -> None:
    port = running.bad_port("refuse")
    running.bind_fails(port)
    running.recording.behave(port["id"])
    running.assert_others_bind()
    assert running.recording.callbacks(port["id"]).count("bind_port") == 1
    again = put(running.client, f"/ports/{port['id']}", host_id="compute-1", device_id="vm-1")
    assert (again["vif_type"], again["status"], again["status_reason"]) == ("ovs", "ACTIVE", None)


def test_a_service_that_fails_says_why_until_it_works(running: Running) -> None:
    key = str(uuid.uuid4())
    running.recording.misbehave(key, "modify_service", "raise")
    create(running.client, running.services, id=key, name="blue")
    path = f"/{running.services}/{key}"
    told = f"modify_service of backend {running.backend} raised RuntimeError: the device has no {running.service_type}"
    why = f"SimServer: {told}"
    until(lambda: get(running.client, path)["status_reason"] == why, "the service says what is wrong")
    running.assert_others_bind()
    running.recording.behave(key)
    until(lambda: get(running.client, path)["status_reason"] is None, "the service is well again")


def test_a_port_whose_unbind_fails_says_so_and_can_be_deleted(running: Running) -> None:
    port = create_port(running.client, host_id="compute-1", device_id="vm-1")
    path = f"/ports/{port['id']}"
    running.recording.misbehave(port["id"], "unbind_port", "raise")
    assert put(running.client, path, host_id=None, device_id=None)["vif_type"] == "unbound"
    until(lambda: "unbind_port" in (get(running.client, path)["status_reason"] or ""), "it says what is wrong")
    assert running.client.delete(path).status_code == 204
    running.recording.behave(port["id"])
    until(lambda: running.recording.callbacks(port["id"])[-1] == "delete_port", "it is deleted at the backend")


def test_with_default_options_a_hanging_bind_is_answered_before_the_bind_timeout(
    tmp_path: Path, recording: Recording
) -> None:
    key = str(uuid.uuid4())
    recording.misbehave(key, "bind_port", "hang")
    with (
        LocalStack(tmp_path, shim=recording.options(), environment=recording.environment) as stack,
        api(stack) as client,
    ):
        begin = time.monotonic()
        shown = create_port(client, id=key, host_id="compute-1", device_id="vm-1")
        waited = time.monotonic() - begin
        assert (shown["vif_type"], shown["status"]) == ("binding_failed", "ERROR")
        assert shown["status_reason"] == "bind_port has not returned for 5 s"
        assert waited < 8, "the shim's report came before proton-server gave up"
