from __future__ import annotations

import asyncio
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from gluon.etcd import Client, Election, Endpoints, Leadership, Put
from gluon.testing.etcd import LocalEtcd
from gluon.testing.waiting import auntil

from .faults import Proxy, persistently

pytestmark = pytest.mark.asyncio

KEY = b"/shim/test/leader"


async def test_one_leads_and_the_other_follows_when_it_withdraws(client: Client) -> None:
    elected: list[bytes] = []
    leading: set[bytes] = set()

    async def candidate(name: bytes) -> None:
        async with Election(client, KEY, name, 5).lead() as leadership:
            leading.add(name)
            holder = await client.get(KEY)
            assert holder
            assert holder.value == name
            assert (await client.txn([leadership.fence], [Put(b"by", name)])).succeeded
            elected.append(name)
            assert leading == {name}
            assert leadership.alive
            assert not leadership.lost.is_set()
            leading.remove(name)
        assert not leadership.alive

    async with asyncio.timeout(30):
        await asyncio.gather(*(candidate(name) for name in (b"a", b"b", b"c", b"d")))
    assert sorted(elected) == [b"a", b"b", b"c", b"d"]
    assert await client.get(KEY) is None


async def test_a_leader_that_falls_silent_is_replaced_and_its_writes_fail(
    local_etcd: LocalEtcd, client: Client, report: Callable[[str, float], None]
) -> None:
    async with (
        Proxy(local_etcd.endpoint) as proxy,
        Client(Endpoints((proxy.endpoint,), timeout=0.5)) as first,
        AsyncExitStack() as stack,
    ):
        old = await stack.enter_async_context(Election(first, KEY, b"first", 2).lead())
        standby = Election(client, KEY, b"second", 2)
        second = asyncio.create_task(_lead(stack, standby))
        await auntil(lambda: standby.holder == b"first", "the second stands by")
        proxy.silence()
        since = time.monotonic()
        async with asyncio.timeout(30):
            new = await second
        report("a silent leader, by the other candidate", since)
        assert old.lost.is_set()
        assert not old.alive
        assert new.alive
        assert not new.lost.is_set()
        proxy.restore()
        fenced = await persistently(lambda: first.txn([old.fence], [Put(b"by", b"first")]))
        assert not fenced.succeeded
        assert (await client.txn([new.fence], [Put(b"by", b"second")])).succeeded


LEADER = """
import asyncio, sys
from gluon.etcd import Client, Election, Endpoints, Put, Unavailable

async def main(host):
    async with Client(Endpoints((host,), timeout=2.0)) as client:
        async with Election(client, b"/shim/test/leader", b"frozen", 2).lead() as leadership:
            print("leads", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            while True:
                try:
                    result = await client.txn([leadership.fence], [Put(b"by", b"frozen")])
                    break
                except Unavailable:
                    await asyncio.sleep(0.1)
            await asyncio.wait_for(leadership.lost.wait(), 5)
            print("wrote" if result.succeeded else "fenced", flush=True)

asyncio.run(main(sys.argv[1]))
"""


async def test_a_leader_whose_process_was_frozen_is_fenced(local_etcd: LocalEtcd, client: Client) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LEADER, local_etcd.endpoint, stdin=PIPE, stdout=PIPE
    )
    try:
        assert process.stdin
        assert process.stdout
        async with asyncio.timeout(20):
            assert await process.stdout.readline() == b"leads\n"
            process.send_signal(signal.SIGSTOP)
            async with Election(client, KEY, b"second", 2).lead() as leadership:
                process.send_signal(signal.SIGCONT)
                process.stdin.write(b"\n")
                assert await process.stdout.readline() == b"fenced\n"
                assert await process.wait() == 0
                assert not leadership.lost.is_set()
        assert await client.get(b"by") is None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _lead(stack: AsyncExitStack, election: Election) -> Leadership:
    return await stack.enter_async_context(election.lead())


async def test_standing_by_survives_a_restart_of_etcd(local_etcd: LocalEtcd, client: Client) -> None:
    async with AsyncExitStack() as stack:
        async with Election(client, KEY, b"first", 10).lead() as first:
            standby = Election(client, KEY, b"second", 10)
            second = asyncio.create_task(_lead(stack, standby))
            await auntil(lambda: standby.holder == b"first", "the second stands by")
            await asyncio.to_thread(local_etcd.kill)
            await auntil(lambda: standby.outage, "it has noticed")
            await asyncio.to_thread(local_etcd.start)
            await persistently(lambda: client.get(KEY))
            assert (await client.txn([first.fence], [])).succeeded
            assert not first.lost.is_set()
            await auntil(lambda: not standby.outage, "it stands by again")
            assert standby.holder == b"first"
        async with asyncio.timeout(30):
            assert not (await second).lost.is_set()


async def test_a_leader_whose_key_is_deleted_or_overwritten_knows(client: Client) -> None:
    async with Election(client, KEY, b"me", 30).lead() as leadership:
        await client.delete(KEY)
        async with asyncio.timeout(30):
            await leadership.lost.wait()
        assert not (await client.txn([leadership.fence], [])).succeeded
    async with Election(client, KEY, b"me", 30).lead() as leadership:
        await client.put(KEY, b"an operator")
        async with asyncio.timeout(30):
            await leadership.lost.wait()
    await client.delete(KEY)


async def test_a_candidate_that_gives_up_leaves_nothing(client: Client) -> None:
    async with Election(client, KEY, b"first", 5).lead() as leadership:
        standby = Election(client, KEY, b"second", 5)
        waiting = asyncio.create_task(_enter(standby))
        await auntil(lambda: standby.holder == b"first", "the second stands by")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert not leadership.lost.is_set()
    async with asyncio.timeout(30), Election(client, KEY, b"third", 5).lead():
        pass
    assert await client.get(KEY) is None


async def _enter(election: Election) -> None:
    async with election.lead():
        raise AssertionError
