"""Requests that wait for the end of a bind."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator

from gluon.contract.keys import ObjectKey
from gluon.proton.service.binding import is_waiting
from gluon.proton.storage import Stored


class BindWaiter:
    """One request's wait.

    It listens from before the transaction that asks for the bind, since the answer may be there
    before that request knows its own outbox id.
    """

    def __init__(self) -> None:
        self._request: int | None = None
        self._ended = 0
        """All requests up to this outbox id have ended."""
        self._done = asyncio.Event()
        self._port: Stored | None = None

    async def ended(self, request: int) -> Stored | None:
        """Waits, without a bound of its own, until this bind was answered, superseded or stopped.

        Returns:
            The port as it was last seen; None when it was deleted.
        """
        self._request = request
        if self._ended < request:
            await self._done.wait()
        return self._port

    def see(self, port: Stored | None) -> None:
        """Takes note of the port as it is now; None when it is deleted."""
        self._port = port
        if port is None or port.bind_request is None:
            # Before our own request is known this may be the state that it was made on.
            if self._request is not None:
                self._done.set()
            return
        self._ended = max(self._ended, port.bind_request - is_waiting(port))
        if self._request is not None and self._ended >= self._request:
            self._done.set()

    def stop(self) -> None:
        """Ends the wait."""
        self._done.set()


class BindWaiters:
    """All waits of this process, by port."""

    def __init__(self) -> None:
        self._waiters: dict[ObjectKey, set[BindWaiter]] = {}
        self.stopped = False
        """The server is stopping: nobody waits any more."""

    @contextlib.contextmanager
    def waiter(self, key: ObjectKey) -> Generator[BindWaiter]:
        """Listens for the port's binds for as long as the context lasts."""
        waiter = BindWaiter()
        if self.stopped:
            waiter.stop()
        self._waiters.setdefault(key, set()).add(waiter)
        try:
            yield waiter
        finally:
            waiters = self._waiters[key]
            waiters.discard(waiter)
            if not waiters:
                del self._waiters[key]

    def see(self, key: ObjectKey, port: Stored | None) -> None:
        """Tells those who wait for this port what it is now; None when it is deleted."""
        for waiter in self._waiters.get(key, ()):
            waiter.see(port)

    def stop(self) -> None:
        """Ends all waits, now and from now on."""
        self.stopped = True
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.stop()
