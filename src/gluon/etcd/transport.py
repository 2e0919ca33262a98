"""How a call is made: which server, which token, what is tried again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from gluon.etcd import failure
from gluon.etcd.channel import Channels, Connection
from gluon.etcd.endpoints import Endpoints
from gluon.etcd.errors import Unavailable
from gluon.etcd.proto import etcd_pb2 as pb

logger = logging.getLogger(__name__)

Metadata = tuple[tuple[str, str], ...]


class Transport:
    """Makes calls for one client.  Owns the channels and the token."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints
        self.channels = Channels(endpoints)
        self._token = ""
        self._login = asyncio.Lock()

    async def unary(
        self,
        path: str,
        request: Any,
        answer: Callable[[bytes], Any],
        what: str,
        *,
        idempotent: bool = False,
        seconds: float = 0.0,
    ) -> Any:
        """Makes one call.

        A call that was refused for its token is repeated once with a new one.  A call that never
        left is repeated on the other servers; so is an `idempotent` call that one of them could not answer.

        Args:
            path: the method, e.g. `/etcdserverpb.KV/Put`.
            request: the message to send.
            answer: parses the message that comes back.
            what: names the call in errors, e.g. `put /proton/x`.
            idempotent: making the call twice does no harm.
            seconds: time limit for each attempt; 0: the endpoints' `timeout`.
        """
        for remaining in reversed(range(len(self.channels))):
            connection = self.channels.pick()
            try:
                return await self._attempt(connection, path, request, answer, seconds or self.endpoints.timeout)
            except asyncio.CancelledError as error:
                # gRPC cancels what is under way on a channel that closes; the caller was not cancelled.
                task = asyncio.current_task()
                if self.channels.opened or (task and task.cancelling()):
                    raise
                raise Unavailable(f"etcd {connection.host}: {what}: the client was closed") from error
            except grpc.aio.AioRpcError as error:
                translated = failure.translate(error, what, connection.host, self.endpoints.user)
                if not isinstance(translated, Unavailable):
                    raise translated from error
                self.channels.failed(connection)
                again = failure.never_sent(error) or (idempotent and error.code() is grpc.StatusCode.UNAVAILABLE)
                if not again or not remaining:
                    raise translated from error
        raise AssertionError("endpoints always name a host")

    async def _attempt(
        self, connection: Connection, path: str, request: Any, answer: Callable[[bytes], Any], seconds: float
    ) -> Any:
        call = connection.unary(path, answer)
        token = await self.token(connection)
        try:
            return await call(request, timeout=seconds, metadata=_metadata(token))
        except grpc.aio.AioRpcError as error:
            if not self.endpoints.user or not failure.stale_token(error, has_token=bool(token)):
                raise
        self.drop_token(token)
        token = await self.token(connection)
        return await call(request, timeout=seconds, metadata=_metadata(token))

    async def metadata(self, connection: Connection) -> Metadata:
        """What a stream sends along; `hasleader` ends it when the server loses its cluster."""
        return (*_metadata(await self.token(connection)), ("hasleader", "true"))

    @property
    def current_token(self) -> str:
        """The token of the last login; empty when there is none."""
        return self._token

    async def token(self, connection: Connection) -> str:
        """The token to send; logs in when there is none.  Empty without a user.

        Raises:
            grpc.aio.AioRpcError: the login failed.
        """
        if not self.endpoints.user or self._token:
            return self._token
        async with self._login:
            if not self._token:
                self._token = await self._authenticate(connection)
            return self._token

    def drop_token(self, token: str) -> None:
        """Forgets `token`, unless it has been replaced meanwhile."""
        if self._token == token:
            self._token = ""

    async def _authenticate(self, connection: Connection) -> str:
        call = connection.unary("/etcdserverpb.Auth/Authenticate", pb.AuthenticateResponse.FromString)
        request = pb.AuthenticateRequest(name=self.endpoints.user, password=self.endpoints.password)
        try:
            response = await call(request, timeout=self.endpoints.timeout)
        except grpc.aio.AioRpcError as error:
            if failure.authentication_disabled(error):
                logger.warning(
                    "etcd %s runs without authentication; going on without user %s",
                    connection.host,
                    self.endpoints.user,
                )
                return ""
            raise
        return str(response.token)


def _metadata(token: str) -> Metadata:
    return (("token", token),) if token else ()
