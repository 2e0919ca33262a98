from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from gluon.etcd import (
    MAX_TXN_OPERATIONS,
    Client,
    Compacted,
    Compare,
    Delete,
    DeletePrefix,
    DeleteResult,
    Endpoints,
    Get,
    GetResult,
    InvalidRequest,
    LeaseLost,
    Mirror,
    Put,
    PutResult,
    TimedOut,
    Txn,
    Unavailable,
)
from gluon.testing.etcd import LocalEtcd, free_ports
from gluon.testing.waiting import auntil

from .faults import PREFIX, Follower, Proxy, Writers

pytestmark = pytest.mark.asyncio


@pytest.fixture(scope="module")
def shared_etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEtcd]:
    """One etcd for all calls that do it no harm."""
    with LocalEtcd(tmp_path_factory.mktemp("shared")) as etcd:
        yield etcd


@pytest_asyncio.fixture
async def client(shared_etcd: LocalEtcd) -> AsyncIterator[Client]:
    """A client of `shared_etcd`, which is empty."""
    async with Client(Endpoints((shared_etcd.endpoint,), timeout=2.0)) as etcd:
        await etcd.delete_prefix(b"")
        yield etcd


async def test_keys_are_written_read_and_deleted(client: Client) -> None:
    first = await client.put(b"a", b"1")
    second = await client.put(b"a", b"2")
    item = await client.get(b"a")
    assert item
    assert (item.key, item.value, item.version, item.lease) == (b"a", b"2", 2, 0)
    assert (item.create_revision, item.mod_revision) == (first, second)
    assert await client.delete(b"a")
    assert not await client.delete(b"a")
    assert await client.get(b"a") is None


@pytest.mark.parametrize("prefix", [b"p/", b"p\xff", b""])
async def test_delete_prefix_takes_what_begins_with_it(client: Client, prefix: bytes) -> None:
    for key in (b"o", b"p/1", b"p/2", b"p0", b"p\xff", b"p\xff\xff", b"q"):
        await client.put(key, b"")
    keys = [item.key async for page in client.pages(b"", keys_only=True) for item in page.items]
    gone = [key for key in keys if key.startswith(prefix)]
    assert await client.delete_prefix(prefix) == len(gone) > 1
    left = [item.key async for page in client.pages(b"") for item in page.items]
    assert left == [key for key in keys if key not in gone]


async def test_transaction_takes_the_branch_that_its_comparisons_choose(client: Client) -> None:
    revision = await client.put(b"a", b"1")
    true = [
        Compare.mod_revision(b"a", revision),
        Compare.create_revision(b"a", revision),
        Compare.value(b"a", b"1"),
        Compare.value_greater(b"a", b"0"),
        Compare.value_greater(b"a", b""),
        Compare.absent(b"b"),
        Compare.mod_revision(b"b", 0),
    ]
    false = [
        Compare.mod_revision(b"a", revision + 1),
        Compare.create_revision(b"b", revision),
        Compare.value(b"a", b"2"),
        Compare.value(b"b", b""),
        Compare.value_greater(b"a", b"1"),
        Compare.value_greater(b"a", b"10"),
        Compare.value_greater(b"b", b""),
        Compare.absent(b"a"),
    ]
    assert (await client.txn(true, [])).succeeded
    for each in false:
        assert not (await client.txn([*true, each], [Put(b"b", b"never")])).succeeded
    assert await client.get(b"b") is None


async def test_transaction_answers_each_operation_in_order(client: Client) -> None:
    await client.put(b"p/1", b"x")
    inner = Txn([Compare.absent(b"p/1")], [Put(b"n", b"absent")], [Put(b"n", b"exists"), Get(b"p/9")])
    result = await client.txn([], [Put(b"a", b"1"), Get(b"a"), Delete(b"none"), inner, DeletePrefix(b"p/")])
    assert result.succeeded
    put, got, deleted, nested, deleted_prefix = result.responses
    assert put == PutResult(result.revision)
    assert isinstance(got, GetResult)
    assert got.item
    assert (got.item.value, got.item.mod_revision) == (b"1", result.revision)
    assert deleted == DeleteResult(0, result.revision)
    assert not nested.succeeded  # type: ignore[union-attr]
    assert nested.revision == result.revision  # type: ignore[union-attr]
    assert nested.responses == (PutResult(result.revision), GetResult(None, result.revision))  # type: ignore[union-attr]
    assert deleted_prefix == DeleteResult(1, result.revision)


async def test_transaction_beyond_the_limit_is_refused_and_changes_nothing(client: Client) -> None:
    puts = [Put(b"k%d" % n, b"") for n in range(MAX_TXN_OPERATIONS + 1)]
    with pytest.raises(InvalidRequest, match=r"129 \+ 0 operations.*too many operations"):
        await client.txn([], puts)
    assert await client.get(b"k0") is None
    assert (await client.txn([], puts[:-1])).succeeded


async def test_request_beyond_the_size_limit_is_refused(client: Client) -> None:
    with pytest.raises(InvalidRequest, match=r"put big.*larg"):
        await client.put(b"big", b"x" * 1_600_000)
    with pytest.raises(InvalidRequest, match=r"put huge.*larg"):
        await client.put(b"huge", b"x" * 5_000_000)


