"""proton-shim-server: its composition root."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from oslo_config import cfg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gluon.contract import keys
from gluon.etcd import Client, Election, EtcdError
from gluon.models import catalog
from gluon.process import config, etcd, health, logs
from gluon.process.run import StartFailed, run
from gluon.schema import ModelError, Proton
from gluon.shim import metrics, plugins
from gluon.shim.backend import Backend, Context
from gluon.shim.options import OPTIONS
from gluon.shim.plan import Identity
from gluon.shim.reconcile.calls import BackendCalls, in_thread
from gluon.shim.reconcile.reconciler import Pace
from gluon.shim.reconcile.term import Term

log = logging.getLogger(__name__)

PROGRAM = "proton-shim-server"

STOP_TIMEOUT = 1.0
"""Seconds that the backends have to stop in."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the shim until SIGTERM or SIGINT; returns the exit code."""
    try:
        conf = config.read(PROGRAM, OPTIONS, argv)
    except cfg.Error as error:
        logs.configure("INFO")
        log.error("%s", error)  # noqa: TRY400 - the message is for an operator; a traceback would hide it
        return 1
    logs.configure(conf.log_level)
    return run(Shim(conf).serve)


class Shim:
    """The parts of one shim process, put together from its configuration."""

    def __init__(self, conf: Any) -> None:
        self._conf = conf
        self._identity = Identity(controller=conf.shim.controller, hosts=frozenset(conf.shim.host_list))
        self._pace = Pace(
            workers=conf.shim.workers,
            retry_min=conf.shim.retry_min,
            retry_max=conf.shim.retry_max,
            report_after=conf.shim.report_after,
            callback_timeout=conf.shim.callback_timeout,
        )
        self._term: Term | None = None
        self._client: Client | None = None

    async def serve(self, stop: asyncio.Event) -> None:
        """Leads, or stands by, until `stop` is set.

        Raises:
            StartFailed: the configuration, a model or a backend is at fault.
        """
        protons = self._protons()
        backends = self._backends(protons)
        settings = self._conf.shim
        async with (
            etcd.opened(settings, "shim") as client,
            _running(backends, stop),
            health.serving(settings.http_host, settings.http_port, self._health()) as port,
        ):
            log.info("%s ready: %s, http://%s:%d", PROGRAM, self._described(), settings.http_host, port)
            calls = {
                proton: BackendCalls(name, backend, self._pace.callback_timeout)
                for proton, (name, backend) in backends.items()
            }
            self._client = client
            await self._terms(client, protons, calls, stop)

    async def _terms(
        self, client: Client, protons: Mapping[str, Proton], calls: Mapping[str, BackendCalls], stop: asyncio.Event
    ) -> None:
        settings = self._conf.shim
        controller = self._identity.controller
        name = f"{socket.gethostname()} pid {os.getpid()}".encode()
        election = Election(client, keys.leader(controller), name, settings.leader_ttl)
        leading = asyncio.create_task(self._lead(election, client, protons, calls, stop), name="leading")
        stopping = asyncio.create_task(stop.wait(), name="stopping")
        try:
            await asyncio.wait([leading, stopping], return_when=asyncio.FIRST_COMPLETED)
            if self._term is None and not leading.done():
                leading.cancel()  # A standby has nothing to finish.
            with contextlib.suppress(asyncio.CancelledError):
                await leading
        finally:
            stopping.cancel()

    async def _lead(
        self,
        election: Election,
        client: Client,
        protons: Mapping[str, Proton],
        calls: Mapping[str, BackendCalls],
        stop: asyncio.Event,
    ) -> None:
        while not stop.is_set():
            async with election.lead() as leadership:
                self._term = Term(client, leadership, protons, calls, self._identity, self._pace)
                metrics.LEADER.set(1)
                try:
                    await self._term.serve(stop)
                finally:
                    self._term = None
                    metrics.LEADER.set(0)

    # -- parts -----------------------------------------------------------------------------

    def _protons(self) -> dict[str, Proton]:
        try:
            return catalog.load([catalog.ALL], [Path(directory) for directory in self._conf.shim.model_dirs])
        except ModelError as error:
            raise StartFailed(str(error)) from error

    def _backends(self, protons: Mapping[str, Proton]) -> dict[str, tuple[str, Backend]]:
        handlers = self._conf.shim.handlers
        if not handlers:
            raise StartFailed("[shim] handlers is empty; name a backend for a proton: handlers = net-l3vpn:dummy")
        for proton in handlers:
            if proton not in protons:
                raise StartFailed(f"[shim] handlers names proton {proton!r}; available: {', '.join(protons)}")
        made = {proton: (name, self._backend(name, protons[proton])) for proton, name in handlers.items()}
        config.refuse_unknown(self._conf, {**plugins.installed_options(), **OPTIONS})
        return made

    def _backend(self, name: str, proton: Proton) -> Backend:
        backend = plugins.load(name)
        try:
            for section, options in backend.options.items():
                self._conf.register_opts(options, group=section)
            return backend(Context(controller=self._identity.controller, proton=proton, conf=self._conf))
        except Exception as error:
            raise StartFailed(f"backend {name!r} can't be made: {type(error).__name__}: {error}") from error

    def _described(self) -> str:
        handlers = ", ".join(f"{proton} by {name}" for proton, name in self._conf.shim.handlers.items())
        hosts = ",".join(self._conf.shim.host_list)
        endpoints = ",".join(etcd.endpoints(self._conf.shim).hosts)
        return f"controller {self._identity.controller}, {handlers}, hosts {hosts}, etcd {endpoints}"

    # -- for people ------------------------------------------------------------------------

    async def _etcd_check(self) -> health.Check:
        term = self._term
        if term is None:
            return await self._standby_check()
        state = "in sync" if term.in_sync else "loading"
        return health.Check(ok=term.connected and term.in_sync, state=state if term.connected else "not connected")

    async def _standby_check(self) -> health.Check:
        """A standby is ready; one that can't know whether it is one, is not."""
        try:
            if self._client is not None:
                await self._client.status()
                return health.Check(ok=True, state="standby")
        except EtcdError as error:
            return health.Check(ok=False, state=str(error))
        return health.Check(ok=False, state="starting")

    def _health(self) -> list[Route]:
        async def status(_: Request) -> Response:
            term = self._term
            return JSONResponse(
                {
                    "controller": self._identity.controller,
                    "role": "active" if term else "standby",
                    "in_sync": bool(term and term.in_sync),
                    "protons": term.status() if term else {},
                }
            )

        return [*health.routes({"etcd": self._etcd_check}, self._count), Route("/status", status)]

    def _count(self) -> None:
        if self._term is not None:
            self._term.count()


