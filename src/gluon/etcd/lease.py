"""A lease: keys that live only as long as we do."""

from __future__ import annotations

import asyncio
import logging
from typing import Self

from gluon.etcd.errors import EtcdError, InvalidRequest, LeaseLost
from gluon.etcd.lease_keeper import BEAT, Hold, LeaseKeeper, OnStall, now
from gluon.etcd.proto import etcd_pb2 as pb
from gluon.etcd.transport import Transport

logger = logging.getLogger(__name__)

MAX_STALL = 3
"""TTLs for which a blocked event loop keeps its lease, unless told otherwise."""

_REVOKE = 2.0
"""Seconds that leaving may take; a lease that is not revoked expires."""

_JOIN = 1.0
"""Seconds that the keeper's thread has to end in; it is left running after that."""


class Lease:
    """Granted on entry, renewed by a thread every third of the TTL, revoked on exit.

    An event loop that is blocked does not lose its lease, up to a bound.  `alive` and `lost` are
    counted here, from the moment the last acknowledged renewal was sent: etcd may still hold the
    lease for the time that the message took, never the other way around.
    """

    def __init__(
        self, transport: Transport, ttl: int, *, max_stall: float | None = None, on_stall: OnStall | None = None
    ) -> None:
        """Prepares a lease.

        Args:
            transport: makes the calls that grant and revoke.
            ttl: seconds after which etcd ends it if it isn't renewed.
            max_stall: seconds for which the event loop may be blocked before the lease is no longer
                renewed, so that it ends within a TTL; None: three TTLs.
            on_stall: called from the keeper's thread when the event loop has been blocked for more
                than a second, as `on_stall(seconds, False)`, and when it is back, as
                `on_stall(seconds, True)`.  It must not block.

        Raises:
            InvalidRequest: the TTL is less than a second.
        """
        if ttl < 1:
            raise InvalidRequest(f"lease: the TTL must be at least 1 s, got {ttl}")
        self.ttl = ttl
        """Seconds; after entry what etcd granted, which may be more than was asked for."""
        self.id = 0
        self.lost = asyncio.Event()
        """Set, for good, once the lease may be gone and the event loop has its turn."""
        self._transport = transport
        self._max_stall = MAX_STALL * ttl if max_stall is None else max_stall
        self._on_stall = on_stall
        self._hold = Hold()
        self._keeper: LeaseKeeper | None = None
        self._beating: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """The lease lives at this moment.  Safe for threads.

        False at once in a process that was frozen for too long and wakes up, whatever its event loop
        has noticed until then.
        """
        return self._hold.left > 0

    @property
    def stalled_for(self) -> float:
        """Seconds since the event loop's last sign of life; up to 0.25 for one that runs.  Safe for threads."""
        return self._hold.stalled_for

    async def __aenter__(self) -> Self:
        """Asks etcd for the lease.

        Raises:
            EtcdError: etcd did not grant it.
        """
        sent = now()
        response = await self._transport.unary(
            "/etcdserverpb.Lease/LeaseGrant",
            pb.LeaseGrantRequest(TTL=self.ttl),
            pb.LeaseGrantResponse.FromString,
            f"grant a lease of {self.ttl} s",
        )
        self.id, self.ttl = response.ID, response.TTL
        self._hold.begin(sent, self.ttl)
        self._hold.beat()
        self._keeper = LeaseKeeper(
            self._transport.endpoints,
            self.id,
            self.ttl,
            self._hold,
            token=self._transport.current_token,
            max_stall=self._max_stall,
            on_stall=self._on_stall,
        )
        self._keeper.start()
        self._beating = asyncio.create_task(self._beat(), name=f"etcd lease {self.id:x}")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stops the thread and revokes the lease, which deletes its keys."""
        if self._keeper:
            self._keeper.stop()
            await asyncio.to_thread(self._keeper.join, _JOIN)
        if self._beating:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        revoke = self.alive
        self._hold.end()
        self.lost.set()
        if revoke:
            await self._revoke()

    async def _revoke(self) -> None:
        try:
            await self._transport.unary(
                "/etcdserverpb.Lease/LeaseRevoke",
                pb.LeaseRevokeRequest(ID=self.id),
                pb.LeaseRevokeResponse.FromString,
                f"revoke lease {self.id:x}",
                seconds=min(self._transport.endpoints.timeout, _REVOKE),
            )
        except LeaseLost:
            return
        except EtcdError as error:
            logger.warning("%s; it expires by itself within %d s", error, self.ttl)

    async def _beat(self) -> None:
        """Gives the keeper signs of life, and turns the end of the lease into `lost`."""
        while left := self._hold.left:
            self._hold.beat()
            await asyncio.sleep(min(BEAT, left))
        self.lost.set()
