"""Waits for what has no event to wait for: another process, another thread, a file."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

TIMEOUT = 30.0
"""Seconds that anything may take on a loaded machine."""

INTERVAL = 0.02
"""Seconds between two looks."""


def until(condition: Callable[[], T], what: str, timeout: float = TIMEOUT) -> T:
    """Waits until the condition is true, and returns its value.

    Args:
        condition: looks once; what it raises ends the wait.
        what: the condition in words, for the error, e.g. `the port is bound`.
        timeout: seconds.

    Raises:
        AssertionError: it did not come true in time.
    """
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout:g} s still not true: {what}; last seen: {value!r}")
        time.sleep(INTERVAL)
    return value


async def auntil(
    condition: Callable[[], T | Awaitable[T]],
    what: str,
    timeout: float = TIMEOUT,  # noqa: ASYNC109 - the error has to name the condition
) -> T:
    """As `until`, while the event loop goes on; the condition may be a coroutine function."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        result = await value if inspect.isawaitable(value) else value
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout:g} s still not true: {what}; last seen: {result!r}")
        await asyncio.sleep(INTERVAL)
