"""An operation on one object, remembered for the case that a constraint refuses it."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from msgspec import Struct

from gluon.contract.keys import ObjectKey
from gluon.schema import Value


class Verb(enum.Enum):
    """The kinds of operations."""

    INSERT = "the creation"
    REPLACE = "the change"
    DELETE = "the deletion"


class Operation(Struct, frozen=True):
    """An operation that is about to be carried out."""

    verb: Verb
    key: ObjectKey
    attributes: Mapping[str, Value] = {}
    """As they are to be; empty for a deletion."""


class ConstraintRefused(Exception):
    """A constraint refused an operation, and the transaction was undone."""

    def __init__(self, operation: Operation | None, done: frozenset[ObjectKey]) -> None:
        super().__init__(f"refused by a constraint: {operation}")
        self.operation = operation
        self.done = done
        """The objects that the same transaction had changed before."""
