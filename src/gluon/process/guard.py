"""The limits of HTTP: the time and size that a request may take, and the number of connections.

uvicorn reads a request's header for as long as it comes and however long it is, and keeps a request
that was half sent until the client goes.  What it offers does not reach that far: `limit_concurrency`
turns new requests away and keeps the half-sent ones, `timeout_keep_alive` begins after an answer, and
`h11_max_incomplete_event_size` needs the slower parser.  A guard in the application would come too late,
since uvicorn calls it when the header is complete.  So these limits are a subclass of uvicorn's protocol.

    connected ──> header ──> body ──> answering ──> idle ──> header ...
                    │          │                      │
                    │ header_timeout, header_size     │ uvicorn's keep-alive
                    │          │ body_timeout         │
                    └──────────┴── refused: an answer, then the connection is closed
"""

from __future__ import annotations

import asyncio
import enum
import logging
import re
import resource
import time
from functools import partial
from typing import Any, Final

import httptools
import msgspec
from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gluon.contract.rest import Error, ErrorBody

log = logging.getLogger(__name__)

PIECE: Final = 16 * 1024
"""Bytes that are parsed at once: by so much a header may exceed its limit before it is looked at."""
FRAMING: Final = 8
"""Bytes received for each byte of a body at most, as where every chunk has one: `1\\r\\nx\\r\\n`."""
LINGER: Final = 2.0
"""Seconds for which a refused client may go on sending.  If the connection were closed at once, its
system would throw the answer away (RFC 9112, section 9.6)."""
RESERVED: Final = 100
"""Descriptors that are left for the database, etcd and the log."""
SAY_AGAIN: Final = 60.0
"""Seconds between two log lines about the limit of connections."""

_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:%\[\]-]+").fullmatch


class Limits(Struct, frozen=True, kw_only=True):
    """The limits of one HTTP server."""

    connections: int = 1000
    """Most connections at once; fewer where the process may not have as many descriptors."""
    header_size: int = 32 * 1024
    """Longest request line and header, in bytes."""
    header_timeout: float = 10.0
    """Seconds for the header, from the connection or from the request's first byte."""
    body_timeout: float = 30.0
    """Seconds for the body, from the end of the header."""
    write_timeout: float = 30.0
    """Seconds for which a client may leave an answer unread."""


class _Refusal(Struct, frozen=True):
    status: int
    code: str
    message: str

    def answer(self) -> bytes:
        """The whole response."""
        body = msgspec.json.encode(ErrorBody(Error(status=self.status, code=self.code, message=self.message)))
        head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        return STATUS_LINE[self.status] + head.encode() + body


class _Refused(Exception):
    """Ends the parsing of a request."""


class _Phase(enum.Enum):
    """The part of a request that is received next."""

    HEADER = enum.auto()
    BODY = enum.auto()


