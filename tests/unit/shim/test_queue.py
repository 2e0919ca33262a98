"""The queue: each key once, one worker a key, no wake-up lost."""

from __future__ import annotations

import asyncio
import random

import pytest

from gluon.contract.keys import ObjectKey
from gluon.shim.reconcile.queue import KeyQueue

A, B, C = (ObjectKey("p", "Port", letter) for letter in "abc")
BOUND = 5.0


async def taken(queue: KeyQueue) -> ObjectKey:
    async with asyncio.timeout(BOUND):
        return await queue.take()


async def is_empty(queue: KeyQueue) -> bool:
    task = asyncio.create_task(queue.take())
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    return (await asyncio.gather(task, return_exceptions=True))[0].__class__ is asyncio.CancelledError


@pytest.mark.asyncio
async def test_a_key_that_waits_is_due_once() -> None:
    queue = KeyQueue()
    queue.add([A, B, A])
    queue.add([A])
    assert len(queue) == 2
    assert [await taken(queue), await taken(queue)] == [A, B]
    assert await is_empty(queue)


@pytest.mark.asyncio
async def test_a_key_that_is_worked_on_has_one_worker_and_is_due_again_afterwards() -> None:
    queue = KeyQueue()
    queue.add([A])
    assert await taken(queue) == A
    queue.add([A])
    queue.add([A])
    assert await is_empty(queue)
    queue.done(A)
    assert await taken(queue) == A
    queue.done(A)
    assert await is_empty(queue)
    assert len(queue) == 0


@pytest.mark.asyncio
async def test_a_key_that_is_due_later_is_due_sooner_when_added() -> None:
    queue = KeyQueue()
    queue.add_later(A, 1000)
    queue.add_later(A, 0.01)
    assert await taken(queue) == A
    queue.done(A)
    queue.add_later(B, 1000)
    queue.add([B])
    assert await taken(queue) == B
    queue.done(B)
    queue.add_later(C, 0.01)
    queue.close()
    await asyncio.sleep(0.03)
    assert await is_empty(queue)


@pytest.mark.asyncio
async def test_a_key_that_is_due_is_not_put_off() -> None:
    queue = KeyQueue()
    queue.add([A])
    queue.add_later(A, 1000)
    assert await taken(queue) == A


@pytest.mark.asyncio
async def test_a_taker_cancelled_as_it_is_woken_passes_the_key_on() -> None:
    queue = KeyQueue()
    first, second = asyncio.create_task(queue.take()), asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.add([A])
    first.cancel()
    async with asyncio.timeout(BOUND):
        assert await second == A
    assert first.cancelled()


@pytest.mark.asyncio
async def test_a_paused_queue_hands_out_nothing_and_becomes_idle() -> None:
    queue = KeyQueue()
    queue.add([A, B])
    assert await taken(queue) == A
    queue.pause()
    idle = asyncio.create_task(queue.idle())
    assert await is_empty(queue)
    assert not idle.done()
    queue.done(A)
    async with asyncio.timeout(BOUND):
        await idle
    assert await is_empty(queue)


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(5))
async def test_many_workers_never_share_a_key_and_end_with_the_last_state(seed: int) -> None:
    chance, queue = random.Random(seed), KeyQueue()
    keys = [ObjectKey("p", "Port", str(number)) for number in range(10)]
    wanted, had, busy = dict.fromkeys(keys, 0), dict.fromkeys(keys, 0), set()

    async def work() -> None:
        while True:
            key = await queue.take()
            assert key not in busy
            busy.add(key)
            seen = wanted[key]
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
            had[key] = seen
            busy.discard(key)
            queue.done(key)

    workers = [asyncio.create_task(work()) for _ in range(4)]
    for number in range(300):
        key = chance.choice(keys)
        wanted[key] = number
        queue.add([key])
        if chance.random() < 0.1:
            idle = asyncio.create_task(queue.take())
            workers.append(asyncio.create_task(work()))
            await asyncio.sleep(0)
            idle.cancel()
            [found] = await asyncio.gather(idle, return_exceptions=True)
            if isinstance(found, ObjectKey):
                queue.add([found])
                queue.done(found)
        if chance.random() < 0.5:
            await asyncio.sleep(0)
    async with asyncio.timeout(BOUND):
        while len(queue):
            await asyncio.sleep(0)
    assert had == wanted
    for worker in workers:
        worker.cancel()
    results = await asyncio.gather(*workers, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)


@pytest.mark.asyncio
async def test_keys_are_settled_once_none_of_them_is_due_or_worked_on() -> None:
    queue = KeyQueue()
    queue.add([A, B, C])
    settled = asyncio.create_task(queue.settled({A, B}))
    for expected in (A, B):
        assert await taken(queue) == expected
    queue.done(A)
    queue.add([B])
    queue.done(B)
    for _ in range(3):
        await asyncio.sleep(0)
    assert not settled.done()  # B was added while it was worked on, so it is due again.
    assert await taken(queue) == C
    assert await taken(queue) == B
    queue.done(B)
    async with asyncio.timeout(BOUND):
        await settled
    assert len(queue) == 1


@pytest.mark.asyncio
async def test_what_is_only_due_later_is_settled() -> None:
    queue = KeyQueue()
    queue.add([A])
    assert await taken(queue) == A
    queue.add_later(A, 1000)
    queue.done(A)
    async with asyncio.timeout(BOUND):
        await queue.settled({A})
    queue.close()
