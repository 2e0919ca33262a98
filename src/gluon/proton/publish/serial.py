"""The serial: the highest outbox id that was ever published to this etcd, in `/gluon/serial`."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from gluon.contract import keys
from gluon.contract.records import MalformedRecord
from gluon.etcd import Compare, Op, Put, Txn

SERIAL_DIGITS = 20
"""Zero padded, so that etcd, which compares bytes, compares numbers."""
HIGHEST_SERIAL = 2**62
"""Anything beyond is nobody's: SQLite's ids end at 2**63."""


def encode_serial(serial: int) -> bytes:
    """As etcd holds it."""
    return b"%0*d" % (SERIAL_DIGITS, serial)


def decode_serial(value: bytes) -> int:
    """Reads it back.

    Raises:
        MalformedRecord: it is no such number.
    """
    if len(value) != SERIAL_DIGITS or not value.isdigit() or int(value) > HIGHEST_SERIAL:
        raise MalformedRecord(f"expected {SERIAL_DIGITS} digits, at most {HIGHEST_SERIAL}, got {value[:64]!r}")
    return int(value)


class Serial:
    """How far etcd is filled, as part of each transaction that fills it."""

    def __init__(self, known: int) -> None:
        self.known = known
        """A serial that etcd certainly had at some moment of this session."""
        self.newest: dict[Hashable, int] = {}
        """By key, the outbox id that is being published."""

    def seal(self, written: Sequence[Hashable]) -> Op:
        """Raises it to the highest id among these.

        An etcd that came back older is below what was known, and stays there: raised, it would look as
        if it held everything up to here.
        """
        number = encode_serial(max((self.newest[key] for key in written), default=0))
        raised = Txn([Compare.value_greater(keys.SERIAL, number)], [], [Put(keys.SERIAL, number)])
        before = encode_serial(self.known - 1) if self.known else b""
        return Txn([Compare.value_greater(keys.SERIAL, before)], [raised])
