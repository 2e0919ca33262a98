"""Requests that wait for the end of a bind.

They follow the commits of this process.  Another server's commits are no events here, but the answer
that made it commit reaches this server as well, which then tells how the port's bindings are
(`gluon.proton.service.answers`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator, Sequence

from gluon.contract.keys import ObjectKey
from gluon.proton.storage import BindingState, Changes, Database, StoredBinding


class BindWaiter:
    """One request's wait.

    It listens from before the transaction that asks for the bind, since the answer may be committed
    before whoever asked runs again.
    """

    def __init__(self) -> None:
        self._asked: tuple[str, str] | None = None
        self.seen: Sequence[StoredBinding] | None = None
        """The port's bindings as they were last committed; None: nothing was since the wait began."""
        self._stopped = False
        self._done = asyncio.Event()

    async def ended(self, host: str, token: str) -> None:
        """Waits, without a bound of its own, until this bind was answered, superseded, given up or stopped.

        Args:
            host: where the port is to be bound.
            token: names the request.
        """
        self._asked = (host, token)
        self._look()
        await self._done.wait()

    def see(self, bindings: Sequence[StoredBinding]) -> None:
        """Takes note of the port's bindings as they are now."""
        self.seen = bindings
        self._look()

    def stop(self) -> None:
        """Ends the wait."""
        self._stopped = True
        self._look()

    def _look(self) -> None:
        if self._asked is None:
            return
        if self._stopped or (self.seen is not None and not any(self._is_ours(each) for each in self.seen)):
            self._done.set()

    def _is_ours(self, binding: StoredBinding) -> bool:
        return (binding.host, binding.token) == self._asked and binding.state is BindingState.PENDING


class BindWaiters:
    """All waits of this process, by port; subscribes to the database."""

    def __init__(self, database: Database) -> None:
        self._waiters: dict[ObjectKey, set[BindWaiter]] = {}
        self.stopped = False
        """The server is stopping: nobody waits any more."""
        database.subscribe(self.see)

    @contextlib.contextmanager
    def waiter(self, port: ObjectKey) -> Generator[BindWaiter]:
        """Listens for the port's binds for as long as the context lasts."""
        waiter = BindWaiter()
        if self.stopped:
            waiter.stop()
        self._waiters.setdefault(port, set()).add(waiter)
        try:
            yield waiter
        finally:
            waiters = self._waiters[port]
            waiters.discard(waiter)
            if not waiters:
                del self._waiters[port]

    def see(self, changes: Changes) -> None:
        """Tells those who wait for a port how its bindings are now."""
        for port, bindings in changes.bindings.items():
            for waiter in self._waiters.get(port, ()):
                waiter.see(bindings)

    def stop(self) -> None:
        """Ends all waits, now and from now on."""
        self.stopped = True
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.stop()
