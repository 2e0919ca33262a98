"""One callback of the backend: made, bounded in time, and its answer checked.

Whatever the backend does ends here in a Binding, in None, or in a CallFailed that says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from gluon.contract.keys import ObjectKey
from gluon.contract.records import BINDING_FAILED, UNBOUND
from gluon.shim.backend import Backend, Binding, Model, Refused, RetryLater
from gluon.shim.plan import Call, Callback

log = logging.getLogger(__name__)


class CallFailed(Exception):
    """A callback did not do its work."""

    def __init__(self, reason: str, *, delay: float | None = None, refused: bool = False) -> None:
        self.reason = _printable(reason)
        super().__init__(self.reason)
        self.delay = delay
        """Seconds that the backend asked to be left alone for; None: it did not say."""
        self.refused = refused
        """Calling again is useless until the object has changed."""


class BackendCalls:
    """Calls one backend.

    Args:
        name: the backend's name, for messages.
        backend: the backend itself.
        timeout: seconds after which a coroutine is cancelled.  A thread can't be cancelled: it is
            waited for, since a second call for the same object must not run beside it.
    """

    def __init__(self, name: str, backend: Backend, timeout: float) -> None:
        self._name = name
        self._timeout = timeout
        self._callbacks: dict[Callback, Callable[..., Any]] = {c: getattr(backend, c) for c in Callback}
        self._coroutines = {c for c, callback in self._callbacks.items() if inspect.iscoroutinefunction(callback)}
        self._threads: set[ObjectKey] = set()

    async def make(self, call: Call, model: Model) -> Binding | None:
        """Makes the call.

        Returns:
            The binding, of `bind_port`; else None.

        Raises:
            CallFailed: whatever went wrong.
        """
        callback = self._callbacks[call.callback]
        arguments: tuple[Any, ...] = (call.object, model)
        if call.callback.startswith("modify_"):
            arguments = (call.object, call.previous, model)
        try:
            answer = await self._bounded(call, callback, arguments)
        except Refused as error:
            raise CallFailed(_reason(error), refused=True) from error
        except RetryLater as error:
            raise CallFailed(_reason(error), delay=_delay(error)) from error
        except CallFailed:
            raise
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            raise CallFailed(f"{call.callback} of backend {self._name} raised CancelledError") from error
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            # The backend is foreign code: any error of one object must leave the others alone.
            log.warning("%s of backend %s raised", call, self._name, exc_info=True)
            raise CallFailed(f"{call.callback} of backend {self._name} raised {_told(error)}") from error
        if _is_cancelled():
            raise asyncio.CancelledError  # The callback swallowed it.
        return self._checked(answer) if call.callback is Callback.BIND_PORT else None

    async def _bounded(self, call: Call, callback: Callable[..., Any], arguments: tuple[Any, ...]) -> object:
        answer: object
        if call.callback in self._coroutines:
            answer = callback(*arguments)
        else:
            answer = await self._threaded(call, callback, arguments)
        if not inspect.isawaitable(answer):
            return answer
        deadline = asyncio.timeout(self._timeout)
        try:
            async with deadline:
                return await answer
        except TimeoutError:
            if not deadline.expired():
                raise
            raise CallFailed(
                f"{call.callback} of backend {self._name} did not return within {self._timeout:g} s and was cancelled"
            ) from None

    def _threaded(self, call: Call, callback: Callable[..., Any], arguments: tuple[Any, ...]) -> Awaitable[Any]:
        key = call.object.id
        if key in self._threads:
            # Left from an earlier term of leadership, which could not wait for it.
            raise CallFailed(f"an earlier call for {key} has not returned yet", delay=1.0)
        self._threads.add(key)
        return in_thread(callback, arguments, lambda: self._threads.discard(key))

    def _checked(self, answer: object) -> Binding:
        wrong = _wrong_binding(answer)
        if wrong:
            raise CallFailed(f"bind_port of backend {self._name} returned {wrong}")
        # As it comes back from etcd, and a copy: what is compared later must not differ, or change.
        return msgspec.json.decode(msgspec.json.encode(answer), type=Binding)


def _wrong_binding(answer: object) -> str:
    """What is wrong with the answer of `bind_port`; empty when nothing is."""
    if not isinstance(answer, Binding):
        return f"{_short(answer)}, expected gluon.shim.backend.Binding"
    vif_type = answer.vif_type
    if not (isinstance(vif_type, str) and 0 < len(vif_type) <= MAX_VIF_TYPE and vif_type.isprintable()):
        return f"vif_type {_short(vif_type)}, expected a name of 1..{MAX_VIF_TYPE} printable characters"
    if answer.vif_type in {UNBOUND, BINDING_FAILED}:
        return f"vif_type {answer.vif_type}; to refuse a port raise gluon.shim.backend.Refused"
    return _wrong_details(answer.vif_details)


def _wrong_details(details: object) -> str:
    if not isinstance(details, dict):
        return f"vif_details {_short(details)}, expected a dict"
    try:
        text = msgspec.json.encode(details)
    except Exception as error:  # noqa: BLE001 - foreign objects in it may raise anything
        return f"vif_details that are not JSON: {_told(error)}"
    return (
        f"vif_details of {len(text)} bytes, expected at most {MAX_VIF_DETAILS}" if len(text) > MAX_VIF_DETAILS else ""
    )


MAX_VIF_TYPE = 64
MAX_VIF_DETAILS = 4095
"""As BasePort's vif_type and vif_details hold."""


def _short(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a foreign object's
        text = f"an unprintable {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - what fits a log line


MAX_REASON = 1000
"""Characters of a reason: it goes into etcd, and to whoever asks for the object."""


def _printable(text: str) -> str:
    shown = text.encode(errors="backslashreplace").decode()
    return shown if len(shown) <= MAX_REASON else f"{shown[: MAX_REASON - 3]}..."


def _told(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a foreign exception's
        text = "its message can't be shown"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _reason(error: Refused | RetryLater) -> str:
    """What a backend gave as a reason, often another exception."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, str) and reason:
        return reason
    return _told(reason if isinstance(reason, BaseException) else error)


def _delay(error: RetryLater) -> float | None:
    """The pause that a backend asked for; None for what is no number of seconds."""
    delay = getattr(error, "delay", None)
    return float(delay) if isinstance(delay, int | float) and 0 <= delay < float("inf") else None


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def in_thread(
    callback: Callable[..., Any], arguments: tuple[Any, ...] = (), ended: Callable[[], None] = lambda: None
) -> Awaitable[Any]:
    """Runs a plain function in a daemon thread of its own.

    Args:
        callback: the function.
        arguments: of the function.
        ended: called in the event loop when the function has returned, waited for or not.

    Not asyncio.to_thread: calls that hang would fill its pool and so hold up all others, and the
    pool's threads are joined at exit, so one of them would keep the process from ending.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(answer: object, error: BaseException | None) -> None:
        ended()
        if future.done():
            return
        if error is None:
            future.set_result(answer)
        elif isinstance(error, Exception) and not isinstance(error, StopIteration):
            future.set_exception(error)
        else:
            future.set_exception(RuntimeError(_told(error)))

    def work() -> None:
        answer: object = None
        caught: BaseException | None = None
        try:
            answer = callback(*arguments)
        except BaseException as error:  # noqa: BLE001 - SystemExit in a callback must not vanish with its thread
            caught = error
        with contextlib.suppress(RuntimeError):  # The loop was closed meanwhile: nobody waits.
            loop.call_soon_threadsafe(settle, answer, caught)

    threading.Thread(target=work, name=f"backend-{callback.__name__}", daemon=True).start()
    return future
