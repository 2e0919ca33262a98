"""Notices a coroutine that keeps the event loop to itself.

A backend's `async def` that blocks (a synchronous client, a long computation) stops every other
object, the watch on etcd and the answers to health checks.  Which one it is can't be seen from
outside once several are under way, so each step of each coroutine is taken here.
"""

from __future__ import annotations

import time
from collections.abc import Coroutine, Generator
from typing import Any, Protocol


class Observer(Protocol):
    """Told of the steps of one coroutine."""

    def begins(self) -> None:
        """The coroutine has the event loop from now on."""

    def ends(self, seconds: float) -> None:
        """It has given it back after so many seconds."""


class Observed:
    """An awaitable that runs a coroutine step by step, and tells an observer of each."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], observer: Observer) -> None:
        self._coroutine = coroutine
        self._observer = observer

    def __await__(self) -> Generator[Any, Any, Any]:
        """Runs it; whatever is thrown in, a cancellation among it, reaches the coroutine."""
        sent: Any = None
        thrown: BaseException | None = None
        while True:
            started = time.monotonic()
            self._observer.begins()
            try:
                waits_for = self._coroutine.send(sent) if thrown is None else self._coroutine.throw(thrown)
            except StopIteration as stop:
                return stop.value
            finally:
                self._observer.ends(time.monotonic() - started)
            sent, thrown = None, None
            try:
                sent = yield waits_for
            except GeneratorExit:
                self._coroutine.close()
                raise
            except BaseException as error:  # noqa: BLE001 - it is the coroutine's, not ours
                thrown = error
