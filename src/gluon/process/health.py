"""`/healthz`, `/readyz` and `/metrics`, the same on both servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import uvicorn
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gluon.process.http import EmbeddedServer, listen


class Check(Struct, frozen=True):
    """The state of one thing that the process depends on."""

    ok: bool
    state: str
    """What is so, e.g. `connected`, `standby: dummy-2 is active`."""
    required: bool = True
    """Whether the process is unready while this is not ok."""


Checks: TypeAlias = Mapping[str, Callable[[], Awaitable[Check]]]

CHECK_TIMEOUT = 2.0
"""Longest time that one check may take, in seconds."""


def routes(
    checks: Checks, collect: Callable[[], None] = lambda: None, registry: CollectorRegistry = REGISTRY
) -> list[Route]:
    """The three routes.

    Args:
        checks: what `/readyz` asks, by name.
        collect: called before `/metrics` answers, to bring gauges up to date.
        registry: what `/metrics` shows.

    `/healthz` is 200 as long as the event loop turns; `/readyz` is 200 when every required
    check is ok, else 503, with all states in its body either way.
    """

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        results = {name: await _run(check) for name, check in checks.items()}
        ready = all(result.ok or not result.required for result in results.values())
        body = {
            "status": "ready" if ready else "not ready",
            "checks": {name: {"ok": r.ok, "state": r.state} for name, r in results.items()},
        }
        return JSONResponse(body, status_code=200 if ready else 503)

    async def metrics(_: Request) -> Response:
        collect()
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


async def _run(check: Callable[[], Awaitable[Check]]) -> Check:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            return await check()
    except TimeoutError:
        return Check(ok=False, state=f"no answer within {CHECK_TIMEOUT:g} s")


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
    config = uvicorn.Config(
        Starlette(routes=list(served)), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    server = EmbeddedServer(config)
    task = asyncio.create_task(server.serve(sockets=[listening]), name="health")
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listening.close()