@asynccontextmanager
async def _running(backends: Mapping[str, tuple[str, Backend]], stop: asyncio.Event) -> AsyncIterator[None]:
    started: list[tuple[str, Backend]] = []
    try:
        for name, backend in backends.values():
            if await _start(name, backend, stop):
                started.append((name, backend))
        yield
    finally:
        await asyncio.gather(*(_stop(name, backend) for name, backend in started))


async def _start(name: str, backend: Backend, stop: asyncio.Event) -> bool:
    """Starts a backend; False: the shim is to stop, and does not wait for it."""
    starting = asyncio.create_task(_called(backend.start))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            log.warning("backend %s is still starting; it is left", name)
            return False
        await starting
    except Exception as error:
        raise StartFailed(f"backend {name!r} can't start: {type(error).__name__}: {error}") from error
    finally:
        stopping.cancel()
    return True


async def _stop(name: str, backend: Backend) -> None:
    try:
        async with asyncio.timeout(STOP_TIMEOUT):
            await _called(backend.stop)
    except TimeoutError:
        log.warning("backend %s did not stop within %g s", name, STOP_TIMEOUT)
    except Exception:
        log.exception("backend %s did not stop cleanly", name)


async def _called(method: Callable[[], object]) -> None:
    """Calls `start` or `stop`, each `async def` or a plain `def`, which may block."""
    result = method() if inspect.iscoroutinefunction(method) else await in_thread(method)
    if inspect.isawaitable(result):
        await result
