"""What a term follows in etcd: several ranges of keys, each by a mirror of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import TypeVar

from gluon.etcd import Client, ClusterReplaced, EtcdError, Event, Mirror

log = logging.getLogger(__name__)

AT_ONCE = 500
"""Keys that are read in one go: the event loop has to turn meanwhile."""

RETRY = 1.0
"""Seconds between two tries to read."""

T = TypeVar("T")


class Following:
    """Reads and follows etcd for one term."""

    def __init__(self, etcd: Client, prefixes: Iterable[bytes], exact: Iterable[bytes]) -> None:
        """Prepares the mirrors.

        Args:
            etcd: an open client.
            prefixes: ranges of keys to follow.
            exact: single keys to follow.
        """
        self._etcd = etcd
        self._mirrors = {prefix: Mirror(etcd, prefix) for prefix in prefixes}
        self._mirrors |= {key: Mirror(etcd, key, exact=True) for key in exact}
        self._synced = {prefix: asyncio.Event() for prefix in self._mirrors}

    @property
    def connected(self) -> bool:
        """Whether all of it is being followed at this moment."""
        return all(mirror.connected for mirror in self._mirrors.values())

    @property
    def outage(self) -> EtcdError | None:
        """Why something can't be followed at this moment; None: nothing is wrong."""
        return next((mirror.outage for mirror in self._mirrors.values() if mirror.outage), None)

    async def follow(self, prefix: bytes, feed: Callable[[Event], None]) -> None:
        """Hands out what exists, then every change, until cancelled.

        Raises:
            ClusterReplaced: another etcd answers.
        """
        async with aclosing(self._mirrors[prefix].batches()) as batches:
            async for batch in batches:
                for event in batch.events:
                    feed(event)
                if batch.synced:
                    self._synced[prefix].set()

    async def synced(self, prefix: bytes) -> None:
        """Waits until all that existed has been handed out."""
        await self._synced[prefix].wait()

    async def each(self, prefix: bytes, take: Callable[[bytes, bytes], None]) -> None:
        """Reads all keys below a prefix once; from the beginning again after an outage."""

        async def read() -> None:
            async for page in self._etcd.pages(prefix):
                for number, item in enumerate(page.items):
                    take(item.key, item.value)
                    if number % AT_ONCE == 0:
                        await asyncio.sleep(0)

        await self.patiently(read)

    async def patiently(self, read: Callable[[], Awaitable[T]]) -> T:
        """Reads, again until etcd answers.

        Raises:
            ClusterReplaced: another etcd answers.
        """
        while True:
            try:
                return await read()
            except ClusterReplaced:
                raise
            except EtcdError as error:
                log.warning("etcd can't be read yet, trying again: %s", error)
                await asyncio.sleep(RETRY)
