"""Asks controllers something through etcd, and waits for the results."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import re
import time
from collections.abc import Sequence
from uuid import uuid4

from gluon.contract import keys
from gluon.contract.records import MalformedRecord, Request, RequestResult, decode, encode
from gluon.etcd import Client, Delete, EtcdError, PermissionDenied
from gluon.process.run import StartFailed
from gluon.proton.manage.controllers import is_alive, living
from gluon.proton.manage.deployment import warn_if_out_of_step
from gluon.proton.manage.saying import RIGHTS, say, show_names
from gluon.proton.opening import opened_etcd
from gluon.proton.settings import Settings

POLL = 0.1
"""Seconds between two looks for a result."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Adds the arguments that all requests have in common."""
    command.add_argument("--controller", metavar="NAME", help="the controller to ask; left out: all that are alive")
    command.add_argument(
        "--timeout",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="longest wait for each controller (default: 60)",
    )


async def ask(arguments: argparse.Namespace, settings: Settings, stop: asyncio.Event, request: Request) -> int:
    """Asks the controllers that the arguments name, all at once, and shows the results.

    Returns:
        0: all have done it; 1: one has not, or has not answered in time.

    Raises:
        StartFailed: there is none to ask, or etcd can't be read.
    """
    async with opened_etcd(settings) as client:
        await warn_if_out_of_step(settings, client)
        try:
            controllers = await _asked(client, arguments.controller)
            waiting = [_ask_one(client, each, request, arguments.timeout, stop) for each in controllers]
            results = await asyncio.gather(*waiting)
        except PermissionDenied as error:
            raise StartFailed(f"{error}; {RIGHTS}") from error
        except EtcdError as error:
            raise StartFailed(f"{error}; try again") from error
    for controller, result in zip(controllers, results, strict=True):
        _show(controller, result)
    return 0 if all(result.ok for result in results) else 1


async def _asked(client: Client, named: str | None) -> Sequence[str]:
    alive = await living(client)
    if named is None:
        if not alive:
            raise StartFailed("no controller is alive, so there is none to ask; start a shim")
        return alive
    if named not in alive:
        others = f"; alive are {', '.join(alive)}" if alive else ""
        raise StartFailed(f"controller {named} is not alive, so it can't be asked{others}")
    return [named]


async def _ask_one(
    client: Client, controller: str, request: Request, longest: float, stop: asyncio.Event
) -> RequestResult:
    request_id = str(uuid4())
    asked, answered = keys.request(controller, request_id), keys.result(controller, request_id)
    await client.put(asked, encode(request))
    deadline = time.monotonic() + longest
    try:
        while not stop.is_set() and time.monotonic() < deadline:
            found = await client.get(answered)
            if found is not None:
                return decode(RequestResult, found.value)
            await asyncio.sleep(POLL)
    except MalformedRecord as error:
        return RequestResult(ok=False, message=f"its answer can't be read: {error}")
    finally:
        # Nobody is there any more to read a late answer.
        with contextlib.suppress(EtcdError):
            await client.txn([], [Delete(asked), Delete(answered)])
    alive = await is_alive(client, controller)
    why = "stopped" if stop.is_set() else f"no answer within {longest:g} s"
    return RequestResult(ok=False, message=why if alive else f"{why}: it is not alive any more")


def _show(controller: str, result: RequestResult) -> None:
    say(f"{controller}: {result.message}")
    for what, names in (
        ("missing at the controller", result.missing),
        ("different at the controller", result.differing),
        ("at the controller, and not wanted", result.orphans),
    ):
        if names:
            say(f" {what}: {len(names)}")
            show_names(names)


def _seconds(text: str) -> float:
    # float() alone would also take `1_0`, blanks and the digits of other scripts.
    if not re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text) or not 0 < float(text) < math.inf:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, got {text!r}")
    return float(text)
