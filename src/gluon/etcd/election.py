"""Election: of several candidates, one leads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field

from gluon.etcd.backoff import Backoff
from gluon.etcd.client import Client
from gluon.etcd.errors import AuthenticationFailed, ClusterReplaced, LeaseLost, PermissionDenied, Unavailable
from gluon.etcd.lease import Lease
from gluon.etcd.mirror import Mirror
from gluon.etcd.types import Compare, Put

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Leadership:
    """What the elected candidate holds."""

    fence: Compare
    """A comparison for every transaction of the leader: once another leads, they fail."""
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, for good, as soon as another may lead."""


class Election:
    """A key that at most one candidate holds, on a lease."""

    def __init__(self, client: Client, key: bytes, value: bytes, ttl: int) -> None:
        """Prepares a candidate.

        Args:
            client: speaks to etcd; it stays the caller's.
            key: what the candidates compete for.
            value: says who leads, for people to read.
            ttl: seconds after which a leader that went silent is replaced.
        """
        self._client = client
        self._key = key
        self._value = value
        self._ttl = ttl
        self._name = key.decode(errors="backslashreplace")

    @asynccontextmanager
    async def lead(self) -> AsyncIterator[Leadership]:
        """Waits until elected, through outages of etcd too; withdraws on exit.

        Raises:
            InvalidRequest: etcd can't make sense of the request.
        """
        async with AsyncExitStack() as held:
            lease, revision = await self._win(held)
            leadership = Leadership(Compare.create_revision(self._key, revision))
            logger.info("election %s: elected, at revision %d", self._name, revision)
            guard = asyncio.create_task(self._guard(lease, leadership), name=f"election {self._name}")
            try:
                yield leadership
            finally:
                leadership.lost.set()
                guard.cancel()
                await asyncio.gather(guard, return_exceptions=True)

    async def _win(self, held: AsyncExitStack) -> tuple[Lease, int]:
        """Competes until the key is ours; puts the lease in `held`."""
        backoff = Backoff()
        failure: type[Exception] | None = None
        while True:
            try:
                await self._vacant()
                async with AsyncExitStack() as attempt:
                    lease = await attempt.enter_async_context(self._client.lease(self._ttl))
                    put = Put(self._key, self._value, lease.id)
                    result = await self._client.txn([Compare.absent(self._key)], [put])
                    if result.succeeded:
                        await held.enter_async_context(attempt.pop_all())
                        return lease, result.revision
                backoff.reset()
            except (Unavailable, AuthenticationFailed, PermissionDenied, LeaseLost, ClusterReplaced) as error:
                if failure is not type(error):
                    logger.warning("election %s: %s; trying again until it works", self._name, error)
                failure = type(error)
                operator = isinstance(error, AuthenticationFailed | PermissionDenied)
                await asyncio.sleep(backoff.longest() if operator else backoff.delay())

    async def _vacant(self) -> None:
        """Waits until nobody holds the key."""
        holder: bytes | None = None
        async with aclosing(Mirror(self._client, self._key, exact=True).batches()) as batches:
            async for batch in batches:
                for event in batch.events:
                    holder = event.value
                if batch.synced and holder is None:
                    return
                if holder is not None:
                    logger.info("election %s: held by %r; standing by", self._name, holder)

    async def _guard(self, lease: Lease, leadership: Leadership) -> None:
        """Ends the leadership when the lease is lost or the key is no longer ours."""
        lost = asyncio.create_task(lease.lost.wait())
        gone = asyncio.create_task(self._gone(leadership))
        try:
            await asyncio.wait([lost, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            leadership.lost.set()
            for task in (lost, gone):
                task.cancel()
            await asyncio.gather(lost, gone, return_exceptions=True)
        logger.warning("election %s: leadership lost", self._name)

    async def _gone(self, leadership: Leadership) -> None:
        """Waits until the key is deleted or another's."""
        held = 0
        try:
            async with aclosing(Mirror(self._client, self._key, exact=True).batches()) as batches:
                async for batch in batches:
                    for event in batch.events:
                        held = 0 if event.value is None else event.revision
                    if batch.synced and held != leadership.fence.operand:
                        return
        except ClusterReplaced as error:
            logger.warning("election %s: %s", self._name, error)
