"""uvicorn inside a process that has other work as well."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Generator

import uvicorn

from gluon.process.run import StartFailed


def listen(host: str, port: int) -> socket.socket:
    """Opens the socket that a server will accept on.

    Args:
        host: address or name to listen on.
        port: port to listen on; 0 for any free one.

    Raises:
        StartFailed: the address can't be listened on.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(1024)
    except OSError as error:
        raise StartFailed(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another host or port in the "
            "configuration file, or end the process that has it"
        ) from error
    return listening


class EmbeddedServer(uvicorn.Server):
    """uvicorn that leaves the signals to the process (`gluon.process.run`)."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Captures none."""
        yield
