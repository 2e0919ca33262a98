"""Applied records and answers into etcd: many keys in one transaction, fenced by the election.

A key's write is a transaction of its own, nested in the batch, so that a claim that another
controller won fails alone.  Around it stands the fence: a shim that was deposed writes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from msgspec import UNSET, Struct

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import UNBOUND_ANSWER, encode
from gluon.etcd import (
    Client,
    Compare,
    Delete,
    EtcdError,
    Get,
    GetResult,
    InvalidRequest,
    Op,
    Put,
    Txn,
    TxnResult,
    Unavailable,
)
from gluon.shim.plan.outcome import Writes

log = logging.getLogger(__name__)

BATCH = 100
"""Keys in one transaction; below etcd's 128 operations."""

UNDER_WAY = 2
"""Transactions under way at once: while etcd writes one to its disk, the next is put together."""

RETRY = 0.5
"""Seconds between tries while etcd does not answer."""


class Deposed(Exception):
    """Another shim of the same controller leads, or the lease is lost: this term is over."""


class WriteRefused(Exception):
    """etcd will never take this write, e.g. because it is too large."""


class Written(Struct, frozen=True):
    """What became of one key's write."""

    revision: int
    answered: bool
    """The answer's key was as expected and has been written (always true if none was to be)."""


class _Item(Struct, frozen=True):
    key: ObjectKey
    op: Op
    guarded: bool
    claimed: bytes | None
    """The answer of a claim, all or nothing."""
    done: asyncio.Future[Written]


class Recorder:
    """Writes for all protons of one controller, for the time of one term."""

    def __init__(self, etcd: Client, fence: Compare, controller: str) -> None:
        self._etcd = etcd
        self._fence = fence
        self._controller = controller
        self._items: deque[_Item] = deque()
        self._ready = asyncio.Event()

    async def write(self, writes: Writes) -> Written:
        """Writes one key's record and answer, and returns once etcd has them.

        Raises:
            Deposed: the term is over; nothing was written.
            WriteRefused: etcd refused just this write.
        """
        done: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        item = _Item(
            key=writes.key,
            op=self._op(writes),
            guarded=writes.touches_answer,
            claimed=_answer_value(writes) if writes.claim else None,
            done=done,
        )
        self._items.append(item)
        self._ready.set()
        return await item.done

    async def run(self) -> None:
        """Writes batch after batch, each of what has gathered while others were under way.

        Raises:
            Deposed: the term is over.
        """
        async with asyncio.TaskGroup() as tasks:
            for _ in range(UNDER_WAY):
                tasks.create_task(self._write_batches())

    async def _write_batches(self) -> None:
        while True:
            await self._ready.wait()
            batch = self._next_batch()
            if not self._items:
                self._ready.clear()
            if batch:
                await self._write_batch(batch)

    def _next_batch(self) -> list[_Item]:
        """The oldest items, a key once: etcd refuses a transaction that writes a key twice."""
        batch: dict[ObjectKey, _Item] = {}
        while self._items and len(batch) < BATCH and self._items[0].key not in batch:
            item = self._items.popleft()
            batch[item.key] = item
        return list(batch.values())

    async def _write_batch(self, batch: list[_Item]) -> None:
        try:
            result = await self._txn(batch)
        except InvalidRequest as error:
            if len(batch) > 1:
                for item in batch:
                    await self._write_batch([item])
                return
            _settle(batch[0], WriteRefused(f"etcd refused to record it: {error}"))
            return
        if not result.succeeded:
            deposed = Deposed(f"the election key of controller {self._controller} is no longer ours")
            for item in batch:
                _settle(item, deposed)
            raise deposed
        for item, response in zip(batch, result.responses, strict=True):
            _settle(item, _written(item, response, result.revision))

    async def _txn(self, batch: list[_Item]) -> TxnResult:
        """Tries until etcd answers; a batch whose outcome is unknown is safe to write again.

        Records are last-write-wins and only ours.  An answer that went through the first time
        fails its guard the second time: the mirror then shows it, and the key is planned again.
        Of a claim the value that is there then says whether it was this one that went through.
        """
        failing = False
        while True:
            try:
                result = await self._etcd.txn([self._fence], [item.op for item in batch])
            except InvalidRequest:
                raise
            except EtcdError as error:
                if not failing:
                    log.warning("etcd does not take records, trying again until it does: %s", error)
                failing = True
                await asyncio.sleep(RETRY if isinstance(error, Unavailable) else 10 * RETRY)
            else:
                if failing:
                    log.info("etcd takes records again")
                return result

    def _op(self, writes: Writes) -> Op:
        record = self._record_ops(writes)
        if not writes.touches_answer:
            return record[0]
        answer_key = keys.answer(writes.key)
        held = writes.held
        guard = Compare.mod_revision(answer_key, held.revision if held is not None and held.exists else 0)
        answer: Op = Delete(answer_key)
        if not writes.drop_answer:
            answer = Put(answer_key, _answer_value(writes))
        return Txn([guard], [*record, answer], [Get(answer_key)] if writes.claim else record)

    def _record_ops(self, writes: Writes) -> list[Op]:
        if writes.record is UNSET:
            return []
        key = keys.applied(self._controller, writes.key)
        return [Put(key, encode(writes.record)) if isinstance(writes.record, Struct) else Delete(key)]


def _answer_value(writes: Writes) -> bytes:
    return encode(writes.answer) if isinstance(writes.answer, Struct) else UNBOUND_ANSWER


def _written(item: _Item, response: object, revision: int) -> Written:
    """What the response to one key's operation says."""
    if not (item.guarded and isinstance(response, TxnResult)):
        return Written(revision=revision, answered=True)
    if item.claimed is not None and not response.succeeded:
        found = response.responses[0]
        if isinstance(found, GetResult) and found.item is not None and found.item.value == item.claimed:
            return Written(revision=found.item.mod_revision, answered=True)
    return Written(revision=revision, answered=response.succeeded)


def _settle(item: _Item, outcome: Written | Exception) -> None:
    if item.done.done():
        return
    if isinstance(outcome, Exception):
        item.done.set_exception(outcome)
    else:
        item.done.set_result(outcome)
