"""Applies controllers' answers and statuses, in batches, and gives up bindings that nobody confirms.

Level-triggered: an answer that changes only marks its port.  The consequence is found out from the
port's rows and the latest answer, whatever came in between.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Protocol, TypeVar

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import PortAnswer
from gluon.etcd import Client
from gluon.proton.answers import ports, statuses
from gluon.proton.answers.following import Following
from gluon.proton.answers.ports import Left, Level, PortBook, differing
from gluon.proton.answers.releases import Releases
from gluon.proton.answers.statuses import StatusBook
from gluon.proton.storage import ANSWER, Database, DatabaseUnavailable, Transaction
from gluon.schema import Proton

log = logging.getLogger(__name__)

T = TypeVar("T")

AT_ONCE = 200
"""Most objects of one transaction."""
READ_AT_ONCE = 1000
"""Most ports of one read."""
COALESCE = 0.25
"""Seconds between two writes of statuses, so that one that flaps is written a few times a second."""
RETRY = 1.0
"""Pause after a failure of the database, in seconds."""


class Etcd(Protocol):
    """The state of etcd, from whoever fills it."""

    @property
    def in_step(self) -> bool:
        """Etcd holds what the database has, so controllers know all that is wanted of them."""

    @property
    def was_filled(self) -> bool:
        """This process has filled an etcd that had lost something: controllers may have to write again."""


class Answers:
    """One for each server; `run` ends when it is cancelled."""

    def __init__(
        self, database: Database, client: Client, protons: Mapping[str, Proton], etcd: Etcd, *, grace: float
    ) -> None:
        """Puts it together.

        Args:
            database: where ports and statuses are kept.
            client: etcd.
            protons: whose objects are answered for.
            etcd: says when an absent answer begins to mean something.
            grace: time that controllers have from then on to confirm what is bound, in seconds.
        """
        self._database = database
        self._protons = protons
        self._etcd = etcd
        self._grace = grace
        self._ports = PortBook(protons)
        self._statuses = StatusBook(protons)
        self._releases = Releases(database, client, protons, self._ports, self._is_certain, grace=grace)
        self._wake = asyncio.Event()
        self._ports_following = Following(client, keys.CONTROLLER, "answers", self._ports, self._ports_heard)
        self._statuses_following = Following(client, keys.STATUS, "statuses", self._statuses, self._statuses_heard)

    @property
    def outage(self) -> str:
        """Why answers don't arrive at this moment; empty: they do."""
        return self._ports_following.outage

    @property
    def statuses_outage(self) -> str:
        """As `outage`, of what controllers say of objects; binds don't depend on it."""
        return self._statuses_following.outage

    def answer(self, port: ObjectKey) -> PortAnswer:
        """The controllers' latest answer for a port; `NOBODY` for none."""
        return self._ports.answer(port)

    def has_leader(self, controller: str) -> bool:
        """Whether a shim of this controller is alive; while that can't be told, it may be."""
        return not self._statuses_following.connected or self._statuses.is_alive(controller)

    def serves(self, controller: str, proton: str) -> bool:
        """Whether such a shim has a handler for this proton; while that can't be told, it may have."""
        return not self._statuses_following.connected or self._statuses.serves(controller, proton)

    async def run(self) -> None:
        """Follows the controllers and applies what they say, without end."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ports_following.run(), name="follow answers")
            tasks.create_task(self._statuses_following.run(), name="follow statuses")
            tasks.create_task(self._apply_answers(), name="apply answers")
            tasks.create_task(self._apply_statuses(), name="apply statuses")
            tasks.create_task(self._confirm(), name="confirm bindings")
            tasks.create_task(self._releases.run(), name="released bindings")

    async def _ports_heard(self, *, first: bool) -> None:
        """After a list, looks which ports have another answer than their rows, or had one that was dropped."""
        if first:
            dropped = await self._until_read(lambda tx: tx.statuses.keys(ANSWER))
            self._ports.dirty.update({key: "" for key in dropped if key.proton in self._protons})
            await self._mark_differing(self._ports.known())
        self._wake.set()

    async def _statuses_heard(self, *, first: bool) -> None:
        """All are marked as they come; which are absent is looked at in `_confirm`."""
        del first

    async def _mark_differing(self, looked_at: Sequence[ObjectKey], gone: str = "") -> None:
        for start in range(0, len(looked_at), READ_AT_ONCE):
            levels = self._ports.levels(dict.fromkeys(looked_at[start : start + READ_AT_ONCE], gone))
            found = await self._until_read(partial(differing, levels=levels))
            if found and gone:
                log.warning("bound ports that no controller has: %d, e.g. %s: %s", len(found), found[0], gone)
            self._ports.dirty = {**dict.fromkeys(found, gone), **self._ports.dirty}

    async def _apply_answers(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._ports.dirty:
                batch = dict(islice(self._ports.dirty.items(), AT_ONCE))
                for port in batch:
                    del self._ports.dirty[port]
                levels = self._ports.levels(batch)
                left = {level.port: self._left(level) for level in levels}
                try:
                    await self._database.write(partial(ports.apply, protons=self._protons, levels=levels, left=left))
                except DatabaseUnavailable:
                    self._ports.dirty = {**batch, **self._ports.dirty}
                    await asyncio.sleep(RETRY)

    def _left(self, level: Level) -> Left:
        controllers = {each.controller for each in level.answer.bindings.values()}
        found = {each: self._statuses.left(each, level.port, level.revision) for each in controllers}
        return {controller: status for controller, status in found.items() if status is not None}

    async def _apply_statuses(self) -> None:
        while True:
            await asyncio.sleep(COALESCE)
            while self._statuses.dirty:
                batch = list(islice(self._statuses.dirty, AT_ONCE))
                for said in batch:
                    del self._statuses.dirty[said]
                said_now = self._statuses.statuses(batch)
                try:
                    await self._database.write(partial(statuses.apply, protons=self._protons, statuses=said_now))
                except DatabaseUnavailable:
                    self._statuses.dirty = {**dict.fromkeys(batch), **self._statuses.dirty}
                    await asyncio.sleep(RETRY)

    async def _confirm(self) -> None:
        """After each list: what is absent is certain once etcd is filled and the controllers had their time."""
        done = 0
        while True:
            await asyncio.sleep(COALESCE)
            if done == self._ports.listed or not self._is_certain():
                continue
            begun, since = self._ports.listed, datetime.now(UTC)
            if not self._etcd.was_filled:
                await self._forget_statuses()
            if not await self._stays_certain(begun):
                continue
            await self._give_up(f"no controller has confirmed it since {since:%Y-%m-%dT%H:%M:%SZ}")
            await self._forget_statuses()
            done = begun

    def _is_certain(self) -> bool:
        return self._etcd.in_step and self._ports_following.connected and self._statuses_following.connected

    async def _stays_certain(self, begun: int) -> bool:
        """Waits for the grace; False when it has to begin again."""
        clock = asyncio.get_running_loop().time
        end = clock() + self._grace
        while clock() < end:
            await asyncio.sleep(min(COALESCE, max(end - clock(), 0)))
            if begun != self._ports.listed or not self._is_certain():
                return False
        return True

    async def _give_up(self, gone: str) -> None:
        """Marks the ports that no controller has, though their rows say so."""
        self._ports.confirmed()
        for proton in self._protons.values():
            await self._mark_differing(await self._until_read(partial(_ports_of, proton=proton)), gone)
        self._wake.set()

    async def _forget_statuses(self) -> None:
        before = await self._until_read(partial(statuses.stored, protons=self._protons))
        self._statuses.dirty.update(dict.fromkeys(self._statuses.vanished(before)))

    async def _until_read(self, read: Callable[[Transaction], T]) -> T:
        while True:
            try:
                return await self._database.read(read)
            except DatabaseUnavailable:
                await asyncio.sleep(RETRY)


def _ports_of(tx: Transaction, *, proton: Proton) -> list[ObjectKey]:
    name = proton.port.name
    return [ObjectKey(proton.name, name, key) for key in tx.objects(proton.name, name).all_keys()]
