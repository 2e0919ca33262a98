"""A shim without time, threads and etcd: the pure parts driven in any order, and a backend that judges.

What is simulated: etcd as a dictionary, its events arriving later and in their order, several
calls under way at once, callbacks that fail, another controller, and crashes between any two
steps.  What is real: the feed, the state, the plan and what follows from its results.  A key is
looked at only when the state has named it, so a forgotten wake-up shows as an object left behind.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Generator
from typing import Any

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import (
    BINDING_FAILED,
    UNBOUND_ANSWER,
    Answer,
    AppliedRecord,
    decode,
    decode_answer,
    encode,
    encode_attributes,
)
from gluon.etcd import Event
from gluon.schema import Proton
from gluon.schema.types import Base
from gluon.shim.plan import Call, Callback, Drop, Refresh, next_step, outcome
from gluon.shim.plan.outcome import Writes
from gluon.shim.reconcile.feed import Feed
from gluon.shim.state import HeldAnswer, Object, State

from .samples import OURS

REFUSED = "macvtap"
"""The vnic_type of a port that the backend refuses to bind."""


class SimulatedBackend:
    """What a backend has been told, and whether it should have been."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.objects: dict[ObjectKey, Object] = {}
        self.bound: dict[ObjectKey, Object] = {}
        self.complaints: list[str] = []

    def judge(self, call: Call) -> None:
        """Complains of a call that breaks a promise of the backend port."""
        obj = call.object
        problem = getattr(self, f"_judge_{call.callback.partition('_')[0]}")(call, obj)
        if problem:
            self.complaints.append(f"{call}: {problem}")

    def carry_out(self, call: Call) -> bool:
        """Does what the call asks for; False: refused."""
        obj = call.object
        if call.callback is Callback.BIND_PORT:
            if obj["vnic_type"] == REFUSED:
                return False
            self.objects[obj.id] = self.bound[obj.id] = obj
        elif call.callback is Callback.UNBIND_PORT:
            self.bound.pop(obj.id, None)
        elif call.callback.startswith("delete_"):
            self.objects.pop(obj.id, None)
        else:
            self.objects[obj.id] = obj
        return True

    def _judge_modify(self, call: Call, obj: Object) -> str:
        known = self.objects.get(obj.id)
        digests = self._world.digests.get(obj.id)
        unchanged = known and (known.attributes, digests) == (obj.attributes, call.references)
        if self._is_sure(obj.id) and unchanged:
            return "nothing has changed"
        if self._is_sure(obj.id) and (call.previous is None) != (known is None):
            return "previous is wrong"
        if obj.base is Base.INTERFACE and known and known["port_id"] != obj["port_id"]:
            return "an interface changes its port while it is there"
        for missing in self._missing(obj):
            return f"{missing} is not there"
        if obj.base is Base.SERVICE_BINDING:
            owner = self._port_of(obj)
            return "" if owner in self.bound else "the port is not bound"
        return ""

    def _judge_bind(self, _: Call, obj: Object) -> str:
        before = self.bound.get(obj.id)
        if before and before["host_id"] != obj["host_id"]:
            return f"bound on {before['host_id']}"
        if before and self._is_sure(obj.id):
            return "bound already"
        return ""

    def _judge_unbind(self, _: Call, obj: Object) -> str:
        if obj.id not in self.bound and self._is_sure(obj.id):
            return "is not bound"
        if obj.id in self.bound and self.bound[obj.id]["host_id"] != obj["host_id"]:
            return "not as it was bound"
        for other in self.objects.values():
            if other.base is Base.SERVICE_BINDING and self._port_of(other) == obj.id:
                return f"{other.id} is left on it"
        return ""

    def _judge_delete(self, _: Call, obj: Object) -> str:
        if obj.id in self.bound:
            return "still bound"
        if obj.id not in self.objects and self._is_sure(obj.id):
            return "is not there"
        for other in self.objects.values():
            if obj.id in self.names(other):
                return f"{other.id} needs it"
        return ""

    def _is_sure(self, key: ObjectKey) -> bool:
        """Whether the shim must know what the backend has, so that no call is in vain."""
        return not (self._world.troubled or key in self._world.doubtful)

    def _missing(self, obj: Object) -> list[ObjectKey]:
        return [key for key in self.names(obj) if key not in self.objects]

    def names(self, obj: Object) -> list[ObjectKey]:
        """The objects that one names, lists included."""
        found = []
        for attribute in self._world.proton.objects[obj.type].references:
            value = obj[attribute.name]
            if value:
                items = str(value).split(",")
                found += [ObjectKey(obj.id.proton, attribute.reference, item) for item in items]
        return found

    def _port_of(self, binding: Object) -> ObjectKey:
        interface = self.objects.get(ObjectKey(binding.id.proton, "Interface", str(binding["interface_id"])))
        return ObjectKey(binding.id.proton, "Port", str(interface["port_id"]) if interface else "")


