from __future__ import annotations

import asyncio
import time

import pytest

from gluon.etcd import Client, Endpoints, InvalidRequest, Unavailable
from gluon.testing.etcd import LocalEtcd

from .faults import Proxy, persistently

pytestmark = pytest.mark.asyncio


async def test_keys_live_as_long_as_their_lease(client: Client) -> None:
    async with client.lease(1) as lease:
        await client.put(b"a", b"", lease=lease.id)
        await asyncio.sleep(3.5)
        assert lease.alive
        assert not lease.lost.is_set()
        item = await client.get(b"a")
        assert item
        assert item.lease == lease.id
    assert lease.lost.is_set()
    assert await client.get(b"a") is None


async def test_a_lease_survives_a_short_outage(local_etcd: LocalEtcd, client: Client) -> None:
    async with client.lease(6) as lease:
        await client.put(b"a", b"", lease=lease.id)
        await asyncio.to_thread(local_etcd.kill)
        await asyncio.sleep(2.5)
        await asyncio.to_thread(local_etcd.start)
        await asyncio.sleep(5)
        assert lease.alive
        assert await client.get(b"a")


async def test_a_lease_is_lost_here_before_it_is_lost_in_etcd(local_etcd: LocalEtcd, client: Client) -> None:
    async with Proxy(local_etcd.endpoint) as proxy, Client(Endpoints((proxy.endpoint,), timeout=1.0)) as remote:
        async with remote.lease(2) as lease:
            await client.put(b"a", b"", lease=lease.id)
            proxy.silence()
            async with asyncio.timeout(10):
                await lease.lost.wait()
            assert not lease.alive
            assert await client.get(b"a")
            proxy.restore()
            await asyncio.sleep(0.5)
            assert lease.lost.is_set()


async def test_a_lease_is_lost_after_a_freeze_beyond_its_ttl(local_etcd: LocalEtcd, client: Client) -> None:
    async with client.lease(1) as lease:
        local_etcd.freeze()
        async with asyncio.timeout(10):
            await lease.lost.wait()
        assert not lease.alive
        local_etcd.thaw()
    assert await persistently(lambda: client.put(b"a", b"")) > 0


async def test_a_lease_revoked_by_another_is_lost_at_the_next_keepalive(local_etcd: LocalEtcd, client: Client) -> None:
    async with client.lease(6) as lease:
        since = time.monotonic()
        await asyncio.to_thread(local_etcd.call, "lease/revoke", ID=lease.id)
        async with asyncio.timeout(10):
            await lease.lost.wait()
        # Told by etcd, not by the clock: the TTL has not passed.
        assert time.monotonic() - since < 6
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
