"""A burst of new ports through the shim, beside a watch that does nothing but count them."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmark import samples
from benchmark.bare_process import READY, bare_process
from benchmark.load import drive
from benchmark.measured_shim import settled
from benchmark.processor import Processors
from benchmark.report import Aim, Section, rate_line
from gluon.contract import keys
from gluon.etcd import Client
from gluon.testing.stack import LocalStack

WRITERS = 8
NOTE = (
    "Events: from the first put, or for the backlog from the shim's return, to the last port applied. The shim writes "
    "two records and calls the backend for each; the floor only counts, or counts and writes the records. Live, both "
    "include the puts."
)
LIVE, BACKLOG, RECORDS = b"/bench/live", b"/bench/backlog", b"/bench/recorded"


async def measure(stack: LocalStack, etcd: Client, number: int, say: Callable[[str], None]) -> Section:
    """Sends the burst once live, and once as a backlog.

    Args:
        stack: a shim that runs and has settled.
        etcd: the same etcd.
        number: ports of one burst.
        say: is told what goes on.
    """
    say(f"a burst of {number} ports, live")
    processors = Processors({"shim": stack.shim.pid, "etcd": stack.etcd.pid})
    with processors.used() as used_live:
        shim_live = await _shim_live(stack, etcd, number)
    live = shim_live, await _bare_live(etcd, number)
    say(f"a burst of {number} ports, as a backlog")
    with processors.used() as used_backlog:
        backlog = await _shim_backlog(stack, etcd, number)
    counted, recorded = await _bare_backlog(etcd, number)
    aim = Aim(least=0.5)
    return Section(
        f"{number:,} new ports through the shim",
        [
            rate_line("events, live", number / live[0], number / live[1], aim=aim, processor=used_live.each(number)),
            rate_line(
                "events, backlog", number / backlog, number / counted, aim=aim, processor=used_backlog.each(number)
            ),
            rate_line("events, backlog; the floor records too", number / backlog, number / recorded),
        ],
        notes=[NOTE],
    )


async def _burst(etcd: Client, number: int, prefix: bytes = b"") -> None:
    """New ports straight into etcd, one put each."""

    async def write(key: str) -> None:
        await etcd.put(prefix + keys.desired(samples.port_key(key)), samples.port_value(key))

    await drive(samples.new_keys(number), [write] * WRITERS)


async def _shim_live(stack: LocalStack, etcd: Client, number: int) -> float:
    before = await settled(stack.shim.health)
    began = time.monotonic()
    await _burst(etcd, number)
    await settled(stack.shim.health, before + number)
    return time.monotonic() - began


async def _bare_live(etcd: Client, number: int) -> float:
    [endpoint] = etcd.endpoints.hosts
    async with bare_process("count", endpoint, LIVE.decode(), str(number), "0") as counting:
        assert await counting.line() == READY
        began = time.monotonic()
        await _burst(etcd, number, LIVE)
        _, ended = map(float, (await counting.line()).split())
    return ended - began


async def _shim_backlog(stack: LocalStack, etcd: Client, number: int) -> float:
    before = await settled(stack.shim.health)
    stack.shim.freeze()
    try:
        await _burst(etcd, number)
    finally:
        began = time.monotonic()
        stack.shim.thaw()
    await settled(stack.shim.health, before + number)
    return time.monotonic() - began


async def _bare_backlog(etcd: Client, number: int) -> tuple[float, float]:
    """Seconds that counting takes, and those that counting and recording take."""
    [endpoint] = etcd.endpoints.hosts
    revision = (await etcd.status()).revision
    await _burst(etcd, number, BACKLOG)
    what = endpoint, BACKLOG.decode(), str(number), str(revision + 1)
    return await _replay("count", *what), await _replay("record", *what, RECORDS.decode())


async def _replay(*arguments: str) -> float:
    async with bare_process(*arguments) as process:
        assert await process.line() == READY
        began, ended = map(float, (await process.line()).split())
    return ended - began
