"""The state of one proton in a shim, and which keys each change concerns.

One State has one owner, the reconciler's event loop.  Its methods return the keys whose next
step may differ now; nothing here decides what that step is.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from gluon.contract.keys import ObjectKey
from gluon.contract.records import Answer, AppliedRecord
from gluon.schema.types import Base, Proton
from gluon.shim.state.model import Model, Object, names_of


class HeldAnswer(Struct, frozen=True):
    """An answer key of etcd as last seen or written."""

    answer: Answer | None
    """None for `{}`."""
    revision: int
    """Its mod_revision; what a compare in a transaction expects."""
    exists: bool = True
    """False for a key that is known to be gone since `revision`."""


ABSENT = HeldAnswer(answer=None, revision=0, exists=False)


class State:
    """Desired and applied objects, applied records, and answers of every controller.

    Changes are idempotent and guarded by revision, so that an event that was already known
    (our own write coming back through the mirror) changes nothing.
    """

    def __init__(self, proton: Proton) -> None:
        self.proton = proton
        self.desired = Model(proton)
        self.applied = Model(proton)
        self._attempted = Model(proton)
        self.records: dict[ObjectKey, AppliedRecord] = {}
        self._answers: dict[ObjectKey, HeldAnswer] = {}

    def keys(self) -> set[ObjectKey]:
        """Every key that anything is known of."""
        return {*self.desired, *self.records, *self._answers}

    def answer(self, key: ObjectKey) -> HeldAnswer:
        """The answer of any controller for this key; `ABSENT` when there is none."""
        return self._answers.get(key, ABSENT)

    # -- desired ---------------------------------------------------------------------------

    def desire(self, obj: Object) -> set[ObjectKey]:
        """The object is wanted as given."""
        before = self.desired.find(obj.id)
        applied = self.applied.find(obj.id)
        if applied is not None and applied.attributes == obj.attributes:
            # One dictionary serves both models: halves the memory of a shim at rest.
            obj = Object(obj.id, obj.base, applied.attributes, obj.revision)
        self.desired = self.desired.having(obj)
        concerned = {obj.id}
        if before is None or before.attributes != obj.attributes:
            concerned |= self._all_dependents(obj.id)
        return concerned

    def forget(self, key: ObjectKey) -> set[ObjectKey]:
        """The object is no longer wanted."""
        if key not in self.desired:
            return set()
        concerned = {key, *self._all_dependents(key)}
        self.desired = self.desired.lacking(key)
        return concerned

    # -- applied ---------------------------------------------------------------------------

    def apply(self, key: ObjectKey, base: Base, record: AppliedRecord) -> set[ObjectKey]:
        """The backend has the object as recorded."""
        before = self.records.get(key)
        previous = self.applied.find(key)
        let_go = self._let_go(key, base, record)
        obj = Object(key, base, record.attributes, record.revision)
        self.records[key] = replace(record, attributes=obj.attributes)  # One copy, and that can't be changed.
        self.applied = self.applied.having(obj)
        concerned = {key}
        if before is None or previous is None or _matters_to_others(before, record):
            concerned |= self._dependents(key)
            if base is Base.PORT:
                concerned |= self._all_dependents(key)
        return concerned | let_go

    def _let_go(self, key: ObjectKey, base: Base, record: AppliedRecord) -> set[ObjectKey]:
        """Notes what is attempted; returns what was named until now and may wait to be deleted."""
        released: set[ObjectKey] = set()
        attempted, previous = self._attempted.find(key), self.applied.find(key)
        if attempted is not None and attempted.attributes != record.attempted:
            released |= names_of(self.proton, attempted)
            self._attempted = self._attempted.lacking(key)
        if record.attempted:
            self._attempted = self._attempted.having(Object(key, base, record.attempted, record.revision))
        if previous is not None and previous.attributes != record.attributes:
            released |= names_of(self.proton, previous)
        return released

    def dependents(self, key: ObjectKey) -> set[ObjectKey]:
        """The objects that name this one at the backend, or may do so."""
        return {*self.applied.referrers(key), *self._attempted.referrers(key)}

    def unapply(self, key: ObjectKey) -> set[ObjectKey]:
        """The backend no longer has the object."""
        self.records.pop(key, None)
        previous = self.applied.find(key)
        if previous is None:
            return set()
        concerned = {key, *self._dependents(key), *names_of(self.proton, previous)}
        attempted = self._attempted.find(key)
        if attempted is not None:
            concerned |= names_of(self.proton, attempted)
            self._attempted = self._attempted.lacking(key)
        port = self.applied.port_of(previous)
        if port is not None:
            concerned.add(port.id)
        self.applied = self.applied.lacking(key)
        return concerned

    # -- answers ---------------------------------------------------------------------------

    def hear(self, key: ObjectKey, held: HeldAnswer) -> set[ObjectKey]:
        """An answer key changed; older news than what is known are ignored."""
        if held.revision < self.answer(key).revision:
            return set()
        known = self._answers.get(key)
        if held == known or (known is None and not held.exists):
            return set()
        self._answers[key] = held
        return {key}

    def settle(self, key: ObjectKey, revision: int) -> set[ObjectKey]:
        """The mirror says that the answer key went away at `revision`."""
        known = self._answers.get(key)
        if known is None or known.revision > revision:
            return set()
        del self._answers[key]
        return {key} if known.exists else set()

    # -- who is concerned ------------------------------------------------------------------

    def _dependents(self, key: ObjectKey) -> set[ObjectKey]:
        desired, applied = self.desired.referrers(key), self.applied.referrers(key)
        return {*desired, *applied} if desired or applied else set()

    def _all_dependents(self, key: ObjectKey) -> set[ObjectKey]:
        """Whether an object is wanted hangs on the whole chain of what it names."""
        found: set[ObjectKey] = set()
        ahead = {key}
        while ahead:
            ahead = {dependent for name in ahead for dependent in self._dependents(name)} - found
            found |= ahead
        return found


def _matters_to_others(before: AppliedRecord, after: AppliedRecord) -> bool:
    return (
        before.claimed != after.claimed
        or (before.attempted == {}) != (after.attempted == {})
        or before.binding != after.binding
        or before.attributes != after.attributes
    )
