"""SIGTERM ends each server within 5 s, exit code 0, whatever it is doing."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import httpx
import pytest

from gluon.testing.process import ServerProcess
from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

from .observing import api, create_port
from .recording import Recording

BOUND = 5.0
HANDLERS = "net-l3vpn:recording,ietf-sfc:blocking"


class Started(NamedTuple):
    """A stack, all of it up."""

    stack: LocalStack
    recording: Recording

    @property
    def servers(self) -> list[ServerProcess]:
        return [self.stack.proton, self.stack.shim]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    directory = tmp_path_factory.mktemp("stopping")
    recording = Recording(directory / "recording")
    proton = {"api": {"service_list": "net-l3vpn,ietf-sfc"}}
    shim = recording.options(handlers=HANDLERS, leader_ttl=2)
    with LocalStack(directory, proton=proton, shim=shim, environment=recording.environment) as stack:
        yield Started(stack, recording)


@pytest.fixture
def started(shared: Started) -> Started:
    """The stack of the module, with what an earlier test ended started again."""
    if not shared.stack.etcd.pid:
        shared.stack.etcd.start()
    for server in shared.servers:
        if not server.is_running:
            start_with_an_empty_log(server)
    for server in shared.servers:
        server.wait_ready()
    until(lambda: "is in sync" in shared.stack.shim.log, "the shim leads")
    return shared


def start_with_an_empty_log(server: ServerProcess) -> None:
    server.log_file.unlink(missing_ok=True)
    server.start()


def assert_end(servers: Sequence[ServerProcess]) -> None:
    """Ends one after the other."""
    for server in servers:
        code = server.stop(BOUND)
        assert code == 0, f"{server.name}: exit code {code}, -9 means killed after {BOUND:g} s:\n{server.log[-3000:]}"
        assert "Traceback" not in server.log, server.log[-6000:]


def _is_up(server: ServerProcess) -> bool:
    return "ready: " in server.log


@contextmanager
def creating(stack: LocalStack) -> Iterator[None]:
    """Bound ports are created by several clients for as long as the server answers."""
    enough = threading.Event()

    def create_on_and_on() -> None:
        with api(stack) as client:
            while not enough.is_set():
                try:
                    create_port(client, host_id="compute-1", device_id="vm-1")
                except httpx.TransportError:
                    return

    threads = [threading.Thread(target=create_on_and_on) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join(30)


def test_idle(started: Started) -> None:
    assert_end(started.servers)


@pytest.mark.parametrize("first", ["proton-server", "proton-shim-server"])
def test_busy(started: Started, first: str) -> None:
    before = len(started.recording.entries())
    with creating(started.stack):
        until(lambda: len(started.recording.entries()) > before + 100, "binds are under way")
        assert_end(sorted(started.servers, key=lambda server: server.name != first))


@pytest.mark.parametrize("proton", ["net-l3vpn", "ietf-sfc"], ids=["coroutine", "thread"])
def test_while_a_bind_waits(started: Started, proton: str) -> None:
    key = str(uuid.uuid4())
    started.recording.misbehave(key, "bind_port", "hang")
    answers: list[dict[str, object]] = []

    def bind() -> None:
        with api(started.stack, proton) as client:
            answers.append(create_port(client, id=key, host_id="compute-1", device_id="vm-1"))

    waiting = threading.Thread(target=bind)
    waiting.start()
    until(lambda: "bind_port" in started.recording.callbacks(key), "the bind hangs")
    assert_end(started.servers)
    waiting.join(10)
    assert [(a["vif_type"], a["status"]) for a in answers] == [("binding_failed", "ERROR")]
    assert "the server stopped before a controller answered" in str(answers[0]["status_reason"])
    started.recording.behave(key)


def test_while_etcd_is_killed(started: Started) -> None:
    started.stack.etcd.kill()
    with api(started.stack) as client:
        create_port(client)
    assert_end(started.servers)


def test_while_etcd_is_frozen(started: Started) -> None:
    started.stack.etcd.freeze()
    try:
        with api(started.stack) as client:
            create_port(client)
        assert_end(started.servers)
    finally:
        started.stack.etcd.thaw()


def test_a_standby(started: Started) -> None:
    with started.stack.shim_server("standby", started.recording.options(handlers=HANDLERS)) as standby:
        assert_end([standby])


def test_before_etcd_is_there(started: Started) -> None:
    assert_end(started.servers)
    started.stack.etcd.kill()
    for server in started.servers:
        start_with_an_empty_log(server)
    for server in started.servers:
        until(partial(_is_up, server), f"{server.name} waits for etcd")
    assert_end(started.servers)