async def test_pages_show_one_revision_while_writers_write(client: Client) -> None:
    for number in range(200):
        await client.put(PREFIX + b"k%03d" % number, b"before")
    writers = Writers(client, keys=500)
    pages = []
    async for page in client.pages(PREFIX, limit=17):
        pages.append(page)
        await asyncio.sleep(0.01)
    await writers.stop()
    items = [item for page in pages for item in page.items]
    assert len(pages) > 10
    assert {page.revision for page in pages} == {pages[0].revision}
    assert [item.key for item in items] == sorted({item.key for item in items})
    assert all(item.mod_revision <= pages[0].revision for item in items)
    assert {PREFIX + b"k%03d" % number for number in range(200)} <= {item.key for item in items}


async def test_pages_without_values_and_of_nothing(client: Client) -> None:
    await client.put(b"a", b"1")
    (page,) = [page async for page in client.pages(b"", keys_only=True)]
    assert [(item.key, item.value) for item in page.items] == [(b"a", b"")]
    (empty,) = [page async for page in client.pages(b"none/")]
    assert empty.items == ()
    assert empty.revision == page.revision


async def test_list_whose_revision_is_compacted_midway_says_so(client: Client) -> None:
    for number in range(10):
        await client.put(b"k%d" % number, b"")
    with pytest.raises(Compacted):
        async for page in client.pages(b"k", limit=3):
            await client.compact(await client.put(b"k0", b"") if page else 0)


async def test_compacting_twice_says_so(client: Client) -> None:
    revision = await client.put(b"a", b"1")
    await client.compact(revision)
    with pytest.raises(Compacted, match=f"compact to revision {revision}"):
        await client.compact(revision)


async def test_status_describes_the_server(client: Client) -> None:
    revision = await client.put(b"a", b"1")
    status = await client.status()
    assert status.version.startswith("3.")
    assert status.revision == revision
    assert status.leader == status.member_id != 0
    assert status.cluster_id != 0
    assert status.database_size > 0


async def test_put_on_a_lease_that_is_gone_says_so(client: Client) -> None:
    with pytest.raises(LeaseLost, match="lease not found"):
        await client.put(b"a", b"", lease=12345)


async def test_error_of_an_unreachable_etcd_names_call_and_server() -> None:
    host = f"127.0.0.1:{free_ports(1)[0]}"
    async with Client(Endpoints((host,), timeout=2.0)) as client:
        with pytest.raises(Unavailable, match=rf"etcd {host} is unreachable: put a: .*[Cc]onnection refused"):
            await client.put(b"a", b"")


async def test_frozen_etcd_is_given_up_after_the_timeout(local_etcd: LocalEtcd) -> None:
    async with Client(Endpoints((local_etcd.endpoint,), timeout=0.5)) as client:
        await client.put(b"a", b"")
        local_etcd.freeze()
        with pytest.raises(TimedOut, match="get a"):
            await client.get(b"a")
        local_etcd.thaw()
        assert await client.get(b"a")


async def test_a_dead_server_among_the_endpoints_is_passed_over(shared_etcd: LocalEtcd) -> None:
    hosts = (f"127.0.0.1:{free_ports(1)[0]}", shared_etcd.endpoint.replace("127.0.0.1", "localhost"))
    async with Client(Endpoints(hosts, timeout=2.0)) as client:
        assert await client.put(b"a", b"1") > 0
        for _ in range(20):
            assert await client.get(b"a")


async def test_a_silent_server_among_the_endpoints_costs_one_timeout(shared_etcd: LocalEtcd) -> None:
    async with Proxy(shared_etcd.endpoint) as proxy:
        endpoints = Endpoints((proxy.endpoint, shared_etcd.endpoint), timeout=0.5)
        async with Client(endpoints) as client:
            await client.put(b"a", b"1")
            proxy.silence()
            with pytest.raises(TimedOut):
                await client.put(b"a", b"2")
            for _ in range(20):
                assert await client.put(b"a", b"3")


async def test_a_client_that_is_not_open_says_so() -> None:
    with pytest.raises(InvalidRequest, match="async with"):
        await Client(Endpoints(("127.0.0.1:1",))).get(b"a")


async def test_closing_a_client_ends_what_is_under_way(local_etcd: LocalEtcd) -> None:
    async with Client(Endpoints((local_etcd.endpoint,), timeout=60.0)) as client:
        await client.put(b"a", b"1")
        follower = Follower(Mirror(client, PREFIX))
        await auntil(lambda: follower.mirror.connected, "the mirror is connected")
        local_etcd.freeze()
        reading = asyncio.create_task(client.get(b"a"))
        await asyncio.sleep(0)
    async with asyncio.timeout(30):
        with pytest.raises(Unavailable, match="get a: the client was closed"):
            await reading
        with pytest.raises(InvalidRequest, match="not open"):
            await follower.reach(lambda: False)
        await follower.stop()


async def test_the_password_is_in_no_text(caplog: pytest.LogCaptureFixture, shared_etcd: LocalEtcd) -> None:
    caplog.set_level(logging.DEBUG)
    endpoints = Endpoints((shared_etcd.endpoint,), user="root", password="hush-hush")
    async with Client(endpoints) as client:
        await client.put(b"a", b"1")
    assert "without authentication" in caplog.text
    assert "hush-hush" not in caplog.text + repr(endpoints) + str(endpoints)
