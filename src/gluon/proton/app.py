"""proton-server: puts the parts together, runs them, and ends them in the right order."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import uvicorn
from oslo_config import cfg

from gluon.process import etcd, health, http, logs
from gluon.process.run import StartFailed, run
from gluon.proton import options
from gluon.proton.api import build_application
from gluon.proton.opening import load_protons, opened_database
from gluon.proton.publish import Answers, Publisher
from gluon.proton.service import BindWaiters, Objects
from gluon.proton.storage import Database, DatabaseUnavailable

log = logging.getLogger(__name__)

FINISH_TIMEOUT = 3
"""Time for requests that run when the server is asked to stop, in seconds."""
KEEP_ALIVE = 75
"""Time that an idle connection is kept, in seconds.  Longer than clients keep theirs: whoever closes
first must be the one who sends, or a request meets a connection that is just being closed."""
BACKGROUND_TIMEOUT = 1.0
"""Time for the publisher and the answers to end after that, in seconds."""
RESTART = 1.0
"""Pause before a background task that failed is started again, in seconds."""
SWITCH_INTERVAL = 0.0005
"""Seconds that a thread may keep the interpreter while another one waits for it.  Python's 5 ms
would be added to every step of a database transaction while the event loop is busy."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs proton-server until SIGTERM or SIGINT.

    Returns:
        The exit code: 0 after a clean end, 1 when the server could not start.
    """
    try:
        settings = options.read("proton-server", argv)
    except (cfg.Error, StartFailed) as error:
        print(f"proton-server: {error}", file=sys.stderr)  # noqa: T201 - before there is a log
        return 1
    logs.configure(settings.log_level)
    sys.setswitchinterval(SWITCH_INTERVAL)
    return run(partial(serve, settings))


async def serve(settings: Any, stop: asyncio.Event) -> None:
    """Serves until `stop` is set.

    Raises:
        StartFailed: says why and what to do.
    """
    protons = load_protons(settings)
    api = settings.api
    listening = http.listen(api.host, api.port)
    with contextlib.closing(listening):
        port = listening.getsockname()[1]
        url = options.public_url(settings, port)
        async with opened_database(settings, protons) as database, etcd.opened(settings.api, "api") as client:
            waiters = BindWaiters()
            answers = Answers(database, client, protons, waiters)
            publisher = Publisher(database, client, protons, url=url, published_bind=answers.published_bind)
            objects = Objects(database, publisher, waiters, bind_timeout=api.bind_timeout, holder=answers.holder)
            checks = _checks(database, publisher, answers)
            application = build_application(
                objects, protons, max_body_size=api.max_body_size, extra_routes=health.routes(checks)
            )
            server = http.EmbeddedServer(_uvicorn(application))
            background: dict[str, Callable[[], Awaitable[None]]] = {
                "publisher": publisher.run,
                "answers": answers.run,
                "open binds": partial(objects.give_up_open_binds, protons),
            }
            async with _in_background(background):
                _warn_when_open(api.host)
                log.info(
                    "proton-server ready: %s, protons %s, database %s, etcd %s",
                    url,
                    ", ".join(protons),
                    database.name,
                    client.endpoints,
                )
                await _serve_until(server, listening, stop, waiters)
    log.info("proton-server stopped")


async def _serve_until(server: uvicorn.Server, listening: Any, stop: asyncio.Event, waiters: BindWaiters) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="http")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    waiters.stop()
    await serving


@asynccontextmanager
async def _in_background(tasks: Mapping[str, Callable[[], Awaitable[None]]]) -> AsyncGenerator[None]:
    running = [asyncio.create_task(_supervised(name, work), name=name) for name, work in tasks.items()]
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        _, late = await asyncio.wait(running, timeout=BACKGROUND_TIMEOUT)
        for task in late:
            log.warning("%s did not end within %g s", task.get_name(), BACKGROUND_TIMEOUT)


async def _supervised(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Runs work of the background; an error that nobody expected must not end the server."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("%s failed; starting it again", name)
            await asyncio.sleep(RESTART)
        else:
            return


def _uvicorn(application: Any) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=FINISH_TIMEOUT,
        timeout_keep_alive=KEEP_ALIVE,
    )


def _checks(database: Database, publisher: Publisher, answers: Answers) -> health.Checks:
    async def check_database() -> health.Check:
        try:
            await database.read(lambda tx: tx.outbox.sessions([]))
        except DatabaseUnavailable as error:
            return health.Check(ok=False, state=str(error))
        return health.Check(ok=True, state="connected")

    async def check_etcd() -> health.Check:
        ok, state = publisher.state
        if ok and not answers.connected:
            ok, state = False, "answers of controllers are not followed"
        return health.Check(ok=ok, state=state, required=False)

    return {"database": check_database, "etcd": check_etcd}


def _warn_when_open(host: str) -> None:
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        log.warning(
            "[api] host is %s, which is not loopback, and requests are not authenticated: whoever reaches it can "
            "change everything; put it behind a proxy that authenticates, or listen on 127.0.0.1",
            host,
        )
