"""One bind from the request to its end: asked for in a transaction, answered, or given up in time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from gluon.contract.keys import ObjectKey
from gluon.proton.metrics import BIND_SECONDS, BINDS
from gluon.proton.service import binding
from gluon.proton.service.bind_waiters import BindWaiter, BindWaiters
from gluon.proton.service.binding import Asked
from gluon.proton.service.control_plane import ControlPlane
from gluon.proton.service.not_answered import Evidence, why_not_answered
from gluon.proton.service.refresh import refresh
from gluon.proton.storage import BindingState, Database, DatabaseUnavailable, StoredBinding, Transaction
from gluon.schema import Proton

log = logging.getLogger(__name__)

STOPPED = "the server stopped before a controller answered; set host_id or device_id again to bind once more"

LOOK = 1.0
"""Seconds between two looks for binds that nobody waits for."""
OTHERS_FIRST = 1.0
"""Seconds that such a bind has beyond its timeout."""

T = TypeVar("T")


class Binds:
    """Asks for binds, and gives up those that nobody answers."""

    def __init__(
        self,
        database: Database,
        waiters: BindWaiters,
        control_plane: ControlPlane,
        protons: Iterable[Proton],
        *,
        bind_timeout: float,
    ) -> None:
        """Puts it together.

        Args:
            database: where ports and their bindings are kept.
            waiters: who is told of the end of a bind.
            control_plane: explains a bind that nobody answered.
            protons: whose ports are bound.
            bind_timeout: longest wait for a controller's answer, in seconds.
        """
        self._database = database
        self._waiters = waiters
        self._control_plane = control_plane
        self._protons = {proton.name: proton for proton in protons}
        self._timeout = bind_timeout

    async def ask(self, port: ObjectKey, work: Callable[[Transaction], tuple[T, Asked | None]]) -> tuple[T, bool]:
        """Runs a change of the port, and waits for the end of the bind that it asks for, if it asks for one.

        Args:
            port: the port, or any other object, which asks for none.
            work: the transaction; see `Database.change`.

        Returns:
            The result of `work`, and whether a bind was waited for: then it is out of date.

        Raises:
            Whatever `work` and `Database.change` raise.
        """
        with self._waiters.waiter(port) as waiter:
            result, asked = await self._database.change(work)
            if asked is not None:
                await self._ended(port, asked, waiter)
        return result, asked is not None

    async def give_up_open(self) -> None:
        """Gives up the binds that nobody waits for any more, without end: those of servers that are gone.

        Such a bind has its timeout from when it is first seen here, and a little longer, so that whoever
        does wait gives up first.
        """
        seen: dict[tuple[ObjectKey, Asked], float] = {}
        begun = False
        while True:
            try:
                still_open = await self._database.read(self._open)
                if still_open and not begun:
                    log.info("binds that were open when the server started: %d", len(still_open))
                begun = True
                now = time.monotonic()
                seen = {each: seen.get(each, now) for each in still_open}
                for (port, asked), since in list(seen.items()):
                    if now - since >= self._timeout + OTHERS_FIRST:
                        await self._give_up(port, asked)
            except DatabaseUnavailable:
                seen = {}
            await asyncio.sleep(LOOK)

    def _open(self, tx: Transaction) -> list[tuple[ObjectKey, Asked]]:
        return [
            (ObjectKey(name, proton.port.name, each.port), Asked(each.host, each.token))
            for name, proton in self._protons.items()
            for each in tx.bindings(name).pending()
        ]

    async def _ended(self, port: ObjectKey, asked: Asked, waiter: BindWaiter) -> None:
        begin = time.monotonic()
        outcome = ""
        try:
            async with asyncio.timeout(self._timeout):
                await waiter.ended(*asked)
        except TimeoutError:
            if await self._give_up(port, asked):
                outcome = "timeout"
        if self._waiters.stopped and await self._give_up(port, asked, STOPPED):
            outcome = "stopped"
        BIND_SECONDS.observe(time.monotonic() - begin)
        BINDS.labels(outcome or _outcome(waiter.seen or (), asked)).inc()

    async def _give_up(self, port: ObjectKey, asked: Asked, reason: str = "") -> bool:
        """Ends the wait for an answer; False when it has ended already.

        Args:
            port: the port.
            asked: the bind; a later request for the same host is left alone.
            reason: why; empty: found out.
        """
        answer = self._control_plane.answer(port)
        holders = {each.controller for each in answer.bindings.values()}
        alive = {each for each in holders if self._control_plane.has_leader(each)}
        evidence = Evidence(
            trouble=self._control_plane.trouble,
            answer=answer,
            alive=frozenset(alive),
            idle=frozenset(each for each in alive if not self._control_plane.serves(each, port.proton)),
            timeout=self._timeout,
        )

        def work(tx: Transaction) -> str:
            bindings = tx.bindings(port.proton)
            found = bindings.get(port.key, asked.host)
            if found is None or found.token != asked.token or found.state is not BindingState.PENDING:
                bindings.tell(port.key)
                return ""
            why = reason or why_not_answered(port, found, bindings.of(port.key), tx.statuses.of(port), evidence)
            held = asked.host in answer.bindings
            bindings.put(binding.given_up(found, why, held=held, moment=tx.moment(found.updated_at)))
            refresh(tx, self._protons[port.proton], port)
            return why

        why = await self._database.write(work)
        if why:
            log.warning("bind of %s to %s: %s", port, asked.host, why)
        return bool(why)


def _outcome(seen: Sequence[StoredBinding], asked: Asked) -> str:
    found = next((each for each in seen if (each.host, each.token) == asked), None)
    if found is None:
        return "superseded"
    return "bound" if found.state is BindingState.BOUND else "failed"
