"""`/healthz`, `/readyz` and `/metrics`, the same on both servers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gluon.process import guard
from gluon.process.http import EmbeddedServer, configured, listen

log = logging.getLogger(__name__)


class Check(Struct, frozen=True):
    """The state of one thing that the process depends on."""

    ok: bool
    state: str
    """A sentence or a word, e.g. `connected`, `standby: dummy-2 is active`.  Whoever asks may read it:
    it never holds a password."""
    required: bool = True
    """Whether the process is unready while this is not ok."""
    degraded: str = ""
    """Why it is ok, and yet not as it should be, e.g. a controller that can't be reached; empty: it is."""


Checks: TypeAlias = Mapping[str, Callable[[], Awaitable[Check]]]

CHECK_TIMEOUT = 2.0
"""Longest time that one check may take, in seconds."""
MOST_CONNECTIONS = 100
"""Most connections of `serving`: few programs ask for the state of a process."""


def routes(
    checks: Checks, collect: Callable[[], None] = lambda: None, registry: CollectorRegistry = REGISTRY
) -> list[Route]:
    """The three routes.

    Args:
        checks: what `/readyz` asks, by name.
        collect: called before `/metrics` answers, to bring gauges up to date.
        registry: what `/metrics` shows.

    `/healthz` is 200 as long as the event loop turns; `/readyz` is 200 when every required
    check is ok, else 503, with all states in its body either way.  What is degraded stands there
    too, and is no reason for a 503: another process would be no better off.
    """

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        ended = await asyncio.gather(*(_run(name, check) for name, check in checks.items()))
        results = dict(zip(checks, ended, strict=True))
        ready = all(result.ok or not result.required for result in results.values())
        body = {
            "status": "ready" if ready else "not ready",
            "checks": {name: _shown(result) for name, result in results.items()},
        }
        return JSONResponse(body, status_code=200 if ready else 503)

    async def metrics(_: Request) -> Response:
        collect()
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


def _shown(result: Check) -> dict[str, object]:
    shown: dict[str, object] = {"ok": result.ok, "state": result.state}
    return {**shown, "degraded": result.degraded} if result.degraded else shown


async def _run(name: str, check: Callable[[], Awaitable[Check]]) -> Check:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            return await check()
    except TimeoutError:
        return Check(ok=False, state=f"no answer within {CHECK_TIMEOUT:g} s")
    except Exception as error:
        # A 500 would hide the other checks.  The error's text stays in the log: nobody chose it to
        # be read by everybody.
        log.exception("the check of %s failed", name)
        return Check(ok=False, state=f"the check failed: {type(error).__name__}; the log says more")


@asynccontextmanager
async def serving(host: str, port: int, served: Sequence[Route]) -> AsyncIterator[int]:
    """Serves routes beside a process that has no HTTP server of its own.

    Args:
        host: address to listen on.
        port: port to listen on; 0 for any free one.
        served: the routes.

    Yields:
        The port that is listened on.

    Raises:
        StartFailed: the address can't be listened on.
    """
    listening = listen(host, port)
    limits = guard.Limits(connections=MOST_CONNECTIONS)
    server = EmbeddedServer(configured(Starlette(routes=list(served)), limits, finish=1))
    task = asyncio.create_task(server.serve(sockets=[listening]), name="health")
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listening.close()
