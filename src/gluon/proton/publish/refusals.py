"""Objects that etcd refuses, such as one that is too large: reported, and tried again now and then."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from gluon.contract.keys import ObjectKey
from gluon.etcd import WriteRefused
from gluon.proton.publish.item import Item
from gluon.proton.service import set_status
from gluon.proton.storage import PUBLISHER, Database
from gluon.schema import Proton

log = logging.getLogger(__name__)

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0
"""Pauses between two tries, in seconds."""


class _Refusal:
    def __init__(self, item: Item) -> None:
        self.item = item
        self.pause = FIRST_PAUSE
        self.next_try = time.monotonic() + FIRST_PAUSE


class Refusals:
    """The objects refused in one session."""

    def __init__(self, database: Database, protons: Mapping[str, Proton]) -> None:
        self._database = database
        self._protons = protons
        self._refused: dict[ObjectKey, _Refusal] = {}
        self._reported: set[ObjectKey] | None = None
        """All that are refused as far as the database knows, by whichever session; None: not read yet."""

    @property
    def rows(self) -> int:
        """How many outbox rows wait for them."""
        return sum(len(refusal.item.ids) for refusal in self._refused.values())

    def is_due(self, item: Item) -> bool:
        """Whether to write this now: it was not refused, has changed since, or the pause is over."""
        refusal = self._refused.get(item.key)
        return refusal is None or item.ids[-1] > refusal.item.ids[-1] or time.monotonic() >= refusal.next_try

    async def add(self, item: Item, refused: WriteRefused) -> None:
        """Notes that etcd refused an object; says so in the log and in its status_reason."""
        reported = await self._known()
        known = self._refused.get(item.key)
        refusal = self._refused[item.key] = _Refusal(item)
        if known is not None and known.item.ids == item.ids:
            refusal.pause = min(2 * known.pause, LONGEST_PAUSE)
            refusal.next_try = time.monotonic() + refusal.pause
            return
        reason = f"not published, etcd refuses it: {refused}; make the object smaller"
        log.error("%s: %s", item.key, reason)
        await self._report(item.key, reason)
        reported.add(item.key)

    def look_again(self) -> None:
        """Lets the next look ask the database: this session may have taken over an object that another one reported."""
        self._reported = None

    async def forget(self, item: Item) -> None:
        """Notes that etcd has the object as it is now; a session before this one may have reported it."""
        reported = await self._known()
        self._refused.pop(item.key, None)
        if item.key in reported:
            log.info("%s: published", item.key)
            await self._report(item.key, "")
            reported.discard(item.key)

    async def _report(self, key: ObjectKey, reason: str) -> None:
        proton = self._protons.get(key.proton)
        if proton is not None and key.object in proton.objects:
            await self._database.write(lambda tx: set_status(tx, proton, key, PUBLISHER, reason=reason))

    async def _known(self) -> set[ObjectKey]:
        if self._reported is None:
            self._reported = set(await self._database.read(lambda tx: tx.statuses.keys(PUBLISHER)))
        return self._reported
