"""One watch on a prefix, through outages and the loss of etcd, into a book of the keys that are there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Protocol

from gluon.etcd import Client, ClusterReplaced, Event, Mirror

log = logging.getLogger(__name__)

RETRY = 1.0
"""Pause before another etcd is listed, in seconds."""


class Book(Protocol):
    """Keeps the latest value of each key, in its own terms."""

    def begin(self) -> None:
        """A list follows; nothing that was known before counts any more."""

    def take(self, event: Event, *, listing: bool) -> None:
        """Takes one event over; `listing`: it only says what is there, as of now."""


class Following:
    """Follows one prefix without end."""

    def __init__(
        self, client: Client, prefix: bytes, what: str, book: Book, heard: Callable[..., Awaitable[None]]
    ) -> None:
        """Puts it together.

        Args:
            client: etcd.
            prefix: what the keys begin with.
            what: their name in messages, e.g. `answers`.
            book: takes the events.
            heard: called after the book has taken changes, but not before it has all that is there;
                `first` says that it has just come to have that.
        """
        self.synced = False
        """The book has all that is there; False again while another etcd is listed."""
        self._client = client
        self._prefix = prefix
        self._what = what
        self._book = book
        self._heard = heard
        self._mirror: Mirror | None = None

    @property
    def connected(self) -> bool:
        """Whether changes arrive at this moment."""
        return self.synced and self._mirror is not None and self._mirror.connected

    @property
    def outage(self) -> str:
        """Why changes don't arrive; empty: they do."""
        if self.connected:
            return ""
        error = self._mirror.outage if self._mirror is not None else None
        return f"{self._what} of controllers don't arrive: {error or 'they are being read'}"

    async def run(self) -> None:
        """Follows the keys."""
        told = ""
        while True:
            self._mirror = Mirror(self._client, self._prefix)
            try:
                await self._follow(self._mirror)
            except ClusterReplaced as error:
                if told != str(error):
                    log.info("reading all %s of controllers again: %s", self._what, error)
                told = str(error)
            finally:
                self.synced = False
            # Whoever publishes deals with the replacement, and may not have noticed it yet.
            await asyncio.sleep(RETRY)

    async def _follow(self, mirror: Mirror) -> None:
        self._book.begin()
        async with aclosing(mirror.batches()) as batches:
            async for batch in batches:
                for event in batch.events:
                    self._book.take(event, listing=not self.synced)
                if batch.synced:
                    first, self.synced = not self.synced, True
                    await self._heard(first=first)
