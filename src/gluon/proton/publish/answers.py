"""Controllers' answers: from one watch on `/controller/` into the database.

Level-triggered: an answer that changes, or a bind that is published, only marks the object as
dirty.  What to do follows from the object's row and the latest answer, whatever came in between.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from msgspec.structs import replace

from gluon.contract import keys
from gluon.contract.keys import MalformedKey, ObjectKey
from gluon.contract.records import Answer, MalformedRecord, decode_answer
from gluon.etcd import Client, ClusterReplaced, Event, Mirror
from gluon.proton.service import BindWaiters, binding, checked_answer
from gluon.proton.service.changes import now
from gluon.proton.storage import Database, DatabaseUnavailable, Stored, Transaction
from gluon.schema import Base, Proton

log = logging.getLogger(__name__)

AT_ONCE = 200
"""Most objects of one transaction."""
RETRY = 1.0
"""Pause after a failure, in seconds."""


class _Level(NamedTuple):
    """All that is known of one object when it is dirty."""

    key: ObjectKey
    answer: Answer | None
    published: tuple[int, int] | None
    """bind_request and bind_revision of the latest bind that this server published."""


class Answers:
    """One for each server; `run` ends when it is cancelled."""

    def __init__(self, database: Database, client: Client, protons: Mapping[str, Proton], waiters: BindWaiters) -> None:
        self._database = database
        self._client = client
        self._protons = protons
        self._waiters = waiters
        self._answers: dict[ObjectKey, Answer] = {}
        self._published: dict[ObjectKey, tuple[int, int]] = {}
        self._dirty: dict[ObjectKey, None] = {}
        self._synced = False
        self._wake = asyncio.Event()
        self._mirror: Mirror | None = None

    @property
    def connected(self) -> bool:
        """Whether answers arrive at this moment."""
        return self._mirror is not None and self._mirror.connected

    def holder(self, key: ObjectKey) -> Answer | None:
        """The answer that a controller gives for a port at this moment."""
        return self._answers.get(key)

    def published_bind(self, key: ObjectKey, request: int, revision: int) -> None:
        """Takes note of the revision that published a request for a bind.

        The publisher tells it here before the database knows, so that an answer need not wait.
        """
        known = self._published.get(key)
        if known is not None and known[0] == request:
            revision = known[1]
        self._published[key] = (request, revision)
        if key in self._answers:
            self._mark(key)

    async def run(self) -> None:
        """Follows the answers and applies them, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(), name="follow answers")
            tasks.create_task(self._apply_dirty(), name="apply answers")

    async def _follow(self) -> None:
        while True:
            self._mirror = Mirror(self._client, keys.CONTROLLER)
            try:
                await self._follow_one(self._mirror)
            except ClusterReplaced as error:
                log.error(  # noqa: TRY400 - nothing is wrong with this program
                    "%s. It lacks what was published before; run `gluon-manage resync` with this server's "
                    "configuration file",
                    error,
                )
            await asyncio.sleep(RETRY)

    async def _follow_one(self, mirror: Mirror) -> None:
        listed: set[ObjectKey] = set()
        first = True
        async with aclosing(mirror.batches()) as batches:
            async for batch in batches:
                for event in batch.events:
                    key = self._take(event)
                    if first and key is not None:
                        listed.add(key)
                if first and batch.synced:
                    first = False
                    await self._first_sync(listed)

    async def _first_sync(self, listed: set[ObjectKey]) -> None:
        """From here on an answer that is not known does not exist."""
        for key in [key for key in self._answers if key not in listed]:
            del self._answers[key]
            self._mark(key)
        for key in await self._with_status_reason():
            self._mark(key)
        self._synced = True
        self._wake.set()

    async def _with_status_reason(self) -> list[ObjectKey]:
        def read(tx: Transaction) -> list[ObjectKey]:
            return [
                ObjectKey(proton.name, name, key)
                for proton in self._protons.values()
                for name in proton.objects
                for key in tx.objects(proton.name, name).keys_with_status_reason()
            ]

        while True:
            try:
                return await self._database.read(read)
            except DatabaseUnavailable as error:
                log.warning("answers: %s; trying again until it works", error)
                await asyncio.sleep(RETRY)

    def _take(self, event: Event) -> ObjectKey | None:
        """Takes one event over; returns whose answer it is, None when it isn't ours to read."""
        try:
            key = keys.parse(event.key, keys.CONTROLLER)
        except MalformedKey as error:
            log.warning("answer skipped: %s", error)
            return None
        proton = self._protons.get(key.proton)
        if proton is None:
            return None
        if key.object not in proton.objects:
            log.warning("answer skipped: %s: no object %s in proton %s", key, key.object, key.proton)
            return None
        before = self._answers.pop(key, None)
        answer = None if event.value is None else self._decode(key, event.value)
        if answer is not None:
            self._answers[key] = answer
        if before is not None or answer is None or not _is_claim(answer):
            self._mark(key)
        return key

    def _decode(self, key: ObjectKey, value: bytes) -> Answer | None:
        try:
            answer = decode_answer(value)
            return None if answer is None else checked_answer(self._protons[key.proton], answer)
        except (MalformedRecord, ValueError) as error:
            log.warning("answer skipped: %s: %s", key, error)
            return None

    def _mark(self, key: ObjectKey) -> None:
        self._dirty[key] = None
        self._wake.set()

    async def _apply_dirty(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._synced and self._dirty:
                batch = list(self._dirty)[:AT_ONCE]
                for key in batch:
                    del self._dirty[key]
                try:
                    await self._apply(batch)
                except DatabaseUnavailable as error:
                    log.warning("answers: %s; trying again until it works", error)
                    self._dirty.update(dict.fromkeys(batch))
                    await asyncio.sleep(RETRY)

    async def _apply(self, batch: Sequence[ObjectKey]) -> None:
        levels = [_Level(key, self._answers.get(key), self._published.get(key)) for key in batch]
        ports = await self._database.write(lambda tx: apply(tx, self._protons, levels))
        for key, port in ports.items():
            if port is None or port.bind_revision is not None:
                self._published.pop(key, None)
            self._waiters.see(key, port)


_ROW_COLUMNS = frozenset({"status_reason", "bind_revision", "updated_at"})
"""Columns that `Stored` has beside the attributes."""


def _is_claim(answer: Answer) -> bool:
    """Whether it says no more than that a bind is under way: to a row, that is no news."""
    return not (answer.vif_type or answer.reason)


def apply(tx: Transaction, protons: Mapping[str, Proton], levels: Sequence[_Level]) -> dict[ObjectKey, Stored | None]:
    """Changes the rows as their answers say; returns the ports as they are now, None for none."""
    by_type: dict[tuple[str, str], list[_Level]] = {}
    for level in levels:
        by_type.setdefault((level.key.proton, level.key.object), []).append(level)
    ports: dict[ObjectKey, Stored | None] = {}
    for (proton, name), group in by_type.items():
        rows = tx.objects(proton, name)
        found = rows.get_many([level.key.key for level in group], lock=True)
        is_port = protons[proton].objects[name].base is Base.PORT
        for level in group:
            stored = found.get(level.key.key)
            if stored is not None:
                changes = _port_changes(stored, level) if is_port else _reason_change(stored, level.answer)
                if changes:
                    changes["updated_at"] = now()
                    rows.update(level.key.key, changes)
                    stored = _changed(stored, changes)
            if is_port:
                ports[level.key] = stored
    return ports


def _port_changes(port: Stored, level: _Level) -> dict[str, Any]:
    published = level.published
    if port.bind_revision is None and published is not None and published[0] == port.bind_request:
        port = replace(port, bind_revision=published[1])
        changes = binding.answered(port, level.answer)
        return {**changes, "bind_revision": published[1]} if changes else {}
    return binding.answered(port, level.answer)


def _reason_change(stored: Stored, answer: Answer | None) -> dict[str, Any]:
    reason = (answer.reason or None) if answer is not None else None
    return {} if reason == stored.status_reason else {"status_reason": reason}


def _changed(stored: Stored, changes: Mapping[str, Any]) -> Stored:
    columns = {name: value for name, value in changes.items() if name in _ROW_COLUMNS}
    attributes = {name: value for name, value in changes.items() if name not in columns}
    return replace(stored, attributes={**stored.attributes, **attributes}, **columns)
