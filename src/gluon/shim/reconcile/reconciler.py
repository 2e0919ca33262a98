"""The loop of one proton: take an object, plan its steps, make one, look again.

A step that fails is tried again with growing, jittered pauses; only its own object waits.  One
that has not succeeded within `report_after` seconds is reported, so that the API can say what is
wrong.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from gluon.contract.keys import ObjectKey
from gluon.contract.records import NOBODY
from gluon.etcd import EtcdError, FenceBroken, WriteRefused
from gluon.process import request_id
from gluon.shim import metrics
from gluon.shim.calls.calling import BackendCalls, CallFailed
from gluon.shim.plan import (
    Call,
    Callback,
    Drop,
    HeldBack,
    Hold,
    Identity,
    InUse,
    Refresh,
    Step,
    Taken,
    Wait,
    held_ahead,
    next_steps,
    outcome,
)
from gluon.shim.plan.facts import stays
from gluon.shim.plan.outcome import Writes
from gluon.shim.reconcile.attempts import Attempts
from gluon.shim.reconcile.queue import KeyQueue
from gluon.shim.reconcile.recorder import Records
from gluon.shim.reconcile.statuses import Statuses
from gluon.shim.reconcile.troubles import Troubles
from gluon.shim.state import HeldAnswer, State

log = logging.getLogger(__name__)

AT_ONCE = 200
"""Objects after which the event loop gets its turn."""

MAX_SLOW = 1000
"""Calls that may be overdue at once without slowing the others down."""


class Pace(Struct, frozen=True, kw_only=True):
    """How many at once, and how often."""

    workers: int = 64
    """Objects that are worked on at once.  One whose call is overdue gives its place to another."""
    retry_min: float = 0.25
    """Seconds before the first retry; each further one waits twice as long, jittered."""
    retry_max: float = 60.0
    report_after: float = 5.0
    """Seconds after which a call that has not succeeded is reported; below the 8 s that
    proton-server waits for a bind."""
    callback_timeout: float = 60.0
    """Seconds after which a callback that is a coroutine is cancelled, and tried again."""


class Leading(Protocol):
    """The right to call the backend."""

    @property
    def alive(self) -> bool:
        """Whether nobody else can lead at this moment, by our own clock."""

    @property
    def fence(self) -> int:
        """The number of the term."""


class CallWithdrawn(Exception):
    """A bind was cancelled: the port is wanted elsewhere by now."""


class Reconciler:
    """Brings one backend to what one proton wants, and keeps it there."""

    def __init__(
        self,
        state: State,
        calls: BackendCalls,
        records: Records,
        leading: Leading,
        statuses: Statuses,
        identity: Identity,
        pace: Pace,
    ) -> None:
        self.state = state
        self.queue = KeyQueue()
        self.attempts = Attempts(pace.retry_min, pace.retry_max, pace.report_after, self._overdue)
        self.held: dict[ObjectKey, Wait | Taken | InUse | HeldBack] = {}
        self.calls = calls
        self.late: list[Call] = []
        """Calls whose end this term has not seen: what they do may come after it."""
        self._records = records
        self._leading = leading
        self._statuses = statuses
        self.identity = identity
        self._pace = pace
        self._troubles = Troubles()
        self._under_way: dict[ObjectKey, tuple[Call, asyncio.Task[None] | None]] = {}
        self._withdrawn: set[ObjectKey] = set()
        self._in_turn: dict[ObjectKey, list[Callable[[], Writes | None]]] = {}
        self._touched: list[set[ObjectKey]] = []
        self._slow: set[ObjectKey] = set()
        self._workers = 0
        self._taken = 0
        self._tasks: asyncio.TaskGroup

    # -- the loop --------------------------------------------------------------------------

    def wake(self, keys: Iterable[ObjectKey]) -> None:
        """Something changed that concerns these objects."""
        keys = list(keys)
        self.queue.add(keys)
        for key in keys:
            if key in self._under_way:
                self._withdraw(*self._under_way[key])

    async def run(self) -> None:
        """Works until cancelled.

        Raises:
            EtcdError: the term is over (in an exception group).
        """
        try:
            async with asyncio.TaskGroup() as self._tasks:
                for _ in range(self._pace.workers):
                    self._add_worker()
        finally:
            self.queue.close()
            self.attempts.close()

    def _add_worker(self) -> None:
        self._workers += 1
        self._tasks.create_task(self._work())

    async def _work(self) -> None:
        while self._workers - len(self._slow) <= self._pace.workers:
            key = await self.queue.take()
            request_id.carry(self.state.requests.get(key, ""))
            self._taken += 1
            if self._taken % AT_ONCE == 0:
                await asyncio.sleep(0)  # Objects with nothing to do never wait; others need the loop too.
            try:
                while await self._reconcile(key):
                    pass
            except EtcdError:
                raise
            except Exception:
                # A mistake of ours over one object: the others must not pay for it.
                log.exception("%s: trying again in %g s", key, self._pace.retry_max)
                self.queue.add_later(key, self._pace.retry_max)
            finally:
                self._slow.discard(key)
                self.queue.done(key)
        self._workers -= 1

    async def _reconcile(self, key: ObjectKey) -> bool:
        """Makes one step; True: a call is claimed now, so look again at once."""
        for make in self._in_turn.pop(key, ()):
            writes = make()
            if writes is not None:
                await self._tidy(writes)
        steps = next_steps(key, self.state, self.identity)
        calls = [step for step in steps if isinstance(step, Call)]
        self._note(key, steps, calls)
        pauses = [(self.attempts.pause(call), call) for call in calls]
        for pause, call in pauses:
            if pause == 0:
                return await self._attempt(call)
        waits = [pause for pause, _ in pauses if pause is not None]
        if waits:
            self.queue.add_later(key, min(waits))
        for step in steps:
            if isinstance(step, Refresh):
                await self._tidy(outcome.refreshed(step, self.state))
            elif isinstance(step, Drop):
                await self._tidy(outcome.dropped(step, self.state))
        return False

    def _note(self, key: ObjectKey, steps: list[Step], calls: list[Call]) -> None:
        self.attempts.keep(key, calls)
        duplicate = next((step for step in steps if isinstance(step, Taken) and step.hold is not Hold.YIELDS), None)
        if duplicate is not None:
            self._statuses.fails(key, f"not applied: it {duplicate}")
        elif not self.attempts.is_failing(key):
            self._statuses.applied(key)
        if not calls and duplicate is None:
            self._troubles.over(key)
        self._hold(key, next((step for step in steps if isinstance(step, Wait | Taken | InUse | HeldBack)), None))
        if not calls and key not in self.state.desired and key not in self.state.records:
            self._statuses.forget(key)

    def _hold(self, key: ObjectKey, held: Wait | Taken | InUse | HeldBack | None) -> None:
        """Notes what holds an object up, and says so where it is news."""
        if held is None:
            self.held.pop(key, None)
        elif self.held.get(key) != held:
            self.held[key] = held
            if isinstance(held, Taken) and held.hold is not Hold.YIELDS:
                self._troubles.held(key, str(held))
            else:
                log.log(logging.INFO if isinstance(held, InUse) else logging.DEBUG, "%s %s", key, held)
            if isinstance(held, Wait | Taken):
                self.queue.add(held_ahead(key, self.state, self.identity))

    @property
    def has_calls(self) -> bool:
        """Whether a callback is under way."""
        return bool(self._under_way)

    @contextmanager
    def touching(self) -> Iterator[set[ObjectKey]]:
        """Collects the objects that are worked on while the context lasts, those at its begin too."""
        touched = {key for key, _ in self.attempts.failing()} | set(self._under_way)
        self._touched.append(touched)
        try:
            yield touched
        finally:
            self._touched.remove(touched)

    # -- one call --------------------------------------------------------------------------

    async def _attempt(self, call: Call) -> bool:
        key = call.object.id
        self.attempts.begin(call)
        try:
            claim = outcome.claim(call, self.state, self.identity)
            if claim is not None:
                return await self._claim(call, claim)
            # Nothing is awaited between the plan and the call, so what the plan saw still holds.
            if await self._write(await self._make(call)):
                self.attempts.forget(call)
                log.log(logging.INFO if request_id.current() else logging.DEBUG, "%s: done", call)
        except CallWithdrawn:
            log.info("%s: cancelled, the port is wanted otherwise by now", call)
            self.attempts.forget(call)
        except (CallFailed, WriteRefused) as error:
            await self._failed(call, error)
        self.queue.add((key,))
        return False

    async def _claim(self, call: Call, claim: Writes) -> bool:
        if not call.callback.removes:
            self.state.announce(call.object)
        try:
            if await self._write(claim):
                return True
        finally:
            self.wake(self.state.announced(call.object.id))
        log.info("%s: another controller was faster", call)
        self.attempts.forget(call)
        return False

    async def _make(self, call: Call) -> Writes:
        if not self._leading.alive:
            raise FenceBroken(f"{call}: the lease of this term has run out")
        started, result, subject = time.monotonic(), "failed", call.object.id
        self._under_way[subject] = (call, asyncio.current_task())
        for touched in self._touched:
            touched.add(subject)
        if self.attempts.is_overdue(call):
            self._give_place(subject)
        try:
            binding = await self.calls.make(call, self.state.desired, self._leading.fence)
            result = "ok"
        except CallFailed as error:
            self._check_term(call)
            if not (error.refused and call.callback is Callback.BIND_PORT):
                raise
            result = "refused"
            log.info("%s: refused: %s", call, error.reason)
            return outcome.bind_refused(call, error.reason, self.state, self.identity)
        except asyncio.CancelledError:
            self._end_withdrawn(call)
            raise
        finally:
            self._under_way.pop(subject, None)
            metrics.CALLBACKS.labels(call.callback, result).inc()
            metrics.CALLBACK_SECONDS.labels(call.callback).observe(time.monotonic() - started)
        self._check_term(call)
        if binding is not None:
            writes = outcome.bound(call, binding.vif_type, binding.vif_details, self.state, self.identity)
            return self._without_report(writes)
        writes = outcome.succeeded(call, self.state, self.identity)
        is_off = call.callback is Callback.UNBIND_PORT and set(self.state.hosts(subject)) <= {call.host}
        return self._without_report(writes) if is_off else writes

    def _without_report(self, writes: Writes) -> Writes:
        """Reports from before a bind or an unbind are over with it, also for whoever leads after a crash."""
        self._statuses.outdated(writes.subject)
        if not self._statuses.is_written(writes.subject):
            return writes
        return replace(writes, status=self._statuses.of(writes.subject))

    def _check_term(self, call: Call) -> None:
        """A result that comes after the term is not ours to record; the next leader looks after it."""
        if not self._leading.alive:
            self.late.append(call)
            raise FenceBroken(f"{call} returned after the lease of this term had run out")

    def _withdraw(self, call: Call, worker: asyncio.Task[None] | None) -> None:
        """Cancels a bind that is under way for a host where the port is not wanted any more."""
        port, host = call.object.id, call.host
        if call.callback is not Callback.BIND_PORT or not self.calls.cancels(call.callback) or worker is None:
            return
        if port not in self._withdrawn and not stays(port, host, self.state, self.identity):
            self._withdrawn.add(port)
            worker.cancel()

    def _end_withdrawn(self, call: Call) -> None:
        """Tells our own cancellation of a bind from that of the whole term."""
        task = asyncio.current_task()
        if call.object.id in self._withdrawn:
            self._withdrawn.discard(call.object.id)
            if task is not None and task.uncancel() == 0:
                raise CallWithdrawn
        self.late.append(call)

    # -- what goes wrong -------------------------------------------------------------------

    async def _failed(self, call: Call, error: CallFailed | WriteRefused) -> None:
        refused, delay = False, None
        if isinstance(error, CallFailed):
            # What is gone from etcd has to go from the backend some day: a delete is never given up.
            refused = error.refused and not call.callback.removes
            delay = error.delay
        pause = self.attempts.failed(call, str(error), delay=delay, refused=refused)
        then = "not tried again until it changes" if pause is None else f"trying again in {pause:.2g} s"
        if isinstance(error, CallFailed) and error.unexpected and log.isEnabledFor(logging.DEBUG):
            log.debug("%s raised", call, exc_info=error.__cause__)
        self._troubles.failed(call, call.object.id, str(error), then)
        if self.attempts.is_overdue(call):
            await self._report(call)

    def _overdue(self, call: Call) -> None:
        key = call.object.id
        if key in self._under_way:
            log.warning("%s has not returned for %g s", call, self._pace.report_after)
            self._give_place(key)
        self._tasks.create_task(self._report(call))

    def _give_place(self, key: ObjectKey) -> None:
        """A call that is, or was before, overdue must not keep the others waiting."""
        if key not in self._slow and len(self._slow) < MAX_SLOW:
            self._slow.add(key)
            self._add_worker()

    async def _report(self, call: Call) -> None:
        silent = f"{call.callback} has not returned for {self._pace.report_after:g} s"
        reason = self.attempts.reason(call) or silent
        self._statuses.fails(call.object.id, reason)
        if call.callback is Callback.BIND_PORT:
            writes = outcome.bind_overdue(call, reason, self.state, self.identity)
            if writes is not None:
                await self._tidy(writes)

    # -- etcd, and the state after it ------------------------------------------------------

    async def _tidy(self, writes: Writes) -> None:
        """Writes what is no news to the backend."""
        try:
            await self._write(writes)
        except WriteRefused as error:
            log.warning("%s: what is said of it in etcd could not be brought up to date: %s", writes.subject, error)

    def write_in_turn(self, subject: ObjectKey, make: Callable[[], Writes | None]) -> None:
        """Writes what came from elsewhere about an object, once no call for it is under way.

        The result of such a call would else be written over it.

        Args:
            subject: the object.
            make: says what to write, by the state at that time; None for nothing.
        """
        self._in_turn.setdefault(subject, []).append(make)
        self.wake((subject,))

    async def _write(self, writes: Writes) -> bool:
        """Writes, and takes what was written into the state; False: a claim came too late."""
        written = await self._records.write(writes)
        if writes.claim and not written.answered:
            return False
        if writes.status is not None:
            self._statuses.wrote(writes.subject, writes.status)
        concerned: set[ObjectKey] = set()
        for key, record in writes.records.items():
            concerned |= self.state.record(key, record)
        if writes.answer is not None and written.answered:
            gone = writes.answer.answer is None
            held = HeldAnswer(writes.answer.answer or NOBODY, written.revision, exists=not gone)
            concerned |= self.state.wrote(writes.answer.port, held)
        self.wake(concerned)
        return True
