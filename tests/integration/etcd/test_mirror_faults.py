"""Faults under a mirror: nothing is lost, nothing comes twice, nothing hangs."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import Callable

import pytest

from gluon.etcd import Client, ClusterReplaced, Delete, Endpoints, Liveness, Put
from gluon.testing.etcd import LocalEtcd
from gluon.testing.waiting import auntil

from .faults import (
    PREFIX,
    Proxy,
    Writers,
    assert_exact,
    assert_state,
    following,
    persistently,
)

pytestmark = pytest.mark.asyncio

Report = Callable[[str, float], None]


async def fill(client: Client, count: int) -> None:
    """`count` events at `count` / 100 keys."""
    for start in range(0, count, 100):
        await client.txn([], [Put(PREFIX + b"%d" % n, b"%d" % start) for n in range(100)])


async def write_many(client: Client, writer: bytes, count: int) -> None:
    """`count` events, four to a revision, at keys of this writer's own."""
    for n in range(0, count, 4):
        await client.txn([], [Put(PREFIX + b"%b/%d" % (writer, k), b"%d" % n) for k in range(4)])


async def test_kill_and_restart_during_a_watch(local_etcd: LocalEtcd, client: Client, report: Report) -> None:
    async with following(client) as follower:
        writers = Writers(client)
        for _ in range(2):
            await writers.progress()
            await asyncio.to_thread(local_etcd.kill)
            since = time.monotonic()
            await asyncio.to_thread(local_etcd.start)
            await follower.catch_up(client)
            report("kill -9 during a watch", since)
        await writers.stop()
        await assert_exact(follower, client, writers)
        await assert_state(follower, client)


async def test_kill_in_the_middle_of_a_replay(local_etcd: LocalEtcd, client: Client, report: Report) -> None:
    async with Proxy(local_etcd.endpoint) as proxy, Client(Endpoints((proxy.endpoint,), timeout=2.0)) as remote:
        async with following(remote) as follower:
            proxy.silence()
            await asyncio.gather(*(write_many(client, b"%d" % writer, 5_000) for writer in range(4)))
            proxy.restore()
            await follower.reach(lambda: len(follower.events) >= 2_000)
            await asyncio.to_thread(local_etcd.kill)
            await auntil(lambda: not follower.mirror.connected, "the mirror has noticed")
            assert len(follower.events) < 20_000
            since = time.monotonic()
            await asyncio.to_thread(local_etcd.start)
            await follower.reach(lambda: len(follower.events) >= 20_000)
            report("kill -9 within a replay of 20,000 events", since)
            await assert_exact(follower, client)
            await assert_state(follower, client)


async def test_connections_cut_again_and_again_during_a_replay(local_etcd: LocalEtcd, client: Client) -> None:
    async with Proxy(local_etcd.endpoint) as proxy, Client(Endpoints((proxy.endpoint,), timeout=2.0)) as remote:
        async with following(remote) as follower:
            writers = Writers(client, count=8, pause=0)
            for _ in range(8):
                await writers.progress(100)
                proxy.cut()
            await writers.stop()
            await assert_exact(follower, client, writers)
            await assert_state(follower, client)


async def test_compaction_below_the_resume_point(local_etcd: LocalEtcd, client: Client, report: Report) -> None:
    await fill(client, 1_000)
    async with Proxy(local_etcd.endpoint) as proxy, Client(Endpoints((proxy.endpoint,), timeout=2.0)) as remote:
        async with following(remote) as follower:
            before = len(follower.events)
            proxy.silence()
            await client.txn([], [Delete(PREFIX + b"%d" % n) for n in range(50)])
            await client.txn([], [Put(PREFIX + b"%d" % n, b"new") for n in range(40, 60)])
            await client.delete(PREFIX + b"45")
            await client.put(PREFIX + b"short-lived", b"")
            await client.delete(PREFIX + b"short-lived")
            await client.compact((await client.status()).revision)
            proxy.restore()
            since = time.monotonic()
            await follower.catch_up(client)
            report("compaction below the resume point", since)
            await assert_state(follower, client)
            # The differences, and nothing else.
            changes = [each for each in follower.events[before:] if b"~" not in each.key]
            assert len([each for each in changes if each.value is None]) == 41
            assert len([each for each in changes if each.value == b"new"]) == 19
            assert len(changes) == 41 + 19
            assert follower.mirror.connected


async def test_compaction_while_a_slow_consumer_lags(client: Client) -> None:
    async with following(client, delay=0.5) as follower:
        payload = b"x" * 50_000
        for n in range(400):
            await persistently(lambda n=n: client.put(PREFIX + b"%d" % (n % 20), payload + b"%d" % n))
        await persistently(lambda: client.delete_prefix(PREFIX + b"1"))
        await client.compact((await client.status()).revision)
        follower.delay = 0
        await assert_state(follower, client)


