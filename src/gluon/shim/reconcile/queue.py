"""Which object is due.

An object that is added while it waits is due once.  One that is added while it is worked on is due
again afterwards.  So each object has at most one worker, and no wake-up is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from gluon.contract.keys import ObjectKey


class KeyQueue:
    """A first-in first-out queue of keys without duplicates, for one event loop."""

    def __init__(self) -> None:
        self._due: asyncio.Queue[ObjectKey] = asyncio.Queue()
        self._queued: set[ObjectKey] = set()
        self._busy: set[ObjectKey] = set()
        self._later: dict[ObjectKey, asyncio.TimerHandle] = {}
        self._paused = False
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many keys are due or being worked on; those that are only due later don't count."""
        return len(self._queued) + len(self._busy)

    @property
    def is_empty(self) -> bool:
        """Whether no key is due, being worked on, or due later."""
        return not (self._queued or self._busy or self._later)

    async def idle(self) -> None:
        """Waits until no key is being worked on."""
        while self._busy:
            await self._change()

    async def settled(self, keys: Collection[ObjectKey]) -> None:
        """Waits until none of these keys is due now or being worked on."""
        while any(key in self._queued or key in self._busy for key in keys):
            await self._change()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def pause(self) -> None:
        """Hands out no more keys, and never will again."""
        self._paused = True
        while not self._due.empty():
            self._due.get_nowait()

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
        key = await self._due.get()
        self._queued.discard(key)
        self._busy.add(key)
        return key

    def done(self, key: ObjectKey) -> None:
        """The work on the key has ended; if it was added meanwhile it is due again."""
        self._busy.discard(key)
        if key in self._queued:
            self._push(key)
        self._changed.set()

    def close(self) -> None:
        """Cancels what is due later."""
        for handle in self._later.values():
            handle.cancel()
        self._later.clear()

    def _push(self, key: ObjectKey) -> None:
        if not self._paused:
            self._due.put_nowait(key)
