"""A program from its configuration to its end: what it says, and its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys

import pytest

from gluon.process.run import until_first

PROGRAM = """
import asyncio, logging, os, signal, sys
from msgspec import Struct
from gluon.process.logs import LogSettings
from gluon.process.run import StartFailed, main

class Settings(Struct):
    log: LogSettings = LogSettings()

def read():
    if case == "configuration":
        raise StartFailed("there is no section [shin]")
    return Settings()

async def serve(settings, stop):
    logging.getLogger("sample").info("serving")
    if case == "start":
        raise StartFailed("cannot listen on 127.0.0.1:1")
    if case == "code":
        return 3
    if case in ("SIGTERM", "SIGINT"):
        os.kill(os.getpid(), getattr(signal, case))
        await asyncio.wait_for(stop.wait(), 20)
    if case == "fault":
        raise ZeroDivisionError

case = sys.argv[1]
sys.exit(main("sample-server", read, serve))
"""


def run(case: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, case]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("configuration", "sample-server: there is no section [shin]\n"),
        ("start", "sample-server: cannot listen on 127.0.0.1:1\n"),
    ],
)
def test_what_keeps_it_from_its_work_is_said_once_to_a_person(case: str, said: str) -> None:
    ended = run(case)
    assert (ended.returncode, ended.stderr) == (1, said)
    assert "listen" not in ended.stdout


@pytest.mark.parametrize(("case", "code"), [("done", 0), ("code", 3)])
def test_the_exit_code_is_that_of_the_work(case: str, code: int) -> None:
    ended = run(case)
    assert (ended.returncode, ended.stderr) == (code, "")
    assert ended.stdout.endswith("INFO sample: serving\n")


@pytest.mark.parametrize("case", ["SIGTERM", "SIGINT"])
def test_a_signal_asks_it_to_end(case: str) -> None:
    ended = run(case)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"{case}: stopping" in ended.stdout


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    ended = run("fault")
    assert ended.returncode == 1
    assert "ZeroDivisionError" in ended.stderr


# -- the first of work or stop -------------------------------------------------------------------


@pytest.mark.asyncio
async def test_work_that_ends_first_gives_its_result() -> None:
    async def work() -> int:
        return 5

    assert await until_first(work(), asyncio.Event()) == (True, 5)


@pytest.mark.asyncio
async def test_work_that_does_not_end_has_ended_when_stop_was_first() -> None:
    stop, ended = asyncio.Event(), []

    async def work() -> None:
        try:
            stop.set()
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    assert await until_first(work(), stop) == (False, None)
    assert ended


@pytest.mark.asyncio
async def test_what_work_raises_is_raised() -> None:
    async def work() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await until_first(work(), asyncio.Event())


@pytest.mark.asyncio
async def test_a_caller_that_is_cancelled_leaves_no_work_behind() -> None:
    begun, ended = asyncio.Event(), []

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    waiting = asyncio.create_task(until_first(work(), asyncio.Event()))
    await begun.wait()
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    assert waiting.cancelled()
    assert ended