async def test_frozen_etcd_trips_the_liveness_check(
    local_etcd: LocalEtcd, client: Client, report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with following(client) as follower:
        writers = Writers(client)
        await writers.progress()
        local_etcd.freeze()
        await auntil(lambda: not follower.mirror.connected, "the mirror has noticed")
        local_etcd.thaw()
        since = time.monotonic()
        await follower.catch_up(client)
        report("a frozen etcd", since)
        await writers.stop()
        await assert_exact(follower, client, writers)
        await assert_state(follower, client)
    messages = [record.getMessage() for record in caplog.records if record.name == "gluon.etcd.mirror"]
    assert len([text for text in messages if "no sign of life" in text]) == 1
    assert len([text for text in messages if "again, from revision" in text]) == 1


async def test_a_freeze_shorter_than_the_limit_is_sat_out(local_etcd: LocalEtcd, client: Client) -> None:
    async with following(client, liveness=Liveness(ask_after=0.3, give_up_after=60.0)) as follower:
        writers = Writers(client)
        await writers.progress()
        local_etcd.freeze()
        await asyncio.sleep(2)
        assert follower.mirror.connected
        local_etcd.thaw()
        await follower.catch_up(client)
        assert follower.mirror.outage is None
        await writers.stop()
        await assert_exact(follower, client, writers)


async def test_network_that_drops_silently(local_etcd: LocalEtcd, client: Client, report: Report) -> None:
    async with (
        Proxy(local_etcd.endpoint) as proxy,
        Client(Endpoints((proxy.endpoint, local_etcd.endpoint), timeout=1.0)) as remote,
        following(remote) as follower,
    ):
        writers = Writers(client)
        proxy.silence()
        since = time.monotonic()
        await auntil(lambda: not follower.mirror.connected, "the mirror has noticed")
        await follower.catch_up(client)
        report("a silent network, by the other endpoint", since)
        await writers.stop()
        await assert_exact(follower, client, writers)
        await assert_state(follower, client)


async def test_etcd_that_comes_up_last(local_etcd: LocalEtcd, client: Client, report: Report) -> None:
    local_etcd.kill()
    async with following(client, wait=False) as follower:
        await auntil(lambda: follower.mirror.outage, "the mirror has noticed")
        assert not follower.synced.is_set()
        since = time.monotonic()
        await asyncio.to_thread(local_etcd.start)
        await follower.catch_up(client)
        report("a start without etcd", since)
        await assert_state(follower, client)


async def test_kill_during_the_first_list(local_etcd: LocalEtcd, client: Client, report: Report) -> None:
    for start in range(0, 5_000, 100):
        await client.txn([], [Put(PREFIX + b"%06d" % n, b"x" * 2000) for n in range(start, start + 100)])
    async with following(client, delay=0.05, wait=False) as follower:
        await follower.reach(lambda: len(follower.events) >= 1_000)
        assert not follower.synced.is_set()
        await asyncio.to_thread(local_etcd.kill)
        since = time.monotonic()
        await asyncio.to_thread(local_etcd.start)
        await persistently(lambda: client.delete_prefix(PREFIX + b"0000"))
        follower.delay = 0
        await follower.catch_up(client)
        report("kill -9 during the first list", since)
        await assert_state(follower, client)


@pytest.mark.parametrize("grown", [False, True])
async def test_lost_data_ends_the_mirror(local_etcd: LocalEtcd, client: Client, *, grown: bool) -> None:
    await fill(client, 2_000)
    async with Client(client.endpoints) as reader, following(reader) as follower:
        await client.put(PREFIX + b"last", b"")
        await follower.reach(lambda: PREFIX + b"last" in follower.state)
        await asyncio.to_thread(local_etcd.kill)
        local_etcd.wipe()
        if grown:
            await asyncio.to_thread(_grow_unseen, local_etcd)
        await asyncio.to_thread(local_etcd.start)
        with pytest.raises(ClusterReplaced, match="absent there" if grown else "future revision"):
            await follower.reach(lambda: False)
        assert not follower.mirror.connected


def _grow_unseen(etcd: LocalEtcd) -> None:
    """Starts it on another port, and lets it grow beyond the revisions of before."""
    hidden = LocalEtcd(etcd.directory)
    hidden._peer_port = etcd._peer_port  # noqa: SLF001 - what the cluster's id is made of
    with hidden:
        key = base64.b64encode(PREFIX + b"other").decode()
        for _ in range(40):
            hidden.call("kv/put", key=key, value="")


async def test_another_cluster_ends_the_mirror(local_etcd: LocalEtcd, tmp_path: object) -> None:
    with LocalEtcd(f"{tmp_path}/other", name="other") as other:
        async with Client(Endpoints((other.endpoint,))) as writer:
            await fill(writer, 5_000)
        async with Proxy(local_etcd.endpoint) as proxy, Client(Endpoints((proxy.endpoint,), timeout=1.0)) as remote:
            async with following(remote) as follower:
                proxy.retarget(other.endpoint)
                with pytest.raises(ClusterReplaced, match="cluster"):
                    await follower.reach(lambda: False)
