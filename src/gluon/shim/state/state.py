"""The state of one proton in a shim, and which objects each change concerns.

One State has one owner, the reconciler's event loop.  Its methods return the objects whose next
step may differ now; nothing here decides what that step is.  A port and its bindings are looked at
together, under the port's key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import NOBODY, AppliedRecord, PortAnswer, WantedBinding
from gluon.schema.types import Base, Proton, Value
from gluon.shim.state.claims import Claims
from gluon.shim.state.model import Model, Object, names_of


class HeldAnswer(Struct, frozen=True):
    """The answer key of a port as last seen or written."""

    answer: PortAnswer
    revision: int
    """Its mod_revision; what a compare in a transaction expects."""
    exists: bool = True
    """False for a key that is known to be gone since `revision`."""


ABSENT = HeldAnswer(answer=NOBODY, revision=0, exists=False)


class Wish(Struct, frozen=True):
    """One binding of a port as it is wanted."""

    port: Object
    """The port as it shall be bound on this host; `active` says whether it is the active binding."""
    token: str


class State:
    """Desired and applied objects, applied records, and the answers of every controller.

    Changes are idempotent and guarded by revision, so that an event that was already known
    (our own write coming back through the mirror) changes nothing.
    """

    def __init__(self, proton: Proton) -> None:
        self.proton = proton
        self.desired = Model(proton)
        self.applied = Model(proton)
        self.records: dict[ObjectKey, AppliedRecord] = {}
        self.requests: dict[ObjectKey, str] = {}
        """By object, the id of the request that last changed it, for the log; those without one are left out."""
        self.unreadable: set[ObjectKey] = set()
        """Objects whose value in etcd can't be read."""
        self.held_back: Collection[ObjectKey] = frozenset()
        """Records whose deletion the brake holds back; see `hold_all_absent` for the other way."""
        self.hold_all_absent = False
        """Nothing that is merely absent from etcd is deleted: it may still come."""
        self.claims = Claims(proton)
        """What only one object of a type can have, and which objects have it, or are to have it."""
        self._attempted = Model(proton)
        self._exclusive = frozenset(name for name, each in proton.objects.items() if each.unique)
        """The types that have a rule of that kind."""
        self._announced: dict[ObjectKey, Object] = {}
        self._wishes: dict[ObjectKey, Mapping[str, Wish]] = {}
        self._hosts: dict[ObjectKey, set[str]] = {}
        self._answers: dict[ObjectKey, HeldAnswer] = {}
        self._seen = 0
        """The latest revision of which the mirror has told us something about answers."""

    # -- reading ---------------------------------------------------------------------------

    def keys(self) -> set[ObjectKey]:
        """Every object that anything is known of."""
        return {*self.desired, *map(subject, self.records), *self._answers}

    def base(self, key: ObjectKey) -> Base:
        """What an applied record is about."""
        return Base.PORT_BINDING if keys.is_binding(key) else self.proton.objects[key.object].base

    def answer(self, port: ObjectKey) -> HeldAnswer:
        """The controllers' answer for this port; `ABSENT` when there is none."""
        return self._answers.get(port, ABSENT)

    def answers_of(self, controller: str) -> dict[ObjectKey, PortAnswer]:
        """The answers of the ports that a controller has, or has claimed."""
        return {
            port: held.answer
            for port, held in self._answers.items()
            if any(entry.controller == controller for entry in held.answer.bindings.values())
        }

    def wishes(self, port: ObjectKey) -> Mapping[str, Wish]:
        """The bindings that are wanted of a port, by host."""
        return self._wishes.get(port, _NO_WISHES)

    def hosts(self, port: ObjectKey) -> Collection[str]:
        """The hosts that the port is bound on by us, or may be."""
        return self._hosts.get(port, ())

    def dependents(self, key: ObjectKey) -> set[ObjectKey]:
        """The objects that name this one at the backend, or may do so."""
        return {*self.applied.referrers(key), *self._attempted.referrers(key)}

    def told(self, key: ObjectKey) -> list[Object]:
        """How the backend has the object, may have it, or is about to be told of it."""
        found = (self.applied.find(key), self._attempted.find(key), self._announced.get(key))
        return [obj for obj in found if obj is not None]

    def as_bound(self, port: ObjectKey, host: str) -> Object:
        """The port as it was, or may have been, bound on the host."""
        record = self.records[keys.binding(port, host)]
        attempt = record.attempt
        attributes = record.attributes if attempt is None or attempt.removes else attempt.attributes
        return Object(port, Base.PORT, attributes, record.revision, active=self._is_active(port, host))

    def _is_active(self, port: ObjectKey, host: str) -> bool:
        """Whether the port carries its traffic on this host, as far as is known."""
        answer = self.answer(port).answer
        if any(entry.host_id == host for entry in answer.inactive):
            return False
        if answer.active is not None:
            return answer.active.host_id == host
        wish = self.wishes(port).get(host)
        return wish is None or wish.port.active

    # -- what is wanted ----------------------------------------------------------------------

    def desire(self, obj: Object, token: str = "", inactive: Iterable[WantedBinding] = ()) -> set[ObjectKey]:
        """The object is wanted as given; of a port, bound as its bindings say."""
        before = self.desired.find(obj.id)
        applied = self.applied.find(obj.id)
        self.unreadable.discard(obj.id)
        if applied is not None and applied.attributes == obj.attributes:
            # One dictionary serves both models: halves the memory of a shim at rest.
            obj = Object(obj.id, obj.base, applied.attributes, obj.revision)
        self.desired = self.desired.having(obj)
        concerned = {obj.id}
        wishes_before = self.wishes(obj.id)
        if obj.base is Base.PORT:
            self._wish(obj, token, inactive)
        if before is None or before.attributes != obj.attributes or wishes_before.keys() != self.wishes(obj.id).keys():
            concerned |= self._all_dependents(obj.id)
        if obj.type in self._exclusive:
            concerned |= self._reclaim(obj.id)
        return self._with_rivals(concerned)

    def _wish(self, port: Object, token: str, inactive: Iterable[WantedBinding]) -> None:
        wishes: dict[str, Wish] = {}
        if port["host_id"] and port["device_id"]:
            wishes[str(port["host_id"])] = Wish(port, token)
        for binding in inactive:
            own = {"host_id": binding.host_id, "profile": binding.profile}
            if binding.vnic_type is not None:
                own["vnic_type"] = binding.vnic_type
            prepared = Object(port.id, port.base, {**port.attributes, **own}, port.revision, active=False)
            wishes.setdefault(binding.host_id, Wish(prepared, binding.token))
        if wishes:
            self._wishes[port.id] = wishes
        else:
            self._wishes.pop(port.id, None)

    def ask(self, key: ObjectKey, request: str) -> None:
        """Notes the id of the request that last changed the object; empty: it had none."""
        if request:
            self.requests[key] = request
        else:
            self.requests.pop(key, None)

    def forget(self, key: ObjectKey) -> set[ObjectKey]:
        """The object is no longer wanted."""
        self.requests.pop(key, None)
        self.unreadable.discard(key)
        if key not in self.desired:
            return set()
        concerned = {key, *self._all_dependents(key)}
        self.desired = self.desired.lacking(key)
        self._wishes.pop(key, None)
        if key.object in self._exclusive:
            concerned |= self._reclaim(key)
        return self._with_rivals(concerned)

    # -- what was applied --------------------------------------------------------------------

    def record(self, key: ObjectKey, record: AppliedRecord | None) -> set[ObjectKey]:
        """The backend has the object as recorded; None: it does not have it."""
        if keys.is_binding(key):
            return self._with_rivals(self._record_binding(key, record))
        before = self.records.get(key)
        concerned = self._unapply(key) if record is None else self._apply(key, record)
        if key.object in self._exclusive and (before is None or record is None or _gives_otherwise(before, record)):
            concerned |= self._reclaim(key)
        return self._with_rivals(concerned)

    def announce(self, obj: Object) -> None:
        """A call is about to be recorded that gives the object these values.

        Writing that down takes a moment, in which no other object may begin to get what only one can have.
        """
        if obj.type in self._exclusive:
            self._announced[obj.id] = obj
            if self.desired.find(obj.id) is not obj:  # Else it claims that already.
                self._reclaim(obj.id)

    def announced(self, key: ObjectKey) -> set[ObjectKey]:
        """The call is recorded by now, or is not going to be made."""
        obj = self._announced.pop(key, None)
        if obj is None:
            return set()
        released = set() if self.desired.find(key) is obj else self._reclaim(key)
        return self._with_rivals({key} | released) - {key}

    def _record_binding(self, key: ObjectKey, record: AppliedRecord | None) -> set[ObjectKey]:
        port, host = keys.port_and_host(key)
        before = self.records.get(key)
        hosts = self._hosts.setdefault(port, set())
        if record is None:
            self.records.pop(key, None)
            hosts.discard(host)
        else:
            self.records[key] = record
            hosts.add(host)
        if not hosts:
            del self._hosts[port]
        return {port} if before == record else {port, *self._all_dependents(port)}

    def _apply(self, key: ObjectKey, record: AppliedRecord) -> set[ObjectKey]:
        base = self.base(key)
        before, previous = self.records.get(key), self.applied.find(key)
        let_go = self._let_go(key, base, record)
        obj = Object(key, base, record.attributes, record.revision)
        self.records[key] = replace(record, attributes=obj.attributes)  # One copy, and that can't be changed.
        self.applied = self.applied.having(obj)
        concerned = {key}
        if before is None or previous is None or _matters_to_others(before, record):
            concerned |= self._all_dependents(key) if base is Base.PORT else self._dependents(key)
        return concerned | let_go

    def _let_go(self, key: ObjectKey, base: Base, record: AppliedRecord) -> set[ObjectKey]:
        """Notes what an attempt names; returns what was named until now.

        An object must not be deleted at the backend while another that is there, or may be, names
        it.  A call that may have been made counts as made, so what it names is kept beside what
        the record itself names; whatever drops out of the two may be waiting to be deleted.
        """
        released: set[ObjectKey] = set()
        attempted, previous = self._attempted.find(key), self.applied.find(key)
        names = record.attempt.attributes if record.attempt and not record.attempt.removes else None
        if attempted is not None and attempted.attributes != names:
            released |= names_of(self.proton, attempted)
            self._attempted = self._attempted.lacking(key)
        if names is not None:
            self._attempted = self._attempted.having(Object(key, base, names, record.revision))
        if previous is not None and previous.attributes != record.attributes:
            released |= names_of(self.proton, previous)
        return released

    def _unapply(self, key: ObjectKey) -> set[ObjectKey]:
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

    # -- answers -----------------------------------------------------------------------------

    def wrote(self, port: ObjectKey, held: HeldAnswer) -> set[ObjectKey]:
        """We have written an answer key; what the mirror has said of a later revision is newer.

        A key that was deleted meanwhile has left no trace: without this look at the mirror's
        position our own word would bring it back, and every claim would compare with it in vain.
        """
        return set() if held.revision < self._seen else self._take(port, held)

    def hear(self, port: ObjectKey, held: HeldAnswer) -> set[ObjectKey]:
        """The mirror says that an answer key changed; news older than what is known is ignored."""
        self._seen = max(self._seen, held.revision)
        return self._take(port, held)

    def _take(self, port: ObjectKey, held: HeldAnswer) -> set[ObjectKey]:
        if held.revision < self.answer(port).revision:
            return set()
        known = self._answers.get(port)
        if held == known or (known is None and not held.exists):
            return set()
        self._answers[port] = held
        return self._handed_over(port, NOBODY if known is None else known.answer, held.answer)

    def settle(self, port: ObjectKey, revision: int) -> set[ObjectKey]:
        """The mirror says that the answer key went away at `revision`."""
        self._seen = max(self._seen, revision)
        known = self._answers.get(port)
        if known is None or known.revision > revision:
            return set()
        del self._answers[port]
        return self._handed_over(port, known.answer, NOBODY) if known.exists else set()

    def _handed_over(self, port: ObjectKey, before: PortAnswer, after: PortAnswer) -> set[ObjectKey]:
        """A service binding has to go before the unbind of a port that another controller took over."""
        if _owners(before) == _owners(after):
            return {port}
        return self._with_rivals({port, *self._all_dependents(port)})

    # -- who is concerned --------------------------------------------------------------------

    def _reclaim(self, key: ObjectKey) -> set[ObjectKey]:
        """Notes what the object claims now; returns who may have what it claims no more."""
        desired = self.desired.find(key)
        forms: list[Mapping[str, Value]] = [] if desired is None else [desired.attributes]
        for obj in self.told(key):
            if obj.attributes not in forms:
                forms.append(obj.attributes)
        return self.claims.update(key, forms)

    def _with_rivals(self, concerned: set[ObjectKey]) -> set[ObjectKey]:
        """These, and those that claim the same as one of them: only one of each can be applied."""
        return self.claims.around(concerned) if self.claims else concerned

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


_NO_WISHES: Mapping[str, Wish] = {}


def subject(key: ObjectKey) -> ObjectKey:
    """The object that a record is looked at with: of a binding, its port."""
    return keys.port_and_host(key)[0] if keys.is_binding(key) else key


def _owners(answer: PortAnswer) -> list[tuple[str, str]]:
    """Which controller has the port on which host, the active one first."""
    return [(host, entry.controller) for host, entry in answer.bindings.items()]


def _gives_otherwise(before: AppliedRecord, after: AppliedRecord) -> bool:
    """Whether the object has, or may have, other values at the backend."""
    return before.attempt is not after.attempt or before.attributes != after.attributes


def _matters_to_others(before: AppliedRecord, after: AppliedRecord) -> bool:
    return (
        before.claimed != after.claimed
        or (before.attempt is not None and before.attempt.removes)
        != (after.attempt is not None and after.attempt.removes)
        or before.attributes != after.attributes
    )
