"""Mistakes of an operator or a vendor end the shim at start, with a sentence; SIGTERM ends it in good order."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from gluon.contract import keys
from gluon.testing.process import ServerProcess, console_script
from gluon.testing.waiting import auntil

from .ground import Ground, name, port

STOP = 5
"""Seconds that SIGTERM may take."""

MISTAKES = {
    "wrong signature": ({"handlers": "net-l3vpn:old"}, "OldBackend): delete_port(self, uuid"),
    "wrong signature, the call": (
        {"handlers": "net-l3vpn:old"},
        "can't be called as delete_port(port, model): missing",
    ),
    "unknown backend": (
        {"handlers": "net-l3vpn:nobody"},
        "no backend is named 'nobody'; installed: broken, dummy, faulty",
    ),
    "backend that can't be imported": ({"handlers": "net-l3vpn:missing"}, "backend 'missing' can't be loaded: "),
    "backend that can't be made": (
        {"handlers": "net-l3vpn:broken"},
        "backend 'broken' can't be made: RuntimeError: no licence",
    ),
    "unknown proton": (
        {"handlers": "net-l4vpn:dummy"},
        "[shim] handlers names proton 'net-l4vpn'; available: ietf-sfc, net-l3vpn",
    ),
    "no handlers": ({"handlers": ""}, "[shim] handlers is empty; name a backend for a proton"),
    "handlers without a backend": ({"handlers": "net-l3vpn"}, "handlers"),
    "a number that is none": ({"workers": "many"}, "workers"),
    "a number out of range": ({"workers": 0}, "workers"),
    "a controller with a slash": ({"controller": "a/b"}, "controller"),
    "a model directory that is none": ({"model_dirs": "/nonexistent"}, "/nonexistent"),
}


async def ended(server: ServerProcess) -> int:
    await auntil(lambda: not server.is_running, f"{server.name} ends")
    assert server.exit_code is not None
    return server.exit_code


@pytest.mark.asyncio
async def test_mistakes_are_told_in_a_sentence(ground: Ground) -> None:
    servers = {}
    for what, (options, _) in MISTAKES.items():
        servers[what] = ground.shim(what.replace(" ", "-"), **options)
        if len(servers) % 3 == 0:
            await ended(servers[what])
    for what, (_, sentence) in MISTAKES.items():
        assert await ended(servers[what]) == 1, what
        log = servers[what].log
        assert sentence in log, f"{what}: {log}"
        assert "Traceback" not in log, f"{what}: {log}"
    assert await ground.client.get(b"/shim/SimServer/leader") is None


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--config-file", "/nonexistent/shim.conf"], 1, "/nonexistent/shim.conf"),
        (["--no-such-option"], 2, "unrecognized arguments: --no-such-option"),
    ],
)
def test_a_wrong_command_line_is_told(arguments: list[str], code: int, sentence: str) -> None:
    command = [console_script("proton-shim-server"), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == code
    assert sentence in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.asyncio
async def test_a_port_that_is_taken_is_told(ground: Ground) -> None:
    first = ground.shim("first")
    await auntil(lambda: ground.status(first), "the first answers")
    taken = int(first.health.rpartition(":")[2])
    second = ground.shim("second", http_port=taken)
    assert await ended(second) == 1
    assert f"cannot listen on 127.0.0.1:{taken}" in second.log


async def stopped(server: ServerProcess) -> None:
    code = await asyncio.to_thread(server.stop, STOP)
    assert code == 0, f"exit code {code}; -9: SIGTERM did not end it within {STOP} s\n{server.log[-2000:]}"
    assert "Traceback" not in server.log, server.log[-3000:]


@pytest.mark.asyncio
async def test_sigterm_while_active_and_standing_by(ground: Ground) -> None:
    active = await ground.active("active")
    standby = ground.shim("standby")
    await auntil(lambda: ground.status(standby).get("role") == "standby", "the second stands by")
    await stopped(standby)
    await stopped(active)


@pytest.mark.asyncio
@pytest.mark.parametrize("backend", ["faulty", "plain"], ids=["coroutine", "thread"])
async def test_sigterm_while_a_callback_hangs(ground: Ground, backend: str) -> None:
    shim = await ground.active(handlers=f"net-l3vpn:{backend}", callback_timeout=60)
    await ground.want(name("Port", 1), port(1, "host-1", name="hang"))
    await auntil(lambda: ground.client.get(b"/controller/" + name("Port", 1).path), "the bind is claimed")
    await stopped(shim)


@pytest.mark.asyncio
@pytest.mark.parametrize("port_name", ["idle", "hang"])
async def test_sigterm_while_etcd_is_down(ground: Ground, port_name: str) -> None:
    shim = await ground.active(handlers="net-l3vpn:plain")
    if port_name == "hang":
        await ground.want(name("Port", 1), port(1, "host-1", name="hang"))
        await auntil(lambda: ground.client.get(b"/controller/" + name("Port", 1).path), "the bind is claimed")
    ground.etcd.kill()
    await stopped(shim)


@pytest.mark.asyncio
async def test_sigterm_while_etcd_does_not_answer(ground: Ground) -> None:
    """Connections are open and silent, and so is the backend: each request runs into its timeout."""
    shim = await ground.active(handlers="net-l3vpn:plain", leader_ttl=10, etcd_timeout=5)
    await ground.want(name("Port", 1), port(1, "host-1", name="hang"))
    await auntil(lambda: ground.client.get(b"/controller/" + name("Port", 1).path), "the bind is claimed")
    ground.etcd.freeze()
    await stopped(shim)


@pytest.mark.asyncio
async def test_sigterm_while_etcd_never_was_there(ground: Ground) -> None:
    ground.etcd.kill()
    shim = ground.shim()
    await auntil(lambda: ground.status(shim), "the shim answers")
    await stopped(shim)


@pytest.mark.asyncio
async def test_sigterm_while_a_backend_starts_or_stops(ground: Ground) -> None:
    stopping = await ground.active("stopping", handlers="net-l3vpn:slow-stop")
    starting = ground.shim("starting", handlers="net-l3vpn:slow-start", controller="other")
    await stopped(stopping)
    assert "backend slow-stop did not stop within" in stopping.log
    await auntil(lambda: starting.is_running and started(starting.pid), "the other is about to start its backend")
    await stopped(starting)


def started(pid: int) -> bool:
    """Whether the process catches SIGTERM by now."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & (1 << 14))


@pytest.mark.asyncio
async def test_sigterm_lets_callbacks_end_and_be_recorded(ground: Ground) -> None:
    ground.environment["FAULTY_DELAY"] = "0.3"
    shim = await ground.active()
    await ground.want_ports(range(1, 31), "host-1")
    await auntil(ground.journal, "callbacks are under way")
    await stopped(shim)
    bound = {line["key"] for line in ground.journal() if line["callback"] == "bind_port"}
    records = await ground.records()
    recorded = {keys.port_and_host(key)[0].key for key, r in records.items() if r.bound and r.bound.vif_type == "ovs"}
    assert recorded == bound
    assert ground.called().most_common(1)[0][1] == 1
