"""Objects that etcd refuses, such as one that is too large: reported, and tried again now and then."""

from __future__ import annotations

import logging
import time
from typing import Any

from gluon.contract.keys import ObjectKey
from gluon.proton.publish.writer import Item, Refused, Written
from gluon.proton.storage import Database, Transaction

log = logging.getLogger(__name__)

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0
"""Pauses between two tries, in seconds."""


class _Refusal:
    def __init__(self, item: Item, reason: str) -> None:
        self.item = item
        self.reason = reason
        self.pause = FIRST_PAUSE
        self.next_try = time.monotonic() + FIRST_PAUSE


class Refusals:
    """The objects refused in one session."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._refused: dict[ObjectKey, _Refusal] = {}

    @property
    def rows(self) -> int:
        """How many outbox rows wait for them."""
        return sum(len(refusal.item.ids) for refusal in self._refused.values())

    def is_due(self, item: Item) -> bool:
        """Whether to write this now: it was not refused, has changed since, or the pause is over."""
        refusal = self._refused.get(item.key)
        return refusal is None or item.ids[-1] > refusal.item.ids[-1] or time.monotonic() >= refusal.next_try

    async def add(self, refused: Refused) -> None:
        """Notes that etcd refused an object; says so in the log and in its status_reason."""
        key = refused.item.key
        reason = f"not published, etcd refuses it: {refused.reason}; make the object smaller"
        known = self._refused.get(key)
        refusal = self._refused[key] = _Refusal(refused.item, reason)
        if known is not None and known.item.ids == refused.item.ids:
            refusal.pause = min(2 * known.pause, LONGEST_PAUSE)
            refusal.next_try = time.monotonic() + refusal.pause
            return
        log.error("%s: %s", key, reason)
        await self._set_status_reason(key, reason)

    async def forget(self, written: Written) -> None:
        """Notes that etcd has the object now."""
        refusal = self._refused.pop(written.item.key, None)
        if refusal is not None:
            log.info("%s: published", written.item.key)
            await self._set_status_reason(written.item.key, None, status_reason=refusal.reason)

    async def _set_status_reason(self, key: ObjectKey, reason: str | None, **guards: Any) -> None:
        def work(tx: Transaction) -> None:
            rows = tx.known_objects(key.proton, key.object)
            if rows is not None:
                rows.update(key.key, {"status_reason": reason}, **guards)

        await self._database.write(work)
