"""The shim's start with many objects, beside a process that only reads them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmark import samples
from benchmark.bare_process import bare_process
from benchmark.load import drive
from benchmark.measured_shim import peak_memory, settled
from benchmark.report import Line, Section
from gluon.contract import keys
from gluon.etcd import Client, Endpoints, Put
from gluon.testing.etcd import LocalEtcd
from gluon.testing.stack import LocalStack

NOTE = (
    "Start: from the start of the process. The floor lists the same keys, decodes and keeps them; that of the first "
    "start writes two records for each object as well, and calls no backend."
)
WRITERS = 4
PAIRS_AT_ONCE = 60
"""Ports with their interfaces in one transaction; etcd takes 128 operations."""
BARE_RECORDS = "/bench/records/"
PATIENCE = 300.0
ETCD_TIMEOUT = 60.0
"""A delete of all records takes etcd longer than a call of a server ever should."""


async def measure(directory: Path, number: int, say: Callable[[str], None]) -> Sequence[Section]:
    """Starts a shim on an etcd full of objects: first with none of them applied, then with all.

    Args:
        directory: for an etcd and a shim of their own.
        number: objects; half of them ports, half their interfaces.
        say: is told what goes on.
    """
    with LocalEtcd(directory / "etcd") as etcd:
        stack = LocalStack(directory, etcd=etcd)
        try:
            async with Client(Endpoints((etcd.endpoint,), timeout=ETCD_TIMEOUT)) as client:
                say(f"start-up: writing {number} objects into etcd")
                await _seed(client, number // 2)
                say(f"start-up with {number} objects, none applied")
                first_floor = await _bare("apply", etcd.endpoint, keys.PROTON.decode(), BARE_RECORDS)
                await client.delete_prefix(BARE_RECORDS.encode())
            first = await _start(stack, number)
            say(f"start-up with {number} objects, all applied")
            again = await _start(stack, number)
        finally:
            stack.shim.stop()
        applied = keys.applied_prefix("SimServer").decode()
        floor = await _bare("load", etcd.endpoint, keys.PROTON.decode(), applied)
    return (
        _section("Start", f"{number:,} objects, all applied", again, floor),
        _section("First start", f"{number:,} objects, none applied", first, first_floor),
    )


def _section(title: str, what: str, measured: tuple[float, float], floor: tuple[float, float]) -> Section:
    return Section(
        f"{title} of the shim, {what}",
        [
            Line(f"{title.lower()}: in sync and settled", "s", measured[0], floor[0]),
            Line(f"{title.lower()}: peak memory", "MiB", measured[1], floor[1]),
        ],
        notes=[NOTE],
    )


async def _seed(client: Client, pairs: int) -> None:
    async def write(start: int) -> None:
        amount = min(PAIRS_AT_ONCE, pairs - start)
        await client.txn([], [put for key in samples.new_keys(amount) for put in _pair(key)])

    await drive(range(0, pairs, PAIRS_AT_ONCE), [write] * WRITERS)


def _pair(key: str) -> tuple[Put, Put]:
    return (
        Put(keys.desired(samples.port_key(key)), samples.port_value(key)),
        Put(keys.desired(samples.interface_key(key)), samples.interface_value(key)),
    )


async def _start(stack: LocalStack, number: int) -> tuple[float, float]:
    """Seconds and MiB of one start."""
    stack.shim.stop()
    began = time.monotonic()
    stack.shim.start()
    await settled(stack.shim.health, number, patience=PATIENCE)
    return time.monotonic() - began, peak_memory(stack.shim.pid)


async def _bare(*arguments: str) -> tuple[float, float]:
    """Seconds and MiB of a process that only reads, or reads and writes."""
    began = time.monotonic()
    async with bare_process(*arguments) as process:
        await process.line()
        return time.monotonic() - began, peak_memory(process.pid)
