"""Which of the writes that wait go into the next transaction.  Pure.

A transaction takes as many as fit: etcd limits operations and bytes, and refuses one that writes a
key twice.  Several transactions may be under way, so a key whose write has not ended yet has to wait,
or its writes could overtake each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from gluon.etcd.types import MAX_TXN_OPERATIONS, Compare, Delete, DeletePrefix, Get, Op, Put, Txn

MAX_OPERATIONS = MAX_TXN_OPERATIONS - 8
"""Most operations of a batch, as `Weight` counts them; the rest is for what seals the batch."""

MAX_BYTES = 512 * 1024
"""Most bytes of keys and values of a batch; etcd takes 1.5 MiB.  A single larger write goes alone."""

T = TypeVar("T")


class Weight(Struct, frozen=True):
    """How much of a transaction one operation takes."""

    nested: int
    """Operations on the longest way down.  etcd counts the operations of a transaction, and adds
    those of one nested in it, but not those of its neighbours."""
    size: int
    """Bytes of all keys and values: the branch not taken travels, too."""


def weigh(op: Op) -> Weight:
    """What one operation adds to a batch, beside itself."""
    match op:
        case Put(key, value):
            return Weight(0, len(key) + len(value))
        case Txn(compare, success, failure):
            inner = [weigh(each) for each in (*success, *failure)]
            nested = max(len(compare), len(success), len(failure)) + max((each.nested for each in inner), default=0)
            return Weight(nested, sum(map(_size, compare)) + sum(each.size for each in inner))
        case Delete(key) | DeletePrefix(key) | Get(key):
            return Weight(0, len(key))


def _size(compare: Compare) -> int:
    return len(compare.key) + (len(compare.operand) if isinstance(compare.operand, bytes) else 0)


class Batching(Generic[T]):
    """The writes that wait, in order, and the keys whose write is under way."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[tuple[Weight, T]]] = {}
        self._ready: deque[Hashable] = deque()
        """Keys with a write that waits and none under way, longest wait first."""
        self._under_way: set[Hashable] = set()

    def __len__(self) -> int:
        """How many writes wait."""
        return sum(map(len, self._waiting.values()))

    def add(self, key: Hashable, weight: Weight, write: T) -> None:
        """Puts a write behind all others."""
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = deque()
            if key not in self._under_way:
                self._ready.append(key)
        waiting.append((weight, write))

    def take(self) -> Sequence[T]:
        """The next batch; empty while nothing may go.  Its keys are under way until `done`."""
        batch: list[T] = []
        nested = size = 0
        while self._ready:
            weight, write = self._waiting[self._ready[0]][0]
            nested = max(nested, weight.nested)
            size += weight.size
            if batch and (len(batch) + 1 + nested > MAX_OPERATIONS or size > MAX_BYTES):
                break
            self._start(self._ready.popleft())
            batch.append(write)
        return batch

    def _start(self, key: Hashable) -> None:
        waiting = self._waiting[key]
        waiting.popleft()
        if not waiting:
            del self._waiting[key]
        self._under_way.add(key)

    def done(self, keys: Iterable[Hashable]) -> None:
        """The writes of these keys have ended: the next of each may go."""
        for key in keys:
            self._under_way.discard(key)
            if key in self._waiting:
                self._ready.append(key)

    def drain(self) -> Iterator[T]:
        """Takes out all that waits."""
        waiting, self._waiting = self._waiting, {}
        self._ready.clear()
        return (write for each in waiting.values() for _, write in each)
