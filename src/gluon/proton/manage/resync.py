"""`gluon-manage resync`: makes etcd hold what the database holds, whatever happened to either."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec import Struct

from gluon.contract.keys import ObjectKey
from gluon.etcd import Client, EtcdError
from gluon.process.run import StartFailed, until_first
from gluon.proton.manage.saying import confirmed, say, show_names
from gluon.proton.opening import load_protons, opened_database, opened_etcd
from gluon.proton.publish import (
    Action,
    Contents,
    Filling,
    Publisher,
    Verdict,
    all_keys,
    check_deployment,
    read_contents,
    read_items,
)
from gluon.proton.settings import Settings
from gluon.proton.storage import Database, DatabaseUnavailable, Pending, Transaction
from gluon.schema import Proton

HANDFUL = 10
"""So many objects are deleted from etcd without asking."""
STALLED = 60.0
"""Time without progress after which it gives up, in seconds."""
REPORT_EVERY = 2.0
"""Seconds between two lines about the progress."""
POLL = 0.1
"""Seconds between two looks at it."""
READ_AT_ONCE = 1000
"""Objects of one read."""


class Difference(Struct, frozen=True, kw_only=True):
    """The changes that a resync would make in etcd."""

    objects: int
    """Objects of the database."""
    written: tuple[ObjectKey, ...]
    """Objects that etcd lacks, or holds otherwise."""
    deleted: tuple[ObjectKey, ...]
    """Objects that only etcd has."""


def add(commands: Any) -> argparse.ArgumentParser:
    """Adds the command to the command line."""
    command: argparse.ArgumentParser = commands.add_parser(
        "resync",
        help="make etcd hold what the database holds",
        description="Publishes every object of the database and deletes from etcd what the database does not have. "
        "Servers may run meanwhile. The database has to exist; where more than a few objects would be deleted, or "
        "database and etcd do not belong together, it asks first.",
    )
    command.add_argument("--dry-run", action="store_true", help="say what would be written and deleted, and end")
    command.add_argument("--yes", action="store_true", help="don't ask")
    return command


async def execute(arguments: argparse.Namespace, settings: Settings, stop: asyncio.Event) -> int:
    """Runs the command.

    Returns:
        0: etcd holds what the database holds, or --dry-run; 1: it was not confirmed.

    Raises:
        StartFailed: it could not be done; says why.
    """
    if not settings.database.configured:
        raise StartFailed("resync: the configuration file does not name the database; set [database] connection")
    protons = load_protons(settings)
    async with opened_database(settings, protons, create=False) as database, opened_etcd(settings) as client:
        url = settings.api.url(settings.api.port)
        try:
            verdict, _ = await check_deployment(database, client)
            difference = await _survey(database, client, protons, url)
        except (EtcdError, DatabaseUnavailable) as error:
            raise StartFailed(f"resync: {error}") from error
        _show(database, client, verdict, difference)
        if arguments.dry_run:
            return 0
        if not (arguments.yes or _harmless(verdict, difference)) and not await _confirmed(difference):
            return 1
        publisher = Publisher(database, client, protons, url=url, refill=True)
        ended, filling = await until_first(_published(publisher), stop)
        if not ended or filling is None:
            raise StartFailed("resync: stopped before it was complete; the servers publish the rest")
    for message in filling.malformed:
        say(f"left alone, no key of ours: {message}")
    say(f"objects in step with the database: {filling.objects}; deleted, only etcd had them: {filling.vanished}")
    return 0


async def _survey(database: Database, client: Client, protons: Mapping[str, Proton], url: str) -> Difference:
    contents = await read_contents(client, protons)
    wanted = await database.read(lambda tx: all_keys(tx, protons))
    written: list[ObjectKey] = []
    for start in range(0, len(wanted), READ_AT_ONCE):
        part = wanted[start : start + READ_AT_ONCE]
        written += await database.read(partial(_differing, part=part, contents=contents, url=url))
    known = set(wanted)
    deleted = tuple(key for key in contents.objects() if key not in known)
    return Difference(objects=len(wanted), written=tuple(written), deleted=deleted)


def _differing(tx: Transaction, *, part: list[ObjectKey], contents: Contents, url: str) -> list[ObjectKey]:
    items = read_items(tx, [Pending(key, (0,)) for key in part], url)
    return [
        item.key
        for item in items
        if item.value != contents.values.get(item.key)
        or (item.is_port and item.registration != contents.registrations.get(item.key))
    ]


def _show(database: Database, client: Client, verdict: Verdict, difference: Difference) -> None:
    say(f"database {database.name}, etcd {client.endpoints}")
    if verdict.action is not Action.PUBLISH:
        say(f"database and etcd are not in step: {verdict.sentence}")
    say(f"objects of the database: {difference.objects}; of these etcd lacks or differs in: {len(difference.written)}")
    say(f"objects that only etcd has, to be deleted there: {len(difference.deleted)}")
    show_names(map(str, difference.deleted))


def _harmless(verdict: Verdict, difference: Difference) -> bool:
    return verdict.action is not Action.REFUSE and len(difference.deleted) <= HANDFUL


async def _confirmed(difference: Difference) -> bool:
    if await confirmed(f"Delete {len(difference.deleted)} objects from etcd, and have it follow this database?"):
        return True
    say("nothing was changed; confirm with --yes")
    return False


async def _published(publisher: Publisher) -> Filling:
    """Has the publisher fill etcd, and says how far it is.

    Raises:
        StartFailed: there was no progress for `STALLED`.
    """
    running = asyncio.create_task(publisher.run())
    try:
        await _follow(publisher, running)
        return publisher.filled.result()
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def _follow(publisher: Publisher, running: asyncio.Task[None]) -> None:
    last, progress, reported = "", time.monotonic(), time.monotonic()
    while not publisher.filled.done():
        await asyncio.sleep(POLL)
        if running.done():
            await running
        now = time.monotonic()
        if publisher.standing.words != last:
            last, progress = publisher.standing.words, now
        if now - progress > STALLED:
            raise StartFailed(f"resync: no progress for {STALLED:g} s: {last}; see the log for what etcd refuses")
        if now - reported > REPORT_EVERY:
            say(last)
            reported = now
