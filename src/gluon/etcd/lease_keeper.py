"""Renews a lease from a thread of its own.

A task of the event loop, the alternative, renews nothing while other code blocks the loop, and one
`async def` of a vendor that waits for its controller without `await` would cost the leadership.  A
thread renews on, so it has to know when to stop: a program whose event loop never comes back must
lose its lease, or it would hold it for good and do nothing.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import grpc

from gluon.etcd import failure
from gluon.etcd.channel import OPTIONS, credentials, serialize
from gluon.etcd.endpoints import Endpoints
from gluon.etcd.errors import EtcdError, LeaseLost
from gluon.etcd.proto import etcd_pb2 as pb

logger = logging.getLogger(__name__)

OnStall = Callable[[float, bool], None]
"""Told, from the keeper's thread, for how many seconds the event loop has been blocked, and whether that
is over: once when it begins (`False`), once when it ends (`True`)."""

BEAT = 0.25
"""Seconds between two signs of life of the event loop, and between two looks at them."""

STALLED = 1.0
"""Seconds without a sign of life after which the event loop counts as blocked."""

_RETRY = 0.1
"""Part of the TTL after which a failed renewal is tried again."""

_LEAST_TIME = 0.5
"""Seconds that one server has to answer in, at least."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Seconds on a clock that goes on while the machine is suspended, where there is one."""
    return time.clock_gettime(_CLOCK)


class Hold:
    """For how long a lease lives, and when the event loop last gave a sign of life.  Safe for threads.

    Once it was over it stays over: an answer that was held up until then revives nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadline = 0.0
        self._over = False
        self._beat = now()

    @property
    def left(self) -> float:
        """Seconds that the lease lives on for certain; 0: it may be gone."""
        with self._lock:
            left = 0.0 if self._over else self._deadline - now()
            self._over = left <= 0
            return max(left, 0.0)

    @property
    def stalled_for(self) -> float:
        """Seconds since the event loop's last sign of life."""
        with self._lock:
            return now() - self._beat

    def begin(self, sent: float, ttl: float) -> None:
        """The lease was granted, in answer to a request sent at that time."""
        with self._lock:
            self._deadline = sent + ttl

    def extend(self, sent: float, ttl: float) -> None:
        """The lease was renewed, in answer to a request sent at that time."""
        with self._lock:
            if now() >= self._deadline:
                self._over = True
            self._deadline = sent + ttl

    def end(self) -> None:
        """The lease is gone, or is given up."""
        with self._lock:
            self._over = True

    def beat(self) -> None:
        """The event loop's sign of life."""
        with self._lock:
            self._beat = now()

    def forgive(self, seconds: float) -> None:
        """For so long the whole process stood still, which is no fault of its event loop."""
        with self._lock:
            self._beat = min(self._beat + seconds, now())


class LeaseKeeper:
    """The thread that renews one lease, every third of its TTL."""

    def __init__(
        self,
        endpoints: Endpoints,
        lease: int,
        ttl: int,
        hold: Hold,
        *,
        token: str,
        max_stall: float,
        on_stall: OnStall | None,
    ) -> None:
        """Prepares the thread.

        Args:
            endpoints: the servers, and how to log in.
            lease: its id.
            ttl: seconds that etcd granted.
            hold: is extended here, and beaten by the event loop.
            token: of a login, to begin with; empty: none.
            max_stall: seconds for which a blocked event loop keeps its lease.
            on_stall: told when the event loop is blocked and when it is back.

        Raises:
            InvalidRequest: a TLS file can't be read.
        """
        self._endpoints = endpoints
        self._lease = lease
        self._ttl = ttl
        self._hold = hold
        self._max_stall = max_stall
        self._on_stall = on_stall
        self._servers = _Servers(endpoints, token)
        self._stop = threading.Event()
        self._due = now() + ttl / 3
        self._longest_stall = 0.0
        # A thread that hangs in a call must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=f"etcd lease {lease:x}", daemon=True)

    def start(self) -> None:
        """Begins to renew."""
        self._thread.start()

    def stop(self) -> None:
        """Renews no more; a call under way is broken off."""
        self._stop.set()
        self._servers.close()

    def join(self, timeout: float) -> None:
        """Waits until the thread has ended, at most `timeout` seconds."""
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stop.is_set() and self._hold.left:
            try:
                self._watch_stall()
                if now() >= self._due and self._hold.stalled_for <= self._max_stall:
                    self._renew()
            except Exception:
                # Whatever it was, the lease's own clock runs; a thread that ended here would end the lease.
                if not self._stop.is_set():
                    logger.exception("lease %x: can't be renewed", self._lease)
                    self._due = now() + self._ttl * _RETRY
            self._pause(min(BEAT, max(self._due - now(), 0.01)))
        self._watch_stall()

    def _pause(self, seconds: float) -> None:
        before = now()
        self._stop.wait(seconds)
        stood_still = now() - before - seconds
        if stood_still > STALLED:
            self._hold.forgive(stood_still)

    def _renew(self) -> None:
        sent = now()
        try:
            ttl = self._servers.renew(self._lease, self._ttl, self._watch_stall)
        except EtcdError as error:
            if not self._stop.is_set():
                logger.warning("lease %x: can't be renewed, %.1f s left: %s", self._lease, self._hold.left, error)
            self._due = now() + self._ttl * _RETRY * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, no secret
            return
        if ttl <= 0:
            logger.warning("lease %x is gone in etcd", self._lease)
            self._hold.end()
        else:
            self._hold.extend(sent, ttl)
            self._due = sent + ttl / 3

    def _watch_stall(self) -> None:
        """Tells when the event loop gives no sign of life, and when it does again."""
        seconds = self._hold.stalled_for
        if seconds > STALLED:
            if not self._longest_stall:
                self._tell(seconds, over=False)
            self._longest_stall = seconds
        elif self._longest_stall:
            self._tell(self._longest_stall, over=True)
            self._longest_stall = 0.0

    def _tell(self, seconds: float, *, over: bool) -> None:
        if self._on_stall is None:
            return
        try:
            self._on_stall(seconds, over)
        except Exception:
            logger.exception("lease %x: the hook for a blocked event loop failed", self._lease)


