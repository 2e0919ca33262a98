"""proton-server: puts the parts together, runs them, and ends them in the right order."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import uvicorn

from gluon.contract.keys import ObjectKey
from gluon.contract.records import PortAnswer
from gluon.etcd import Client
from gluon.process import health, http, run
from gluon.proton import settings as configuration
from gluon.proton.answers import Answers
from gluon.proton.api import build_application
from gluon.proton.opening import load_protons, opened_database, opened_etcd
from gluon.proton.publish import Publisher, skip_ids
from gluon.proton.service import Binds, BindWaiters, Conformity, Objects, PortBindings
from gluon.proton.settings import ApiSettings, Settings
from gluon.proton.storage import Database, DatabaseUnavailable
from gluon.schema import Proton

log = logging.getLogger(__name__)

FINISH_TIMEOUT = 3
"""Time for requests that run when the server is asked to stop, in seconds."""
KEEP_ALIVE = 75
"""Time that an idle connection is kept, in seconds.  Longer than clients keep theirs: whoever closes
first must be the one who sends, or a request meets a connection that is just being closed."""
BACKGROUND_TIMEOUT = 1.0
"""Time for the publisher and the answers to end after that, in seconds."""
FIRST_LOOK = 2.0
"""Longest wait for etcd before requests are served, in seconds: they are served without it, too."""
RESTART = 1.0
"""Pause before a background task that failed is started again, in seconds."""
DIFFERENT_ERRORS = 10
"""So many different errors of a background task are each logged once; then it begins again."""
SWITCH_INTERVAL = 0.0005
"""Seconds that a thread may keep the interpreter while another one waits for it.  Python's 5 ms
would be added to every step of a database transaction while the event loop is busy."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs proton-server until SIGTERM or SIGINT.

    Returns:
        The exit code: 0 after a clean end, 1 when the server could not start.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    return run.main("proton-server", lambda: configuration.read("proton-server", argv), serve)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Serves until `stop` is set.

    Raises:
        StartFailed: says why and what to do.
    """
    protons = load_protons(settings)
    api = settings.api
    with contextlib.closing(http.listen(api.host, api.port)) as listening:
        url = api.url(listening.getsockname()[1])
        async with opened_database(settings, protons, create=True) as database, opened_etcd(settings) as client:
            with contextlib.suppress(DatabaseUnavailable):  # It has said so, and changes fail until it is back.
                await database.write(skip_ids)
            parts = _assembled(api, protons, database, client, url)
            async with _in_background(parts.background):
                # Changes of a database that must not be published shall be refused from the first one on.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(FIRST_LOOK):
                        await parts.publisher.looked.wait()
                _warn_when_open(api.host)
                log.info(
                    "proton-server ready: %s, protons %s, database %s, etcd %s",
                    url,
                    ", ".join(protons),
                    database.name,
                    client.endpoints,
                )
                await _serve_until(parts.server, listening, stop, parts.waiters)
    log.info("proton-server stopped")


class _Parts(NamedTuple):
    server: http.EmbeddedServer
    publisher: Publisher
    waiters: BindWaiters
    background: Mapping[str, Callable[[], Awaitable[None]]]


def _assembled(api: ApiSettings, protons: Mapping[str, Proton], database: Database, client: Client, url: str) -> _Parts:
    publisher = Publisher(database, client, protons, url=url)
    answers = Answers(database, client, protons, publisher, grace=api.answer_grace)
    waiters = BindWaiters(database)
    control_plane = _ControlPlane(publisher, answers)
    conformity = Conformity(database, protons)
    binds = Binds(database, waiters, control_plane, protons.values(), bind_timeout=api.bind_timeout)
    application = build_application(
        Objects(database, binds, control_plane),
        PortBindings(database, binds),
        protons,
        max_body_size=api.max_body_size,
        public_url=api.public_url.rstrip("/"),
        extra_routes=health.routes(_checks(database, publisher, answers, conformity)),
    )
    configured = http.configured(application, api.limits, finish=FINISH_TIMEOUT, keep_alive=KEEP_ALIVE)
    background: dict[str, Callable[[], Awaitable[None]]] = {
        "publisher": publisher.run,
        "answers": answers.run,
        "open binds": binds.give_up_open,
        "check of the stored objects": conformity.run,
    }
    return _Parts(http.EmbeddedServer(configured), publisher, waiters, background)


class _ControlPlane:
    """The knowledge of publisher and answers, for the use cases."""

    def __init__(self, publisher: Publisher, answers: Answers) -> None:
        self._publisher = publisher
        self._answers = answers

    @property
    def trouble(self) -> str:
        return self._publisher.standing.trouble or self._answers.outage

    def answer(self, port: ObjectKey) -> PortAnswer:
        return self._answers.answer(port)

    def has_leader(self, controller: str) -> bool:
        return self._answers.has_leader(controller)

    def serves(self, controller: str, proton: str) -> bool:
        return self._answers.serves(controller, proton)


async def _serve_until(
    server: uvicorn.Server, listening: socket.socket, stop: asyncio.Event, waiters: BindWaiters
) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="http")
    await run.until_first(asyncio.shield(serving), stop)
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
    """Runs work of the background; an error that nobody expected must not end the server, nor fill its log."""
    said: set[str] = set()
    while True:
        try:
            await work()
        except Exception as error:
            if repr(error) not in said:
                log.exception("%s failed; starting it again", name)
            said = {*said, repr(error)} if len(said) < DIFFERENT_ERRORS else {repr(error)}
            await asyncio.sleep(RESTART)
        else:
            return


def _checks(database: Database, publisher: Publisher, answers: Answers, conformity: Conformity) -> health.Checks:
    async def check_database() -> health.Check:
        try:
            await database.check()
            wrong = await conformity.words()
        except DatabaseUnavailable as error:
            return health.Check(ok=False, state=str(error))
        return health.Check(ok=True, state="connected", degraded=wrong)

    async def check_etcd() -> health.Check:
        standing = publisher.standing
        words = standing.trouble or answers.outage or answers.statuses_outage
        return health.Check(ok=not words, state=words or standing.words, required=not standing.ready)

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
