"""Waits for a bind: whatever comes before the request knows its own id must not be lost."""

from __future__ import annotations

import asyncio

import pytest

from gluon.contract.keys import ObjectKey
from gluon.proton.service import BindWaiters
from gluon.proton.storage import Stored

KEY = ObjectKey("net-l3vpn", "Port", "p")


def port(request: int | None, vif_type: str = "unbound") -> Stored:
    return Stored(attributes={"vif_type": vif_type}, created_at="", updated_at="", bind_request=request)


async def has_ended(waiter, request: int) -> bool:
    try:
        async with asyncio.timeout(0.02):
            await waiter.ended(request)
    except TimeoutError:
        return False
    return True


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([], False),
        ([port(7)], False),
        ([port(7, "ovs")], True),
        ([port(7, "binding_failed")], True),
        ([port(6, "ovs")], False),
        ([port(6, "ovs"), port(7)], False),
        ([port(8)], True),
        ([port(None)], False),
        ([None], False),
        ([port(7, "ovs"), port(6, "ovs")], True),
    ],
)
async def test_what_was_seen_before_the_request_is_known(seen, expected):
    waiters = BindWaiters()
    with waiters.waiter(KEY) as waiter:
        for each in seen:
            waiters.see(KEY, each)
        assert await has_ended(waiter, 7) == expected


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("seen", "expected"),
    [(port(7), False), (port(7, "ovs"), True), (port(8), True), (port(None), True), (None, True), (port(6), False)],
)
async def test_what_is_seen_while_it_waits(seen, expected):
    waiters = BindWaiters()
    with waiters.waiter(KEY) as waiter:
        waiting = asyncio.create_task(has_ended(waiter, 7))
        await asyncio.sleep(0)
        waiters.see(ObjectKey("net-l3vpn", "Port", "other"), port(9))
        waiters.see(KEY, seen)
        assert await waiting == expected


@pytest.mark.asyncio
async def test_a_stop_ends_all_waits_now_and_later():
    waiters = BindWaiters()
    with waiters.waiter(KEY) as before:
        waiting = asyncio.create_task(has_ended(before, 7))
        await asyncio.sleep(0)
        waiters.stop()
        assert await waiting
    with waiters.waiter(KEY) as after:
        assert await has_ended(after, 8)
