"""One term of leadership: load what was applied, follow etcd, reconcile, until it ends."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import MalformedRecord, Status, encode
from gluon.contract.records import Term as TermRecord
from gluon.etcd import Client, ClusterReplaced, EtcdError, Event, FencedWriter, Leadership, WriteRefused
from gluon.schema import Proton
from gluon.shim import metrics
from gluon.shim.calls.calling import BackendCalls
from gluon.shim.plan import Call, Identity
from gluon.shim.reconcile.reconciler import Pace, Reconciler
from gluon.shim.reconcile.recorder import Recorder
from gluon.shim.reconcile.statuses import Statuses
from gluon.shim.state import State, subject
from gluon.shim.terms import late, takeover
from gluon.shim.terms.audit import Audit
from gluon.shim.terms.brake import Brake, Limits
from gluon.shim.terms.describing import Describe, Describing
from gluon.shim.terms.epochs import Epochs
from gluon.shim.terms.feed import Feed
from gluon.shim.terms.following import Following
from gluon.shim.terms.loading import Loading, without_collector
from gluon.shim.terms.overview import numbers, overview
from gluon.shim.terms.requests import Requests
from gluon.shim.terms.takeover import Memory

log = logging.getLogger(__name__)

DRAIN = 1.5
"""Seconds that callbacks under way have to end in when the term is ended.  Beside it, handing over
the leadership may take 2 s and stopping the backends 1 s: with all of it SIGTERM ends within 5 s."""


PROBE = 2.0
"""Seconds between two looks whether etcd would take a write."""


class Watchfulness(Struct, frozen=True, kw_only=True):
    """How often the SDN controller is looked after."""

    audit_interval: float = 3600.0
    """Seconds between two audits; 0: only at the start of a term and on demand."""
    health_interval: float = 10.0
    """Seconds between two questions for its health."""


class Term:
    """The work of the active shim.

    Args:
        etcd: an open client.
        leadership: won by this shim.
        protons: every known proton.
        backends: the calls of each handled proton's backend.
        statuses: what is said of objects; outlives the term.
        memory: what this process knows from the terms that it has led before.
        identity: who we are.
        pace: how many calls at once, and how often.
        limits: how much may be deleted without being asked.
        watchfulness: how often the SDN controller is looked after.
        describe: what `/status/<controller>` shall say, given the fence and the brake's reason.
    """

    def __init__(
        self,
        etcd: Client,
        leadership: Leadership,
        protons: Mapping[str, Proton],
        backends: Mapping[str, BackendCalls],
        statuses: Statuses,
        memory: Memory | None,
        *,
        identity: Identity,
        pace: Pace,
        limits: Limits,
        watchfulness: Watchfulness,
        describe: Describe,
    ) -> None:
        self.fence = 0
        """The number of this term; 0 until it is known."""
        self.in_sync = False
        """Everything is loaded, and reconciling has begun."""
        self.unhandled: dict[str, int] = {}
        """How many objects are applied of protons that no backend handles now, by proton."""
        self._etcd = etcd
        self._protons = protons
        self._leadership = leadership
        self._controller = identity.controller
        self._statuses = statuses
        self._memory = memory
        self._watchfulness = watchfulness
        self._writer = FencedWriter(etcd, leadership.fence, retry=True, name=f"controller {identity.controller}")
        self._recorder = Recorder(self._writer, identity.controller)
        states = {name: State(protons[name]) for name in backends}
        self._reconcilers = {
            name: Reconciler(states[name], calls, self._recorder, self, statuses, identity, pace)
            for name, calls in backends.items()
        }
        self.brake = Brake(states, identity, limits, self._wake)
        self._describing = Describing(self._recorder, leadership, self.brake, describe)
        self._audits = {name: Audit(reconciler, self.brake, statuses) for name, reconciler in self._reconcilers.items()}
        self._feed = Feed(protons, states, self._wake)
        self._epochs = Epochs(etcd, states, self.brake)
        self._requests = Requests(self._recorder, identity.controller, self._audits, self.brake, self._epochs)
        self._following = Following(etcd, _followed(identity.controller), [keys.EPOCH])
        self._loading = Loading(self._following, self._feed, states, self._recorder, identity.controller)
        self._tasks: asyncio.TaskGroup
        self._number: TermRecord | None = None
        self._replaced = False
        """Another etcd answers."""
        self._loaded = False
        self._known_terms: frozenset[str] = frozenset()
        """This term and the one before it."""

    @property
    def alive(self) -> bool:
        """Nobody else can lead at this moment, by our own clock."""
        return self._leadership.alive

    async def serve(self, stop: asyncio.Event) -> None:
        """Works until the leadership is lost, etcd is replaced, or `stop` is set."""
        try:
            async with asyncio.TaskGroup() as tasks:
                work = tasks.create_task(self._work())
                await _first(stop, self._leadership.lost)
                if stop.is_set():
                    await self._drain()
                work.cancel()
        except* EtcdError as ended:
            for error in _leaves(ended):
                self._replaced = self._replaced or isinstance(error, ClusterReplaced)
                log.warning("term of controller %s ends: %s", self._controller, error)
        finally:
            self.in_sync = False

    def remembered(self) -> Memory | None:
        """What is known at the end of the term, for the next one of this process."""
        before = self._memory.terms if self._memory else frozenset()
        terms = before | self._known_terms
        if self._number is None or not self._loaded:
            return replace(self._memory, terms=terms) if self._memory else None
        return Memory(
            terms=terms,
            number=self._number.number,
            epochs=self._epochs.outdated | {self._epochs.settled},
            book={key: record for r in self._reconcilers.values() for key, record in r.state.records.items()},
            answers={k: v for r in self._reconcilers.values() for k, v in r.state.answers_of(self._controller).items()},
            replaced=self._replaced or self._etcd.history.ended or bool(self._epochs.outdated),
        )

    def late_calls(self) -> list[tuple[Call, BackendCalls]]:
        """The calls whose end this term has not seen."""
        return [(call, r.calls) for r in self._reconcilers.values() for call in r.late]

    # -- beginning -----------------------------------------------------------------------------

    async def _work(self) -> None:
        started = time.monotonic()
        async with asyncio.TaskGroup() as self._tasks:
            self._tasks.create_task(self._writer.run(), name="records")
            await self._begin()
            await self._open()
            await self._epochs.trusted()
            for name, reconciler in self._reconcilers.items():
                reconciler.wake(reconciler.state.keys())
                self._tasks.create_task(reconciler.run(), name=f"reconciler {name}")
            self.in_sync = True
            await self._look_after()
            log.info(
                "controller %s is in sync after %.1f s, term %d: %s",
                self._controller,
                time.monotonic() - started,
                self.fence,
                ", ".join(
                    f"{name} {len(r.state.desired)} wanted, {len(r.state.records)} applied"
                    for name, r in self._reconcilers.items()
                ),
            )

    async def _begin(self) -> None:
        """Gives the term its number, and loads what was applied, what is wanted, and the answers."""
        found = await self._loading.last_term()
        number = takeover.next_number(self._memory, found, time.time_ns() // 1_000_000)
        epoch = found.epoch if found else ""
        self._number = TermRecord(number=number, id=uuid.uuid4().hex, epoch=epoch)
        self._known_terms = frozenset({self._number.id, *([found.id] if found else ())})
        await self._recorder.put(keys.term(self._controller), encode(self._number))
        self.fence = number
        self._epochs.begin(epoch, self._settle_epoch)
        replaced = self._memory if takeover.is_replaced(self._memory, found) else None
        if replaced is not None:
            log.warning("controller %s: etcd was replaced; what this process knows is taken over", self._controller)
            self._epochs.expect_another(takeover.outdated(replaced, found), is_empty=found is None)
        with without_collector():
            await self._loading.records()
            await self._follow(keys.PROTON, self._feed.desired)
            await self._follow(keys.CONTROLLER, self._feed.answer)
            await self._loading.bring_up_to_date(replaced, found)
            self._loaded = True
        await self._follow(keys.EPOCH, self._epochs.hear)

    async def _follow(self, prefix: bytes, feed: Callable[[Event], None]) -> None:
        """Follows from now on, and returns once all that exists is known."""
        self._tasks.create_task(self._following.follow(prefix, feed))
        await self._following.synced(prefix)

    async def _settle_epoch(self, epoch: str) -> None:
        """This epoch's deletions are dealt with; a later leader need not look at them again."""
        if self._number is not None and self._number.epoch != epoch:
            self._number = replace(self._number, epoch=epoch)
            await self._recorder.put(keys.term(self._controller), encode(self._number))

    # -- beside reconciling ----------------------------------------------------------------------

    async def _open(self) -> None:
        """Begins what an operator sees and may ask for, also while nothing may be reconciled."""
        tasks = self._tasks
        self._statuses.begin(await self._loading.statuses(), self.knows)
        tasks.create_task(self._describing.run(self.fence), name="controller status")
        tasks.create_task(self._following.follow(keys.requests_prefix(self._controller), self._requests.hear))
        tasks.create_task(self._requests.run(), name="requests")
        tasks.create_task(self._epochs.run(), name="epochs")
        tasks.create_task(self._keep_probing(), name="probes")

    async def _look_after(self) -> None:
        """Begins all that goes on beside reconciling."""
        tasks = self._tasks
        self.unhandled = await self._loading.unhandled(self._protons)
        for proton, number in self.unhandled.items():
            log.warning(
                "controller %s has applied %d objects of %s, and no backend handles that now; name one in [shim] "
                "handlers, or they stay as they are",
                self._controller,
                number,
                proton,
            )
        tasks.create_task(self._statuses.run(self._write_status), name="statuses")
        tasks.create_task(self._following.follow(keys.late_prefix(self._controller), self._hear_late))
        tasks.create_task(self._following.follow(keys.lost_prefix(self._controller), self._hear_lost))
        for name, audit in self._audits.items():
            tasks.create_task(self._audit(name, audit), name=f"audit {name}")

    def knows(self, key: ObjectKey) -> bool:
        """Whether the object is one that is wanted, or that the backend has."""
        reconciler = self._reconcilers.get(key.proton)
        return reconciler is not None and (key in reconciler.state.desired or key in reconciler.state.records)

    async def _write_status(self, key: ObjectKey, status: Status | None) -> None:
        path = keys.status(self._controller, key)
        try:
            await self._recorder.put(path, None if status is None else encode(status), of=key)
        except WriteRefused as error:
            log.warning("%s: its status could not be written: %s", key, error)

    async def _keep_probing(self) -> None:
        """Notices that etcd takes no writes also while there is nothing to write."""
        while True:
            await self._writer.probe()
            await asyncio.sleep(PROBE)

    def _hear_late(self, event: Event) -> None:
        if event.value is None:
            return
        prefix = keys.late_prefix(self._controller)
        try:
            key = keys.parse(event.key, prefix)
            reconciler = self._reconcilers[key.proton]
            late.check(event.value)
        except (keys.MalformedKey, MalformedRecord, KeyError) as error:
            log.warning("skipped %s: %s", event.key.decode(errors="backslashreplace"), error)
            return
        log.warning("%s: a call of an earlier term ended late; it is made sure of", key)
        note = event.value
        reconciler.write_in_turn(subject(key), lambda: late.doubt(note, key, reconciler.state))

    def _hear_lost(self, event: Event) -> None:
        proton = event.key.removeprefix(keys.lost_prefix(self._controller)).decode(errors="replace")
        if event.value is not None and proton in self._audits:
            self._tasks.create_task(self._restore(proton, event, event.value.decode(errors="replace")))

    async def _restore(self, proton: str, note: Event, reason: str) -> None:
        """Applies everything to an SDN controller that came back empty; only then is that forgotten.

        A note that was written again meanwhile is of another loss.
        """
        await self._audits[proton].lost(reason)
        await self._recorder.put(note.key, None, unless_after=note.revision)

    async def _audit(self, name: str, audit: Audit) -> None:
        """Audits at the start of the term, then now and then."""
        while True:
            audited = await audit.run()
            log.log(logging.INFO if audited.ok else logging.DEBUG, "audit of %s: %s", name, audited.sentence)
            if not self._watchfulness.audit_interval:
                return
            await asyncio.sleep(self._watchfulness.audit_interval)

    def _wake(self, proton: str, concerned: Iterable[ObjectKey]) -> None:
        if self.in_sync:
            self._reconcilers[proton].wake(concerned)

    async def _drain(self) -> None:
        """Lets the callbacks under way end, and be recorded; begins no new ones."""
        for reconciler in self._reconcilers.values():
            reconciler.queue.pause()
        try:
            async with asyncio.timeout(DRAIN):
                for reconciler in self._reconcilers.values():
                    await reconciler.queue.idle()
        except TimeoutError:
            log.warning("callbacks that are still running are left; they will be made again at the next start")

    # -- for people ------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether etcd is being followed."""
        return self._following.connected

    @property
    def outage(self) -> EtcdError | None:
        """Why etcd can't be followed or written at this moment; None: nothing is wrong."""
        return self._writer.outage or self._following.outage

    def status(self) -> dict[str, object]:
        """What is going on, by proton: numbers, and which objects wait or fail, and why."""
        return {name: overview(reconciler) for name, reconciler in self._reconcilers.items()}

    def count(self) -> None:
        """Brings the gauges up to date."""
        for name, reconciler in self._reconcilers.items():
            metrics.QUEUE.labels(name).set(len(reconciler.queue))
            for state, number in numbers(reconciler).items():
                metrics.OBJECTS.labels(name, state).set(number)


def _followed(controller: str) -> list[bytes]:
    return [
        keys.PROTON,
        keys.CONTROLLER,
        keys.late_prefix(controller),
        keys.lost_prefix(controller),
        keys.requests_prefix(controller),
    ]


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """The errors themselves, out of the groups of groups that nested tasks make of them."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _first(*events: asyncio.Event) -> None:
    """Waits for any of the events."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
