"""proton-shim-server: puts the parts together, leads or stands by, and ends them in the right order."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from gluon.models import catalog
from gluon.process import config, etcd_options, health
from gluon.process.run import StartFailed, until_first
from gluon.process.run import main as run_program
from gluon.schema import ModelError, Proton
from gluon.shim import plugins, settings
from gluon.shim.backend import Backend, Context
from gluon.shim.calls.calling import BackendCalls, in_thread
from gluon.shim.inspection import Inspection
from gluon.shim.leading import Leading
from gluon.shim.options import OPTIONS
from gluon.shim.reports import Reports
from gluon.shim.settings import ShimSettings

log = logging.getLogger(__name__)

PROGRAM = "proton-shim-server"

STOP_TIMEOUT = 1.0
"""Seconds that the backends have to stop in."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the shim until SIGTERM or SIGINT; returns the exit code."""
    return run_program(PROGRAM, partial(settings.read, argv), serve)


async def serve(shim: ShimSettings, stop: asyncio.Event) -> None:
    """Leads, or stands by, until `stop` is set.

    Raises:
        StartFailed: the configuration, a model or a backend is at fault.
    """
    protons = _protons(shim)
    reports = {name: Reports(name) for name in shim.handlers}
    backends = _backends(shim, protons, reports)
    calls = {
        proton: BackendCalls(name, backend, shim.pace.callback_timeout) for proton, (name, backend) in backends.items()
    }
    async with etcd_options.opened(shim.conf.shim, "shim") as client:
        leading = Leading(shim, client, protons, calls)
        for each in reports.values():
            each.connect(leading, asyncio.get_running_loop())
        inspection = Inspection(shim, leading)
        async with (
            _running(backends, stop),
            health.serving(shim.http_host, shim.http_port, inspection.routes()) as port,
            _beside(leading.healths.run(shim.watchfulness.health_interval)),
        ):
            log.info("%s ready: %s, http://%s:%d", PROGRAM, _described(shim), shim.http_host, port)
            await leading.run(stop)


# -- parts -------------------------------------------------------------------------------------------


def _protons(shim: ShimSettings) -> dict[str, Proton]:
    try:
        return catalog.load([catalog.ALL], shim.model_dirs)
    except ModelError as error:
        raise StartFailed(str(error)) from error


def _backends(
    shim: ShimSettings, protons: Mapping[str, Proton], reports: Mapping[str, Reports]
) -> dict[str, tuple[str, Backend]]:
    if not shim.handlers:
        raise StartFailed("[shim] handlers is empty; name a backend for a proton: handlers = net-l3vpn:dummy")
    for proton in shim.handlers:
        if proton not in protons:
            raise StartFailed(f"[shim] handlers names proton {proton!r}; available: {', '.join(protons)}")
    made = {
        proton: (name, _backend(shim, name, protons[proton], reports[proton])) for proton, name in shim.handlers.items()
    }
    config.refuse_unknown(shim.conf, {**plugins.installed_options(), **OPTIONS})
    return made


def _backend(shim: ShimSettings, name: str, proton: Proton, reports: Reports) -> Backend:
    backend = plugins.load(name)
    try:
        for section, options in backend.options.items():
            shim.conf.register_opts(options, group=section)
        context = Context(controller=shim.identity.controller, proton=proton, conf=shim.conf, reports=reports)
        return backend(context)
    except Exception as error:
        raise StartFailed(f"backend {name!r} can't be made: {type(error).__name__}: {error}") from error


def _described(shim: ShimSettings) -> str:
    handlers = ", ".join(f"{proton} by {name}" for proton, name in shim.handlers.items())
    hosts = ",".join(sorted(shim.identity.hosts))
    return f"controller {shim.identity.controller}, {handlers}, hosts {hosts}, etcd {shim.endpoints}"


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs a coroutine for as long as the context lasts."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


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
    try:
        ended, _ = await until_first(_called(backend.start), stop)
    except Exception as error:
        raise StartFailed(f"backend {name!r} can't start: {type(error).__name__}: {error}") from error
    if not ended:
        log.warning("backend %s is still starting; it is left", name)
    return ended


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
