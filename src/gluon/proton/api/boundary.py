"""The outermost layer: one spelling of every path, and a count of every request."""

from __future__ import annotations

import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gluon.proton.metrics import REQUEST_SECONDS, REQUESTS

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
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        inner: dict[str, Any] = {**scope, "path": _path(scope)}
        try:
            await self.application(inner, receive, watch)
        finally:
            # Any other label would let clients make up as many as they like.
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = inner.get("gluon.route", "other")
            REQUESTS.labels(method, route, str(status)).inc()
            REQUEST_SECONDS.labels(method, route).observe(time.perf_counter() - begin)


def _path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("latin-1").rstrip("/") or "/"