class Door:
    """Counts the connections of one server, and makes room: a request that is half sent goes first, the oldest first.

    Whoever opens connections and says nothing, or little, can't keep others out that way.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most = min(limits.connections, max(soft - RESERVED, soft // 2))
        self._connected: set[GuardedProtocol] = set()
        # Dicts keep their order: the first has been there longest.
        self._waiting: dict[GuardedProtocol, None] = {}
        self._idle: dict[GuardedProtocol, None] = {}
        self._said = -SAY_AGAIN

    def admit(self, connection: GuardedProtocol) -> bool:
        """Counts a new connection; False: there is no room."""
        if len(self._connected) >= self._most:
            self._say()
            oldest = next(iter(self._waiting or self._idle), None)
            if oldest is None:
                return False
            self.forget(oldest)
            oldest.give_way()
        self._connected.add(connection)
        self._waiting[connection] = None
        return True

    def waits(self, connection: GuardedProtocol) -> None:
        """The connection waits for the rest of a request."""
        self._idle.pop(connection, None)
        self._waiting.setdefault(connection)

    def is_idle(self, connection: GuardedProtocol) -> None:
        """The connection waits for a request to begin."""
        self._waiting.pop(connection, None)
        self._idle.setdefault(connection)

    def is_busy(self, connection: GuardedProtocol) -> None:
        """A request is being answered."""
        self._waiting.pop(connection, None)
        self._idle.pop(connection, None)

    def forget(self, connection: GuardedProtocol) -> None:
        """The connection is closed, or about to be."""
        self._connected.discard(connection)
        self.is_busy(connection)

    def _say(self) -> None:
        if time.monotonic() - self._said < SAY_AGAIN:
            return
        self._said = time.monotonic()
        log.warning(
            "%d connections are open, as many as are allowed; closing the one that has waited longest for its request, "
            "for each new one",
            len(self._connected),
        )


class GuardedProtocol(HttpToolsProtocol):
    """One connection within limits."""

    def __init__(self, *args: Any, door: Door, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._door = door
        self._limits = door.limits
        self._phase = _Phase.HEADER
        self._received = 0
        """Bytes of the header that is not complete yet; then of the body, with what comes beside it."""
        self._body = 0
        """Bytes of the body itself."""
        self._begun = False
        """Whether a request has begun that is not complete."""
        self._completed = 0
        """Requests that were received whole."""
        self._refusal: _Refusal | None = None
        self._closing = False
        """An answer was given that ends the connection; what still comes is thrown away."""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_of: _Phase | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    # -- the connection ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Lets it in, or turns it away."""
        super().connection_made(transport)
        if self._door.admit(self):
            self._expect(_Phase.HEADER)
        else:
            refusal = _Refusal(503, "unavailable", "the server has as many requests as it can answer; try again")
            self._closing = True
            self.transport.write(refusal.answer())
            self.transport.close()  # At once: there are more of these than descriptors.

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets it."""
        self._door.forget(self)
        self._stop_timer()
        if self._write_timer is not None:
            self._write_timer.cancel()
        # uvicorn leaves this timer alone after an error, and with it the connection in memory.
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def give_way(self) -> None:
        """Closes the connection in favour of another."""
        self._closing = True
        self._stop_timer()
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parses what has come, in pieces."""
        self._unset_keepalive_if_required()
        for start in range(0, len(data), PIECE):
            if self._closing or self._refusal is not None or self.transport.is_closing():
                return
            self._feed(data[start : start + PIECE])
        self._settle()

    def _feed(self, piece: bytes) -> None:
        completed = self._completed
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            # Another protocol is never taken up, so the request is answered as it is (RFC 9110, section
            # 7.8).  The parser reads no further.
            self.cycle.keep_alive = False
        except httptools.HttpParserError:
            self._refuse(self._refusal or _Refusal(400, "bad_request", "the request is not HTTP/1.1; nothing was done"))
            return
        if self._begun or self._completed == completed:
            self._received += len(piece)
            if self._received > self._limits.header_size + PIECE + FRAMING * self._body:
                self._refuse(self._too_large())

    # -- the parser's callbacks -------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        self._received = 0
        self._begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Looks at the header, and has the application begin."""
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self._limits.header_size:
            self._refusal = self._too_large()
            raise _Refused
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) > 1 or (not hosts and self.parser.get_http_version() == "1.1") or not all(map(_HOST, hosts)):
            self._refusal = _Refusal(
                400, "bad_request", "the request must name its host, once: Host: <host>[:<port>]; nothing was done"
            )
            raise _Refused
        self._phase = _Phase.BODY
        self._received = self._body = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body; what comes beside it, sizes of chunks and trailers, has the limit of a header."""
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is complete."""
        self._phase = _Phase.HEADER
        self._received = 0
        self._begun = False
        self._completed += 1
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request is answered."""
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self.pipeline:
            # uvicorn reads on here, and would take requests faster than it answers them.
            self.flow.pause_reading()
        elif self._refusal is not None and not self._closing:
            self._refuse(self._refusal)
        elif self._phase is _Phase.BODY and self.cycle.response_complete:
            self._linger()
        else:
            self._settle()

    # -- what is waited for -----------------------------------------------------------------------

    def _settle(self) -> None:
        """Finds out whom the connection waits for, and how long it may."""
        if self._closing or self.transport.is_closing():
            return
        answering = self.cycle is not None and not self.cycle.response_complete
        if self._phase is _Phase.BODY:
            self._expect(_Phase.BODY)
            self._door.waits(self)
        elif answering:
            self._stop_timer()
            self._door.is_busy(self)
        elif self._received or self.cycle is None:
            self._expect(_Phase.HEADER)
            self._door.waits(self)
        else:
            self._stop_timer()
            self._door.is_idle(self)
            if self.timeout_keep_alive_task is None:
                # The rest of a request came after its answer; uvicorn would keep the connection without end.
                self.timeout_keep_alive_task = self.loop.call_later(
                    self.timeout_keep_alive, self.timeout_keep_alive_handler
                )

    def _expect(self, phase: _Phase) -> None:
        """The rest of this part must come in time, counted from when it was first waited for."""
        if self._timer_of is phase:
            return
        self._stop_timer()
        seconds = self._limits.header_timeout if phase is _Phase.HEADER else self._limits.body_timeout
        self._timer = self.loop.call_later(seconds, self._late, phase, seconds)
        self._timer_of = phase

    def _late(self, phase: _Phase, seconds: float) -> None:
        part = phase.name.lower()
        if phase is _Phase.HEADER and not self._received:
            self.transport.close()  # It has said nothing, so there is nothing to answer.
        else:
            self._refuse(
                _Refusal(408, "timeout", f"the request's {part} did not come within {seconds:g} s; send it again")
            )

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timer_of = None

    # -- the end ----------------------------------------------------------------------------------

    def _too_large(self) -> _Refusal:
        limit = self._limits.header_size
        return _Refusal(431, "header_too_large", f"the request's header is longer than {limit} bytes; send less")

    def _refuse(self, refusal: _Refusal) -> None:
        """Answers instead of the application, and ends the connection."""
        self._refusal = refusal
        earlier = self.cycle is not None and not self.cycle.response_complete
        if earlier and self._phase is _Phase.HEADER:
            return  # An earlier request comes first; `on_response_complete` goes on here.
        started = False
        if earlier:  # It is this request's own body that is refused: the application need not wait for it.
            started = self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if started or self.pipeline:
            self.transport.abort()  # Its answer would stand within another.
            return
        self._closing = True
        self.transport.write(refusal.answer())
        self._linger()

    def _linger(self) -> None:
        """Closes the connection, once the client has had the time to read its answer."""
        self._stop_timer()
        self._door.waits(self)
        if self._closing:
            self.transport.write_eof()
        self.flow.resume_reading()
        self._timer = self.loop.call_later(LINGER, self.transport.close)
        self._timer_of = self._phase

    def pause_writing(self) -> None:
        """The client leaves its answer unread."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self._limits.write_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


def protocol(limits: Limits) -> Any:
    """The class of connections for `uvicorn.Config(http=...)`."""
    return partial(GuardedProtocol, door=Door(limits))
