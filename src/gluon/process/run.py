"""Runs a program, from its configuration to its end."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar

import uvloop

from gluon.process import logs
from gluon.process.logs import LogSettings

log = logging.getLogger(__name__)

T = TypeVar("T")


class StartFailed(Exception):
    """The program can't do its work; the message is one sentence that says why and what to do."""


class Settings(Protocol):
    """The settings that every program has."""

    @property
    def log(self) -> LogSettings:
        """Where messages go, and how they look."""


S = TypeVar("S", bound=Settings)


def main(
    program: str, read_settings: Callable[[], S], serve: Callable[[S, asyncio.Event], Awaitable[int | None]]
) -> int:
    """Runs a program on uvloop.

    Args:
        program: its name, for messages.
        read_settings: reads the configuration.
        serve: does the work, until it is done or the event is set: by SIGTERM or SIGINT.

    Returns:
        The exit code: the one that `serve` returned, 0 for None; 1 after a StartFailed of either,
        whose sentence is then on standard error.

    Raises:
        SystemExit: wrong usage, after a message.
    """
    try:
        settings = read_settings()
        _log_to(settings.log)
        return uvloop.run(_until_stopped(partial(serve, settings))) or 0
    except StartFailed as error:
        # Not through the log, although it may be there already: one way to say it, wherever it is
        # found, serves a person at a terminal, a supervisor and a script alike.  Whoever has the
        # log in a file looks for it there, too.
        if logs.is_in_a_file():
            log.error(error)  # noqa: TRY400 - a sentence, no traceback
        print(f"{program}: {error}", file=sys.stderr)  # noqa: T201 - see above
        return 1


def _log_to(settings: LogSettings) -> None:
    try:
        logs.configure(settings)
    except OSError as error:
        raise StartFailed(f"[DEFAULT] log_file: cannot write {settings.file}: {error.strerror or error}") from error


async def _until_stopped(work: Callable[[asyncio.Event], Awaitable[T]]) -> T:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _ask_to_stop, stop, number)
    return await work(stop)


def _ask_to_stop(stop: asyncio.Event, number: signal.Signals) -> None:
    if not stop.is_set():
        log.info("%s: stopping", signal.Signals(number).name)
    stop.set()


async def until_first(work: Awaitable[T], stop: asyncio.Event) -> tuple[bool, T | None]:
    """Awaits work until it ends or `stop` is set, whichever is first.

    Returns:
        Whether the work ended, and its result.  Work that did not end is cancelled and has ended too.

    Raises:
        Whatever the work raises.
    """
    working = asyncio.ensure_future(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return True, working.result()
        return False, None
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)
