"""A lease: keys that live only as long as we do."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Self

from gluon.etcd.errors import EtcdError, InvalidRequest, LeaseLost
from gluon.etcd.proto import etcd_pb2 as pb
from gluon.etcd.transport import Transport

logger = logging.getLogger(__name__)

_RETRY = 0.1
"""Part of the TTL after which a failed keepalive is tried again."""

_REVOKE = 2.0
"""Seconds that leaving may take; a lease that is not revoked expires."""


class Lease:
    """Granted on entry, kept alive by a task, revoked on exit.

    The keepalive goes out every third of the TTL, so that two may fail.  `lost` is counted here,
    from the moment the last acknowledged keepalive was sent: etcd may still hold the lease for the
    time that the message took, never the other way around.
    """

    def __init__(self, transport: Transport, ttl: int) -> None:
        if ttl < 1:
            raise InvalidRequest(f"lease: the TTL must be at least 1 s, got {ttl}")
        self.ttl = ttl
        """Seconds; after entry what etcd granted, which may be more than was asked for."""
        self.id = 0
        self.lost = asyncio.Event()
        """Set, for good, once the lease may be gone."""
        self._transport = transport
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """The lease lives at this moment; stays honest while a busy event loop delays `lost`."""
        return not self.lost.is_set() and asyncio.get_running_loop().time() < self._deadline

    async def __aenter__(self) -> Self:
        """Asks etcd for the lease.

        Raises:
            EtcdError: etcd did not grant it.
        """
        sent = asyncio.get_running_loop().time()
        response = await self._transport.unary(
            "/etcdserverpb.Lease/LeaseGrant",
            pb.LeaseGrantRequest(TTL=self.ttl),
            pb.LeaseGrantResponse.FromString,
            f"grant a lease of {self.ttl} s",
        )
        self.id = response.ID
        self._extend(sent, response.TTL)
        self._task = asyncio.create_task(self._keep_alive(), name=f"etcd lease {self.id:x}")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stops the task and revokes the lease, which deletes its keys."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        revoke = not self.lost.is_set()
        self._lose()
        if not revoke:
            return
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

    async def _keep_alive(self) -> None:
        pause = self.ttl / 3
        while not self.lost.is_set():
            await asyncio.sleep(pause)
            sent = asyncio.get_running_loop().time()
            try:
                ttl = await self._renew()
            except EtcdError as error:
                left = self._deadline - asyncio.get_running_loop().time()
                logger.warning("lease %x: keepalive failed, %.1f s left: %s", self.id, left, error)
                pause = self.ttl * _RETRY * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, no secret
                continue
            if ttl <= 0:
                logger.warning("lease %x is gone in etcd", self.id)
                self._lose()
            else:
                self._extend(sent, ttl)
                pause = ttl / 3

    async def _renew(self) -> int:
        """One keepalive; returns the TTL, 0 when etcd has no such lease.

        etcd defines it as a stream.  A stream of one message each way is a unary call on the wire,
        and as such it gets the timeout, the token and the other servers like any other call.
        """
        try:
            response = await self._transport.unary(
                "/etcdserverpb.Lease/LeaseKeepAlive",
                pb.LeaseKeepAliveRequest(ID=self.id),
                pb.LeaseKeepAliveResponse.FromString,
                f"keep lease {self.id:x} alive",
                idempotent=True,
                seconds=min(self._transport.endpoints.timeout, max(self.ttl / 3, 0.5)),
            )
        except LeaseLost:
            return 0
        return int(response.TTL)

    def _extend(self, sent: float, ttl: int) -> None:
        self.ttl = ttl
        self._deadline = sent + ttl
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(self._deadline, self._lose)

    def _lose(self) -> None:
        if self._timer:
            self._timer.cancel()
        self.lost.set()
