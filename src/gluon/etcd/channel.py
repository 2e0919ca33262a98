"""Connections to the servers of a cluster: one channel each, one of them in use.

The alternative, one gRPC channel that balances over all servers, takes either IP addresses or a
single name, checks every certificate against one name, and keeps giving calls to a frozen server
until its keepalive notices.  Here each server has its own channel, and the first call that fails on
one moves all later calls to the next.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from gluon.etcd.endpoints import Endpoints
from gluon.etcd.errors import InvalidRequest

logger = logging.getLogger(__name__)

# gRPC's core writes a line of its own to standard error for each handshake that fails, past every log
# and its level.  All of it is in the errors that reach us, which are told once.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

OPTIONS: tuple[tuple[str, int], ...] = (
    # The transport's own liveness check; without the third it stops once no call is active, and
    # below 5 s between pings etcd closes the connection (too_many_pings).
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 3_000),
    # One answer may hold a thousand revisions, each up to etcd's 1.5 MiB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # etcd is reached directly: no http_proxy, no settings from DNS.
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config_disable_resolution", 1),
    # Two clients in one process don't share the fate of a connection.
    ("grpc.use_local_subchannel_pool", 1),
)


class Connection:
    """The channel to one server, and the calls made on it so far."""

    def __init__(self, host: str, channel: grpc.aio.Channel) -> None:
        self.host = host
        self.channel = channel
        self._methods: dict[str, Any] = {}

    @property
    def broken(self) -> bool:
        """The last attempt to connect failed, and the next has not been made."""
        return self.channel.get_state() is grpc.ChannelConnectivity.TRANSIENT_FAILURE

    def unary(self, path: str, answer: Callable[[bytes], Any]) -> Any:
        """The call that takes one message and gives one."""
        method = self._methods.get(path)
        if method is None:
            method = self._methods[path] = self.channel.unary_unary(
                path, request_serializer=serialize, response_deserializer=answer
            )
        return method

    def stream(self, path: str, answer: Callable[[bytes], Any]) -> Any:
        """The call that takes and gives a stream of messages."""
        method = self._methods.get(path)
        if method is None:
            method = self._methods[path] = self.channel.stream_stream(
                path, request_serializer=serialize, response_deserializer=answer
            )
        return method


class Channels:
    """Owns the channels, and which of them is in use."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._connections: list[Connection] = []
        self._current = 0

    def __len__(self) -> int:
        return len(self._endpoints.hosts)

    @property
    def opened(self) -> bool:
        """Between `open` and `close`."""
        return bool(self._connections)

    def open(self) -> None:
        """Makes the channels; each connects when it is first used.

        Raises:
            InvalidRequest: a TLS file can't be read.
        """
        secret = credentials(self._endpoints) if self._endpoints.tls else None
        self._connections = [Connection(host, _channel(host, secret)) for host in self._endpoints.hosts]

    async def close(self) -> None:
        """Closes the channels; calls that are under way fail."""
        connections, self._connections = self._connections, []
        for connection in connections:
            await connection.channel.close()

    def pick(self) -> Connection:
        """The connection to use now: the one in use, unless it is broken and another is not."""
        if not self._connections:
            raise InvalidRequest(f"etcd client for {self._endpoints} is not open; use `async with`")
        for step in range(len(self._connections)):
            index = (self._current + step) % len(self._connections)
            if not self._connections[index].broken:
                self._current = index
                break
        return self._connections[self._current]

    def failed(self, connection: Connection) -> None:
        """Moves to the next server, if `connection` is the one in use."""
        if len(self._connections) > 1 and connection is self._connections[self._current]:
            self._current = (self._current + 1) % len(self._connections)
            logger.info("etcd %s failed; trying %s", connection.host, self._connections[self._current].host)


def _channel(host: str, secret: grpc.ChannelCredentials | None) -> grpc.aio.Channel:
    if secret is None:
        return grpc.aio.insecure_channel(f"dns:///{host}", options=OPTIONS)
    return grpc.aio.secure_channel(f"dns:///{host}", secret, options=OPTIONS)


def credentials(endpoints: Endpoints) -> grpc.ChannelCredentials:
    """What encrypted connections need, read from the files.

    Raises:
        InvalidRequest: a file can't be read.
    """
    return grpc.ssl_channel_credentials(
        _read("ca_file", endpoints.ca_file),
        _read("key_file", endpoints.key_file),
        _read("cert_file", endpoints.cert_file),
    )


def _read(option: str, path: str) -> bytes | None:
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InvalidRequest(f"etcd endpoints: can't read {option} {path}: {error.strerror}") from error


def serialize(message: Any) -> bytes:
    """A message as it travels."""
    return bytes(message.SerializeToString())
