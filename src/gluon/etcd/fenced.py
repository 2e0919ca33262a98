"""Many writes in few transactions, each of them behind one fence.

Whoever has won the right to write (a leader, a publisher's session) holds a key; every transaction
compares it, so that a writer that froze and was replaced writes nothing late.  Each write is one
operation of the batch, often a `Txn` nested in it, so that a comparison that fails keeps only that one
write from being made.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable, Sequence

from msgspec import Struct

from gluon.etcd.backoff import Backoff
from gluon.etcd.batching import Batching, weigh
from gluon.etcd.client import Client
from gluon.etcd.errors import (
    OUTAGES,
    WAIT_FOR_OPERATOR,
    EtcdError,
    FenceBroken,
    InvalidRequest,
    Unavailable,
    WriteRefused,
)
from gluon.etcd.types import Compare, Op, Put, Response, Txn

logger = logging.getLogger(__name__)

UNDER_WAY = 2
"""Transactions under way at once: while etcd writes one to its disk, the next is put together."""

RETRY = 0.5
"""Seconds, at most, between two tries of a writer that waits for etcd."""

OPERATOR_RETRY = 2.0
"""Seconds between two tries of a writer that waits for an operator."""

Seal = Callable[[Sequence[Hashable]], Op]
"""Makes the operation that goes with every transaction, from the keys that it writes."""


class _Write(Struct, frozen=True):
    key: Hashable
    op: Op
    done: asyncio.Future[Response]


class FencedWriter:
    """Writes for as long as a fence holds.

    `run` does the work; beside it any number of tasks call `write` or `write_all`.  The writes of
    one key are made in the order of the calls; those of different keys in any order.
    """

    def __init__(
        self, client: Client, fence: Compare, *, retry: bool, name: str = "writer", seal: Seal | None = None
    ) -> None:
        """Prepares a writer.

        Args:
            client: speaks to etcd; it stays the caller's.
            fence: holds as long as this writer may write.
            retry: True: an outage is waited for, and a write whose outcome is unknown is made again,
                so each must be safe to repeat.  False: the first error ends the writer.
            name: for the log, e.g. `controller ovs`.
            seal: adds one operation to every transaction, of at most 7 nested ones.  A refused batch
                is cut in halves, each sealed for itself.
        """
        self.outage: EtcdError | None = None
        """Why nothing can be written at this moment; always None without `retry`."""
        self._client = client
        self._history = client.history
        self._fence = fence
        self._retry = retry
        self._name = name
        self._seal = seal
        self._batching: Batching[_Write] = Batching()
        self._news = asyncio.Event()
        self._end: EtcdError | None = None

    async def write(self, key: Hashable, op: Op) -> Response:
        """Makes one write and returns etcd's answer to it, with the transaction's revision.

        Args:
            key: whose write this is; writes of equal keys never share a transaction.
            op: writes no key of etcd that the operation of another `key` writes.

        Raises:
            WriteRefused: etcd refused just this write; the writer goes on.
            FenceBroken: the right to write is over.  Nothing was written, unless the write was
                under way beside the one that found out.
            EtcdError: the writer has ended for another reason, or is not running any more; whether
                the write was made is unknown.
        """
        return await self._add(key, op)

    async def write_all(self, writes: Iterable[tuple[Hashable, Op]]) -> list[Response | WriteRefused]:
        """Makes several writes and returns the outcome of each, in their order.

        Raises:
            FenceBroken, EtcdError: as `write`; some may have been made.
        """
        outcomes = await asyncio.gather(*(self._add(key, op) for key, op in writes), return_exceptions=True)
        results: list[Response | WriteRefused] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, WriteRefused):
                raise outcome
            results.append(outcome)
        return results

    async def probe(self) -> None:
        """Finds out whether a write could be made at this moment, and makes none.

        etcd looks at its quota and at the user's permissions before it compares, so a write behind a
        comparison that never holds is refused like any other.  An outage ends or is noted as by `write`.

        Raises:
            FenceBroken, EtcdError: as `run`.
        """
        never = Compare.absent(self._fence.key)
        await self._txn([Txn([never], [Put(self._fence.key, b"")])])

    async def run(self) -> None:
        """Makes the writes until cancelled, or until it can't go on.

        However it ends, no call of `write` is left waiting.

        Raises:
            FenceBroken: the fence does not hold.
            ClusterReplaced: the etcd that answers is not the one of the fence.
            EtcdError: without `retry`: the first one; with it: one that time doesn't heal.
        """
        workers = [asyncio.create_task(self._work(), name=f"{self._name} {n}") for n in range(UNDER_WAY)]
        end: EtcdError = Unavailable(f"{self._name}: the writer was stopped")
        try:
            await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
            await next(worker for worker in workers if worker.done())
        except EtcdError as error:
            end = error
            raise
        finally:
            self._end = end
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            self._fail(self._batching.drain(), end)

    def _add(self, key: Hashable, op: Op) -> asyncio.Future[Response]:
        write = _Write(key, op, asyncio.get_running_loop().create_future())
        if self._end is not None:
            self._fail([write], self._end)
        else:
            self._batching.add(key, weigh(op), write)
            self._news.set()
        return write.done

    async def _work(self) -> None:
        while True:
            batch = self._batching.take()
            if not batch:
                self._news.clear()
                await self._news.wait()
                continue
            try:
                await self._write(batch)
            finally:
                self._fail(batch, self._end or Unavailable(f"{self._name}: the outcome of the write is unknown"))
                self._batching.done(write.key for write in batch)
                self._news.set()

    async def _write(self, batch: Sequence[_Write]) -> None:
        try:
            responses = await self._txn(self._operations(batch))
        except InvalidRequest as error:
            if len(batch) == 1:
                _settle(batch[0], WriteRefused(str(error)))
                return
            # Halves find the one that etcd refuses in a few steps; one by one would take a step for each.
            middle = len(batch) // 2
            await self._write(batch[:middle])
            await self._write(batch[middle:])
            return
        except EtcdError as error:
            self._fail(batch, error)
            raise
        for write, response in zip(batch, responses, strict=False):
            _settle(write, response)

    def _operations(self, batch: Sequence[_Write]) -> list[Op]:
        operations = [write.op for write in batch]
        if self._seal:
            operations.append(self._seal([write.key for write in batch]))
        return operations

    async def _txn(self, operations: Sequence[Op]) -> Sequence[Response]:
        """One transaction, tried until etcd answers if that is wanted."""
        backoff = Backoff(RETRY)
        while True:
            self._history.check()
            try:
                if self.outage is not None:
                    await self._client.verify()
                result = await self._client.txn([self._fence], operations)
            except OUTAGES as error:
                if not self._retry:
                    raise
                self._note_outage(error)
                await asyncio.sleep(OPERATOR_RETRY if isinstance(error, WAIT_FOR_OPERATOR) else backoff.delay())
                continue
            self._note_success()
            if not result.succeeded:
                raise FenceBroken(
                    f"{self._name}: {self._fence.key.decode(errors='backslashreplace')} is not ours any more"
                )
            return result.responses

    def _note_outage(self, error: EtcdError) -> None:
        if type(self.outage) is not type(error):
            logger.warning("%s: nothing can be written, trying again until it works: %s", self._name, error)
        self.outage = error

    def _note_success(self) -> None:
        if self.outage is not None:
            logger.info("%s: etcd takes writes again", self._name)
        self.outage = None

    @staticmethod
    def _fail(writes: Iterable[_Write], error: EtcdError) -> None:
        for write in writes:
            _settle(write, error)


def _settle(write: _Write, outcome: Response | EtcdError) -> None:
    if write.done.done():
        return
    if isinstance(outcome, EtcdError):
        write.done.set_exception(outcome)
        write.done.exception()  # Seen, even if the caller was cancelled meanwhile.
    else:
        write.done.set_result(outcome)
