"""Binds while an audit applies everything again, beside binds of an idle shim."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from benchmark import samples
from benchmark.load import drive
from benchmark.measured_shim import settled
from benchmark.report import Aim, Section, latency_lines
from benchmark.rest_api import api_clients
from gluon.testing.process import ProcessFailed, console_script
from gluon.testing.stack import LocalStack

NOTE = (
    "Binds during an audit: `gluon-manage audit --reapply` has all objects applied again; the floor is the idle shim."
)
MAKERS = 8
AUDIT_TIMEOUT = 110
"""Seconds in which the audit must be done."""


async def measure(stack: LocalStack, number: int, say: Callable[[str], None]) -> Section:
    """Binds ports one after the other, first with nothing else to do, then for as long as an audit lasts.

    Args:
        stack: three servers that run.
        number: ports that are bound while the shim is idle; there are ten times as many for the audit.
        say: is told what goes on.
    """
    applied = await settled(stack.shim.health)
    ports = samples.new_keys(11 * number)
    async with api_clients(stack.url, MAKERS) as clients:
        made = await drive(ports, clients.create(MAKERS))
        applied = await settled(stack.shim.health, applied + 2 * len(made.latencies))
        say("bind, 1 client, idle")
        idle = await drive(ports[:number], clients.bind(1))
        say(f"bind, 1 client, while {applied} objects are applied again")
        with _audit(stack) as audit:
            busy = await drive(_while(audit, ports[number:]), clients.bind(1))
    return Section(
        f"Bind a port while {applied:,} objects are applied again",
        latency_lines("bind during an audit", busy, idle, p50=Aim(most=2.0)),
        [*made.failures, *idle.failures, *busy.failures],
        [NOTE],
    )


@contextmanager
def _audit(stack: LocalStack) -> Iterator[subprocess.Popen[bytes]]:
    """Runs beside what is done meanwhile.  Not by the event loop, see `bare_process`."""
    config = ["--config-file", str(stack.directory / "proton-server.conf")]
    command = [console_script("gluon-manage"), "audit", "--reapply", "--timeout", str(AUDIT_TIMEOUT), *config]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=stack.directory) as audit:
        try:
            yield audit
            if audit.wait(AUDIT_TIMEOUT + 10):
                raise ProcessFailed(f"gluon-manage audit ended with exit code {audit.returncode}")
        finally:
            audit.kill()


def _while(audit: subprocess.Popen[bytes], keys: Sequence[str]) -> Iterator[str]:
    for key in keys:
        if audit.poll() is not None:
            return
        yield key
