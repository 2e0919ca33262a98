"""Runs a server's coroutine until it ends or the process is asked to."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable

import uvloop

log = logging.getLogger(__name__)


class StartFailed(Exception):
    """The server can't start; the message is one sentence that says why and what to do."""


def run(main: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    """Runs `main(stop)` on uvloop; SIGTERM and SIGINT set `stop`.

    Returns:
        The exit code: 0 after a clean end, 1 when the server could not start.
    """
    try:
        uvloop.run(_until_stopped(main))
    except StartFailed as error:
        log.error("%s", error)  # noqa: TRY400 - the sentence is for an operator; a traceback would hide it
        return 1
    return 0


async def _until_stopped(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _ask_to_stop, stop, number)
    await main(stop)


def _ask_to_stop(stop: asyncio.Event, number: signal.Signals) -> None:
    if not stop.is_set():
        log.info("%s: stopping", signal.Signals(number).name)
    stop.set()
