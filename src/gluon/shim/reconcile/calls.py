"""One callback of the backend: made, bounded in time, and its answer checked.

Whatever the backend does ends here in a Binding, in None, or in a CallFailed that says why.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from gluon.contract.records import BINDING_FAILED, UNBOUND
from gluon.shim.backend import Backend, Binding, Model, Refused, RetryLater
from gluon.shim.plan import Call, Callback

log = logging.getLogger(__name__)


class CallFailed(Exception):
    """A callback did not do its work."""

    def __init__(self, reason: str, *, delay: float | None = None, refused: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
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
            raise CallFailed(error.reason, refused=True) from error
        except RetryLater as error:
            raise CallFailed(error.reason, delay=error.delay) from error
        except CallFailed:
            raise
        except Exception as error:
            # The backend is foreign code: any error of one object must leave the others alone.
            log.warning("%s of backend %s raised", call, self._name, exc_info=True)
            raise CallFailed(f"{call.callback} of backend {self._name} raised {_told(error)}") from error
        return self._checked(answer) if call.callback is Callback.BIND_PORT else None

    async def _bounded(self, call: Call, callback: Callable[..., Any], arguments: tuple[Any, ...]) -> object:
        deadline = asyncio.timeout(self._timeout if inspect.iscoroutinefunction(callback) else None)
        try:
            async with deadline:
                if inspect.iscoroutinefunction(callback):
                    return await callback(*arguments)
                answer = await _in_thread(callback, arguments)
                return await answer if inspect.isawaitable(answer) else answer
        except TimeoutError:
            if not deadline.expired():
                raise
            raise CallFailed(
                f"{call.callback} of backend {self._name} did not return within {self._timeout:g} s and was cancelled"
            ) from None

    def _checked(self, answer: object) -> Binding:
        wrong = _wrong_binding(answer)
        if wrong:
            raise CallFailed(f"bind_port of backend {self._name} returned {wrong}")
        assert isinstance(answer, Binding)  # noqa: S101 - _wrong_binding said so
        return answer


def _wrong_binding(answer: object) -> str:
    """What is wrong with the answer of `bind_port`; empty when nothing is."""
    if not isinstance(answer, Binding):
        return f"{_short(answer)}, expected gluon.shim.backend.Binding"
    if not isinstance(answer.vif_type, str) or not 0 < len(answer.vif_type) <= MAX_VIF_TYPE:
        return f"vif_type {_short(answer.vif_type)}, expected a name of 1..{MAX_VIF_TYPE} characters"
    if answer.vif_type in {UNBOUND, BINDING_FAILED}:
        return f"vif_type {answer.vif_type}; to refuse a port raise gluon.shim.backend.Refused"
    return _wrong_details(answer.vif_details)


def _wrong_details(details: object) -> str:
    if not isinstance(details, dict):
        return f"vif_details {_short(details)}, expected a dict"
    try:
        text = msgspec.json.encode(details)
    except (TypeError, ValueError, RecursionError) as error:
        return f"vif_details that are not JSON: {_told(error)}"
    return (
        f"vif_details of {len(text)} bytes, expected at most {MAX_VIF_DETAILS}" if len(text) > MAX_VIF_DETAILS else ""
    )


MAX_VIF_TYPE = 64
MAX_VIF_DETAILS = 4095
"""As BasePort's vif_type and vif_details hold."""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - what fits a log line


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _in_thread(callback: Callable[..., Any], arguments: tuple[Any, ...]) -> Awaitable[Any]:
    """Runs a plain function in a daemon thread of its own.

    Not asyncio.to_thread: calls that hang would fill its pool and so hold up all others, and the
    pool's threads are joined at exit, so one of them would keep the process from ending.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(answer: object, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(answer)
        elif isinstance(error, Exception) and not isinstance(error, StopIteration):
            future.set_exception(error)
        else:
            future.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))

    def work() -> None:
        answer: object = None
        caught: BaseException | None = None
        try:
            answer = callback(*arguments)
        except BaseException as error:  # noqa: BLE001 - SystemExit in a callback must not vanish with its thread
            caught = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, answer, caught)

    threading.Thread(target=work, name=f"backend-{callback.__name__}", daemon=True).start()
    return future
