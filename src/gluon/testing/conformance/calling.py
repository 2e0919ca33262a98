"""Makes calls, and judges what comes of each."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from gluon.schema import Value
from gluon.shim.backend import Backend, Binding, Context, Held, Model
from gluon.shim.calls.calling import CallFailed
from gluon.shim.plan.steps import Call
from gluon.testing.conformance.instances import Instances
from gluon.testing.conformance.verdict import Bounds, NotConforming, WasRefused

_SHOWN_CALLS = 20

T = TypeVar("T")


class Calling:
    """Calls a backend through the shim's own `BackendCalls`.

    Args:
        backend: the class.
        context: what each instance is given.
        bounds: how long the backend may take.
    """

    def __init__(self, backend: type[Backend], context: Context, bounds: Bounds) -> None:
        self.instances = Instances(backend, context, bounds.patience, self._stepped)
        self.failed = False
        """A call has failed: what the backend holds is not known any more."""
        self._bounds = bounds
        self._blocked: tuple[Call, float] | None = None
        self._history: list[Call] = []

    def make(self, call: Call, model: Model) -> Binding | None:
        """Makes the call, again and again while the backend says `RetryLater`.

        Raises:
            WasRefused: the backend said `Refused`.
            NotConforming: anything else is wrong.
        """
        return self.instances.run(self._make(call, model))

    def make_together(self, calls: Sequence[Call], model: Model) -> None:
        """Makes all of them at once.

        Raises:
            NotConforming: the first that is wrong.
        """

        async def together() -> None:
            for result in await asyncio.gather(*(self._make(call, model) for call in calls), return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result

        self.instances.run(together())

    def attempts(self, calls: Sequence[Call], model: Model) -> list[CallFailed | None]:
        """Makes all of them at once, each once; gives why each failed, None for one that did not."""

        async def together() -> list[CallFailed | None]:
            return await asyncio.gather(*(self._attempt(call, model) for call in calls))

        self._history += calls
        return self.instances.run(together())

    def inventory(self) -> list[Held] | None:
        """What the backend lists, again and again while it says `RetryLater`.

        Raises:
            CallFailed: it can't be asked.
            TimeoutError: it could not be asked for too long.
        """

        async def patiently() -> list[Held] | None:
            async with asyncio.timeout(self._bounds.patience):
                return await _retried(self.instances.calls.inventory)

        return self.instances.run(patiently())

    def wrong(self, call: Call | None, said: str, kind: type[NotConforming] = NotConforming) -> NotConforming:
        """The verdict on a call, or on what has come of all of them, with the calls that led to it."""
        self.failed = True
        made = "\n  ".join(map(str, self._history[-_SHOWN_CALLS:])) or "none"
        return kind(f"{call or 'after the last call'} {said}\nThe calls, the last one last:\n  {made}")

    async def _make(self, call: Call, model: Model) -> Binding | None:
        __tracebackhide__ = True
        self._history.append(call)
        before = _pictured(call, model)
        instances = self.instances
        try:
            async with asyncio.timeout(self._bounds.patience):
                answer = await _retried(lambda: instances.calls.make(call, model, instances.fence))
        except TimeoutError as error:
            self._check_blocked()
            raise self.wrong(call, f"was not done within {self._bounds.patience:g} s") from error
        except CallFailed as error:
            said, kind = ("was refused", WasRefused) if error.refused else ("failed", NotConforming)
            raise self.wrong(call, f"{said}: {error.reason}", kind) from error
        self._check_blocked()
        if _pictured(call, model) != before:
            raise self.wrong(call, "changed its arguments, which the shim goes on using; change a copy")
        return answer

    async def _attempt(self, call: Call, model: Model) -> CallFailed | None:
        try:
            async with asyncio.timeout(self._bounds.patience):
                await self.instances.calls.make(call, model, self.instances.fence)
        except CallFailed as error:
            return error
        except TimeoutError as error:
            raise self.wrong(call, f"neither failed nor succeeded within {self._bounds.patience:g} s") from error
        return None

    def _stepped(self, call: Call, seconds: float) -> None:
        if seconds > self._bounds.max_block and self._blocked is None:
            self._blocked = call, seconds

    def _check_blocked(self) -> None:
        if self._blocked:
            call, seconds = self._blocked
            raise self.wrong(
                call, f"kept the event loop for {seconds:.1f} s, which all objects share; await, or write a plain def"
            )


def _pictured(call: Call, model: Model) -> list[dict[str, Value]]:
    """A copy of all that the call can reach."""
    reached = [call.object, call.previous, *map(model.find, sorted(model))]
    return [copy.deepcopy(dict(obj.attributes)) for obj in reached if obj is not None]


async def _retried(ask: Callable[[], Awaitable[T]]) -> T:
    """Asks again after the pause of a `RetryLater`, for as long as it is said."""
    while True:
        try:
            return await ask()
        except CallFailed as error:
            if error.delay is None:
                raise
            await asyncio.sleep(error.delay)