class _Servers:
    """The servers of a cluster, called synchronously: one channel each, one of them in use."""

    def __init__(self, endpoints: Endpoints, token: str) -> None:
        self._endpoints = endpoints
        secret = credentials(endpoints) if endpoints.tls else None
        self._channels = [(host, _channel(host, secret)) for host in endpoints.hosts]
        self._current = 0
        self._token = token

    def close(self) -> None:
        """Closes the channels; a call that is under way fails."""
        for _, channel in self._channels:
            channel.close()

    def renew(self, lease: int, ttl: int, between: Callable[[], None]) -> int:
        """Renews at the first server that answers; returns the TTL, 0 when etcd has no such lease.

        Calls `between` after each server that did not answer.

        Raises:
            EtcdError: none of them did.
        """
        seconds = min(self._endpoints.timeout, max(ttl / 3 / len(self._channels), _LEAST_TIME))
        for remaining in reversed(range(len(self._channels))):
            host, channel = self._channels[self._current]
            try:
                return self._renew_at(channel, lease, ttl, seconds)
            except grpc.RpcError as error:
                reason = failure.translate(error, f"renew lease {lease:x}", host, self._endpoints.user)
                if isinstance(reason, LeaseLost):
                    return 0
                self._current = (self._current + 1) % len(self._channels)
                if not remaining:
                    raise reason from error
            between()
        raise AssertionError("endpoints always name a host")

    def _renew_at(self, channel: grpc.Channel, lease: int, ttl: int, seconds: float) -> int:
        # A stream of one message each way is a unary call on the wire, and gets a timeout like any other.
        path, answer = "/etcdserverpb.Lease/LeaseKeepAlive", pb.LeaseKeepAliveResponse.FromString
        request = pb.LeaseKeepAliveRequest(ID=lease)
        token = self._login(channel, ttl)
        try:
            return int(_call(channel, path, request, answer, seconds, token).TTL)
        except grpc.RpcError as error:
            if not self._endpoints.user or not failure.stale_token(error, has_token=bool(token)):
                raise
        self._token = ""
        return int(_call(channel, path, request, answer, seconds, self._login(channel, ttl)).TTL)

    def _login(self, channel: grpc.Channel, ttl: int) -> str:
        """The token to send; empty without a user, and where etcd wants none."""
        if not self._endpoints.user or self._token:
            return self._token
        request = pb.AuthenticateRequest(name=self._endpoints.user, password=self._endpoints.password)
        answer = pb.AuthenticateResponse.FromString
        # Checking a password is slow by design, the more so on a loaded machine.
        seconds = min(self._endpoints.timeout, max(ttl / 3, _LEAST_TIME))
        try:
            response = _call(channel, "/etcdserverpb.Auth/Authenticate", request, answer, seconds, "")
        except grpc.RpcError as error:
            if failure.authentication_disabled(error):
                return ""
            raise
        self._token = str(response.token)
        return self._token


def _call(
    channel: grpc.Channel, path: str, request: Any, answer: Callable[[bytes], Any], seconds: float, token: str
) -> Any:
    method = channel.unary_unary(path, request_serializer=serialize, response_deserializer=answer)
    return method(request, timeout=seconds, metadata=(("token", token),) if token else ())


def _channel(host: str, secret: grpc.ChannelCredentials | None) -> grpc.Channel:
    if secret is None:
        return grpc.insecure_channel(f"dns:///{host}", options=OPTIONS)
    return grpc.secure_channel(f"dns:///{host}", secret, options=OPTIONS)
