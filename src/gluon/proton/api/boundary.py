"""The outermost layer: one spelling of every path, an id for every request, and a count of them."""

from __future__ import annotations

import logging
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gluon.contract.rest import REQUEST_ID
from gluon.process import request_id
from gluon.proton.metrics import REQUEST_SECONDS, REQUESTS

log = logging.getLogger(__name__)

_ID_HEADER = REQUEST_ID.lower().encode()
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


class Boundary:
    """Wraps the application.

    Routes see the path as it was sent, still percent-encoded, so that a key may hold a `/`; and
    without a slash at its end, so that it makes no difference.
    """

    def __init__(self, application: ASGIApp) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes one request on."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        begin = time.perf_counter()
        status, made = 0, ""
        identity = request_id.begin(_given_id(scope)).encode()

        async def watch(message: Message) -> None:
            nonlocal status, made
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message.get("headers", ())
                made = next((f" {value.decode()}" for name, value in headers if name == b"location"), "")
                message = {**message, "headers": [*headers, (_ID_HEADER, identity)]}
            await send(message)

        inner: dict[str, Any] = {**scope, "path": _path(scope)}
        try:
            await self.application(inner, receive, watch)
        finally:
            # Any other label would let clients make up as many as they like.
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = inner.get("gluon.route", "other")
            REQUESTS.labels(method, route, str(status)).inc()
            seconds = time.perf_counter() - begin
            REQUEST_SECONDS.labels(method, route).observe(seconds)
            level = logging.DEBUG if method in _READS else logging.INFO
            log.log(level, "%s %s: %d%s in %.3f s", method, _printable(inner["path"]), status, made, seconds)


def _given_id(scope: Scope) -> str:
    found = [value for name, value in scope["headers"] if name == _ID_HEADER]
    return found[0].decode("latin-1") if len(found) == 1 else ""


def _printable(path: str) -> str:
    """What is not ASCII is escaped: a client must not write into the log what it likes."""
    return path[:200].encode("ascii", "backslashreplace").decode()


def _path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("latin-1").rstrip("/") or "/"
