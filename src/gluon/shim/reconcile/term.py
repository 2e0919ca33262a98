"""One term of leadership: load what was applied, follow etcd, reconcile, until it ends.

Nothing is kept from one term to the next: whoever leads begins with what etcd says.  That is also
the way out when etcd was replaced by another (restored from a backup, or empty): a shim that went
on would see every object vanish, and delete all of them at the backend.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from itertools import islice

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.etcd import Client, ClusterReplaced, EtcdError, Event, Leadership, Mirror
from gluon.schema import Proton
from gluon.shim import metrics
from gluon.shim.plan import Identity, InUse
from gluon.shim.reconcile.calls import BackendCalls
from gluon.shim.reconcile.feed import Feed
from gluon.shim.reconcile.reconciler import Pace, Reconciler
from gluon.shim.reconcile.recorder import Deposed, Recorder
from gluon.shim.state import State

log = logging.getLogger(__name__)

DRAIN = 1.5
"""Seconds that callbacks under way have to end in when the term is ended.  Beside it, handing over
the leadership may take 2 s and stopping the backends 1 s: with all of it SIGTERM ends within 5 s."""

AT_ONCE = 500
"""Records that are read in one go: the lease has to be kept alive meanwhile."""

SHOWN = 100
"""Objects of each kind that `status` names."""


class Term:
    """The work of the active shim.

    Args:
        etcd: an open client.
        leadership: won by this shim.
        protons: every known proton.
        backends: the calls of each handled proton's backend.
        identity: who we are.
        pace: how many at once, and how often.
    """

    def __init__(
        self,
        etcd: Client,
        leadership: Leadership,
        protons: Mapping[str, Proton],
        backends: Mapping[str, BackendCalls],
        identity: Identity,
        pace: Pace,
    ) -> None:
        self._etcd = etcd
        self._leadership = leadership
        self._controller = identity.controller
        self._recorder = Recorder(etcd, leadership.fence, identity.controller)
        self._reconcilers = {
            name: Reconciler(State(protons[name]), calls, self._recorder, identity, pace)
            for name, calls in backends.items()
        }
        states = {name: reconciler.state for name, reconciler in self._reconcilers.items()}
        self._feed = Feed(protons, states, self._wake)
        self._mirrors = {prefix: Mirror(etcd, prefix) for prefix in (keys.PROTON, keys.CONTROLLER)}
        self._synced = {prefix: asyncio.Event() for prefix in self._mirrors}
        self.in_sync = False
        """Everything is loaded, and reconciling has begun."""

    async def serve(self, stop: asyncio.Event) -> None:
        """Works until the leadership is lost, etcd is replaced, or `stop` is set."""
        try:
            async with asyncio.TaskGroup() as tasks:
                work = tasks.create_task(self._work())
                await _first(stop, self._leadership.lost)
                if stop.is_set():
                    await self._drain()
                work.cancel()
        except* (Deposed, ClusterReplaced) as ended:
            for error in _leaves(ended):
                log.warning("term of controller %s ends: %s", self._controller, error)
        finally:
            self.in_sync = False

    async def _work(self) -> None:
        started = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            with _loading():
                await self._load(tasks)
            tasks.create_task(self._recorder.run())
            for name, reconciler in self._reconcilers.items():
                reconciler.wake(reconciler.state.keys())
                tasks.create_task(reconciler.run(), name=f"reconciler {name}")
            self.in_sync = True
            log.info(
                "controller %s is in sync after %.1f s: %s",
                self._controller,
                time.monotonic() - started,
                ", ".join(
                    f"{name} {len(r.state.desired)} wanted, {len(r.state.records)} applied"
                    for name, r in self._reconcilers.items()
                ),
            )

    async def _load(self, tasks: asyncio.TaskGroup) -> None:
        """Loads what was applied, then what is wanted, then the answers, and follows these two."""
        await self._load_records()
        tasks.create_task(self._follow(keys.PROTON, self._feed.desired))
        await self._synced[keys.PROTON].wait()
        tasks.create_task(self._follow(keys.CONTROLLER, self._feed.answer))
        await self._synced[keys.CONTROLLER].wait()

    async def _load_records(self) -> None:
        for name in self._reconcilers:
            prefix = keys.applied_prefix(self._controller)
            while True:
                try:
                    async for page in self._etcd.pages(prefix + name.encode() + b"/"):
                        for number, item in enumerate(page.items):
                            self._feed.record(item.key, item.value, prefix)
                            if number % AT_ONCE == 0:
                                await asyncio.sleep(0)
                    break
                except EtcdError as error:
                    log.warning("applied records can't be read yet, trying again: %s", error)
                    await asyncio.sleep(1)

    async def _follow(self, prefix: bytes, feed: Callable[[Event], None]) -> None:
        async with aclosing(self._mirrors[prefix].batches()) as batches:
            async for batch in batches:
                for event in batch.events:
                    feed(event)
                if batch.synced:
                    self._synced[prefix].set()

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
        return all(mirror.connected for mirror in self._mirrors.values())

    def status(self) -> dict[str, object]:
        """What is going on, by proton: numbers, and which objects wait or fail, and why."""
        return {name: _status(reconciler) for name, reconciler in self._reconcilers.items()}

    def count(self) -> None:
        """Brings the gauges up to date."""
        for name, reconciler in self._reconcilers.items():
            metrics.QUEUE.labels(name).set(len(reconciler.queue))
            for state, number in _numbers(reconciler).items():
                metrics.OBJECTS.labels(name, state).set(number)


def _numbers(reconciler: Reconciler) -> dict[str, int]:
    in_use = sum(isinstance(step, InUse) for step in reconciler.held.values())
    return {
        "desired": len(reconciler.state.desired),
        "applied": len(reconciler.state.records),
        "waiting": len(reconciler.held) - in_use,
        "in_use": in_use,
        "failing": sum(1 for _ in reconciler.attempts.failing()),
    }


def _status(reconciler: Reconciler) -> dict[str, object]:
    return {
        **_numbers(reconciler),
        "queue": len(reconciler.queue),
        "held_objects": {str(key): str(step) for key, step in islice(reconciler.held.items(), SHOWN)},
        "failing_objects": {str(key): reason for key, reason in islice(reconciler.attempts.failing(), SHOWN)},
    }


@contextmanager
def _loading() -> Iterator[None]:
    """Keeps Python's cyclic garbage collector away from a load, and from what is loaded afterwards.

    It would walk all objects again and again while there are ever more of them.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


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
