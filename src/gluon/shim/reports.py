"""What a backend says outside of callbacks, from any thread, brought to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from gluon.shim.backend import State
from gluon.shim.leading import Leading


class Reports:
    """Takes what one backend says, from any thread, to the part that deals with it."""

    def __init__(self, proton: str) -> None:
        self._proton = proton
        self._leading: Leading | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connect(self, leading: Leading, loop: asyncio.AbstractEventLoop) -> None:
        """From now on there is somebody to tell; what comes before is dropped."""
        self._leading, self._loop = leading, loop

    def report(self, object_type: str, key: str, state: State, reason: str) -> None:
        """See `gluon.shim.backend.Context.report`."""
        leading = self._leading
        if leading is not None:
            self._soon(lambda: leading.report(self._proton, object_type, key, state, reason))

    def lost(self, reason: str) -> None:
        """See `gluon.shim.backend.Context.lost`."""
        leading = self._leading
        if leading is not None:
            self._soon(lambda: self._start(leading, reason))

    def _start(self, leading: Leading, reason: str) -> None:
        task = asyncio.ensure_future(leading.lost(self._proton, reason))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _soon(self, work: Callable[[], object]) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # The loop was closed: the shim has ended.
                self._loop.call_soon_threadsafe(work)
