"""What one transaction changed."""

from __future__ import annotations

from gluon.contract.keys import ObjectKey
from gluon.proton.storage.stored import Stored, StoredBinding


class Changes:
    """What one transaction changed; subscribers get it once it is committed, and only read it."""

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
