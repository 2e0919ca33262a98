"""Leads, or stands by: one term of leadership after the other, and what outlives a term."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import ControllerStatus
from gluon.etcd import Client, Election, EtcdError
from gluon.schema import Proton
from gluon.shim import metrics
from gluon.shim.backend import State
from gluon.shim.calls.calling import BackendCalls
from gluon.shim.reconcile.statuses import Statuses
from gluon.shim.settings import ShimSettings
from gluon.shim.terms import late
from gluon.shim.terms.takeover import STOOD_BY, Memory
from gluon.shim.terms.term import Term
from gluon.shim.watchers import Blocking, Healths

log = logging.getLogger(__name__)

RETRY = 1.0
"""Seconds between two tries to note something in etcd."""


class Leading:
    """Competes for the leadership of its controller, and leads one term after the other."""

    def __init__(
        self, shim: ShimSettings, client: Client, protons: Mapping[str, Proton], calls: Mapping[str, BackendCalls]
    ) -> None:
        self.term: Term | None = None
        """The term that is led at this moment; None: this shim stands by."""
        self.client = client
        self.statuses = Statuses()
        self.healths = Healths(calls)
        self.blocking = Blocking(calls)
        self._shim = shim
        self._protons = protons
        self._calls = calls
        self._memory: Memory | None = None
        self._history = client.history
        """The history of etcd in which the latest term was led."""
        self._notes: set[asyncio.Task[None]] = set()
        self._name = f"{socket.gethostname()} pid {os.getpid()}"
        value = msgspec.json.encode({"leader": self._name, "handlers": shim.handlers})
        self.election = Election(
            client, keys.leader(shim.identity.controller), value, shim.leader_ttl, on_stall=self.blocking.stalled
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Leads, or stands by, until `stop` is set."""
        leading = asyncio.create_task(self._lead(stop), name="leading")
        stopping = asyncio.create_task(stop.wait(), name="stopping")
        try:
            await asyncio.wait([leading, stopping], return_when=asyncio.FIRST_COMPLETED)
            if self.term is None and not leading.done():
                leading.cancel()  # A standby has nothing to finish.
            with contextlib.suppress(asyncio.CancelledError):
                await leading
        finally:
            stopping.cancel()

    async def lost(self, proton: str, reason: str) -> None:
        """A backend's SDN controller came back empty.

        That goes through etcd, so that it is not forgotten before everything is applied again,
        whoever leads and whatever happens to this process.
        """
        while True:
            try:
                await self.client.put(keys.lost(self._shim.identity.controller, proton), reason.encode())
            except EtcdError as error:
                log.debug("that the controller of %s came back empty can't be noted yet: %s", proton, error)
                await asyncio.sleep(RETRY)
            else:
                return

    def report(self, proton: str, object_type: str, key: str, state: State, reason: str) -> None:
        """A backend says what became of an object."""
        name = ObjectKey(proton, object_type, key)
        if object_type not in self._protons[proton].objects:
            log.warning("a backend reports on %s, and %s has no such object", name, proton)
        elif self.term is not None and self.term.in_sync and not self.term.knows(name):
            log.debug("a backend reports on %s, which is not there any more", name)
        else:
            self.statuses.report(name, state, reason)

    async def _lead(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            async with self.election.lead() as leadership:
                self.term = term = Term(
                    self.client,
                    leadership,
                    self._protons,
                    self._calls,
                    self.statuses,
                    self._recalled(),
                    identity=self._shim.identity,
                    pace=self._shim.pace,
                    limits=self._shim.limits,
                    watchfulness=self._shim.watchfulness,
                    describe=self._describe,
                )
                metrics.LEADER.set(1)
                try:
                    await term.serve(stop)
                finally:
                    self.term = None
                    metrics.LEADER.set(0)
            self._memory = term.remembered()
            if not stop.is_set():
                self._tell_successor(term)

    def _recalled(self) -> Memory | None:
        """What is known from the terms before.

        A loss of etcd may become known only after the term that it ended: the lease runs out first.
        """
        before, self._history = self._history, self.client.history
        if before is self._history:
            return self._memory
        return replace(self._memory or STOOD_BY, replaced=True)

    def _tell_successor(self, term: Term) -> None:
        calls = term.late_calls()
        if calls:
            note = asyncio.create_task(late.leave_notes(self.client, self._shim.identity.controller, calls))
            self._notes.add(note)
            note.add_done_callback(self._notes.discard)

    def _describe(self, fence: int, brake: str) -> ControllerStatus:
        return ControllerStatus(
            controller=self._shim.identity.controller,
            leader=self._name,
            fence=fence,
            handlers=self._shim.handlers,
            hosts=tuple(sorted(self._shim.identity.hosts)),
            health=self.healths.reasons,
            brake=brake,
        )
