"""Plain functions of a backend, each in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gluon.shim.calls.foreign import told


def in_thread(
    callback: Callable[..., Any],
    arguments: tuple[Any, ...] = (),
    named: Mapping[str, Any] | None = None,
    *,
    ended: Callable[[], None] = lambda: None,
) -> Awaitable[Any]:
    """Runs a plain function in a daemon thread of its own.

    Args:
        callback: the function.
        arguments: of the function, by position.
        named: of the function, by name.
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
            future.set_exception(RuntimeError(told(error)))

    def work() -> None:
        answer: object = None
        caught: BaseException | None = None
        try:
            answer = callback(*arguments, **(named or {}))
        except BaseException as error:  # noqa: BLE001 - SystemExit in a callback must not vanish with its thread
            caught = error
        with contextlib.suppress(RuntimeError):  # The loop was closed meanwhile: nobody waits.
            loop.call_soon_threadsafe(settle, answer, caught)

    threading.Thread(target=work, name=f"backend-{callback.__name__}", daemon=True).start()
    return future
