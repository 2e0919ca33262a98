"""Waits until netvirt has followed a write: a 2xx says only that it was taken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from gluon.shim.backends.opendaylight.paths import Path, Store
from gluon.shim.backends.opendaylight.resources import Body
from gluon.shim.backends.opendaylight.restconf import Restconf

_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.03, 0.8, 1.7
"""Seconds between two looks: netvirt takes 0.3 to 2 s (measured on Neon)."""

_FEW = 3
"""So many that wait are looked at one by one; more, with the list as a whole."""


class Settling:
    """Waits for entries of one list to come or to go; many that wait share their requests.

    Args:
        restconf: reads.
        container: of the list.
        entry: the list's name.
        key: the name of its key, or of what is waited for.
        timeout: seconds that a wait may take.
        store: which datastore.
        is_key: whether the name that is waited for is the list's key; else all of the list is read.
    """

    def __init__(
        self,
        restconf: Restconf,
        container: Path,
        entry: str,
        key: str,
        timeout: float,
        store: Store = Store.CONFIG,
        *,
        is_key: bool = True,
    ) -> None:
        self._restconf, self._container, self._entry, self._key = restconf, container, entry, key
        self._timeout, self._store, self._few = timeout, store, _FEW if is_key else 0
        self._waiting: dict[asyncio.Future[None], tuple[str, bool]] = {}
        self._task: asyncio.Task[None] | None = None
        self._pause = _FIRST_PAUSE

    async def has_come(self, name: str) -> bool:
        """Whether the entry is there in time."""
        return await self._is_met(name, there=True)

    async def has_gone(self, name: str) -> bool:
        """Whether the entry is gone in time."""
        return await self._is_met(name, there=False)

    async def stop(self) -> None:
        """Waits no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _is_met(self, name: str, *, there: bool) -> bool:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[waiting] = (name, there)
        self._pause = _FIRST_PAUSE
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(self._timeout):
                await waiting
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(waiting, None)
        return True

    async def _look(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * _GROWTH, _LONGEST_PAUSE)
            asked = dict(self._waiting)
            try:
                held = await self._held({name for name, _ in asked.values()})
            except Exception as error:  # noqa: BLE001 - told to all that wait
                for waiting in asked:
                    _end(waiting, error)
                continue
            for waiting, (name, there) in asked.items():
                if (name in held) is there:
                    _end(waiting)
            for waiting in [each for each in self._waiting if each.done()]:
                self._waiting.pop(waiting, None)

    async def _held(self, wanted: set[str]) -> set[str]:
        if len(wanted) > self._few:
            return {str(each.get(self._key)) for each in await self._restconf.entries(self._container, self._store)}
        paths = [self._container.to(self._entry, name) for name in sorted(wanted)]
        found: Iterable[Body | None] = await asyncio.gather(*(self._restconf.get(path, self._store) for path in paths))
        return {name for name, body in zip(sorted(wanted), found, strict=True) if body is not None}


def _end(waiting: asyncio.Future[None], error: Exception | None = None) -> None:
    if waiting.done():
        return
    if error is None:
        waiting.set_result(None)
    else:
        waiting.set_exception(error)
