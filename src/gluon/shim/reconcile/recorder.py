"""Applied records and answers into etcd: many objects in one transaction, behind the term's fence.

What is written about one object is a transaction of its own, nested in the batch, so that a claim
that another controller won fails alone.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from msgspec import Struct

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import AppliedRecord, PortAnswer, Status, encode
from gluon.etcd import Compare, Delete, FencedWriter, Get, GetResult, Op, Put, Txn, TxnResult
from gluon.shim.plan.outcome import AnswerWrite, Writes


class Written(Struct, frozen=True):
    """What became of the writes about one object."""

    revision: int
    answered: bool
    """The answer's key was as expected and has been written; also when none was to be."""


class Records(Protocol):
    """Where the reconciler leaves its books; `Recorder` in the shim, a dictionary in a simulation."""

    async def write(self, writes: Writes) -> Written:
        """Writes, and returns once it is there.

        Raises:
            WriteRefused: just this write is refused, e.g. because it is too large.
            EtcdError: the term is over.
        """


class Recorder:
    """Writes for all protons of one controller, for the time of one term.

    A write whose outcome is unknown is made again.  That is safe: records are only ours and the
    last one wins; an answer that went through the first time fails its guard the second time, the
    mirror then shows it, and the port is planned again.
    """

    def __init__(self, writer: FencedWriter, controller: str) -> None:
        self._writer = writer
        self._controller = controller

    async def write(self, writes: Writes) -> Written:
        """See `Records`."""
        response = await self._writer.write(writes.subject, self._operation(writes))
        assert isinstance(response, TxnResult)  # noqa: S101 - each operation here is a transaction
        if writes.answer is None or response.succeeded:
            return Written(response.revision, answered=True)
        if writes.claim:
            return _claimed_before(writes.answer, response)
        return Written(response.revision, answered=False)

    async def put(
        self, key: bytes, value: bytes | None, *, lease: int = 0, of: Hashable = None, unless_after: int | None = None
    ) -> None:
        """Writes, or with None deletes, a key of this controller's that is no record and no answer.

        Args:
            key: of etcd.
            value: what to write.
            lease: to attach it to; 0 for none.
            of: writes of equal `of` stay in their order; None: those of the key do.
            unless_after: leaves the key alone if it was written later than at this revision; None: never.

        Raises:
            WriteRefused, EtcdError: as `write`.
        """
        operation: Op = Delete(key) if value is None else Put(key, value, lease)
        guards = [] if unless_after is None else [Compare.mod_revision(key, unless_after)]
        await self._writer.write(key if of is None else of, Txn(guards, [operation]))

    def _operation(self, writes: Writes) -> Txn:
        records: list[Op] = [self._record(key, record) for key, record in writes.records.items()]
        if writes.late is not None:
            records.append(Delete(keys.late(self._controller, writes.late)))
        if writes.status is not None:
            path = keys.status(self._controller, writes.subject)
            records.append(Delete(path) if writes.status == Status() else Put(path, encode(writes.status)))
        if writes.answer is None:
            return Txn([], records)
        key, held = keys.answer(writes.answer.port), writes.answer.held
        guard = Compare.mod_revision(key, held.revision if held.exists else 0)
        answer = writes.answer.answer
        change: Op = Delete(key) if answer is None else Put(key, encode(answer))
        return Txn([guard], [*records, change], [Get(key)] if writes.claim else records)

    def _record(self, key: ObjectKey, record: AppliedRecord | None) -> Op:
        path = keys.applied(self._controller, key)
        return Delete(path) if record is None else Put(path, encode(record))


def _claimed_before(claim: AnswerWrite, response: TxnResult) -> Written:
    """Whether a claim that found another revision than expected went through at the first try."""
    found = response.responses[0]
    if isinstance(found, GetResult) and found.item is not None:
        wanted: PortAnswer | None = claim.answer
        if wanted is not None and found.item.value == encode(wanted):
            return Written(found.item.mod_revision, answered=True)
    return Written(response.revision, answered=False)
