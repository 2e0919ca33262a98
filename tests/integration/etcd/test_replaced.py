"""etcd came back older, empty, or as another: the first answer tells."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from gluon.etcd import (
    Client,
    ClusterReplaced,
    Compare,
    Election,
    Endpoints,
    EtcdError,
    Get,
    Leadership,
    Mirror,
    Put,
    Txn,
    Unavailable,
)
from gluon.testing.etcd import LocalCluster, LocalEtcd
from gluon.testing.waiting import auntil

from .faults import PREFIX, QUICK, Follower, Proxy, following, persistently

pytestmark = pytest.mark.asyncio

LEADER = b"/shim/test/leader"


async def replace(etcd: LocalEtcd, backup: Path | None) -> None:
    """By what the backup holds, or by an empty one."""
    if backup:
        await asyncio.to_thread(etcd.restore, backup)
    else:
        await asyncio.to_thread(etcd.kill)
        etcd.wipe()
        await asyncio.to_thread(etcd.start)


READS: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "get": lambda client: client.get(b"a"),
    "list": lambda client: anext(client.pages(b"")),
    "comparison": lambda client: client.txn([], []),
    "transaction that reads": lambda client: client.txn([], [Get(b"a")]),
    "delete of nothing": lambda client: client.delete(b"none"),
}
CHANGES: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "put": lambda client: client.put(b"a", b""),
    "delete": lambda client: client.delete(b"a"),
    "transaction that writes": lambda client: client.txn([], [Put(b"b", b"")]),
    "delete_prefix": lambda client: client.delete_prefix(b"b"),
}


async def test_an_etcd_that_came_back_older_is_known_by_its_first_answer(
    local_etcd: LocalEtcd, client: Client, tmp_path: Path
) -> None:
    await client.put(b"a", b"")
    await asyncio.to_thread(local_etcd.backup, tmp_path / "backup")
    async with AsyncExitStack() as stack:
        calls = []
        for name, call in (READS | CHANGES).items():
            each = await stack.enter_async_context(Client(client.endpoints))
            if name in CHANGES or not calls:
                # Each change below makes up for one of these: what it is told is as new as it can be.
                await persistently(lambda: client.put(b"lost", b""))
            assert await each.get(b"lost")
            calls.append((name, each, call))
        await replace(local_etcd, tmp_path / "backup")
        for name, each, call in calls:
            with pytest.raises(ClusterReplaced, match="was already seen: its data was lost or restored from a backup"):
                await persistently(lambda each=each, call=call: call(each))
                pytest.fail(name)


async def test_nothing_is_read_or_written_until_the_replacement_is_dealt_with(
    local_etcd: LocalEtcd, client: Client
) -> None:
    for n in range(5):
        await client.put(b"%d" % n, b"")
    history = client.history
    client.forget_history()
    assert client.history is history
    await replace(local_etcd, None)
    with pytest.raises(ClusterReplaced):
        await persistently(lambda: client.get(b"0"))
    for _ in range(10):
        with pytest.raises(ClusterReplaced):
            await client.put(b"late", b"")
    assert (await client.status()).version
    async with Client(client.endpoints) as other:
        assert await other.get(b"late") is None
    client.forget_history()
    assert await client.get(b"0") is None
    assert await client.put(b"a", b"") > 0


async def test_a_restart_is_no_replacement(local_etcd: LocalEtcd, client: Client) -> None:
    async with following(client) as follower:
        for n in range(3):
            await persistently(lambda n=n: client.put(PREFIX + b"%d" % n, b""))
            await asyncio.to_thread(local_etcd.kill if n else local_etcd.stop)
            await asyncio.to_thread(local_etcd.start)
            await follower.catch_up(client)
    assert not client.history.ended


async def test_servers_that_lag_behind_are_no_replacement(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "etcd") as cluster:
        endpoints = Endpoints(cluster.endpoints, timeout=2.0)
        async with Client(endpoints) as client, Client(endpoints) as other, following(client) as follower:
            stop = asyncio.Event()

            async def write() -> None:
                for n in itertools.count():
                    if stop.is_set():
                        return
                    await persistently(lambda n=n: other.put(PREFIX + b"%d" % (n % 10), b""))

            writing = asyncio.create_task(write())
            calls = (
                lambda: client.get(b"a"),
                lambda: client.put(PREFIX + b"a", b""),
                lambda: client.txn([], []),
                lambda: client.delete(PREFIX + b"a"),
            )
            for n in range(400):
                connection = client.transport.channels.pick()
                client.transport.channels.failed(connection)
                if n == 200:
                    await asyncio.to_thread(cluster.members[0].kill)
                await asyncio.gather(*(persistently(call) for call in calls[: n % 5]))
            await asyncio.to_thread(cluster.start)
            stop.set()
            await writing
            await follower.catch_up(client)
            assert not client.history.ended


async def test_a_mirror_whose_keys_are_all_in_the_backup_ends_as_well(
    local_etcd: LocalEtcd, client: Client, tmp_path: Path
) -> None:
    await client.put(PREFIX + b"a", b"")
    await asyncio.to_thread(local_etcd.backup, tmp_path / "backup")
    await persistently(lambda: client.get(b"a"))
    async with following(client) as follower:
        await client.put(b"/elsewhere", b"")
        await replace(local_etcd, tmp_path / "backup")
        with pytest.raises(ClusterReplaced, match="restored from a backup"):
            await follower.reach(lambda: False)
        # The mirror is the first that knows, and the client knows it from there.
        assert client.history.ended
        client.forget_history()
        with pytest.raises(ClusterReplaced):
            await anext(follower.mirror.batches())
        again = Follower(Mirror(client, PREFIX, liveness=QUICK))
        await again.reach(lambda: PREFIX + b"a" in again.state)
        await again.stop()


async def test_a_restored_etcd_that_others_have_written_into_is_known_by_what_it_lacks(
    local_etcd: LocalEtcd, client: Client, tmp_path: Path
) -> None:
    await asyncio.to_thread(local_etcd.backup, tmp_path / "backup")
    async with Proxy(local_etcd.endpoint) as proxy, Client(Endpoints((proxy.endpoint,), timeout=1.0)) as remote:
        async with following(remote) as follower:
            await remote.txn([], [Get(b"x"), Txn([Compare.absent(b"x")], [Put(b"/own/record", b"")], [])])
            proxy.silence()
            await replace(local_etcd, tmp_path / "backup")
            for n in range(10):
                await persistently(lambda n=n: client.put(b"/elsewhere/%d" % n, b""))
            proxy.restore()
            with pytest.raises(ClusterReplaced, match="doesn't know that /own/record was written"):
                await follower.reach(lambda: False)


async def test_what_was_compacted_is_no_sign(local_etcd: LocalEtcd, client: Client) -> None:
    async with following(client) as follower:
        await client.put(b"/own/record", b"")
        await client.delete(b"/own/record")
        async with Client(client.endpoints) as other:
            await other.compact(await other.put(b"a", b""))
        await asyncio.to_thread(local_etcd.restart)
        await persistently(client.verify)
        await follower.catch_up(client)


async def test_another_cluster_behind_the_same_endpoint_is_known(local_etcd: LocalEtcd, tmp_path: Path) -> None:
    with LocalEtcd(tmp_path / "other", name="other") as other:
        async with Client(Endpoints((other.endpoint,))) as writer:
            for n in range(10):
                await writer.put(b"%d" % n, b"")
        async with Proxy(local_etcd.endpoint) as proxy, Client(Endpoints((proxy.endpoint,), timeout=1.0)) as client:
            await client.put(b"a", b"")
            proxy.retarget(other.endpoint)
            with pytest.raises(ClusterReplaced, match=r"cluster .* answers, expected"):
                await persistently(lambda: client.get(b"a"))


@pytest.mark.parametrize("grown", [False, True], ids=["empty", "grown"])
async def test_the_former_leader_goes_first_in_an_etcd_that_was_wiped(local_etcd: LocalEtcd, *, grown: bool) -> None:
    endpoints = Endpoints((local_etcd.endpoint,), timeout=2.0)
    led: list[str] = []
    left = asyncio.Event()

    async def candidate(name: str, client: Client) -> None:
        election = Election(client, LEADER, name.encode(), 8)
        while not left.is_set():
            async with election.lead() as leadership:
                led.append(name)
                await _first(leadership, left)

    async with Client(endpoints) as first, Client(endpoints) as second:
        tasks = [asyncio.create_task(candidate("former", first))]
        await auntil(lambda: led == ["former"], "the first leads")
        standby = Election(second, LEADER, b"other", 8)
        tasks.append(asyncio.create_task(_enter(standby, led, "other", left)))
        await auntil(lambda: standby.holder == b"former", "the other stands by")
        await asyncio.to_thread(local_etcd.kill)
        local_etcd.wipe()
        await asyncio.to_thread(local_etcd.start)
        if grown:
            async with Client(endpoints) as third:
                for n in range(50):
                    await third.put(b"%d" % n, b"")
        await auntil(lambda: len(led) > 1, "one leads again")
        assert led == ["former", "former"]
        left.set()
        tasks.pop().cancel()
        await asyncio.gather(*tasks)


async def _first(leadership: Leadership, left: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in (leadership.lost, left)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


async def _enter(election: Election, led: list[str], name: str, left: asyncio.Event) -> None:
    async with election.lead():
        if not left.is_set():
            led.append(name)


async def test_a_standby_leads_in_a_new_etcd_when_the_former_leader_is_gone(
    local_etcd: LocalEtcd, client: Client
) -> None:
    led: list[str] = []
    left = asyncio.Event()
    left.set()
    async with Client(client.endpoints) as gone:
        async with Election(gone, LEADER, b"former", 2).lead():
            standby = Election(client, LEADER, b"other", 2)
            entering = asyncio.create_task(_enter(standby, led, "other", left))
            await auntil(lambda: standby.holder == b"former", "it stands by")
            await replace(local_etcd, None)
    async with asyncio.timeout(30):
        await entering
    assert standby.holder == b"other"


async def test_an_election_says_why_it_can_neither_lead_nor_stand_by(local_etcd: LocalEtcd, client: Client) -> None:
    await asyncio.to_thread(local_etcd.kill)
    election = Election(client, LEADER, b"me", 5)
    assert election.outage is None

    async def lead() -> EtcdError | None:
        async with election.lead():
            return election.outage

    leading = asyncio.create_task(lead())
    assert isinstance(await auntil(lambda: election.outage, "it says why"), Unavailable)
    await asyncio.to_thread(local_etcd.start)
    assert await leading is None
    assert election.holder == b"me"
