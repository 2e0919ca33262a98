"""The API described: `/openapi.json` for programs, `/docs` for people.

The page is a file of this package and loads nothing from elsewhere, since where Gluon runs there is
often no way out to the Internet.  It shows the document that the server serves, nothing of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gluon.proton.api.openapi import document
from gluon.schema import Proton

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Lets the page run what is in it and ask this server, nothing else."""


def routes(protons: Mapping[str, Proton]) -> list[Route]:
    """The two routes."""
    page = files(__package__).joinpath("documentation.html").read_text(encoding="utf-8")

    @cache  # at the first request, not at start: most servers are never asked
    def encoded() -> bytes:
        return msgspec.json.encode(document(protons))

    async def openapi(_: Request) -> Response:
        return Response(encoded(), media_type="application/json")

    async def docs(_: Request) -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})

    return [Route("/openapi.json", openapi), Route("/docs", docs)]
