"""One callback of the backend: made, bounded in time, and its answer checked.

Whatever the backend does ends here in a Binding, in None, or in a CallFailed that says why.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any, cast

import msgspec

from gluon.contract.keys import ObjectKey
from gluon.schema.types import Base
from gluon.shim.backend import Backend, Binding, CallContext, Held, Model, Object, Refused, RetryLater
from gluon.shim.calls.binding_check import wrong_binding
from gluon.shim.calls.blocking import Observed
from gluon.shim.calls.foreign import printable, short, told
from gluon.shim.calls.threads import in_thread
from gluon.shim.plan import Call, Callback
from gluon.shim.plan.steps import MODIFY

__all__ = ["CALL", "BackendCalls", "CallFailed", "Stepped", "in_thread"]

log = logging.getLogger(__name__)


class CallFailed(Exception):
    """A callback did not do its work."""

    def __init__(
        self, reason: str, *, delay: float | None = None, refused: bool = False, unexpected: bool = False
    ) -> None:
        self.reason = printable(reason)
        super().__init__(self.reason)
        self.delay = delay
        """Seconds that the backend asked to be left alone for; None: it did not say."""
        self.refused = refused
        """Calling again is useless until the object has changed."""
        self.unexpected = unexpected
        """The backend raised what its port does not name: the traceback is worth a look."""


CALL = "call"
"""The parameter by which a callback asks for its CallContext."""

Stepped = Callable[[Call, float], None]
"""Told of each step of a coroutine on the event loop: the call, and the seconds that the step took."""


class BackendCalls:
    """Calls one backend.

    Args:
        name: the backend's name, for messages.
        backend: the backend itself.
        timeout: seconds after which a coroutine is cancelled.  A thread can't be cancelled: it is
            waited for, since a second call for the same object must not run beside it.
        stepped: told how long each step of a coroutine kept the event loop.
    """

    def __init__(self, name: str, backend: Backend, timeout: float, stepped: Stepped | None = None) -> None:
        self.name = name
        self.running: Call | None = None
        """The call whose coroutine has the event loop at this moment; may be read from any thread."""
        self._backend = backend
        self._timeout = timeout
        self._stepped = stepped
        self._callbacks: dict[Callback, Callable[..., Any]] = {c: getattr(backend, c) for c in Callback}
        self._coroutines = {c for c, callback in self._callbacks.items() if inspect.iscoroutinefunction(callback)}
        self._with_call = {c for c, f in self._callbacks.items() if CALL in inspect.signature(f).parameters}
        self._threads: set[ObjectKey] = set()
        self._asking: set[str] = set()

    # -- callbacks -------------------------------------------------------------------------

    async def make(self, call: Call, model: Model, fence: int) -> Binding | None:
        """Makes the call.

        Args:
            call: what is due.
            model: the objects that are wanted.
            fence: the number of this shim's term.

        Returns:
            The binding, of `bind_port`; else None.

        Raises:
            CallFailed: whatever went wrong.
        """
        arguments: tuple[Any, ...] = (call.object, model)
        if call.callback.startswith("modify_"):
            arguments = (call.object, call.previous, model)
        named = {CALL: CallContext(fence)} if call.callback in self._with_call else {}
        what = f"{call.callback} of backend {self.name}"
        answer = await self._guarded(what, self._started(what, call, arguments, named))
        return self._checked(answer) if call.callback is Callback.BIND_PORT else None

    async def _started(self, what: str, call: Call, arguments: tuple[Any, ...], named: dict[str, Any]) -> object:
        callback = self._callbacks[call.callback]
        if call.callback in self._coroutines:
            answer = callback(*arguments, **named)
        else:
            answer = await self._threaded(call, callback, arguments, named)
        if inspect.iscoroutine(answer):
            answer = Observed(answer, _Steps(self, call))
        return await self._bounded(what, answer) if inspect.isawaitable(answer) else answer

    def _threaded(
        self, call: Call, callback: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> Awaitable[Any]:
        key = call.object.id
        if key in self._threads:
            # Left from an earlier term of leadership, which could not wait for it.
            raise CallFailed(f"an earlier call for {key} has not returned yet", delay=1.0)
        self._threads.add(key)
        return in_thread(callback, arguments, named, ended=lambda: self._threads.discard(key))

    def steps(self, call: Call, seconds: float | None) -> None:
        """The call's coroutine takes the event loop (None), or gives it back after so many seconds."""
        self.running = call if seconds is None else None
        if seconds is not None and self._stepped is not None:
            self._stepped(call, seconds)

    # -- questions -------------------------------------------------------------------------

    async def inventory(self) -> list[Held] | None:
        """What the SDN controller holds of ours; None: it can't be asked.

        Raises:
            CallFailed: it can't be asked now.
        """
        what = f"inventory of backend {self.name}"
        return cast("list[Held] | None", await self._guarded(what, self._listed(what)))

    async def _listed(self, what: str) -> list[Held] | None:
        found: Any = await self._asked(what, self._backend.inventory)
        try:
            return None if found is None else [_held(item) for item in found]
        except TypeError as error:
            raise CallFailed(f"{what} returned {short(found)}: {error}") from error

    async def health(self) -> str | None:
        """Why the SDN controller can't be reached; None: it can."""
        what = f"health of backend {self.name}"
        try:
            answer = await self._guarded(what, self._asked(what, self._backend.health))
        except CallFailed as error:
            return error.reason
        if answer is None or answer is True or answer == "":
            return None
        return printable(answer) if isinstance(answer, str) else "the SDN controller can't be reached"

    def fingerprint(self, obj: Object, model: Model) -> str | None:
        """What the inventory gives for an object that is held as wanted; None: it can't be told."""
        try:
            return self._backend.fingerprint(obj, model)
        except Exception:
            log.exception("fingerprint of %s by backend %s raised; only its presence is compared", obj.id, self.name)
            return None

    def cancels(self, callback: Callback) -> bool:
        """Whether a call under way can be cancelled: a coroutine can, a thread can't."""
        return callback in self._coroutines

    def returned(self, key: ObjectKey) -> bool:
        """Whether no thread is left running for the object."""
        return key not in self._threads

    def lists(self, object_type: str) -> bool:
        """Whether the inventory has objects of this type, if the backend writes their callbacks."""
        return self._backend.listed_types is None or object_type in self._backend.listed_types

    def expects(self, base: Base) -> bool:
        """Whether the backend writes the callback that makes objects of this base."""
        return self.writes(MODIFY[base])

    def writes(self, callback: Callback) -> bool:
        """Whether the backend has a callback of its own, not the one that does nothing."""
        return getattr(type(self._backend), callback) is not getattr(Backend, callback)

    async def _asked(self, what: str, question: Callable[[], Any]) -> object:
        if inspect.iscoroutinefunction(question):
            answer = question()
        else:
            answer = await self._in_one_thread(what, lambda: _whole(question()))
        return await self._bounded(what, answer) if inspect.isawaitable(answer) else answer

    async def _in_one_thread(self, what: str, question: Callable[[], Any]) -> object:
        """Asks in a thread; while that hangs, nobody asks again."""
        if what in self._asking:
            raise CallFailed(f"{what} has not returned yet")
        self._asking.add(what)
        return await self._bounded(what, in_thread(question, ended=lambda: self._asking.discard(what)))

    # -- what may go wrong -----------------------------------------------------------------

    async def _guarded(self, what: str, work: Coroutine[Any, Any, object]) -> object:
        """Runs foreign code; any error of it becomes a CallFailed."""
        try:
            answer = await work
        except (Exception, SystemExit, KeyboardInterrupt, asyncio.CancelledError) as error:
            if _is_cancelled():  # The callback may have failed over it, while it cleaned up.
                raise asyncio.CancelledError from error
            if isinstance(error, CallFailed):
                raise
            raise _failure(what, error) from error
        if _is_cancelled():
            raise asyncio.CancelledError  # The callback swallowed it.
        return answer

    async def _bounded(self, what: str, answer: Awaitable[object]) -> object:
        deadline = asyncio.timeout(self._timeout)
        try:
            async with deadline:
                return await answer
        except TimeoutError:
            if not deadline.expired():
                raise
            raise CallFailed(f"{what} did not return within {self._timeout:g} s and was cancelled") from None

    def _checked(self, answer: object) -> Binding:
        wrong = wrong_binding(answer)
        if wrong:
            raise CallFailed(f"bind_port of backend {self.name} returned {wrong}")
        # As it comes back from etcd, and a copy: what is compared later must not differ, or change.
        return msgspec.json.decode(msgspec.json.encode(answer), type=Binding)


