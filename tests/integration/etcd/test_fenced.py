"""Writes behind a fence: many in few transactions, each with its own outcome."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gluon.etcd import (
    Client,
    ClusterReplaced,
    Compare,
    Delete,
    Endpoints,
    EtcdError,
    FenceBroken,
    FencedWriter,
    Get,
    LeaseLost,
    Op,
    OutOfSpace,
    PermissionDenied,
    Put,
    PutResult,
    Txn,
    TxnResult,
    Unavailable,
    WriteRefused,
)
from gluon.testing.etcd import LocalEtcd
from gluon.testing.waiting import auntil

from .faults import PREFIX, content, persistently

pytestmark = pytest.mark.asyncio

FENCE = b"/gluon/fence"
TOO_LARGE = bytes(1_600_000)


async def fence(client: Client) -> Compare:
    return Compare.create_revision(FENCE, await client.put(FENCE, b""))


@asynccontextmanager
async def running(writer: FencedWriter) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(writer.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def puts(count: int, value: bytes = b"x") -> list[tuple[Hashable, Op]]:
    return [(n, Put(PREFIX + b"%d" % n, value)) for n in range(count)]


async def test_many_writes_share_few_transactions_and_each_gets_its_own_answer(client: Client) -> None:
    await client.put(PREFIX + b"7", b"taken")
    writer = FencedWriter(client, await fence(client), retry=False)
    writes: list[tuple[Hashable, Op]] = [
        (n, Txn([Compare.absent(op.key)], [op], [Get(op.key)])) for n, op in puts(1000) if isinstance(op, Put)
    ]
    async with running(writer):
        results = await writer.write_all(writes)
        alone = await writer.write("alone", Delete(PREFIX + b"0"))
    assert all(isinstance(result, TxnResult) for result in results)
    assert [n for n, result in enumerate(results) if not (isinstance(result, TxnResult) and result.succeeded)] == [7]
    state, _ = await content(client)
    assert len(state) == 999
    assert state[PREFIX + b"7"] == b"taken"
    revisions = {result.revision for result in results if isinstance(result, TxnResult)}
    assert len(revisions) < 12
    assert alone.revision > max(revisions)


async def test_writes_of_one_key_are_made_in_order(client: Client) -> None:
    writer = FencedWriter(client, await fence(client), retry=False)
    async with running(writer):
        results = await writer.write_all(
            (key, Put(PREFIX + key, b"%d" % n)) for n in range(100) for key in (b"a", b"b", b"c%d" % n)
        )
    revisions = [result.revision for result in results if isinstance(result, PutResult)]
    assert revisions[::3] == sorted(set(revisions[::3]))
    assert revisions[1::3] == sorted(set(revisions[1::3]))
    state, _ = await content(client)
    assert state[PREFIX + b"a"] == state[PREFIX + b"b"] == b"99"


@pytest.mark.parametrize("deep", [1, 60, 110])
async def test_deep_and_large_writes_fit(client: Client, deep: int) -> None:
    writer = FencedWriter(client, await fence(client), retry=False)
    value = bytes(20_000)
    async with running(writer):
        results = await writer.write_all(
            (n, Txn([], [Put(PREFIX + b"%d/%d" % (n, m), value if m == 0 else b"") for m in range(deep)]))
            for n in range(200)
        )
    assert all(isinstance(result, TxnResult) for result in results)
    assert len((await content(client))[0]) == 200 * deep


async def test_a_write_that_etcd_refuses_holds_up_no_other(client: Client) -> None:
    writer = FencedWriter(client, await fence(client), retry=True)
    lone = asyncio.create_task(writer.write("lone", Put(PREFIX + b"", TOO_LARGE)))
    writes = puts(200)
    writes[40] = (40, Txn([], [Put(PREFIX + b"40", b"")] * 2))
    writes[120] = (120, Put(b"", b"a key without a name"))
    async with running(writer):
        results = await writer.write_all(writes)
        with pytest.raises(WriteRefused, match="larg"):
            await lone
        assert writer.outage is None
    refused = [n for n, result in enumerate(results) if isinstance(result, WriteRefused)]
    assert refused == [40, 120]
    assert len((await content(client))[0]) == 198


async def test_a_broken_fence_ends_the_writer_and_all_writes(client: Client) -> None:
    writer = FencedWriter(client, await fence(client), retry=True, name="controller ovs")
    async with running(writer) as task:
        await writer.write("a", Put(PREFIX + b"a", b""))
        await client.put(FENCE + b"/other", b"")
        await client.delete(FENCE)
        await client.put(FENCE, b"")
        outcomes = await asyncio.gather(*(writer.write(key, op) for key, op in puts(500)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {FenceBroken}
        with pytest.raises(FenceBroken, match="controller ovs: /gluon/fence is not ours"):
            await task
        with pytest.raises(FenceBroken):
            await writer.write("late", Put(PREFIX + b"late", b""))
        with pytest.raises(FenceBroken):
            await writer.write_all(puts(3))
    assert list((await content(client))[0]) == [PREFIX + b"a"]


async def test_an_outage_is_waited_for_if_wanted(
    local_etcd: LocalEtcd, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gluon.etcd.fenced")
    writer = FencedWriter(client, await fence(client), retry=True, name="controller ovs")
    async with running(writer):
        await asyncio.to_thread(local_etcd.kill)
        writing = asyncio.create_task(writer.write_all(puts(1000)))
        outage = await auntil(lambda: writer.outage, "the outage is known")
        assert isinstance(outage, Unavailable)
        await asyncio.to_thread(local_etcd.start)
        assert all(isinstance(result, PutResult) for result in await writing)
        assert writer.outage is None
    assert len((await content(client))[0]) == 1000
    messages = [record.getMessage() for record in caplog.records]
    assert "controller ovs: etcd takes writes again" in messages
    assert len([text for text in messages if "unreachable" in text]) == 1


async def test_without_retry_the_first_doubt_ends_the_writer(local_etcd: LocalEtcd, client: Client) -> None:
    writer = FencedWriter(client, await fence(client), retry=False)
    async with running(writer) as task:
        await asyncio.to_thread(local_etcd.kill)
        with pytest.raises(Unavailable):
            await writer.write_all(puts(10))
        with pytest.raises(Unavailable):
            await task
        with pytest.raises(Unavailable):
            await writer.write("late", Put(PREFIX + b"late", b""))


async def test_a_writer_that_is_stopped_leaves_nobody_waiting(local_etcd: LocalEtcd, client: Client) -> None:
    writer = FencedWriter(client, await fence(client), retry=True)
    async with running(writer) as task:
        await asyncio.to_thread(local_etcd.kill)
        writing = [asyncio.create_task(writer.write(key, op)) for key, op in puts(500)]
        await auntil(lambda: writer.outage, "it is under way")
        task.cancel()
        outcomes = await asyncio.gather(*writing, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    with pytest.raises(Unavailable, match="stopped"):
        await writer.write("late", Put(PREFIX + b"late", b""))


async def test_a_writer_waits_for_space_and_says_why(tmp_path: Path) -> None:
    with LocalEtcd(tmp_path / "etcd", quota=8_000_000) as etcd:
        async with Client(Endpoints((etcd.endpoint,), timeout=2.0)) as client:
            patient = FencedWriter(client, await fence(client), retry=True)
            strict = FencedWriter(client, patient._fence, retry=False)  # noqa: SLF001 - the same fence
            async with running(patient), running(strict):
                await asyncio.to_thread(etcd.fill)
                with pytest.raises(OutOfSpace, match=r"is out of space: transaction .*alarm disarm"):
                    await strict.write("a", Put(PREFIX + b"a", b""))
                with pytest.raises(OutOfSpace):
                    async with client.lease(5):
                        raise AssertionError
                writing = asyncio.create_task(patient.write_all(puts(10)))
                assert isinstance(await auntil(lambda: patient.outage, "it is known"), OutOfSpace)
                await asyncio.to_thread(etcd.make_room)
                assert len(await writing) == 10
                assert patient.outage is None


async def test_a_lease_that_is_gone_ends_the_writer_rather_than_holding_it_up(client: Client) -> None:
    writer = FencedWriter(client, await fence(client), retry=True)
    async with running(writer) as task:
        with pytest.raises(LeaseLost):
            await writer.write("a", Put(PREFIX + b"a", b"", lease=12345))
        with pytest.raises(LeaseLost):
            await task


async def test_a_permission_that_comes_later_is_waited_for(tmp_path: Path) -> None:
    with LocalEtcd(tmp_path / "etcd", root_password="root") as etcd:
        etcd.add_user("gluon", "secret")
        etcd.grant("gluon", "/gluon/")
        endpoints = Endpoints((etcd.endpoint,), user="gluon", password="secret", timeout=2.0)
        async with Client(endpoints) as client:
            writer = FencedWriter(client, await fence(client), retry=True)
            async with running(writer):
                writing = asyncio.create_task(writer.write_all(puts(3)))
                outage = await auntil(lambda: writer.outage, "it is known")
                assert isinstance(outage, PermissionDenied)
                assert "refuses user 'gluon'" in str(outage)
                await asyncio.to_thread(etcd.grant, "gluon", PREFIX.decode())
                assert len(await writing) == 3


async def test_a_writer_does_not_go_on_in_an_etcd_that_came_back_older(
    local_etcd: LocalEtcd, client: Client, tmp_path: Path
) -> None:
    held = await fence(client)
    await asyncio.to_thread(local_etcd.backup, tmp_path / "backup")
    writers = [FencedWriter(client, held, retry=True) for _ in range(2)]
    async with running(writers[0]) as first, running(writers[1]) as second:
        await persistently(lambda: client.get(FENCE))
        await writers[0].write_all(puts(10))
        await asyncio.to_thread(local_etcd.restore, tmp_path / "backup")
        # The fence itself is in the backup, and holds.
        with pytest.raises(ClusterReplaced, match="lost or restored from a backup"):
            await writers[0].write("a", Put(PREFIX + b"a", b""))
        with pytest.raises(ClusterReplaced):
            await first
        client.forget_history()
        assert (await client.txn([held], [])).succeeded
        with pytest.raises(ClusterReplaced):
            await writers[1].write("b", Put(PREFIX + b"b", b""))
        with pytest.raises(ClusterReplaced):
            await second
    assert PREFIX + b"b" not in (await content(client))[0]


async def test_a_seal_goes_with_every_transaction(client: Client) -> None:
    serial = b"/gluon/serial"
    sealed: list[int] = []

    def seal(keys: Sequence[Hashable]) -> Op:
        highest = max(key for key in keys if isinstance(key, int))
        sealed.append(len(keys))
        value = b"%020d" % highest
        return Txn([Compare.value_greater(serial, value)], [], [Put(serial, value)])

    writer = FencedWriter(client, await fence(client), retry=True, seal=seal)
    async with running(writer):
        writes = puts(1000)
        results = await writer.write_all([*writes, (2000, Put(PREFIX + b"huge", TOO_LARGE))])
    assert isinstance(results[-1], WriteRefused)
    assert sum(sealed) >= 1000
    held = await client.get(serial)
    assert held
    assert held.value == b"%020d" % 999
    assert held.mod_revision in {result.revision for result in results if isinstance(result, PutResult)}


async def test_a_caller_that_gives_up_disturbs_nobody(client: Client) -> None:
    writer = FencedWriter(client, await fence(client), retry=True)
    async with running(writer):
        given_up = asyncio.create_task(writer.write("a", Put(PREFIX + b"a", b"")))
        await asyncio.sleep(0)
        given_up.cancel()
        results = await writer.write_all(puts(10))
        assert not any(isinstance(result, EtcdError) for result in results)
        with pytest.raises(asyncio.CancelledError):
            await given_up
