from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gluon.etcd import Client, Endpoints, InvalidRequest, Unavailable
from gluon.testing.etcd import LocalEtcd, free_ports
from gluon.testing.waiting import auntil

from .certificates import make_tls
from .faults import Proxy, persistently

pytestmark = pytest.mark.asyncio


def block(seconds: float) -> None:
    """What a coroutine does to everybody's event loop when it waits without `await`."""
    time.sleep(seconds)


async def test_keys_live_as_long_as_their_lease(client: Client) -> None:
    async with client.lease(2) as lease:
        await client.put(b"a", b"", lease=lease.id)
        await asyncio.sleep(lease.ttl * 1.5)
        assert lease.alive
        assert not lease.lost.is_set()
        item = await client.get(b"a")
        assert item
        assert item.lease == lease.id
    assert lease.lost.is_set()
    assert not lease.alive
    assert await client.get(b"a") is None


async def test_a_lease_survives_a_short_outage(local_etcd: LocalEtcd, client: Client) -> None:
    async with client.lease(4) as lease:
        await client.put(b"a", b"", lease=lease.id)
        await asyncio.to_thread(local_etcd.kill)
        await asyncio.to_thread(local_etcd.start)
        # etcd gives each lease its TTL again at a start; beyond it, only renewals keep it.
        await asyncio.sleep(4.5)
        assert lease.alive
        assert await persistently(lambda: client.get(b"a"))


async def test_a_lease_is_lost_here_before_it_is_lost_in_etcd(local_etcd: LocalEtcd, client: Client) -> None:
    async with Proxy(local_etcd.endpoint) as proxy, Client(Endpoints((proxy.endpoint,), timeout=1.0)) as remote:
        async with remote.lease(2) as lease:
            await client.put(b"a", b"", lease=lease.id)
            proxy.silence()
            async with asyncio.timeout(30):
                await lease.lost.wait()
            assert not lease.alive
            proxy.restore()
            await persistently(lambda: remote.get(b"a"))
            assert lease.lost.is_set()
            assert not lease.alive


async def test_a_lease_is_lost_after_a_freeze_beyond_its_ttl(local_etcd: LocalEtcd, client: Client) -> None:
    async with client.lease(2) as lease:
        local_etcd.freeze()
        async with asyncio.timeout(30):
            await lease.lost.wait()
        assert not lease.alive
        local_etcd.thaw()
    assert await persistently(lambda: client.put(b"a", b"")) > 0


async def test_a_lease_revoked_by_another_is_lost_at_the_next_renewal(local_etcd: LocalEtcd, client: Client) -> None:
    async with client.lease(6) as lease:
        await asyncio.to_thread(local_etcd.call, "lease/revoke", ID=lease.id)
        # Told by etcd, not by the clock: by that the lease would still live.
        assert lease._hold.left > 2  # noqa: SLF001 - there is no other sight of the clock
        async with asyncio.timeout(30):
            await lease.lost.wait()
        assert not lease.alive


async def test_leaving_a_lease_during_an_outage_raises_nothing(local_etcd: LocalEtcd, client: Client) -> None:
    async with client.lease(5) as lease:
        await asyncio.to_thread(local_etcd.kill)
    assert lease.lost.is_set()


async def test_a_lease_that_is_not_granted_raises(local_etcd: LocalEtcd, client: Client) -> None:
    with pytest.raises(InvalidRequest, match="at least 1 s, got 0"):
        client.lease(0)
    await asyncio.to_thread(local_etcd.kill)
    with pytest.raises(Unavailable, match="grant a lease of 5 s"):
        async with client.lease(5):
            raise AssertionError


# -- a blocked event loop ------------------------------------------------------------------


async def test_a_blocked_event_loop_keeps_its_lease_and_is_told_of(client: Client) -> None:
    told: list[tuple[float, bool, str]] = []

    def on_stall(seconds: float, over: bool) -> None:  # noqa: FBT001 - the hook's signature
        told.append((seconds, over, threading.current_thread().name))
        raise ValueError("a hook that fails costs nothing")

    async with client.lease(2, on_stall=on_stall) as lease:
        await client.put(b"a", b"", lease=lease.id)
        block(lease.ttl * 2)
        assert lease.alive
        assert lease.stalled_for >= lease.ttl * 2
        # Until the keeper has looked again.
        await auntil(lambda: len(told) == 2, "it is told that the loop is back")
        assert await client.get(b"a")
        assert not lease.lost.is_set()
    (begun, over, thread), (lasted, ended, _) = told
    assert thread == f"etcd lease {lease.id:x}"
    assert (over, ended) == (False, True)
    assert 1 < begun < lasted


