"""A shim that is frozen for longer than its lease, and woken when another one leads: nothing stays as it left it."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gluon.testing.process import ServerProcess
from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

from .observing import api, create_port, dump, get, status
from .recording import Recording

pytestmark = pytest.mark.disaster

PROTON = {"api": {"bind_timeout": 1.0}}
SHIM: dict[str, Any] = {"leader_ttl": 2, "retry_min": 0.05, "retry_max": 0.3, "report_after": 0.4, "etcd_timeout": 5}
ON_H1 = {"host_id": "h1", "device_id": "vm-1"}
PORTS = 5
DELAY = 0.4
"""Seconds that the slow line keeps what etcd says."""


class SlowLine:
    """Forwards TCP to a server, whose answers arrive late once `delay` is set."""

    def __init__(self, target: str) -> None:
        self.delay = 0.0
        """Seconds."""
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._sockets = [self._listening]
        self._start(self._accept)

    def close(self) -> None:
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            self._sockets += [client, server]
            self._start(self._pump, client, server.sendall)
            late: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
            self._start(self._pump, server, lambda data, late=late: late.put((time.monotonic() + self.delay, data)))
            self._start(self._deliver, late, client)

    @staticmethod
    def _start(work: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, give: Callable[[bytes], object]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                give(data)
            give(b"")

    @staticmethod
    def _deliver(late: queue.SimpleQueue[tuple[float, bytes]], client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, data = late.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not data:
                    client.close()
                    return
                client.sendall(data)


@contextmanager
def slow_line(target: str) -> Iterator[SlowLine]:
    line = SlowLine(target)
    try:
        yield line
    finally:
        line.close()


def binds_of(recording: Recording, shim: ServerProcess) -> list[str]:
    """The ports that this process has been told to bind, call by call."""
    return [each.key for each in recording.entries() if each.callback == "bind_port" and each.pid == shim.pid]


def leads(shim: ServerProcess) -> bool:
    return bool(status(shim)["in_sync"])


def deletes_while_frozen(stack: LocalStack, frozen: ServerProcess, standby: ServerProcess, ports: list[str]) -> None:
    """Deletes the ports, has the standby take over, and wakes the old leader."""
    with api(stack) as client:
        for port in ports:
            assert client.delete(f"/ports/{port}").status_code == 204
        until(lambda: leads(standby), "the standby leads")
        until(lambda: dump(stack.etcd, "/shim/SimServer/applied/") == {}, "the standby has nothing left of them")
        frozen.thaw()
        until(lambda: status(frozen)["role"] == "standby", "the old leader steps down")


def test_an_old_leader_woken_between_its_claim_and_its_call_does_not_call(tmp_path: Path, recording: Recording) -> None:
    options = recording.options(**SHIM)
    with LocalStack(tmp_path, proton=PROTON, shim=options, environment=recording.environment) as stack:
        stack.shim.stop()
        with slow_line(stack.etcd.endpoint) as line, api(stack) as client:
            first = stack.shim_server("first", recording.options(etcd_port=line.port, **SHIM))
            with first:
                until(lambda: leads(first), "the first leads")
                with stack.shim_server("second", options) as second:
                    ports = [str(uuid.uuid4()) for _ in range(PORTS)]
                    creating = [
                        threading.Thread(target=create_port, args=(client,), kwargs={"id": port, **ON_H1})
                        for port in ports
                    ]
                    line.delay = DELAY
                    for each in creating:
                        each.start()
                    claims = "/controller/net-l3vpn/Port/"
                    until(lambda: dump(stack.etcd, claims).keys() == set(ports), "the first has claimed the ports")
                    first.freeze()
                    before = binds_of(recording, first)
                    assert len(before) < PORTS  # On a slow machine the answers to some claims have arrived.
                    for each in creating:
                        each.join(10)
                    deletes_while_frozen(stack, first, second, ports)
                    again = create_port(client, **ON_H1)
                    assert again["vif_type"] == "ovs"
                    assert binds_of(recording, first) == before
                    assert binds_of(recording, second)
                    assert recording.account().hosts == {again["id"]: ["h1"]}


@pytest.mark.parametrize("backend", ["recording", "blocking"], ids=["coroutine", "thread"])
def test_a_call_of_an_old_leader_that_ends_late_is_undone(tmp_path: Path, recording: Recording, backend: str) -> None:
    options = recording.options(handlers=f"net-l3vpn:{backend}", **SHIM)
    with LocalStack(tmp_path, proton=PROTON, shim=options, environment=recording.environment) as stack:
        with stack.shim_server("standby", options) as other, api(stack) as client:
            first, second = (stack.shim, other) if leads(stack.shim) else (other, stack.shim)
            ports = [str(uuid.uuid4()) for _ in range(PORTS)]
            for port in ports:
                recording.misbehave(port, "bind_port", "wait")
                create_port(client, id=port, **ON_H1)
            first.freeze()
            deletes_while_frozen(stack, first, second, ports)
            for port in ports:
                recording.behave(port)  # What it had begun is done at the SDN controller after all.
            if backend == "blocking":
                until(lambda: recording.account().hosts.keys() == set(ports), "the late calls take effect")
            until(lambda: "bind_port" in recording.callbacks(ports[0]) or backend == "recording", "a late call")
            marker = create_port(client, **ON_H1)["id"]
            assert get(client, f"/ports/{marker}")["vif_type"] == "ovs"
            until(lambda: recording.account().hosts == {marker: ["h1"]}, "what was done late is undone")
            until(lambda: dump(stack.etcd, "/shim/SimServer/late/") == {}, "no note is left")
            until(lambda: {key for _, key in recording.account().objects} == {marker}, "nothing else is left")
            fences = [entry.fence for entry in recording.entries() if entry.pid == second.pid]
            assert fences == sorted(fences)
            assert all(entry.fence < fences[0] for entry in recording.entries() if entry.pid == first.pid)
