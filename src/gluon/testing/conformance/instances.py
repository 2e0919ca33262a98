"""Instances of a backend, one after the other, as the terms of a shim make them."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from gluon.shim.backend import Backend, Context
from gluon.shim.calls.calling import BackendCalls, Stepped, in_thread
from gluon.testing.conformance.verdict import NotConforming

log = logging.getLogger(__name__)
T = TypeVar("T")


class Instances:
    """Starts and stops instances, and runs what is to be awaited, all on one event loop.

    Args:
        backend: the class.
        context: what each instance is given.
        patience: seconds in which `start` and `stop` must be done.
        stepped: told how long each step of a coroutine kept the event loop.
    """

    def __init__(self, backend: type[Backend], context: Context, patience: float, stepped: Stepped) -> None:
        self.calls: BackendCalls
        """Calls the latest instance."""
        self.fence = 0
        """Of the latest term."""
        self._backend, self._context = backend, context
        self._patience = patience
        self._stepped = stepped
        self._runner = asyncio.Runner()
        self._started: list[Backend] = []

    @property
    def latest(self) -> Backend:
        """The instance that is called."""
        return self._started[-1]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs it to its end."""
        return self._runner.run(work)

    def start(self) -> None:
        """Makes an instance and starts it, as a shim at the start of a term.

        Raises:
            NotConforming: the shim would not start.
        """
        name = self._backend.__name__
        instance = self._step(f"{name}()", lambda: self._backend(self._context))
        self._step(f"start() of {name}", lambda: self.run(self._bounded(instance.start)))
        self._started.append(instance)
        self.calls = BackendCalls(name, instance, self._patience, self._stepped)
        # From the clock, as the shim's: a controller in a lab remembers the largest of the last run.
        self.fence = max(self.fence + 1, time.time_ns() // 1_000_000)

    def close(self) -> None:
        """Stops every instance.

        Raises:
            NotConforming: one can't be stopped.
        """
        try:
            while self._started:
                stop = self._started.pop().stop
                self._step(f"stop() of {self._backend.__name__}", lambda: self.run(self._bounded(stop)))  # noqa: B023 - called at once
        finally:
            self._runner.close()

    def writes(self, *methods: str) -> bool:
        """Whether the class has one of these methods of its own."""
        return any(getattr(self._backend, method) is not getattr(Backend, method) for method in methods)

    def _step(self, what: str, step: Callable[[], T]) -> T:
        __tracebackhide__ = True
        try:
            return step()
        except TimeoutError as error:
            said = str(error) or f"was not done within {self._patience:g} s"
        except (Exception, SystemExit) as error:
            log.warning("%s raised", what, exc_info=True)
            said = f"raised {type(error).__name__}: {error}"
        raise NotConforming(f"{what} {said}")

    async def _bounded(self, method: Callable[[], Any]) -> None:
        """Calls `start` or `stop`, each `async def` or a plain `def`, as the shim does."""
        async with asyncio.timeout(self._patience):
            result = method() if inspect.iscoroutinefunction(method) else await in_thread(method)
            if inspect.isawaitable(result):
                await result
