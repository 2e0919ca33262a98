"""gluon-manage: what an operator does to a database and an etcd by hand."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from oslo_config import cfg

from gluon.contract.keys import ObjectKey
from gluon.etcd import Client, EtcdError
from gluon.process import etcd, logs
from gluon.process.run import StartFailed, run
from gluon.proton import options
from gluon.proton.opening import load_protons, opened_database
from gluon.proton.publish import Publisher, release_claim, request_resync
from gluon.proton.storage import Database, DatabaseUnavailable
from gluon.schema import Proton

STALLED = 60.0
"""Time without progress after which a resync gives up, in seconds."""
POLL = 0.1
"""Seconds between two looks at the outbox."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit code: 0 when it is done, 1 when it failed, 2 for wrong usage.
    """
    arguments = _parser().parse_args(argv)
    try:
        files = [text for file in arguments.config_file for text in ("--config-file", file)]
        settings = options.read("gluon-manage", files)
    except (cfg.Error, StartFailed) as error:
        print(f"gluon-manage: {error}", file=sys.stderr)  # noqa: T201 - before there is a log
        return 1
    logs.configure(settings.log_level)
    if arguments.command == "release":
        return run(partial(_release, settings, ObjectKey(arguments.proton, "", arguments.port)))
    return run(partial(_resync, settings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gluon-manage", description="Administration of proton-server.")
    commands = parser.add_subparsers(dest="command", required=True)
    resync = commands.add_parser(
        "resync",
        help="make etcd hold what the database holds",
        description="Publishes every object of the database and deletes from etcd what the database does not have. "
        "Servers may run meanwhile.",
    )
    release = commands.add_parser(
        "release",
        help="take a port away from a controller that is gone",
        description="Deletes a controller's claim on a port, so that another one can bind it. For a controller that "
        "will not come back, or whose host is fenced off: one that runs would bind the port again.",
    )
    release.add_argument("proton", help="the port's proton, e.g. net-l3vpn")
    release.add_argument("port", help="the port's key")
    for command in (resync, release):
        command.add_argument(
            "--config-file", action="append", default=[], metavar="FILE", help="configuration file of proton-server"
        )
    return parser


async def _release(settings: Any, port: ObjectKey, _stop: asyncio.Event) -> None:
    protons = load_protons(settings)
    if port.proton not in protons:
        raise StartFailed(f"release: no proton {port.proton!r}; served are {', '.join(protons)}")
    port = port._replace(object=protons[port.proton].port.name)
    async with etcd.opened(settings.api, "api") as client:
        try:
            released = await release_claim(client, port)
        except EtcdError as error:
            raise StartFailed(f"release: {error}; nothing was changed, or look again") from error
    print(f"{port}: {released}")  # noqa: T201 - what the command is for


async def _resync(settings: Any, stop: asyncio.Event) -> None:
    protons = load_protons(settings)
    async with opened_database(settings, protons) as database, etcd.opened(settings.api, "api") as client:
        work = asyncio.create_task(_resync_with(settings, database, client, protons))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not work.done():
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            raise StartFailed("resync: stopped before it was complete; the servers publish the rest")
        await work


async def _resync_with(settings: Any, database: Database, client: Client, protons: dict[str, Proton]) -> None:
    try:
        found = await request_resync(database, client, protons)
    except (EtcdError, DatabaseUnavailable) as error:
        raise StartFailed(f"resync: {error}") from error
    for message in found.malformed:
        print(f"left alone, no key of ours: {message}")  # noqa: T201 - what the command is for
    url = options.public_url(settings, settings.api.port)
    publishing = asyncio.create_task(Publisher(database, client, protons, url=url).run())
    try:
        await _until_published(database, list(protons), found.last)
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
    print(f"objects in step with the database: {found.objects}; deleted, only etcd had them: {found.vanished}")  # noqa: T201 - what the command is for


async def _until_published(database: Database, protons: Sequence[str], last: int) -> None:
    left, progress = -1, time.monotonic()
    while True:
        now_left = await database.read(lambda tx: tx.outbox.size_up_to(last, protons))
        if now_left == 0:
            return
        if now_left != left:
            left, progress = now_left, time.monotonic()
        elif time.monotonic() - progress > STALLED:
            raise StartFailed(
                f"resync: no progress for {STALLED:g} s, changes pending: {left}; see the log for what etcd refuses"
            )
        await asyncio.sleep(POLL)
