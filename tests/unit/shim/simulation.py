"""A shim without threads and etcd, on virtual time: the real reconciler, and a backend that judges.

What is simulated: etcd as a dictionary, its events arriving later and in their order, callbacks
that take time and fail, another controller, crashes, an etcd that is lost and filled again, and a
new leader while calls of the old one are still under way.  What is real: the feed, the state, the
plan, the reconciler, and what is taken over into another etcd.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import Any, Self

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import (
    BINDING_FAILED,
    NOBODY,
    AppliedRecord,
    Attempt,
    BindingAnswer,
    PortAnswer,
    Term,
    WantedBinding,
    decode,
    encode,
    encode_attributes,
    encode_port,
)
from gluon.etcd import Event
from gluon.schema import Proton
from gluon.schema.types import Base
from gluon.shim.backend import Binding
from gluon.shim.calls.calling import CallFailed
from gluon.shim.plan import Call, Callback, Drop, Refresh, next_steps
from gluon.shim.plan.facts import is_wanted
from gluon.shim.plan.outcome import Writes
from gluon.shim.reconcile.reconciler import Pace, Reconciler
from gluon.shim.reconcile.recorder import Written
from gluon.shim.reconcile.statuses import Statuses
from gluon.shim.state import Object, State, subject
from gluon.shim.terms import late, takeover
from gluon.shim.terms.feed import Feed
from gluon.shim.terms.takeover import Memory

from .samples import OURS

REFUSED = "macvtap"
"""The vnic_type of a port that the backend refuses to bind."""

PACE = Pace(workers=4, retry_min=0.02, retry_max=0.5, report_after=0.3, callback_timeout=30.0)

STEP = 0.02
"""Longest time that one thing takes, in virtual seconds."""

Place = tuple[ObjectKey, str]
"""A port and a host."""


class Leading:
    """The right to call the backend."""

    def __init__(self, fence: int) -> None:
        self.fence = fence
        self.alive = True


class SimulatedCalls:
    """The backend and the SDN controller behind it: what they have been told, and whether they should have been."""

    name = "simulated"

    def __init__(self, world: World) -> None:
        self._world = world
        self.objects: dict[ObjectKey, Object] = {}
        self.bound: dict[Place, Object] = {}
        self.complaints: list[str] = []
        self.wished: dict[ObjectKey, set[str]] = {}
        """Where a port was wanted when the latest call for it began."""

    # -- as BackendCalls -----------------------------------------------------------------------

    async def make(self, call: Call, model: Any, fence: int) -> Binding | None:  # noqa: ARG002 - the port's
        world = self._world
        world.calls.append(str(call))
        world.claims(call)
        self.wished[call.key] = world.wished(call.object.id)
        self.judge(call)
        self.judge_values(call)
        await world.pause()
        if world.random.randrange(100) < world.failing:
            world.troubled = True
            if world.random.random() < 0.5:
                self.carry_out(call)
            raise CallFailed("failed")
        self.judge(call)
        done = self.carry_out(call)
        world.made(call)
        try:
            await world.pause()
        except asyncio.CancelledError:
            world.doubtful |= {call.key, call.object.id}  # Done, and nobody has heard of it.
            raise
        if not done:
            world.troubled = True  # What follows a refusal may repeat what the backend knows.
            raise CallFailed("no", refused=True)
        return Binding("ovs", {"bridge": "b"}) if call.callback is Callback.BIND_PORT else None

    def cancels(self, callback: Callback) -> bool:
        return callback is Callback.BIND_PORT

    # -- the SDN controller --------------------------------------------------------------------

    def carry_out(self, call: Call) -> bool:
        """Does what the call asks for; False: refused."""
        obj = call.object
        if call.callback is Callback.BIND_PORT:
            if obj["vnic_type"] == REFUSED:
                return False
            self.bound[obj.id, call.host] = obj
            self.objects[obj.id] = obj
        elif call.callback is Callback.UNBIND_PORT:
            self.bound.pop((obj.id, call.host), None)
        elif call.callback.removes:
            self.objects.pop(obj.id, None)
        else:
            self.objects[obj.id] = obj
        return True

    # -- what it thinks of it --------------------------------------------------------------------

    def judge(self, call: Call) -> None:
        """Complains of a call that breaks a promise of the backend port."""
        if self._world.usurped:
            return  # Two leaders at once: what one does is a riddle to the other.
        problem = getattr(self, f"_judge_{call.callback.partition('_')[0]}")(call, call.object)
        if problem:
            self.complaints.append(f"{call}: {problem}")

    def judge_values(self, call: Call) -> None:
        """Complains of a call that gives an object what only one can have, and another has and is to keep."""
        world, obj, known = self._world, call.object, self.objects.get(call.object.id)
        if world.usurped or call.callback.removes:
            return
        type_ = world.proton.objects[obj.type]
        for rule in type_.unique:
            if known and type_.claim(rule, known.attributes) == type_.claim(rule, obj.attributes):
                continue
            for other in self.objects.values():
                kept = world.state.desired.find(other.id)
                if other.type != obj.type or other.id == obj.id or not kept or not is_wanted(kept, world.state, OURS):
                    continue
                if all(type_.clash(rule, each.attributes, obj.attributes) for each in (other, kept)):
                    self.complaints.append(f"{call}: {other.id} has the same {rule.words}, and keeps it")

    def _judge_modify(self, call: Call, obj: Object) -> str:
        known = self.objects.get(obj.id)
        digests = self._world.digests.get(obj.id)
        sure = self._is_sure(call.key)
        if sure and known and (known.attributes, digests) == (obj.attributes, call.references):
            return "nothing has changed"
        if sure and (call.previous is None) != (known is None):
            return "previous is wrong"
        if obj.base is Base.INTERFACE and known and known["port_id"] != obj["port_id"]:
            return "an interface changes its port while it is there"
        for missing in self._missing(obj):
            return f"{missing} is not there"
        if obj.base is Base.SERVICE_BINDING and not self.hosts(self._port_of(obj)):
            return "the port is not bound"
        return ""

    def _judge_bind(self, call: Call, obj: Object) -> str:
        other = [host for host in self.hosts(obj.id) if host != call.host and host not in self.wished[call.key]]
        if other and not self._world.troubled:
            return f"bound on {other[0]}, which is not wanted"
        before = self.bound.get((obj.id, call.host))
        answered = self._world.answered_token(obj.id, call.host) == call.token
        if before and answered and before["profile"] == obj["profile"] and self._is_sure(call.key):
            return "bound already"
        return ""

    def _judge_unbind(self, call: Call, obj: Object) -> str:
        place = (obj.id, call.host)
        if place not in self.bound and self._is_sure(call.key):
            return "is not bound"
        if place in self.bound and self.bound[place]["host_id"] != obj["host_id"]:
            return "not as it was bound"
        if self.hosts(obj.id) - {call.host}:
            return ""
        for other in self.objects.values():
            if other.base is Base.SERVICE_BINDING and self._port_of(other) == obj.id:
                return f"{other.id} is left on it"
        return ""

    def _judge_delete(self, call: Call, obj: Object) -> str:
        if self.hosts(obj.id):
            return "still bound"
        if obj.id not in self.objects and self._is_sure(call.key):
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

    def hosts(self, port: ObjectKey) -> set[str]:
        """Where a port is bound."""
        return {host for key, host in self.bound if key == port}

    def _port_of(self, binding: Object) -> ObjectKey:
        interface = self.objects.get(ObjectKey(binding.id.proton, "Interface", str(binding["interface_id"])))
        return ObjectKey(binding.id.proton, "Port", str(interface["port_id"]) if interface else "")


class ProbedReconciler(Reconciler):
    """Tells the world which calls are claimed."""

    world: World

    async def _claim(self, call: Call, claim: Writes) -> bool:
        self.world.claims(call)
        return await super()._claim(call, claim)


class Shim:
    """One process that leads: its memory, and what it has under way."""

    def __init__(self, world: World, fence: int) -> None:
        self.world = world
        self.leading = Leading(fence)
        self.term = Term(number=fence, id=str(fence), epoch="")
        self.state = State(world.proton)
        self.events: dict[bytes, deque[Event]] = {keys.PROTON: deque(), keys.CONTROLLER: deque()}
        self.feed = Feed({world.proton.name: world.proton}, {world.proton.name: self.state}, self._wake)
        self.reconciler = ProbedReconciler(
            self.state,
            world.backend,
            self,
            self.leading,
            Statuses(),
            OURS,
            PACE,  # type: ignore[arg-type]
        )
        self.reconciler.world = world
        self.tasks: list[asyncio.Task[None]] = []

    def load(self, memory: Memory | None) -> None:
        """As a term begins."""
        etcd, prefix = self.world.etcd, keys.applied_prefix(OURS.controller)
        for path, (value, _) in list(etcd.items()):
            if path.startswith(prefix):
                self.feed.record(path, value, prefix)
        if memory is not None:
            wanted = takeover.merged(memory, None, dict(self.state.records))
            for key, record in takeover.changes(wanted, dict(self.state.records)).items():
                self.state.record(key, record)
                self.world.put(keys.applied(OURS.controller, key), encode(record) if record else None)
        for path, (value, revision) in list(etcd.items()):
            if path.startswith(keys.PROTON):
                self.feed.desired(Event(path, value, revision))
            elif path.startswith(keys.CONTROLLER):
                self.feed.answer(Event(path, value, revision))

    def start(self) -> None:
        self.reconciler.wake(self.state.keys())
        self.tasks = [asyncio.create_task(self._run()), *(asyncio.create_task(self._deliver(p)) for p in self.events)]

    async def _run(self) -> None:
        await self.reconciler.run()

    async def _deliver(self, prefix: bytes) -> None:
        """Events arrive one after the other, each a moment after the one before."""
        feed = self.feed.desired if prefix == keys.PROTON else self.feed.answer
        while True:
            await self.world.pause()
            if self.events[prefix]:
                feed(self.events[prefix].popleft())

    def _wake(self, _: str, concerned: Any) -> None:
        self.reconciler.wake(concerned)

    async def write(self, writes: Writes) -> Written:
        """As the recorder: it takes time on both ways, and only the leader may."""
        await self.world.pause()
        if not self.leading.alive:
            await asyncio.Event().wait()  # A deposed one writes nothing; its term ends.
        written = self.world.transact(writes)
        await self.world.pause()
        return written

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    @property
    def is_at_rest(self) -> bool:
        return self.reconciler.queue.is_empty and not any(self.events.values())

    def memory(self) -> Memory:
        return Memory(
            terms=frozenset({self.term.id}),
            number=self.term.number,
            epochs=frozenset({""}),
            book=dict(self.state.records),
            replaced=True,
        )


class World:
    """One shim of one proton, its etcd and its backend.

    Args:
        proton: its schema.
        seed: of all that is left to chance: how long things take, and what fails.
        failing: how many of a hundred callbacks raise.
    """

    def __init__(self, proton: Proton, seed: int, failing: int = 0) -> None:
        self.proton = proton
        self.random = random.Random(seed)
        self.failing = failing
        self.troubled = False
        """A callback has failed or the shim has crashed: calls may now be repeated."""
        self.usurped = False
        self.etcd: dict[bytes, tuple[bytes, int]] = {}
        self.wanted: dict[ObjectKey, bytes] = {}
        """What proton-server's database holds."""
        self.revision = 1
        self.backend = SimulatedCalls(self)
        self.digests: dict[ObjectKey, dict[str, str]] = {}
        self.calls: list[str] = []
        self.claimed: dict[ObjectKey, str] = {}
        """The call that a record was last claimed for, until it is made."""
        self.doubtful: set[ObjectKey] = set()
        """Keys whose call was claimed and never made: the shim can't know, after a crash."""
        self.former: list[Shim] = []
        self.fence = 0
        self.shim: Shim

    async def __aenter__(self) -> Self:
        await self.restart()
        return self

    async def __aexit__(self, *_: object) -> None:
        for shim in (*self.former, self.shim):
            await shim.stop()

    @property
    def state(self) -> State:
        return self.shim.state

    async def pause(self) -> None:
        """Something takes its time."""
        await asyncio.sleep(self.random.uniform(0, STEP))

    # -- etcd ------------------------------------------------------------------------------

    def put(self, path: bytes, value: bytes | None) -> int:
        """Writes or deletes a key; its event is on the way."""
        self.revision += 1
        if value is not None:
            self.etcd[path] = (value, self.revision)
        elif self.etcd.pop(path, None) is None:
            return self.revision
        for prefix, events in self.shim.events.items():
            if path.startswith(prefix):
                events.append(Event(path, value, self.revision))
        return self.revision

    def want(
        self,
        key: ObjectKey,
        attributes: dict[str, Any] | bytes | None,
        token: str = "",
        inactive: tuple[WantedBinding, ...] = (),
    ) -> None:
        """proton-server publishes an object, or deletes it."""
        value = attributes
        if isinstance(attributes, dict):
            is_port = key.object == self.proton.port.name
            value = encode_port(attributes, token, inactive) if is_port else encode_attributes(attributes)
        assert not isinstance(value, dict)
        if value is None:
            self.wanted.pop(key, None)
        else:
            self.wanted[key] = value
        self.put(keys.desired(key), value)

    def transact(self, writes: Writes) -> Written:
        """One transaction of the recorder."""
        answered = True
        change = writes.answer
        if change is not None:
            expected = change.held.revision if change.held.exists else 0
            answered = self.etcd.get(keys.answer(change.port), (b"", 0))[1] == expected
        if answered or not writes.claim:
            for key, record in writes.records.items():
                self.put(keys.applied(OURS.controller, key), encode(record) if record else None)
        if change is not None and answered:
            self.put(keys.answer(change.port), encode(change.answer) if change.answer is not None else None)
        return Written(self.revision, answered=answered)

    def claims(self, call: Call) -> None:
        """A call is claimed, or made; a claim that is followed by another call was never made."""
        now = f"{call} {encode_attributes(call.object.attributes)!r} {call.references} {call.token}"
        if self.claimed.setdefault(call.key, now) != now:
            self.doubtful |= {call.key, call.object.id}  # A bind would have brought the port along.

    def made(self, call: Call) -> None:
        """A call was made to its end."""
        self.claimed.pop(call.key, None)
        self.doubtful.discard(call.key)
        self.digests[call.object.id] = call.references
        if call.callback is Callback.BIND_PORT:
            self.claimed.pop(call.object.id, None)
            self.doubtful.discard(call.object.id)

    def answer_of(self, key: ObjectKey) -> PortAnswer:
        """The answer in etcd."""
        value = self.etcd.get(keys.answer(key))
        return decode(PortAnswer, value[0]) if value else NOBODY

    def answered_token(self, port: ObjectKey, host: str) -> str | None:
        record = self.state.records.get(keys.binding(port, host))
        return record.bound.token if record is not None and record.bound is not None else None

    def wished(self, port: ObjectKey) -> set[str]:
        """The hosts that a port is wanted on, as the shim knows it."""
        return set(self.state.wishes(port))

    # -- another controller --------------------------------------------------------------------

    def other_claims(self, key: ObjectKey, host: str) -> None:
        """Another controller claims a port, unless it is claimed."""
        held = self.answer_of(key)
        if held.active is None and not held.inactive:
            entry = BindingAnswer(controller="other", revision=self.revision, host_id=host, vif_type="tap")
            self.put(keys.answer(key), encode(PortAnswer.of(entry, ())))

    def other_releases(self, key: ObjectKey) -> None:
        """The other controller unbinds a port, if it has it."""
        held = self.answer_of(key)
        left = [entry for entry in held.bindings.values() if entry.controller != "other"]
        if len(left) < len(held.bindings):
            active = next((e for e in left if held.active and e.host_id == held.active.host_id), None)
            self.put(keys.answer(key), encode(PortAnswer.of(active, (e for e in left if e is not active))))

    # -- what happens to the shim ----------------------------------------------------------------

    async def restart(self, memory: Memory | None = None, *, hold: bool = False) -> None:
        """The shim starts, and goes on from what etcd holds."""
        self.fence += 1
        self.shim = Shim(self, self.fence)
        self.shim.load(memory)
        self.shim.state.hold_all_absent = hold
        self.shim.start()

    async def crash(self) -> None:
        """The shim dies, whatever is under way, and starts again."""
        self.troubled = True
        await self.shim.stop()
        await self.restart()

    async def lose_etcd(self, withdrawn: list[ObjectKey]) -> None:
        """etcd comes back empty; objects are withdrawn meanwhile; then everything is published again.

        The shim lives, and takes what it knows into the new etcd.
        """
        self.troubled = True
        await self.shim.stop()
        self.etcd.clear()
        for key in withdrawn:
            self.wanted.pop(key, None)
        await self.restart(self.shim.memory(), hold=True)
        await asyncio.sleep(5 * STEP)
        for key, value in self.wanted.items():
            self.put(keys.desired(key), value)
        while not self.shim.is_at_rest:
            await asyncio.sleep(STEP)
        self.state.hold_all_absent = False
        self.shim.reconciler.wake(self.state.keys())

    async def usurp(self) -> None:
        """Another process leads while calls of this one are under way; they end late."""
        self.troubled = self.usurped = True
        old = self.shim
        old.leading.alive = False
        for task in old.tasks[1:]:
            task.cancel()
        self.former.append(old)
        await self.restart()
        asyncio.get_running_loop().create_task(self._note_late(old))

    async def _note_late(self, old: Shim) -> None:
        await asyncio.wait(old.tasks[:1], timeout=60)
        for call in old.reconciler.late:
            note = encode(Attempt(callback=call.callback, attributes=dict(call.object.attributes)))
            self._hear_late(call.key, note)
        old.reconciler.late.clear()

    def _hear_late(self, key: ObjectKey, note: bytes) -> None:
        shim = self.shim
        shim.reconciler.write_in_turn(subject(key), lambda: late.doubt(note, key, shim.state))

    async def advance(self, steps: int) -> None:
        """Lets some things happen."""
        await asyncio.sleep(steps * STEP / 2)

    async def settle(self) -> None:
        """Goes on until nothing is left to do."""
        self.failing = 0
        async with asyncio.timeout(3600):
            while True:
                await asyncio.sleep(10 * STEP)
                if self.shim.is_at_rest and not any(self._has_calls(old) for old in self.former):
                    break
        for key in set(self.state.keys()):
            for step in next_steps(key, self.state, OURS):
                assert not isinstance(step, Call | Refresh | Drop), f"{key} was not woken for {step}"

    def _has_calls(self, old: Shim) -> bool:
        return old.reconciler.has_calls or bool(old.reconciler.late)

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
        bound = {(key, host) for key in wanted for host in self._hosts_due(key)}
        # Where another has the port on a host that nobody wants, what was prepared before may stay.
        bound |= {place for place in self.backend.bound if self._may_stay(*place)}
        present = {key: obj for key, obj in wanted.items() if self._shall_be_there(obj, wanted, bound)}
        vague = self._vague(wanted)
        told, due = set(self.backend.objects) - vague, set(present) - vague
        assert told == due, f"too much {told - due}, lacking {due - told}"
        assert set(self.backend.bound) == bound, f"bound {list(self.backend.bound)}, wanted {bound}"
        records = self.records()
        certain = {k for k, r in records.items() if not (r.claimed or r.attempt or keys.is_binding(k))}
        assert certain - vague == due, f"recorded {certain - vague}, wanted {due}"
        for key in due:
            assert self._agrees(key, present[key]), f"{key}: {self.backend.objects[key]}, wanted {present[key]}"
        for key, host in bound:
            wish = self.state.wishes(key)[host]
            assert self.backend.bound[key, host].active == wish.port.active, f"{key} on {host}"
            assert self.backend.bound[key, host]["profile"] == wish.port["profile"]
        for key in wanted:
            self._check_answer(key, bound)

    def _agrees(self, key: ObjectKey, wanted: Object) -> bool:
        held = self.backend.objects[key].attributes
        if wanted.base is not Base.PORT or not self.backend.hosts(key):
            return held == wanted.attributes
        # With two bindings either may be the one that the backend heard of last.
        binding = {"host_id": "", "profile": None} if len(self.state.wishes(key)) > 1 else {}
        return {**held, **binding} == {**wanted.attributes, **binding}

    def _vague(self, wanted: dict[ObjectKey, Object]) -> set[ObjectKey]:
        """Ports that are refused, or in use by another, and their interfaces: they stay what they were.

        That may be unknown as well: the port was about to be deleted, say, when it was wanted again.
        """
        ports = {key for key, obj in wanted.items() if self._is_in_use(key) or self._is_refused(key, obj)}
        return ports | {k for k, o in wanted.items() if o.base is Base.INTERFACE and ports & set(self.backend.names(o))}

    def _check_answer(self, key: ObjectKey, bound: set[Place]) -> None:
        if key.object != self.proton.port.name:
            return
        entries = {h: e for h, e in self.answer_of(key).bindings.items() if e.controller == OURS.controller}
        for host, wish in self.state.wishes(key).items():
            if (key, host) in bound:
                assert (entries[host].token, entries[host].vif_type) == (wish.token, "ovs"), entries[host]
                if wish.port.active:
                    assert self.answer_of(key).active == entries[host]
            elif self._is_refused(key, wish.port) and OURS.owns(host) and host in entries:
                assert entries[host].vif_type == BINDING_FAILED
                assert entries[host].reason == "no"
        due = {host for port, host in bound if port == key}
        refused = {host for host, entry in entries.items() if entry.vif_type == BINDING_FAILED}
        assert set(entries) - refused == due, f"{key}: answered {entries}, bound {due}"

    def _may_stay(self, key: ObjectKey, host: str) -> bool:
        wish = self.state.wishes(key).get(host)
        return wish is not None and OURS.owns(host) and self._is_in_use(key) and not wish.port.active

    def _hosts_due(self, key: ObjectKey) -> list[str]:
        wishes, answer = self.state.wishes(key), self.answer_of(key)
        theirs = {host for host, entry in answer.bindings.items() if entry.controller == "other"}
        usurped = bool(theirs - wishes.keys())
        return [
            host
            for host, wish in wishes.items()
            if OURS.owns(host) and host not in theirs and not usurped and wish.port["vnic_type"] != REFUSED
        ]

    def _is_in_use(self, key: ObjectKey) -> bool:
        return any(entry.controller == "other" for entry in self.answer_of(key).bindings.values())

    def _is_refused(self, key: ObjectKey, obj: Object) -> bool:
        return obj.base is Base.PORT and obj["vnic_type"] == REFUSED and any(map(OURS.owns, self.state.wishes(key)))

    def _shall_be_there(self, obj: Object, wanted: dict[ObjectKey, Object], bound: set[Place]) -> bool:
        if obj.base is Base.PORT:
            hosts = self.state.wishes(obj.id)
            return not obj["host_id"] or OURS.owns(str(obj["host_id"])) or any(map(OURS.owns, hosts))
        for key in self.backend.names(obj):
            target = wanted.get(key)
            if target is None or not self._shall_be_there(target, wanted, bound):
                return False
        if obj.base is Base.SERVICE_BINDING:
            owner = self.state.desired.port_of(obj)
            return owner is not None and any(port == owner.id for port, _ in bound)
        return True
