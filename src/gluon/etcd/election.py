"""Election: of several candidates, one leads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field

from gluon.etcd.backoff import Backoff
from gluon.etcd.client import Client
from gluon.etcd.errors import OUTAGES, WAIT_FOR_OPERATOR, ClusterReplaced, EtcdError, LeaseLost
from gluon.etcd.lease import Lease
from gluon.etcd.lease_keeper import OnStall
from gluon.etcd.mirror import Mirror
from gluon.etcd.types import Compare, Put

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Leadership:
    """What the elected candidate holds."""

    fence: Compare
    """A comparison for every transaction of the leader: once another leads, they fail."""
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, for good, as soon as another may lead, and the event loop has its turn."""
    holds: Callable[[], bool] = field(default=lambda: True, repr=False)
    """Whether the lease lives by our own clock."""
    lease: int = 0
    """The lease that it hangs on; other keys may be attached to it."""

    @property
    def alive(self) -> bool:
        """Nobody else can lead at this moment.

        Asked right before an action, it also holds in a process that was frozen and has just woken,
        before its event loop has noticed.
        """
        return not self.lost.is_set() and self.holds()


class Election:
    """A key that at most one candidate holds, on a lease.

    When etcd was replaced by another, or came back older, the candidate that led until then goes
    first: it still knows what it did, and those that stood by give it a TTL's time.
    """

    def __init__(
        self,
        client: Client,
        key: bytes,
        value: bytes,
        ttl: int,
        *,
        max_stall: float | None = None,
        on_stall: OnStall | None = None,
    ) -> None:
        """Prepares a candidate.

        Args:
            client: speaks to etcd; it stays the caller's.
            key: what the candidates compete for.
            value: says who leads, to people and to the other candidates (`holder`).
            ttl: seconds after which a leader that went silent is replaced.
            max_stall: as in `Lease`.
            on_stall: as in `Lease`.
        """
        self.holder: bytes | None = None
        """Value of whoever held the key when this candidate last looked; our own while it leads."""
        self._client = client
        self._key = key
        self._value = value
        self._ttl = ttl
        self._max_stall = max_stall
        self._on_stall = on_stall
        self._led = False
        """Nobody else has led since this candidate did."""
        self._error: EtcdError | None = None
        self._looking: Mirror | None = None
        self._name = key.decode(errors="backslashreplace")

    @property
    def outage(self) -> EtcdError | None:
        """Why this candidate can neither lead nor stand by at this moment; None: nothing is wrong."""
        return self._error or (self._looking.outage if self._looking else None)

    @asynccontextmanager
    async def lead(self) -> AsyncIterator[Leadership]:
        """Waits until elected, through outages of etcd and its replacement too; withdraws on exit.

        That etcd was replaced is forgotten by the client here (`Client.forget_history`).

        Raises:
            InvalidRequest: etcd can't make sense of the request.
        """
        async with AsyncExitStack() as held:
            lease, revision = await self._win(held)
            fence = Compare.create_revision(self._key, revision)
            leadership = Leadership(fence, holds=lambda: lease.alive, lease=lease.id)
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
        while True:
            try:
                await self._vacant()
                won = await self._compete(held)
                self._error = None
                if won:
                    self._led, self.holder = True, self._value
                    return won
                backoff.reset()
            except ClusterReplaced as error:
                await self._start_over(error)
            except (*OUTAGES, LeaseLost) as error:
                if type(self._error) is not type(error):
                    logger.warning("election %s: %s; trying again until it works", self._name, error)
                self._error = error
                await asyncio.sleep(backoff.longest() if isinstance(error, WAIT_FOR_OPERATOR) else backoff.delay())

    async def _compete(self, held: AsyncExitStack) -> tuple[Lease, int] | None:
        """Writes the key if nobody has; None: another was faster."""
        async with AsyncExitStack() as attempt:
            lease = self._client.lease(self._ttl, max_stall=self._max_stall, on_stall=self._on_stall)
            await attempt.enter_async_context(lease)
            put = Put(self._key, self._value, lease.id)
            result = await self._client.txn([Compare.absent(self._key)], [put])
            if not result.succeeded:
                return None
            await held.enter_async_context(attempt.pop_all())
            return lease, result.revision

    async def _start_over(self, error: ClusterReplaced) -> None:
        """Goes on with the etcd that answers now; one that stood by lets the former leader go first."""
        wait = 0 if self._led else self._ttl
        logger.warning("election %s: %s; competing in this etcd after %d s", self._name, error, wait)
        self._client.forget_history()
        await asyncio.sleep(wait)

    async def _vacant(self) -> None:
        """Waits until nobody holds the key."""
        self.holder = told = None
        self._looking = Mirror(self._client, self._key, exact=True)
        try:
            async with aclosing(self._looking.batches()) as batches:
                async for batch in batches:
                    for event in batch.events:
                        self.holder = event.value
                    if batch.synced and self.holder is None:
                        return
                    if self.holder is not None:
                        self._led = self._led and self.holder == self._value
                        self._error = None
                        if self.holder != told:
                            logger.info("election %s: held by %r; standing by", self._name, self.holder)
                        told = self.holder
        finally:
            self._looking = None

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
