"""A cluster of three: the leader goes, then the quorum, then all come back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gluon.etcd import Client, Endpoints, Unavailable
from gluon.testing.etcd import LocalCluster, LocalEtcd
from gluon.testing.waiting import auntil

from .faults import Writers, assert_exact, assert_state, following, persistently

pytestmark = pytest.mark.asyncio

QUICK_ELECTIONS = ("--heartbeat-interval", "50", "--election-timeout", "500")


async def leader_of(cluster: LocalCluster) -> LocalEtcd:
    async def look() -> LocalEtcd | None:
        try:
            return await asyncio.to_thread(cluster.leader)
        except RuntimeError:
            return None

    leader = await auntil(look, "one leads")
    assert leader
    return leader


async def test_losing_the_leader_then_the_quorum(tmp_path: Path, report: Callable[[str, float], None]) -> None:
    with LocalCluster(tmp_path / "etcd", arguments=QUICK_ELECTIONS) as cluster:
        async with Client(Endpoints(cluster.endpoints, timeout=2.0)) as client, following(client) as follower:
            writers = Writers(client)
            await writers.progress()
            first = await leader_of(cluster)
            await asyncio.to_thread(first.kill)
            since = time.monotonic()
            await follower.catch_up(client)
            report("the loss of the leader", since)

            second = await leader_of(cluster)
            await asyncio.to_thread(second.kill)
            await auntil(lambda: not follower.mirror.connected, "the mirror has noticed")
            with pytest.raises(Unavailable):
                await client.put(b"/proton/none", b"")

            await asyncio.to_thread(second.launch)
            since = time.monotonic()
            await follower.catch_up(client)
            report("the loss of the quorum", since)
            await asyncio.to_thread(cluster.start)
            await writers.stop()
            await assert_exact(follower, client, writers)
            await assert_state(follower, client)


async def test_a_frozen_leader_is_left_behind(tmp_path: Path, report: Callable[[str, float], None]) -> None:
    with LocalCluster(tmp_path / "etcd", arguments=QUICK_ELECTIONS) as cluster:
        frozen = await leader_of(cluster)
        hosts = (frozen.endpoint, *(host for host in cluster.endpoints if host != frozen.endpoint))
        async with Client(Endpoints(hosts, timeout=1.0)) as client, following(client) as follower:
            writers = Writers(client)
            await writers.progress()
            frozen.freeze()
            since = time.monotonic()
            await auntil(lambda: not follower.mirror.connected, "the mirror has noticed")
            await follower.catch_up(client)
            report("a frozen leader", since)
            frozen.thaw()
            await writers.stop()
            await assert_exact(follower, client, writers)
            await assert_state(follower, client)
            await persistently(lambda: client.get(b"/proton/k1"))
