"""Users, passwords, tokens that die, permissions that come and go."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gluon.etcd import AuthenticationFailed, Client, Endpoints, EtcdError, Liveness, Mirror, PermissionDenied, Put
from gluon.etcd.proto import etcd_pb2 as pb
from gluon.etcd.types import prefix_end
from gluon.etcd.watch import open_watch
from gluon.testing.etcd import LocalEtcd
from gluon.testing.waiting import auntil

from .faults import PREFIX, QUICK, Follower, Proxy, assert_exact, following, persistently

pytestmark = pytest.mark.asyncio

PASSWORD = "correct horse"
EXPIRY = 2.5
"""Seconds after which a token of `guarded_etcd` is gone that nobody used; etcd looks once a second."""


@pytest.fixture
def guarded_etcd(tmp_path: Path) -> Iterator[LocalEtcd]:
    """Knows `root`, and `gluon`, who may use the prefix; tokens die after a second without use."""
    with LocalEtcd(tmp_path / "etcd", root_password="root", auth_token_ttl=1) as etcd:
        etcd.add_user("gluon", PASSWORD)
        etcd.grant("gluon", PREFIX.decode())
        yield etcd


def login(*hosts: str, user: str = "gluon", password: str = PASSWORD) -> Endpoints:
    return Endpoints(hosts, user=user, password=password, timeout=2.0)


@pytest.mark.parametrize(
    "endpoints",
    [
        lambda host: login(host, password="wrong"),
        lambda host: login(host, user="nobody"),
        lambda host: Endpoints((host,)),
    ],
    ids=["wrong password", "unknown user", "no user"],
)
async def test_a_bad_login_is_refused_and_names_the_call(
    guarded_etcd: LocalEtcd, endpoints: Callable[[str], Endpoints], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Client(endpoints(guarded_etcd.endpoint)) as client:
        with pytest.raises(AuthenticationFailed, match=f"{guarded_etcd.endpoint} refuses .*user.*: put") as caught:
            await client.put(PREFIX + b"a", b"")
    assert "wrong" not in str(caught.value) + caplog.text


async def test_a_mirror_waits_until_the_password_is_right(
    guarded_etcd: LocalEtcd, caplog: pytest.LogCaptureFixture, report: Callable[[str, float], None]
) -> None:
    async with Client(login(guarded_etcd.endpoint, password="new")) as client:
        follower = Follower(Mirror(client, PREFIX, liveness=QUICK, longest_pause=0.5))
        try:
            outage = await auntil(lambda: follower.mirror.outage, "it says why")
            await auntil(lambda: follower.mirror.outage is not outage, "it tries again")
            assert not follower.mirror.connected
            assert caplog.text.count("authentication failed") == 1
            await asyncio.to_thread(guarded_etcd.change_password, "gluon", "new")
            since = time.monotonic()
            await follower.catch_up(client)
            report("a wrong password", since)
        finally:
            await follower.stop()


async def test_what_is_not_permitted_is_denied(guarded_etcd: LocalEtcd) -> None:
    async with Client(login(guarded_etcd.endpoint)) as client:
        with pytest.raises(PermissionDenied, match="refuses user 'gluon': put /elsewhere"):
            await client.put(b"/elsewhere", b"")
        with pytest.raises(PermissionDenied):
            await client.txn([], [Put(PREFIX + b"a", b""), Put(b"/elsewhere", b"")])
        assert await client.get(PREFIX + b"a") is None


async def test_expired_tokens_are_replaced_unnoticed(guarded_etcd: LocalEtcd) -> None:
    async def list_after_expiry() -> None:
        async with Client(login(guarded_etcd.endpoint)) as client:
            await client.put(PREFIX + b"a", b"")
            await asyncio.sleep(EXPIRY)
            assert len([page async for page in client.pages(PREFIX)]) == 1

    async def transaction_after_expiry() -> None:
        async with Client(login(guarded_etcd.endpoint)) as client:
            await client.put(PREFIX + b"b", b"")
            await asyncio.sleep(EXPIRY)
            assert (await client.txn([], [Put(PREFIX + b"b", b"")])).succeeded

    async def lease_after_expiry() -> None:
        async with Client(login(guarded_etcd.endpoint)) as client:
            await client.put(PREFIX + b"c", b"")
            await asyncio.sleep(EXPIRY)
            async with client.lease(5) as lease:
                await client.put(PREFIX + b"leased", b"", lease=lease.id)
            assert await client.get(PREFIX + b"leased") is None

    async def renewal_after_expiry() -> None:
        async with Client(login(guarded_etcd.endpoint)) as client, client.lease(6) as lease:
            # Renewed every 2 s, when its token is gone again.
            await asyncio.sleep(EXPIRY)
            await auntil(lambda: lease._hold.left > lease.ttl - 1, "it is renewed")  # noqa: SLF001
            assert lease.alive

    async with Client(login(guarded_etcd.endpoint)) as client, following(client) as follower:
        await asyncio.gather(
            list_after_expiry(), transaction_after_expiry(), lease_after_expiry(), renewal_after_expiry()
        )
        assert follower.mirror.connected
        await assert_exact(follower, client)


async def test_a_token_that_died_with_its_server_is_replaced(
    guarded_etcd: LocalEtcd, report: Callable[[str, float], None]
) -> None:
    async with Client(login(guarded_etcd.endpoint)) as client, following(client) as follower:
        await client.put(PREFIX + b"a", b"")
        await asyncio.to_thread(guarded_etcd.kill)
        await asyncio.to_thread(guarded_etcd.start)
        since = time.monotonic()
        await follower.catch_up(client)
        report("tokens lost by a restart", since)
        await assert_exact(follower, client)


async def test_a_watch_that_meets_a_dead_token_makes_room_for_a_new_one(guarded_etcd: LocalEtcd) -> None:
    request = pb.WatchCreateRequest(key=PREFIX, range_end=prefix_end(PREFIX))
    async with Client(login(guarded_etcd.endpoint)) as client:
        client.transport._token = "dead.1"  # noqa: SLF001 - as after a restart of etcd
        with pytest.raises(EtcdError):
            async with open_watch(client.transport, request, Liveness(), "watch"):
                raise AssertionError
        async with open_watch(client.transport, request, Liveness(), "watch") as watch:
            await client.put(PREFIX + b"a", b"")
            assert len((await watch.receive()).events) == 1


async def test_a_permission_revoked_and_granted_again(
    guarded_etcd: LocalEtcd, caplog: pytest.LogCaptureFixture, report: Callable[[str, float], None]
) -> None:
    async with Proxy(guarded_etcd.endpoint) as proxy, Client(login(proxy.endpoint)) as client:
        async with following(client, liveness=Liveness()) as follower:
            await client.put(PREFIX + b"a", b"1")
            await asyncio.to_thread(guarded_etcd.revoke, "gluon", PREFIX.decode())
            with pytest.raises(PermissionDenied):
                await client.put(PREFIX + b"a", b"2")
            proxy.cut()
            await auntil(lambda: "permission denied" in caplog.text, "the mirror has noticed")
            assert not follower.mirror.connected
            await asyncio.to_thread(guarded_etcd.grant, "gluon", PREFIX.decode())
            since = time.monotonic()
            await persistently(lambda: client.put(PREFIX + b"a", b"3"))
            await follower.catch_up(client)
            report("a revoked permission", since)
            await assert_exact(follower, client)
