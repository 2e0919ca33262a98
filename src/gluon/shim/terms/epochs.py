"""Which filling of etcd this is, and what may be done because of it.

proton-server says at `/gluon/epoch` when it fills an etcd, and when it has done so.  Until then
what is absent may still come; afterwards the brake looks at what would go.  What an etcd shows that
came back from a backup is as old as the backup: nothing at all is done by it before it was filled.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping

from gluon.contract import keys
from gluon.contract.keys import MalformedKey, ObjectKey
from gluon.contract.records import Epoch, MalformedRecord, decode
from gluon.etcd import Client, ClusterReplaced, EtcdError, Event
from gluon.shim.state import State
from gluon.shim.terms.brake import Brake

log = logging.getLogger(__name__)

LOOK = 0.2
"""Seconds between two looks whether the mirror has everything that etcd has."""
CONFIRMED = 12.0
"""Seconds for which a publisher has to live and to leave the epoch as it is.  Its key from a backup is
gone by then, so it is at work in this etcd, and has found that it lacks nothing."""
PATIENCE = 60.0
"""Seconds after which the looks end: under a constant load the two may never be quite alike."""

Settle = Callable[[str], Awaitable[None]]
"""Told that the deletions of an epoch are dealt with."""


class Epochs:
    """The epoch of etcd as one term of leadership sees it."""

    def __init__(self, etcd: Client, states: Mapping[str, State], brake: Brake) -> None:
        self.settled = ""
        """The epoch whose deletions are dealt with."""
        self._etcd = etcd
        self._states = states
        self._brake = brake
        self._settle: Settle | None = None
        self._epoch: Epoch | None = None
        self._outdated: frozenset[str] = frozenset()
        """The epochs that a replaced etcd may still show, from before its loss; empty: it was not replaced."""
        self._trusted = asyncio.Event()
        self._trusted.set()
        self._news = asyncio.Event()
        self._publishers: dict[bytes, float] = {}
        """The publishers, and when they were first seen."""

    @property
    def is_filling(self) -> bool:
        """Whether proton-server is filling etcd: what is absent is still to come."""
        return self._epoch is not None and not self._epoch.complete

    @property
    def outdated(self) -> frozenset[str]:
        """The epochs that are not to be believed; empty: etcd was not replaced, or is as it should be."""
        return self._outdated

    @property
    def is_trusted(self) -> bool:
        """Whether what etcd shows is not older than what was known before."""
        return self._trusted.is_set()

    async def trusted(self) -> None:
        """Waits until what etcd shows is not older than what was known before."""
        await self._trusted.wait()

    def begin(self, settled: str, settle: Settle) -> None:
        """A term begins.

        Args:
            settled: the epoch whose deletions an earlier leader has dealt with; empty for none.
            settle: told of the next one.
        """
        self.settled, self._settle = settled, settle

    def expect_another(self, outdated: frozenset[str], *, is_empty: bool) -> None:
        """Another etcd answers: the epochs that it may show from before are not to be believed.

        Args:
            outdated: these epochs.
            is_empty: it came back empty, so that whatever it holds by now is new.
        """
        self._outdated = outdated
        if not is_empty:
            self._trusted.clear()
        self._hold()

    def hear(self, event: Event) -> None:
        """The key of the epoch has changed."""
        try:
            self._epoch = None if event.value is None else decode(Epoch, event.value)
        except MalformedRecord as error:
            log.warning("skipped %s: %s", keys.EPOCH.decode(), error)
            return
        self._hold()
        self._news.set()

    def _hold(self) -> None:
        """Holds deletions back at once, before anything is planned on an etcd that is not full."""
        epoch = self._epoch
        if epoch is not None and not epoch.complete:
            self._brake.hold_absent("proton-server is filling etcd")
        elif self._outdated and (epoch is None or epoch.id in self._outdated):
            self._brake.hold_absent("etcd was replaced, and proton-server has not filled it again yet")
        elif epoch is not None and epoch.id != self.settled:
            self._brake.hold_absent("etcd was filled again; what has come is looked at")

    async def run(self) -> None:
        """Deals with each epoch, until cancelled."""
        while True:
            epoch = self._epoch
            if epoch is not None and await self._is_due(epoch):
                await self._caught_up()
                if self._epoch == epoch:
                    self._brake.judge("etcd was filled again")
                    self._trusted.set()
                    await self._until_settled(epoch)
            with contextlib.suppress(TimeoutError):
                # Only of a replaced etcd is there anything to look for that brings no news.
                async with asyncio.timeout(CONFIRMED / 10 if self._outdated else None):
                    await self._news.wait()
            self._news.clear()

    async def _is_due(self, epoch: Epoch) -> bool:
        if not epoch.complete:
            return False
        if epoch.id in self._outdated:
            return await self._is_confirmed()
        return epoch.id != self.settled

    async def _is_confirmed(self) -> bool:
        """Whether a publisher has found that a replaced etcd lacks nothing, and so begins no epoch."""
        now = asyncio.get_running_loop().time()
        living: set[bytes] = set()
        try:
            async for page in self._etcd.pages(keys.PUBLISHER, keys_only=True):
                living |= {item.key for item in page.items}
        except ClusterReplaced:
            raise
        except EtcdError as error:
            log.debug("the publishers can't be looked at now: %s", error)
            return False
        self._publishers = {key: self._publishers.get(key, now) for key in living}
        return any(now - first >= CONFIRMED for first in self._publishers.values())

    async def _until_settled(self, epoch: Epoch) -> None:
        """Waits until nothing of the epoch is held back: at once, or after an operator's word."""
        while self._brake.asks and self._epoch == epoch:  # noqa: ASYNC110 - an operator has no event here
            await asyncio.sleep(LOOK)
        if self._epoch == epoch:
            await self.accept()

    async def accept(self) -> None:
        """The epoch is as it should be, whatever it lacks."""
        self._outdated = frozenset()
        self._trusted.set()
        if self._epoch is not None and self._epoch.complete:
            self.settled = self._epoch.id
            if self._settle is not None:
                await self._settle(self.settled)

    async def _caught_up(self) -> None:
        """Waits until the states hold all that etcd holds: another watch may be behind this one."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not all([await self._is_level(each) for each in self._states.values()]):  # noqa: ASYNC110 - etcd
                    await asyncio.sleep(LOOK)
        except TimeoutError:
            log.warning("etcd changes too fast to be compared as a whole; going on with what is known")

    async def _is_level(self, state: State) -> bool:
        listed: set[ObjectKey] = set()
        revision = 0
        async for page in self._etcd.pages(keys.desired_prefix(state.proton.name), keys_only=True):
            revision = page.revision
            for item in page.items:
                try:
                    listed.add(keys.parse(item.key, keys.PROTON))
                except MalformedKey:
                    continue
            await asyncio.sleep(0)
        known = (
            {key for key in listed if key.object not in state.proton.objects} | set(state.desired) | state.unreadable
        )
        gone = [key for key in state.desired if key not in listed]
        objects = map(state.desired.find, gone)
        return listed <= known and not any(obj is not None and obj.revision <= revision for obj in objects)