async def test_a_loop_that_is_blocked_for_too_long_loses_its_lease(client: Client) -> None:
    async with Client(client.endpoints) as other:
        async with client.lease(2, max_stall=0.5) as lease:
            await other.put(b"a", b"", lease=lease.id)
            block(lease.ttl + 1.5)
            assert not lease.alive
            assert not lease.lost.is_set()
            async with asyncio.timeout(30):
                await lease.lost.wait()
            await auntil(lambda: _gone(other), "it is gone in etcd")
            assert not lease.alive


async def _gone(client: Client) -> bool:
    return await client.get(b"a") is None


async def test_a_lease_is_renewed_with_certificate_password_and_at_the_server_that_answers(tmp_path: Path) -> None:
    tls = make_tls(tmp_path, "gluon")
    with LocalEtcd(tmp_path / "etcd", tls=tls, root_password="root", auth_token_ttl=1) as etcd:
        async with Proxy(etcd.endpoint) as silent:
            silent.silence()
            hosts = (f"127.0.0.1:{free_ports(1)[0]}", etcd.endpoint, silent.endpoint)
            endpoints = Endpoints(hosts, "root", "root", tls.ca_file, tls.cert_file, tls.key_file)
            async with Client(endpoints) as client, client.lease(3) as lease:
                await client.put(b"a", b"", lease=lease.id)
                await asyncio.sleep(lease.ttl + 1)
                assert lease.alive
                assert await client.get(b"a")
                # Its token is gone now, its lease isn't.
                await asyncio.to_thread(etcd.restart)
                await asyncio.sleep(lease.ttl + 1)
                assert lease.alive
                assert await persistently(lambda: client.get(b"a"))


# -- a process that freezes ----------------------------------------------------------------

HOLDER = """
import asyncio, sys
from gluon.etcd import Client, Endpoints

async def main(host, ends):
    client = Client(Endpoints((host,), timeout=2.0))
    await client.__aenter__()
    lease = client.lease(2)
    await lease.__aenter__()
    await client.put(b"a", b"", lease=lease.id)
    print("holds", flush=True)
    sys.stdin.readline()  # Blocks the event loop.
    print(lease.alive, lease.lost.is_set(), flush=True)
    if not ends:
        await lease.lost.wait()
        print(lease.alive, lease.lost.is_set(), flush=True)

asyncio.run(main(sys.argv[1], sys.argv[2:] == ["ends"]))
"""


@asynccontextmanager
async def holding(etcd: LocalEtcd, *arguments: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, etcd.endpoint, *arguments, stdin=PIPE, stdout=PIPE
    )
    try:
        assert await line(process) == "holds"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def line(process: Process) -> str:
    assert process.stdout
    async with asyncio.timeout(30):
        return (await process.stdout.readline()).decode().strip()


def go_on(process: Process) -> None:
    assert process.stdin
    process.stdin.write(b"\n")


async def test_a_frozen_process_knows_when_it_wakes_before_its_event_loop_does(
    local_etcd: LocalEtcd, client: Client
) -> None:
    async with holding(local_etcd) as process:
        await asyncio.sleep(3)
        assert await client.get(b"a"), "a blocked loop keeps it"
        process.send_signal(signal.SIGSTOP)
        await auntil(lambda: _gone(client), "etcd lets a frozen process' lease go")
        go_on(process)
        process.send_signal(signal.SIGCONT)
        assert await line(process) == "False False"
        assert await line(process) == "False True"
        assert await process.wait() == 0


async def test_a_process_ends_though_its_keeper_hangs(local_etcd: LocalEtcd) -> None:
    async with holding(local_etcd, "ends") as process:
        local_etcd.freeze()
        await asyncio.sleep(1)
        go_on(process)
        assert await line(process) == "True False"
        async with asyncio.timeout(20):
            assert await process.wait() == 0
        local_etcd.thaw()