class World:
    """One shim of one proton, its etcd and its backend.

    Args:
        proton: its schema.
        seed: of the schedule: which key, which call, which event comes next.
        failing: how many of a hundred callbacks raise.
    """

    def __init__(self, proton: Proton, seed: int, failing: int = 0) -> None:
        self.proton = proton
        self.random = random.Random(seed)
        self.failing = failing
        self.troubled = False
        """A callback has failed or the shim has crashed: calls may now be repeated."""
        self.etcd: dict[bytes, tuple[bytes, int]] = {}
        self.revision = 1
        self.backend = SimulatedBackend(self)
        self.digests: dict[ObjectKey, dict[str, str]] = {}
        self.calls: list[str] = []
        self.claimed: dict[ObjectKey, str] = {}
        """The call that a record was last claimed for, until it is made."""
        self.doubtful: set[ObjectKey] = set()
        """Keys whose call was claimed and never made: the shim can't know, after a crash."""
        self.steps = 0
        self.restart()

    # -- etcd ------------------------------------------------------------------------------

    def put(self, path: bytes, value: bytes | None) -> int:
        """Writes or deletes a key; its event is on the way."""
        self.revision += 1
        if value is not None:
            self.etcd[path] = (value, self.revision)
        elif self.etcd.pop(path, None) is None:
            return self.revision
        for prefix, events in self._events.items():
            if path.startswith(prefix):
                events.append(Event(path, value, self.revision))
        return self.revision

    def want(self, key: ObjectKey, attributes: dict[str, Any] | bytes | None) -> None:
        """proton-server publishes an object, or deletes it."""
        value = encode_attributes(attributes) if isinstance(attributes, dict) else attributes
        self.put(keys.desired(key), value)

    def answer_of(self, key: ObjectKey) -> Answer | None:
        """The answer in etcd; None for none and for `{}`."""
        value = self.etcd.get(keys.answer(key))
        return decode_answer(value[0]) if value else None

    def other_claims(self, key: ObjectKey, host: str) -> None:
        """Another controller claims a port, unless it is claimed."""
        held = self.answer_of(key)
        if held is None or not held.host_id:
            answer = Answer(controller="other", revision=self.revision, host_id=host, vif_type="tap")
            self.put(keys.answer(key), encode(answer))

    def other_releases(self, key: ObjectKey) -> None:
        """The other controller unbinds a port, if it has it."""
        held = self.answer_of(key)
        if held is not None and held.controller == "other":
            self.put(keys.answer(key), UNBOUND_ANSWER)

    # -- the shim --------------------------------------------------------------------------

    def restart(self) -> None:
        """The shim dies, whatever is under way, and starts again from what etcd holds."""
        self.state = State(self.proton)
        self.due: set[ObjectKey] = set()
        self.under_way: dict[ObjectKey, Generator[None]] = {}
        self._events: dict[bytes, deque[Event]] = {keys.PROTON: deque(), keys.CONTROLLER: deque()}
        self._feed = Feed({self.proton.name: self.proton}, {self.proton.name: self.state}, self._wake)
        prefix = keys.applied_prefix(OURS.controller)
        for path, (value, _) in self.etcd.items():
            if path.startswith(prefix):
                self._feed.record(path, value, prefix)
        for path, (value, revision) in self.etcd.items():
            if path.startswith(keys.PROTON):
                self._feed.desired(Event(path, value, revision))
            elif path.startswith(keys.CONTROLLER):
                self._feed.answer(Event(path, value, revision))
        self.due = self.state.keys()

    def crash(self) -> None:
        """As `restart`, in the midst of things."""
        self.troubled = True
        self.restart()

    def advance(self) -> bool:
        """One step of anything that can go on; False when nothing can."""
        moves = [prefix for prefix, events in self._events.items() if events]
        ready = sorted(self.due - set(self.under_way))
        choices = len(moves) + len(ready) + len(self.under_way)
        if not choices:
            return False
        self.steps += 1
        index = self.random.randrange(choices)
        if index < len(moves):
            self._deliver(moves[index])
        elif index < len(moves) + len(ready):
            key = ready[index - len(moves)]
            self.due.discard(key)
            self.under_way[key] = self._work(key)
            self._go_on(key)
        else:
            self._go_on(list(self.under_way)[index - len(moves) - len(ready)])
        return True

    def settle(self, limit: int = 5000) -> None:
        """Goes on until nothing is left to do."""
        self.failing = 0
        for _ in range(limit):
            if not self.advance():
                break
        else:
            raise AssertionError(f"does not come to rest; last calls: {self.calls[-10:]}")
        for key in set(self.state.keys()):
            step = next_step(key, self.state, OURS)
            assert not isinstance(step, Call | Refresh | Drop), f"{key} was not woken for {step}"

    def _wake(self, _: str, concerned: set[ObjectKey]) -> None:
        self.due |= concerned

    def _deliver(self, prefix: bytes) -> None:
        event = self._events[prefix].popleft()
        (self._feed.desired if prefix == keys.PROTON else self._feed.answer)(event)

    def _go_on(self, key: ObjectKey) -> None:
        try:
            next(self.under_way[key])
        except StopIteration:
            del self.under_way[key]

    def _work(self, key: ObjectKey) -> Generator[None]:
        """The reconciler's way with one key; the shim can crash at each yield."""
        while isinstance(step := next_step(key, self.state, OURS), Call):
            claim = outcome.claim(step, self.state, OURS.controller)
            now = f"{step} {step.object.revision} {step.references}"
            if self.claimed.setdefault(key, now) != now:
                self.doubtful.add(key)
            if claim is None:
                yield from self._attempt(step)
                self.due.add(key)
                return
            if not (yield from self._write(claim)):
                return
        if isinstance(step, Refresh):
            yield from self._write(outcome.refreshed(step, self.state, OURS.controller))
        elif isinstance(step, Drop):
            yield from self._write(outcome.dropped(step, self.state))

    def _attempt(self, call: Call) -> Generator[None, None, None]:
        self.calls.append(str(call))
        self.backend.judge(call)
        yield
        if self.random.randrange(100) < self.failing:
            yield from self._fail(call)
            return
        self.backend.judge(call)
        done = self.backend.carry_out(call)
        self.claimed.pop(call.object.id, None)
        if call.callback is not Callback.UNBIND_PORT:
            self.doubtful.discard(call.object.id)
        self.digests[call.object.id] = call.references
        yield
        yield from self._write(self._outcome(call, done=done))

    def _outcome(self, call: Call, *, done: bool) -> Writes:
        if call.callback is not Callback.BIND_PORT:
            return outcome.succeeded(call, self.state, OURS.controller)
        if done:
            return outcome.bound(call, "ovs", {"bridge": "b"}, self.state, OURS.controller)
        self.troubled = True  # What follows a refusal may repeat what the backend knows.
        return outcome.bind_refused(call, "no", self.state, OURS.controller)

    def _fail(self, call: Call) -> Generator[None, None, None]:
        self.troubled = True
        if self.random.random() < 0.5:
            self.backend.carry_out(call)
        if self.random.random() < 0.5:
            report = outcome.report(call, "failed", self.state, OURS.controller)
            if report is not None:
                yield from self._write(report)

    def _write(self, writes: Writes) -> Generator[None, None, bool]:
        yield  # It waits in the recorder.
        revision, answered = self._transact(writes)
        yield  # etcd has it, we don't know yet.
        if writes.claim and not answered:
            return False
        if isinstance(writes.record, AppliedRecord):
            self.due |= self.state.apply(writes.key, writes.base, writes.record)
        elif writes.record is None:
            self.due |= self.state.unapply(writes.key)
        if writes.touches_answer and answered:
            answer = writes.answer if isinstance(writes.answer, Answer) else None
            held = HeldAnswer(answer=answer, revision=revision, exists=not writes.drop_answer)
            self.due |= self.state.hear(writes.key, held)
        return True

    def _transact(self, writes: Writes) -> tuple[int, bool]:
        answer_key, record_key = keys.answer(writes.key), keys.applied(OURS.controller, writes.key)
        answered = True
        if writes.touches_answer:
            held = writes.held
            expected = held.revision if held is not None and held.exists else 0
            answered = self.etcd.get(answer_key, (b"", 0))[1] == expected
        if answered or not writes.claim:
            if isinstance(writes.record, AppliedRecord):
                self.put(record_key, encode(writes.record))
            elif writes.record is None:
                self.put(record_key, None)
        if writes.touches_answer and answered:
            value = encode(writes.answer) if isinstance(writes.answer, Answer) else UNBOUND_ANSWER
            self.put(answer_key, None if writes.drop_answer else value)
        return self.revision, answered

    # -- what must have come of it ---------------------------------------------------------

    def records(self) -> dict[ObjectKey, AppliedRecord]:
        """The applied records in etcd."""
        prefix = keys.applied_prefix(OURS.controller)
        return {
            keys.parse(path, prefix): decode(AppliedRecord, value)
            for path, (value, _) in self.etcd.items()
            if path.startswith(prefix)
        }

    def check(self) -> None:
        """At rest: the backend, the records and the answers are what follows from what is wanted."""
        assert not self.backend.complaints, self.backend.complaints
        wanted = {key: obj for key in self.state.desired if (obj := self.state.desired.find(key))}
        bound = {key for key, obj in wanted.items() if self._shall_be_bound(key, obj)}
        present = {key: obj for key, obj in wanted.items() if self._shall_be_there(obj, wanted, bound)}
        refused = {k for k, o in wanted.items() if self._is_refused(k, o)}
        vague = self._vague(wanted)
        told, due = set(self.backend.objects) - vague, set(present) - vague
        assert told == due, f"too much {told - due}, lacking {due - told}"
        assert set(self.backend.bound) == bound, f"bound {list(self.backend.bound)}, wanted {bound}"
        certain = {key for key, record in self.records().items() if not record.claimed and record.attempted is None}
        assert certain - vague == due, f"recorded {certain - vague}, wanted {due}"
        for key in due:
            assert self.backend.objects[key].attributes == present[key].attributes
        for key, obj in wanted.items():
            self._check_answer(key, obj, bound, refused)

    def _vague(self, wanted: dict[ObjectKey, Object]) -> set[ObjectKey]:
        """Ports that are refused, or in use by another, and their interfaces: they stay what they were.

        That may be unknown as well: the port was about to be deleted, say, when it was wanted again.
        """
        ports = {key for key, obj in wanted.items() if self._is_in_use(key) or self._is_refused(key, obj)}
        return ports | {k for k, o in wanted.items() if o.base is Base.INTERFACE and ports & set(self.backend.names(o))}

    def _check_answer(self, key: ObjectKey, obj: Object, bound: set[ObjectKey], refused: set[ObjectKey]) -> None:
        answer = self.answer_of(key)
        if key in bound:
            assert answer is not None
            assert (answer.controller, answer.revision, answer.vif_type) == (OURS.controller, obj.revision, "ovs")
            assert answer.host_id == obj["host_id"]
        elif key in refused:
            assert answer is not None
            assert (answer.revision, answer.vif_type, answer.reason) == (obj.revision, BINDING_FAILED, "no")
        else:
            assert answer is None or answer.controller == "other", answer

    def _wants_bind(self, key: ObjectKey, obj: Object) -> bool:
        if obj.base is not Base.PORT or not (obj["host_id"] and obj["device_id"]):
            return False
        return OURS.owns(str(obj["host_id"])) and not self._is_in_use(key)

    def _is_in_use(self, key: ObjectKey) -> bool:
        answer = self.answer_of(key)
        return answer is not None and answer.controller == "other" and bool(answer.host_id)

    def _is_refused(self, key: ObjectKey, obj: Object) -> bool:
        return self._wants_bind(key, obj) and obj["vnic_type"] == REFUSED

    def _shall_be_bound(self, key: ObjectKey, obj: Object) -> bool:
        return self._wants_bind(key, obj) and not self._is_refused(key, obj)

    def _shall_be_there(self, obj: Object, wanted: dict[ObjectKey, Object], bound: set[ObjectKey]) -> bool:
        if obj.base is Base.PORT:
            return not obj["host_id"] or OURS.owns(str(obj["host_id"]))
        model = self.state.desired
        for key in self.backend.names(obj):
            target = wanted.get(key)
            if target is None or not self._shall_be_there(target, wanted, bound):
                return False
        if obj.base is Base.SERVICE_BINDING:
            owner = model.port_of(obj)
            return owner is not None and owner.id in bound
        return True
