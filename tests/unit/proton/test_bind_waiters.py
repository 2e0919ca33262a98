"""Waits for a bind: nothing that is committed before the request runs again may be lost."""

from __future__ import annotations

import asyncio

import pytest

from gluon.contract.keys import ObjectKey
from gluon.proton.service import BindWaiters
from gluon.proton.storage import BindingState, Changes, StoredBinding

KEY = ObjectKey("net-l3vpn", "Port", "p")
PENDING, BOUND, FAILED, LOST = BindingState.PENDING, BindingState.BOUND, BindingState.FAILED, BindingState.LOST


class Feed:
    """A database of which only the commits matter."""

    def subscribe(self, subscriber):
        self.subscriber = subscriber

    def commit(self, *rows, port=KEY):
        changes = Changes()
        changes.bindings[port] = rows
        self.subscriber(changes)


def row(token="t", state=PENDING, host="h1"):
    return StoredBinding(port="p", host=host, token=token, state=state, created_at="", updated_at="")


async def turn():
    """Lets everything run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


SEEN = [
    ((row(),), False),
    ((row(state=BOUND),), True),
    ((row(state=FAILED),), True),
    ((row(state=LOST),), True),
    ((row("other"),), True),
    ((row(host="h2"),), True),
    ((row(), row("other", BOUND, "h2")), False),
    ((), True),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("rows", "ended"), SEEN)
@pytest.mark.parametrize("before", [True, False])
async def test_what_ends_a_wait(rows, ended, before):
    feed = Feed()
    waiters = BindWaiters(feed)
    with waiters.waiter(KEY) as waiter:
        if before:
            feed.commit(*rows)
        waiting = asyncio.create_task(waiter.ended("h1", "t"))
        await turn()
        assert waiting.done() == (ended and before)
        if not before:
            feed.commit(port=ObjectKey("net-l3vpn", "Port", "other"))
            feed.commit(row())
            await turn()
            assert not waiting.done()
            feed.commit(*rows)
            await turn()
            assert waiting.done() == ended
        waiting.cancel()


@pytest.mark.asyncio
async def test_only_the_latest_commit_before_the_wait_counts():
    feed = Feed()
    with BindWaiters(feed).waiter(KEY) as waiter:
        feed.commit(row("before", FAILED))
        feed.commit()
        feed.commit(row())
        waiting = asyncio.create_task(waiter.ended("h1", "t"))
        await turn()
        assert not waiting.done()
        feed.commit(row(state=BOUND))
        await asyncio.wait_for(waiting, 5)


@pytest.mark.asyncio
async def test_a_stop_ends_all_waits_now_and_later():
    waiters = BindWaiters(Feed())
    with waiters.waiter(KEY) as before:
        waiting = asyncio.create_task(before.ended("h1", "t"))
        await turn()
        waiters.stop()
        await asyncio.wait_for(waiting, 5)
    with waiters.waiter(KEY) as later:
        await asyncio.wait_for(later.ended("h1", "u"), 5)
