"""SIGTERM ends each server within 5 s, exit code 0, whatever it is doing."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from gluon.testing.process import ServerProcess
from gluon.testing.stack import LocalStack

from .observing import api, create_port, wait_for
from .recording import Recording

BOUND = 5.0


def assert_ends(server: ServerProcess) -> None:
    code = server.stop(BOUND)
    assert code == 0, f"{server.name}: exit code {code}, -9 means killed after {BOUND:g} s:\n{server.log[-3000:]}"
    assert "Traceback" not in server.log, server.log[-6000:]


@contextmanager
def creating(stack: LocalStack, **attributes: str) -> Iterator[None]:
    """Ports are created by several clients for as long as the server answers."""
    enough = threading.Event()

    def create_on_and_on() -> None:
        with api(stack) as client:
            while not enough.is_set():
                try:
                    create_port(client, **attributes)
                except (httpx.TransportError, AssertionError):
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


@pytest.mark.parametrize("first", ["proton", "shim"])
def test_idle(tmp_path: Path, first: str) -> None:
    with LocalStack(tmp_path) as stack:
        servers = [stack.proton, stack.shim]
        for server in servers if first == "proton" else reversed(servers):
            assert_ends(server)


@pytest.mark.parametrize("first", ["proton", "shim"])
def test_busy(tmp_path: Path, first: str) -> None:
    with LocalStack(tmp_path) as stack:
        servers = [stack.proton, stack.shim]
        with creating(stack, host_id="compute-1", device_id="vm-1"):
            wait_for(lambda: stack.shim.log.count(" bind_port ") > 50, "binds are under way")
            for server in servers if first == "proton" else reversed(servers):
                assert_ends(server)


@pytest.mark.parametrize("backend", ["recording", "blocking"])
def test_while_a_bind_waits(tmp_path: Path, recording: Recording, backend: str) -> None:
    key = str(uuid.uuid4())
    recording.misbehave(key, "bind_port", "hang")
    with LocalStack(tmp_path, shim=recording.options(backend), environment=recording.environment) as stack:
        answers: list[dict[str, object]] = []

        def bind() -> None:
            with api(stack) as client:
                answers.append(create_port(client, id=key, host_id="compute-1", device_id="vm-1"))

        waiting = threading.Thread(target=bind)
        waiting.start()
        wait_for(lambda: recording.callbacks(key) == ["bind_port"], "the bind hangs")
        assert_ends(stack.proton)
        waiting.join(10)
        assert [(a["vif_type"], a["status"]) for a in answers] == [("binding_failed", "ERROR")]
        assert "the server stopped before a controller answered" in str(answers[0]["status_reason"])
        assert_ends(stack.shim)


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_while_etcd_is_down(tmp_path: Path, how: str) -> None:
    with LocalStack(tmp_path) as stack:
        if how == "killed":
            stack.etcd.kill()
        else:
            stack.etcd.freeze()
        with api(stack) as client:
            create_port(client)
        assert_ends(stack.proton)
        assert_ends(stack.shim)


def test_a_standby(tmp_path: Path) -> None:
    with LocalStack(tmp_path) as stack, stack.shim_server("standby", {}) as standby:
        assert_ends(standby)
        assert_ends(stack.shim)


def test_before_etcd_was_ever_there(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path)
    with stack.proton:
        assert_ends(stack.proton)
    stack.shim.start()
    try:
        wait_for(lambda: "ready" in stack.shim.log, "the shim waits for etcd")
        assert_ends(stack.shim)
    finally:
        stack.shim.stop()
