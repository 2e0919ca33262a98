"""The changes of one transaction."""

from __future__ import annotations

from gluon.contract.keys import ObjectKey
from gluon.proton.storage.stored import Stored, StoredBinding


class Changes:
    """The changes of one transaction; subscribers get them once they are committed, and only read them."""

    def __init__(self) -> None:
        self.objects: dict[ObjectKey, Stored | None] = {}
        """Objects as they are now; None: deleted."""
        self.bindings: dict[ObjectKey, tuple[StoredBinding, ...]] = {}
        """By port, all of its bindings as they are now: of ports of which one changed, and of those that
        the transaction told of (`Bindings.tell`)."""
        self.published = False
        """Whether there are new rows in the outbox."""

    def __bool__(self) -> bool:
        return bool(self.objects or self.bindings or self.published)
