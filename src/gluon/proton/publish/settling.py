"""Takes published rows out of the outbox, a step behind the publisher.

The next round doesn't wait for this transaction: it would queue behind those of all clients.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Self

from gluon.contract.keys import ObjectKey
from gluon.proton.publish.item import Item
from gluon.proton.storage import Database, DatabaseUnavailable, Transaction

log = logging.getLogger(__name__)

DELAY = 0.05
"""Time that published rows stay in the outbox for, in seconds, so that many go at once."""
RETRY = 1.0
"""Pause after a failure of the database, in seconds."""
LAST_CHANCE = 2.0
"""Time to settle the rest when the session ends, in seconds."""


class Settling:
    """The published rows of one session that are still in the outbox."""

    def __init__(self, database: Database, session: str) -> None:
        self._database = database
        self._session = session
        self._open: list[Item] = []
        self._newest: dict[ObjectKey, int] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.rows = 0
        """How many rows they are."""

    async def __aenter__(self) -> Self:
        """Starts to settle."""
        self._task = asyncio.create_task(self._run(), name="settle the outbox")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Settles the rest, as far as the time allows: rows that stay are published once more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(TimeoutError, DatabaseUnavailable):
            async with asyncio.timeout(LAST_CHANCE):
                await self._settle()

    def is_news(self, item: Item) -> bool:
        """Whether the item holds more than what is published already."""
        return item.ids[-1] > self._newest.get(item.key, 0)

    def add(self, item: Item) -> None:
        """Takes over an item that etcd has."""
        self._open.append(item)
        self._newest[item.key] = item.ids[-1]
        self.rows += len(item.ids)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            # Answers to these changes come next, and somebody waits for them.
            await asyncio.sleep(DELAY)
            self._wake.clear()
            try:
                await self._settle()
            except DatabaseUnavailable:
                await asyncio.sleep(RETRY)
                self._wake.set()

    async def _settle(self) -> None:
        done = self._open[:]
        if not done:
            return
        await self._database.write(lambda tx: _remove(tx, done, self._session))
        del self._open[: len(done)]
        for item in done:
            self.rows -= len(item.ids)
            if self._newest.get(item.key) == item.ids[-1]:
                del self._newest[item.key]


def _remove(tx: Transaction, done: Sequence[Item], session: str) -> None:
    """Removes the rows, and learns how far etcd is, in one step: a row is pending, or its id is covered."""
    tx.outbox.remove([row_id for item in done for row_id in item.ids], session)
    newest = max(item.ids[-1] for item in done)
    if newest > tx.deployment.get().serial:
        tx.deployment.set(serial=newest)