def _failure(what: str, error: BaseException) -> CallFailed:
    """An error of foreign code, which must leave all other objects alone."""
    if isinstance(error, Refused):
        return CallFailed(_reason(error), refused=True)
    if isinstance(error, RetryLater):
        return CallFailed(_reason(error), delay=_delay(error))
    return CallFailed(f"{what} raised {told(error)}", unexpected=not isinstance(error, asyncio.CancelledError))


def _whole(answer: object) -> object:
    """All items of a generator, taken while its thread is still there to be blocked."""
    return list(answer) if isinstance(answer, Iterator) else answer


def _reason(error: Refused | RetryLater) -> str:
    """What a backend gave as a reason, often another exception."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, str) and reason:
        return reason
    return told(reason if isinstance(reason, BaseException) else error)


def _delay(error: RetryLater) -> float | None:
    """The pause that a backend asked for; None for what is no number of seconds."""
    delay = getattr(error, "delay", None)
    return float(delay) if isinstance(delay, int | float) and 0 <= delay < float("inf") else None


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _held(item: object) -> Held:
    held = Held(*cast("tuple[Any, ...]", item))  # A plain tuple is as good.
    named = isinstance(held.type, str) and isinstance(held.key, str) and isinstance(held.fingerprint, str | None)
    if not (named and isinstance(held.attributes, Mapping)):
        raise TypeError(f"{short(item)} is no (type, key, fingerprint, attributes)")
    return held


class _Steps:
    """Tells a BackendCalls of the steps of one call."""

    def __init__(self, calls: BackendCalls, call: Call) -> None:
        self._calls = calls
        self._call = call

    def begins(self) -> None:
        self._calls.steps(self._call, None)

    def ends(self, seconds: float) -> None:
        self._calls.steps(self._call, seconds)
