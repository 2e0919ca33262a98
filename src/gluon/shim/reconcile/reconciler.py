"""The loop of one proton: take a key, plan one step, make it, look again.

A step that fails is tried again with growing, jittered pauses; only its own key waits.  One that
has not succeeded within `report_after` seconds is reported in the key's answer, so that the API
can say what is wrong.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable

from msgspec import Struct

from gluon.contract.keys import ObjectKey
from gluon.contract.records import Answer, AppliedRecord
from gluon.shim import metrics
from gluon.shim.plan import Call, Callback, Drop, Identity, InUse, Nothing, Refresh, Step, Wait, next_step, outcome
from gluon.shim.plan.outcome import Writes
from gluon.shim.reconcile.attempts import Attempts
from gluon.shim.reconcile.calls import BackendCalls, CallFailed
from gluon.shim.reconcile.queue import KeyQueue
from gluon.shim.reconcile.recorder import Deposed, Recorder, WriteRefused
from gluon.shim.state import HeldAnswer, State

log = logging.getLogger(__name__)

AT_ONCE = 200
"""Keys after which the event loop gets its turn."""

MAX_SLOW = 1000
"""Calls that may be overdue at once without slowing the others down."""


class Pace(Struct, frozen=True, kw_only=True):
    """How many at once, and how often."""

    workers: int = 64
    """Keys that are worked on at once.  One whose call is overdue gives its place to another."""
    retry_min: float = 0.25
    """Seconds before the first retry; each further one waits twice as long, jittered."""
    retry_max: float = 60.0
    report_after: float = 5.0
    """Seconds after which a call that has not succeeded is reported; below the 8 s that
    proton-server waits for a bind."""
    callback_timeout: float = 60.0
    """Seconds after which a callback that is a coroutine is cancelled, and tried again."""


class Reconciler:
    """Brings one backend to what one proton wants, and keeps it there."""

    def __init__(self, state: State, calls: BackendCalls, recorder: Recorder, identity: Identity, pace: Pace) -> None:
        self.state = state
        self.queue = KeyQueue()
        self.attempts = Attempts(pace.retry_min, pace.retry_max, pace.report_after, self._overdue)
        self.held: dict[ObjectKey, Wait | InUse] = {}
        self._calls = calls
        self._recorder = recorder
        self._identity = identity
        self._pace = pace
        self._calling: set[ObjectKey] = set()
        self._slow: set[ObjectKey] = set()
        self._workers = 0
        self._taken = 0
        self._tasks: asyncio.TaskGroup

    # -- the loop --------------------------------------------------------------------------

    def wake(self, keys: Iterable[ObjectKey]) -> None:
        """Something changed that concerns these keys."""
        self.queue.add(keys)

    async def run(self) -> None:
        """Works until cancelled.

        Raises:
            Deposed: the term is over (in an exception group).
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
            self._taken += 1
            if self._taken % AT_ONCE == 0:
                await asyncio.sleep(0)  # Keys with nothing to do never wait; the lease has to be kept alive.
            try:
                while await self._reconcile(key):
                    pass
            except Deposed:
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
        step = next_step(key, self.state, self._identity)
        self._note(key, step)
        match step:
            case Call():
                return await self._attempt(step)
            case Refresh():
                await self._tidy(outcome.refreshed(step, self.state, self._identity.controller))
            case Drop():
                await self._tidy(outcome.dropped(step, self.state))
            case Nothing() | Wait() | InUse():
                pass
        return False

    def _note(self, key: ObjectKey, step: Step) -> None:
        if not isinstance(step, Call):
            self.attempts.forget(key)
        if isinstance(step, Wait | InUse):
            if self.held.get(key) != step:
                log.log(logging.INFO if isinstance(step, InUse) else logging.DEBUG, "%s %s", key, step)
            self.held[key] = step
        else:
            self.held.pop(key, None)

    # -- one call --------------------------------------------------------------------------

    async def _attempt(self, call: Call) -> bool:
        key = call.object.id
        pause = self.attempts.pause(call)
        if pause is None:
            return False
        if pause > 0:
            self.queue.add_later(key, pause)
            return False
        self.attempts.begin(call)
        try:
            claim = outcome.claim(call, self.state, self._identity.controller)
            if claim is not None:
                return await self._claim(call, claim)
            # Nothing is awaited between the plan and the call, so what the plan saw still holds.
            if await self._write(await self._make(call)):
                self.attempts.forget(key)
        except (CallFailed, WriteRefused) as error:
            await self._failed(call, error)
        self.queue.add((key,))
        return False

    async def _claim(self, call: Call, claim: Writes) -> bool:
        if await self._write(claim):
            return True
        log.info("%s: another controller was faster", call)
        self.attempts.forget(call.object.id)
        return False

    async def _make(self, call: Call) -> Writes:
        started, result = time.monotonic(), "failed"
        self._calling.add(call.object.id)
        if self.attempts.is_overdue(call.object.id):
            self._give_place(call.object.id)
        try:
            binding = await self._calls.make(call, self.state.desired)
            result = "ok"
        except CallFailed as error:
            if not (error.refused and call.callback is Callback.BIND_PORT):
                raise
            result = "refused"
            log.info("%s: refused: %s", call, error.reason)
            return outcome.bind_refused(call, error.reason, self.state, self._identity.controller)
        finally:
            self._calling.discard(call.object.id)
            metrics.CALLBACKS.labels(call.callback, result).inc()
            metrics.CALLBACK_SECONDS.labels(call.callback).observe(time.monotonic() - started)
        if binding is None:
            return outcome.succeeded(call, self.state, self._identity.controller)
        return outcome.bound(call, binding.vif_type, binding.vif_details, self.state, self._identity.controller)

    # -- what goes wrong -------------------------------------------------------------------

    async def _failed(self, call: Call, error: CallFailed | WriteRefused) -> None:
        refused, delay = False, None
        if isinstance(error, CallFailed):
            # What is gone from etcd has to go from the backend some day: a delete is never given up.
            refused = error.refused and call.callback.startswith(("modify_", "bind_"))
            delay = error.delay
        pause = self.attempts.failed(call, str(error), delay=delay, refused=refused)
        then = "not tried again until it changes" if pause is None else f"trying again in {pause:.2g} s"
        log.warning("%s failed: %s; %s", call, error, then)
        if self.attempts.is_overdue(call.object.id):
            await self._report(call)

    def _overdue(self, call: Call) -> None:
        key = call.object.id
        if key in self._calling:
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
        reason = self.attempts.reason(call.object.id) or silent
        writes = outcome.report(call, reason, self.state, self._identity.controller)
        if writes is None:
            return
        try:
            await self._write(writes)
        except WriteRefused as error:
            log.warning("%s: its failure could not be reported: %s", call.object.id, error)

    # -- etcd, and the state after it ------------------------------------------------------

    async def _tidy(self, writes: Writes) -> None:
        """Writes what is no news to the backend."""
        try:
            await self._write(writes)
        except WriteRefused as error:
            log.warning("%s: its answer could not be brought up to date: %s", writes.key, error)

    async def _write(self, writes: Writes) -> bool:
        """Writes, and takes what was written into the state; False: a claim came too late."""
        written = await self._recorder.write(writes)
        if writes.claim and not written.answered:
            return False
        concerned: set[ObjectKey] = set()
        if isinstance(writes.record, AppliedRecord):
            concerned |= self.state.apply(writes.key, writes.base, writes.record)
        elif writes.record is None:
            concerned |= self.state.unapply(writes.key)
        if writes.touches_answer and written.answered:
            answer = writes.answer if isinstance(writes.answer, Answer) else None
            held = HeldAnswer(answer=answer, revision=written.revision, exists=not writes.drop_answer)
            concerned |= self.state.hear(writes.key, held)
        self.queue.add(concerned)
        return True
