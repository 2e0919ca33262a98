"""One watch on one server: opening it, reading it, noticing that it is dead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from gluon.etcd import failure
from gluon.etcd.channel import Connection
from gluon.etcd.errors import Compacted, PermissionDenied, TimedOut, Unavailable
from gluon.etcd.proto import etcd_pb2 as pb
from gluon.etcd.transport import Transport


@dataclass(frozen=True)
class Liveness:
    """How long a watch may be silent.  Only time spent waiting for etcd counts."""

    ask_after: float = 5.0
    """Seconds of silence before etcd is asked for a sign of life, and between two questions."""
    give_up_after: float = 15.0
    """Seconds of silence after which the watch is dead."""


class Watch:
    """A stream of changes from one server, of one range of keys."""

    def __init__(self, call: Any, connection: Connection, liveness: Liveness, what: str, user: str) -> None:
        self.host = connection.host
        self._user = user
        self._call = call
        self._liveness = liveness
        self._what = what
        self._reading: asyncio.Task[Any] | None = None

    async def receive(self) -> pb.WatchResponse:
        """The next message; without events it is a sign of life.

        Raises:
            Compacted: the start revision is no longer kept.
            PermissionDenied: etcd ended the watch, for lack of a permission or for an old token.
            TimedOut: no sign of life for `give_up_after`.
            Unavailable: etcd ended the watch for another reason.
        """
        response: Any = await self._next()
        if response is grpc.aio.EOF:
            raise Unavailable(f"etcd {self.host}: {self._what}: the server ended it")
        message: pb.WatchResponse = response
        if message.canceled:
            self._raise_canceled(message)
        return message

    async def aclose(self) -> None:
        """Ends the watch."""
        self._call.cancel()
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _next(self) -> Any:
        # A read that is cancelled takes the whole call with it, so it stays pending across questions.
        self._reading = self._reading or asyncio.ensure_future(self._call.read())
        clock = asyncio.get_running_loop().time
        dead = clock() + self._liveness.give_up_after
        while not self._reading.done():
            left = dead - clock()
            if left <= 0:
                raise TimedOut(
                    f"etcd {self.host}: {self._what}: no sign of life for {self._liveness.give_up_after:g} s"
                )
            await asyncio.wait([self._reading], timeout=min(self._liveness.ask_after, left))
            if not self._reading.done():
                await self._ask(max(dead - clock(), 0.01))
        reading, self._reading = self._reading, None
        if reading.cancelled():
            raise Unavailable(f"etcd {self.host}: {self._what}: the client was closed")
        return reading.result()

    async def _ask(self, seconds: float) -> None:
        """Asks for a sign of life; that the question can't leave is no news, the silence goes on."""
        question = pb.WatchRequest(progress_request=pb.WatchProgressRequest())
        try:
            async with asyncio.timeout(seconds):
                await self._call.write(question)
        except (TimeoutError, asyncio.InvalidStateError):
            return

    def _raise_canceled(self, response: pb.WatchResponse) -> None:
        reason = response.cancel_reason or "no reason given"
        message = f"{self._what}: {reason}"
        if response.compact_revision:
            raise Compacted(f"etcd {self.host}: {message} (up to revision {response.compact_revision})")
        # Before 3.5.10 an expired token reads `permission denied` too.
        if "permission denied" in reason or "auth" in reason:
            raise PermissionDenied(f"etcd {self.host} refuses {failure.who(self._user)}: {message}")
        raise Unavailable(f"etcd {self.host}: {message}")


@asynccontextmanager
async def open_watch(
    transport: Transport, request: pb.WatchCreateRequest, liveness: Liveness, what: str
) -> AsyncIterator[Watch]:
    """Opens a watch, waits until etcd has confirmed it, and ends it on exit.

    When it fails, inside the block too, the next call goes to another server; when etcd refused
    it, the next call logs in again.

    Raises:
        EtcdError: as `Watch.receive`, and what a login may raise.
    """
    connection = transport.channels.pick()
    watch: Watch | None = None
    token = ""
    try:
        token = await transport.token(connection)
        method = connection.stream("/etcdserverpb.Watch/Watch", pb.WatchResponse.FromString)
        call = method(metadata=await transport.metadata(connection))
        watch = Watch(call, connection, liveness, what, transport.endpoints.user)
        async with asyncio.timeout(transport.endpoints.timeout):
            await call.write(pb.WatchRequest(create_request=request))
            while not (await watch.receive()).created:
                continue
        yield watch
    except (TimeoutError, asyncio.InvalidStateError) as error:
        transport.channels.failed(connection)
        raise TimedOut(f"etcd {connection.host}: {what}: not confirmed in time") from error
    except Unavailable:
        transport.channels.failed(connection)
        raise
    except PermissionDenied:
        transport.drop_token(token)
        raise
    except grpc.aio.AioRpcError as error:
        if failure.stale_token(error, has_token=bool(token)):
            transport.drop_token(token)
        else:
            transport.channels.failed(connection)
        raise failure.translate(error, what, connection.host, transport.endpoints.user) from error
    finally:
        if watch:
            await watch.aclose()
