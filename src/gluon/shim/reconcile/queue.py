"""Which key is due.

A key that is added while it waits is due once.  A key that is added while it is worked on is due
again afterwards.  So each key has at most one worker, and no wake-up is lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from gluon.contract.keys import ObjectKey


class KeyQueue:
    """A first-in first-out queue of keys without duplicates, for one event loop."""

    def __init__(self) -> None:
        self._due: deque[ObjectKey] = deque()
        self._queued: set[ObjectKey] = set()
        self._busy: set[ObjectKey] = set()
        self._later: dict[ObjectKey, asyncio.TimerHandle] = {}
        self._paused = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._takers: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        """How many keys are due or being worked on; those that are only due later don't count."""
        return len(self._queued) + len(self._busy)

    async def idle(self) -> None:
        """Waits until no key is being worked on."""
        await self._idle.wait()

    def pause(self) -> None:
        """Hands out no more keys, for good."""
        self._paused = True

    def add(self, keys: Iterable[ObjectKey]) -> None:
        """Each key is due now."""
        for key in keys:
            handle = self._later.pop(key, None)
            if handle is not None:
                handle.cancel()
            if key in self._queued:
                continue
            self._queued.add(key)
            if key not in self._busy:
                self._push(key)

    def add_later(self, key: ObjectKey, delay: float) -> None:
        """The key is due in `delay` seconds, unless something adds it sooner."""
        if key in self._queued:
            return
        before = self._later.pop(key, None)
        if before is not None:
            before.cancel()
        self._later[key] = asyncio.get_running_loop().call_later(delay, self.add, (key,))

    async def take(self) -> ObjectKey:
        """Waits for a due key; the caller says `done` when its work has ended."""
        while self._paused or not self._due:
            taker = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            try:
                await taker
            except asyncio.CancelledError:
                self._pass_on(taker)
                raise
        key = self._due.popleft()
        self._queued.discard(key)
        self._busy.add(key)
        self._idle.clear()
        return key

    def done(self, key: ObjectKey) -> None:
        """The work on the key has ended; if it was added meanwhile it is due again."""
        self._busy.discard(key)
        if not self._busy:
            self._idle.set()
        if key in self._queued:
            self._push(key)

    def close(self) -> None:
        """Cancels what is due later."""
        for handle in self._later.values():
            handle.cancel()
        self._later.clear()

    def _push(self, key: ObjectKey) -> None:
        self._due.append(key)
        self._wake_one()

    def _wake_one(self) -> None:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return

    def _pass_on(self, taker: asyncio.Future[None]) -> None:
        # A taker that was woken and cancelled at the same moment must not swallow the wake-up.
        if taker.done() and not taker.cancelled() and self._due:
            self._wake_one()
