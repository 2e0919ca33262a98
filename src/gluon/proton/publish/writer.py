"""Writes the wanted state of objects into etcd, in as few transactions as fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.etcd import Client, Compare, Delete, Get, GetResult, InvalidRequest, Op, Put, Txn, TxnResult

MAX_KEYS = 60
"""Most objects of one transaction.  Each takes up to two of the 128 operations that etcd allows."""
MAX_BYTES = 512 * 1024
"""Most bytes of values in one transaction.  A value goes twice, compared and put, and etcd takes
1.5 MiB."""


class Item(Struct, frozen=True, kw_only=True):
    """What etcd shall hold of one object, and why."""

    key: ObjectKey
    ids: tuple[int, ...]
    """The outbox rows that this settles, ascending."""
    value: bytes | None
    """None: nothing, the object is deleted."""
    registration: bytes | None = None
    """Of a port: the value of its registration."""
    is_port: bool = False
    rewrite: bool = False
    """Write the value even if it is there already."""
    bind_request: int | None = None
    """Of a port: the request for a bind that this publishes for the first time."""

    @property
    def size(self) -> int:
        """Bytes of its values."""
        return len(self.value or b"") + len(self.registration or b"")


class Written(Struct, frozen=True):
    """An object that etcd holds as item."""

    item: Item
    revision: int
    """mod_revision of its value; of a deleted one, etcd's revision."""


class Refused(Struct, frozen=True):
    """An object that etcd will never take as it is."""

    item: Item
    reason: str


class FenceBroken(Exception):
    """The session is over: its key is gone from etcd."""


def batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Cuts into pieces that fit into one transaction each; a larger value goes alone."""
    batch: list[Item] = []
    size = 0
    for each in items:
        if batch and (len(batch) == MAX_KEYS or size + each.size > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += each.size
    if batch:
        yield batch


async def write(client: Client, fence: Compare, batch: Sequence[Item]) -> list[Written | Refused]:
    """Writes one batch.  What etcd refuses does not keep the others from being written.

    Raises:
        FenceBroken: nothing was written.
        EtcdError: etcd is unavailable, or refuses the user; the outcome is unknown.
    """
    try:
        result = await client.txn([fence], [_operation(item) for item in batch])
    except InvalidRequest as error:
        if len(batch) == 1:
            return [Refused(batch[0], str(error))]
        middle = len(batch) // 2
        return [*await write(client, fence, batch[:middle]), *await write(client, fence, batch[middle:])]
    if not result.succeeded:
        raise FenceBroken
    return [
        Written(item, _revision(response, result.revision))
        for item, response in zip(batch, result.responses, strict=True)
    ]


def _operation(item: Item) -> Op:
    """All operations of one object as one transaction within the transaction."""
    value = _value(item)
    if not item.is_port:
        return value
    registration = keys.port_registration(item.key.key)
    if item.registration is None:
        return Txn([], [value, Delete(registration)])
    compare = Compare.value(registration, item.registration)
    return Txn([], [value, Txn([compare], [], [Put(registration, item.registration)])])


def _value(item: Item) -> Txn:
    key = keys.desired(item.key)
    if item.value is None:
        return Txn([], [Delete(key)])
    if item.rewrite or len(item.value) > MAX_BYTES:
        return Txn([], [Put(key, item.value)])
    # A value that is there already isn't put again: that would be a new revision to every shim.
    return Txn([Compare.value(key, item.value)], [Get(key)], [Put(key, item.value)])


def _revision(response: object, current: int) -> int:
    """The mod_revision that the object's value has after the transaction."""
    match response:
        case TxnResult(succeeded=True, responses=(GetResult(item=item), *_)) if item is not None:
            return item.mod_revision
        case TxnResult(responses=(TxnResult() as inner, *_)):
            return _revision(inner, current)
        case _:
            return current
