"""Keys, operations and results, as callers see them.  Pure; revisions and leases are etcd's int64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

MAX_TXN_OPERATIONS = 128
"""Operations that one transaction may hold, each branch for itself: etcd's default (`--max-txn-ops`)."""


class KeyValue(Struct, frozen=True, gc=False):
    """One key as etcd holds it."""

    key: bytes
    value: bytes
    """Empty in a list of keys only."""
    create_revision: int
    mod_revision: int
    version: int
    """Writes since the key was created; 1 after the first."""
    lease: int = 0
    """Lease that the key is attached to; 0 for none."""


class Page(Struct, frozen=True):
    """Part of a list."""

    items: tuple[KeyValue, ...]
    """In the order of their keys."""
    revision: int
    """The revision that the whole list shows."""


class Event(Struct, frozen=True, gc=False):
    """One change of one key."""

    key: bytes
    value: bytes | None
    """None: the key was deleted."""
    revision: int
    """The change's revision (mod_revision).  Of a delete that only a new list showed: the list's."""


class Compare(Struct, frozen=True):
    """A condition of a transaction; made with the class methods."""

    key: bytes
    target: Literal["mod_revision", "create_revision", "value"]
    operand: int | bytes
    greater: bool = False
    """Of a value: it has to be greater than the operand, not equal to it."""

    @classmethod
    def mod_revision(cls, key: bytes, revision: int) -> Compare:
        """The key was last written at this revision; 0: it does not exist."""
        return cls(key, "mod_revision", revision)

    @classmethod
    def create_revision(cls, key: bytes, revision: int) -> Compare:
        """The key was created at this revision; 0: it does not exist."""
        return cls(key, "create_revision", revision)

    @classmethod
    def value(cls, key: bytes, value: bytes) -> Compare:
        """The key exists and has this value."""
        return cls(key, "value", value)

    @classmethod
    def absent(cls, key: bytes) -> Compare:
        """The key does not exist."""
        return cls(key, "create_revision", 0)

    @classmethod
    def value_greater(cls, key: bytes, value: bytes) -> Compare:
        """The key exists and its value is greater than this one, byte by byte."""
        return cls(key, "value", value, greater=True)


class Put(Struct, frozen=True):
    """Writes a key."""

    key: bytes
    value: bytes
    lease: int = 0


class Delete(Struct, frozen=True):
    """Deletes a key; deleting what is absent succeeds."""

    key: bytes


class DeletePrefix(Struct, frozen=True):
    """Deletes every key that begins with the prefix."""

    prefix: bytes


class Get(Struct, frozen=True):
    """Reads a key."""

    key: bytes


class Txn(Struct, frozen=True):
    """A transaction within a transaction."""

    compare: Sequence[Compare]
    success: Sequence[Op]
    failure: Sequence[Op] = ()


Op: TypeAlias = Put | Delete | DeletePrefix | Get | Txn


class PutResult(Struct, frozen=True):
    """A `Put` was made."""

    revision: int
    """The store's revision after the transaction."""


class DeleteResult(Struct, frozen=True):
    """A `Delete` or `DeletePrefix` was made."""

    deleted: int
    """How many keys existed and are gone."""
    revision: int
    """The store's revision after the transaction."""


class GetResult(Struct, frozen=True):
    """Answer to a `Get`."""

    item: KeyValue | None
    """None: the key does not exist."""
    revision: int
    """The store's revision after the transaction."""


class TxnResult(Struct, frozen=True):
    """What a transaction did."""

    succeeded: bool
    """Every comparison held, so `success` was carried out; else `failure` was."""
    revision: int
    """The store's revision after it, of a nested one: after the outermost."""
    responses: tuple[Response, ...]
    """One for each operation of the branch taken, in their order."""


Response: TypeAlias = PutResult | DeleteResult | GetResult | TxnResult
"""The answer to one operation of a transaction."""


class Status(Struct, frozen=True):
    """What one etcd server says of itself."""

    version: str
    revision: int
    cluster_id: int
    member_id: int
    leader: int
    """member_id of the leader; 0 while there is none."""
    database_size: int
    """Bytes on disk."""
    errors: tuple[str, ...] = ()
    """Alarms, e.g. that the database is full."""


def prefix_end(prefix: bytes) -> bytes:
    """The end of the range of all keys that begin with `prefix`; a zero byte, etcd's "no end", for an empty one."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1]) if trimmed else b"\0"
