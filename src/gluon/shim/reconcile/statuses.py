"""What this controller says of objects, below `/status/` in etcd.

Two say something of an object: the reconciler, which fails to apply it, and the backend, which
reports what became of it.  Both are here as one `Status`, so that neither erases the other's word.
Changes gather for a moment, so that a link that flaps is not a write for each flap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from msgspec.structs import replace

from gluon.contract.keys import ObjectKey
from gluon.contract.records import State, Status
from gluon.shim.calls.foreign import printable

NOTHING = Status()
"""Said of an object with which all is well."""

GATHER = 0.2
"""Seconds in which changes gather."""

Write = Callable[[ObjectKey, Status | None], Awaitable[None]]
"""Writes the status of an object; None deletes it."""


class Statuses:
    """One for each controller; outlives the terms of its shim, so that no report is lost."""

    def __init__(self) -> None:
        self._statuses: dict[ObjectKey, Status] = {}
        self._written: dict[ObjectKey, Status] = {}
        self._dirty: set[ObjectKey] = set()
        self._wake = asyncio.Event()

    def of(self, key: ObjectKey) -> Status:
        """What is said of the object."""
        return self._statuses.get(key, NOTHING)

    # -- who says something --------------------------------------------------------------------

    def fails(self, key: ObjectKey, reason: str) -> None:
        """The object has not been applied, and why."""
        self._set(key, replace(self.of(key), failure=reason))

    def applied(self, key: ObjectKey) -> None:
        """Nothing about the object fails any more."""
        if self.of(key).failure:
            self._set(key, replace(self.of(key), failure=""))

    def report(self, key: ObjectKey, state: State, reason: str) -> None:
        """The backend says what became of the object."""
        known = self.of(key)
        if (known.state, known.reason) != (state, reason):
            self._set(key, replace(known, state=state, reason=printable(reason)))

    def outdated(self, port: ObjectKey) -> None:
        """The port has been bound, or unbound: what the backend reported before is over."""
        if self.of(port).state:
            self.report(port, "", "")

    def is_written(self, key: ObjectKey) -> bool:
        """Whether etcd says something of the object."""
        return key in self._written

    def wrote(self, key: ObjectKey, status: Status) -> None:
        """Etcd says this of the object since a moment ago."""
        if status == NOTHING:
            self._written.pop(key, None)
        else:
            self._written[key] = status

    def forget(self, key: ObjectKey) -> None:
        """The object is no business of ours any more."""
        if key in self._statuses or key in self._written:
            self._set(key, NOTHING)

    # -- into etcd -----------------------------------------------------------------------------

    def begin(self, found: dict[ObjectKey, Status], known: Callable[[ObjectKey], bool]) -> None:
        """A term begins.

        Args:
            found: what etcd holds.
            known: whether the object still is one of ours; of others nothing is said any more.
        """
        self._written = dict(found)
        for key, status in found.items():
            # A report of this process is newer; what failed is found out again.
            self._statuses.setdefault(key, replace(status, failure=""))
        for key in [key for key in self._statuses if not known(key)]:
            del self._statuses[key]
        self._mark({*self._statuses, *found})

    async def run(self, write: Write) -> None:
        """Writes what changes, until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHER)
            self._wake.clear()
            dirty, self._dirty = self._dirty, set()
            try:
                await asyncio.gather(*(self._write(key, write) for key in dirty))
            except BaseException:
                self._dirty |= dirty
                raise

    async def _write(self, key: ObjectKey, write: Write) -> None:
        status = self.of(key)
        if self._written.get(key, NOTHING) == status:
            return
        await write(key, None if status == NOTHING else status)
        self.wrote(key, status)

    def _set(self, key: ObjectKey, status: Status) -> None:
        if status == NOTHING:
            self._statuses.pop(key, None)
        else:
            self._statuses[key] = status
        self._mark((key,))

    def _mark(self, keys: Iterable[ObjectKey]) -> None:
        self._dirty.update(keys)
        if self._dirty:
            self._wake.set()
