"""uvicorn inside a process that has other work as well."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

from gluon.process import guard
from gluon.process.run import StartFailed

log = logging.getLogger(__name__)


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


def configured(application: ASGIApp, limits: guard.Limits, *, finish: int, keep_alive: int = 5) -> uvicorn.Config:
    """The configuration of uvicorn, the same for every server of a process.

    Args:
        application: answers the requests.
        limits: of a connection.
        finish: seconds that requests have to end in when the server stops.
        keep_alive: seconds for which a connection without a request is kept.
    """
    return uvicorn.Config(
        application,
        http=guard.protocol(limits),
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=finish,
        timeout_keep_alive=keep_alive,
    )


class EmbeddedServer(uvicorn.Server):
    """uvicorn that leaves the signals to the process (`gluon.process.run`), and says when descriptors run out.

    The event loop's way of dealing with that is to close each connection as soon as it has come, and
    to tell nobody.  So it is found out here, ten times a second.
    """

    _out_of_descriptors = False

    async def on_tick(self, counter: int) -> bool:
        """Looks whether another file could be opened, beside uvicorn's own work."""
        out = not _can_open()
        if out and not self._out_of_descriptors:
            log.error(
                "out of file descriptors: connections are closed as they come, and files can't be opened; raise the "
                "limit (LimitNOFILE of systemd, ulimit -n)"
            )
        elif self._out_of_descriptors and not out:
            log.info("there are file descriptors again")
        self._out_of_descriptors = out
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Captures none."""
        yield


def _can_open() -> bool:
    try:
        os.close(os.dup(0))
    except OSError as error:
        return error.errno not in (errno.EMFILE, errno.ENFILE)
    return True
