"""What a living shim knows, carried into an etcd that came back older, empty, or as another.  Pure.

The applied records in etcd are the shim's memory.  When etcd loses them, the process that led until
then still knows what its backend holds, and writes it down again.  Whether its knowledge is the
latest is told by the term that etcd remembers: one that the process knows was its own or came
before it; one that it does not know belongs to a leader that has acted since.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from gluon.contract.keys import ObjectKey
from gluon.contract.records import AppliedRecord, Attempt, PortAnswer, Term

Book = Mapping[ObjectKey, AppliedRecord]


class Memory(Struct, frozen=True, kw_only=True):
    """What a process knows from the terms that it has led."""

    terms: frozenset[str]
    """Ids of its own terms, and of those that it found when they began."""
    number: int
    """Of the latest."""
    epochs: frozenset[str]
    """The epoch of etcd at that time; of an etcd that was not filled again, all that it may show."""
    book: Book
    """All applied records."""
    answers: Mapping[ObjectKey, PortAnswer] = {}
    """Those of the ports that this controller had."""
    replaced: bool
    """The latest term ended because another etcd answered."""


STOOD_BY = Memory(terms=frozenset(), number=0, epochs=frozenset(), book={}, replaced=True)
"""Of a process that has led no term, and saw while it stood by that etcd was replaced."""


def is_replaced(memory: Memory | None, found: Term | None) -> bool:
    """Whether etcd is not the one that the process led in.

    Args:
        memory: of the process; None: it has not led.
        found: the latest term that etcd knows.
    """
    return memory is not None and (memory.replaced or found is None or found.number < memory.number)


def outdated(memory: Memory, found: Term | None) -> frozenset[str]:
    """The epochs that a replaced etcd may show without having been filled since.

    A process that has led no term can't tell whether somebody has acted in that etcd since.

    Args:
        memory: of the process.
        found: the latest term that etcd knows.
    """
    if found is None or (memory.terms and found.number > memory.number):
        return memory.epochs
    return memory.epochs | {found.epoch}


def merged(memory: Memory, found: Term | None, book: Book) -> dict[ObjectKey, AppliedRecord]:
    """The records to go on with in a replaced etcd.

    Args:
        memory: of the process.
        found: the latest term that etcd knows.
        book: the records that etcd has.
    """
    if found is None or found.id in memory.terms:
        return dict(memory.book)
    both = dict(book)
    for key, record in memory.book.items():
        if key not in both:
            # Another leader has acted since, perhaps on this: it may be there.
            both[key] = replace(record, claimed=True)
        elif both[key] != record:
            attempt = record.attempt or Attempt(callback="modify_object", attributes=record.attributes)
            both[key] = replace(both[key], attempt=attempt)
    return both


def claims(memory: Memory, found: Term | None, answers: Mapping[ObjectKey, PortAnswer]) -> dict[ObjectKey, PortAnswer]:
    """The answers to write into a replaced etcd: what it shows of our ports is from before they were ours.

    An answer has one owner.  So if it was ours when etcd was lost, another controller's claim that comes back with
    a backup ended before; taken for today's, it would have us unbind a port that carries traffic.

    Args:
        memory: of the process.
        found: the latest term that etcd knows; one that the process does not know has acted since.
        answers: what etcd holds, by port.
    """
    if found is not None and found.id not in memory.terms:
        return {}
    return {port: answer for port, answer in memory.answers.items() if answers.get(port) != answer}


def changes(wanted: Book, book: Book) -> dict[ObjectKey, AppliedRecord | None]:
    """What to write so that etcd has the wanted records; None deletes one."""
    written: dict[ObjectKey, AppliedRecord | None] = {
        key: record for key, record in wanted.items() if book.get(key) != record
    }
    return written | {key: None for key in book if key not in wanted}


def next_number(memory: Memory | None, found: Term | None, clock: int) -> int:
    """The number of a new term: greater than any before, also than those that etcd has lost.

    Args:
        memory: of the process.
        found: the latest term that etcd knows.
        clock: milliseconds since 1970.  Where etcd and the process have both lost the last number,
            the clock still leads beyond it, unless terms follow each other faster than that.
    """
    before = max(memory.number if memory else 0, found.number if found else 0)
    return max(before + 1, clock)
