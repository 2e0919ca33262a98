"""What a mirror promises while nothing is wrong but the load."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing

import pytest

from gluon.etcd import Client, Event, Mirror, Put

from .faults import PREFIX, Writers, assert_exact, assert_state, content, following

pytestmark = pytest.mark.asyncio


async def test_an_empty_prefix_is_in_sync_at_once(client: Client) -> None:
    mirror = Mirror(client, PREFIX)
    assert not mirror.connected
    async with asyncio.timeout(30), aclosing(mirror.batches()) as batches:
        batch = await anext(batches)
    assert batch.synced
    assert batch.events == ()
    assert not mirror.connected


async def test_the_list_comes_first_and_only_its_last_batch_is_synced(client: Client) -> None:
    for start in range(0, 1200, 100):
        await client.txn([], [Put(PREFIX + b"%04d" % n, b"%d" % n) for n in range(start, start + 100)])
    held, revision = await content(client)
    async with asyncio.timeout(30), aclosing(Mirror(client, PREFIX).batches()) as batches:
        seen = [await anext(batches)]
        assert not gc.isenabled()
        while not seen[-1].synced:
            seen.append(await anext(batches))
        assert gc.isenabled()
    assert [batch.synced for batch in seen].count(True) == 1
    assert max(len(batch.events) for batch in seen) <= 500
    assert {each.key: each.value for batch in seen for each in batch.events} == held
    assert {batch.revision for batch in seen} == {revision}


async def test_the_garbage_collector_runs_again_when_a_list_is_left_early(client: Client) -> None:
    await client.put(PREFIX + b"a", b"")
    async with aclosing(Mirror(client, PREFIX).batches()) as batches:
        await anext(batches)
    assert gc.isenabled()


async def test_puts_and_deletes_arrive_with_their_revisions(client: Client) -> None:
    async with following(client) as follower:
        first = await client.put(PREFIX + b"a", b"1")
        await client.put(b"/elsewhere/a", b"")
        result = await client.txn([], [Put(PREFIX + b"b", b"2"), Put(PREFIX + b"c", b"3")])
        await client.delete(PREFIX + b"a")
        await follower.reach(lambda: len(follower.events) == 4)
        assert follower.events == [
            Event(PREFIX + b"a", b"1", first),
            Event(PREFIX + b"b", b"2", result.revision),
            Event(PREFIX + b"c", b"3", result.revision),
            Event(PREFIX + b"a", None, result.revision + 1),
        ]


async def test_an_exact_mirror_sees_one_key_only(client: Client) -> None:
    await client.put(b"key", b"1")
    await client.put(b"key2", b"1")
    async with asyncio.timeout(30), aclosing(Mirror(client, b"key", exact=True).batches()) as batches:
        first, second = await anext(batches), await anext(batches)
        assert [each.key for each in first.events] == [b"key"]
        assert second.synced
        changes = asyncio.ensure_future(anext(batches))
        await client.put(b"key2", b"2")
        await client.put(b"key", b"2")
        assert [each.key for each in (await changes).events] == [b"key"]


async def test_nothing_is_lost_between_list_and_watch(client: Client) -> None:
    writers = Writers(client, count=8, pause=0)
    for _ in range(5):
        async with following(client) as follower:
            await writers.progress(100)
            await follower.catch_up(client)
    await writers.stop()
    async with following(client) as follower:
        await assert_state(follower, client)


async def test_many_writers_are_followed_exactly(client: Client) -> None:
    async with following(client) as follower:
        writers = Writers(client, count=8, pause=0)
        await writers.progress(1000)
        await writers.stop()
        await assert_exact(follower, client, writers)
        await assert_state(follower, client)


async def test_a_slow_consumer_loses_nothing_and_does_not_count_as_silence(client: Client) -> None:
    async with following(client, delay=1.5) as follower:
        payload = b"x" * 20_000
        for start in range(0, 2000, 100):
            await client.txn([], [Put(PREFIX + b"k%d" % n, payload) for n in range(start, start + 50)])
        await asyncio.sleep(2.5)
        assert follower.mirror.connected
        assert len(follower.events) < 1000
        # The consumer that does not read blocks nobody else on the connection.
        assert await client.get(PREFIX + b"k0")
        follower.delay = 0
        await assert_exact(follower, client)


async def test_answers_beyond_4_mb_arrive_whole(client: Client) -> None:
    payload = b"x" * 900_000
    async with following(client) as follower:
        await client.txn([], [Put(PREFIX + b"one", payload)])
        await assert_exact(follower, client)
    writes = [client.put(PREFIX + b"many%d" % n, payload) for n in range(12)]
    async with following(client) as follower:
        await asyncio.gather(*writes)
        assert_all = {PREFIX + b"many%d" % n for n in range(12)}
        await follower.reach(lambda: assert_all <= set(follower.state))
        await assert_state(follower, client)
    async with following(client) as follower:
        await assert_state(follower, client)
