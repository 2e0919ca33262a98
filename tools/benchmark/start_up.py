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
from gluon.contract.keys import ObjectKey
from gluon.etcd import Client, Endpoints, Put
from gluon.schema import ObjectType
from gluon.testing.etcd import LocalEtcd
from gluon.testing.stack import LocalStack

NOTE = (
    "Start: from the start of the process. The floor lists the same keys, decodes and keeps them; that of the first "
    "start writes two records for each object as well, and calls no backend."
)
CONTROLLER = "SimServer"
"""As the shim signs unless it is told otherwise."""
WRITERS = 4
PAIRS_AT_ONCE = 60
"""Ports with their interfaces in one transaction; etcd takes 128 operations."""
BARE_RECORDS = "/bench/records/"
PATIENCE = 120.0
ETCD_TIMEOUT = 60.0
"""A delete of all records takes etcd longer than a call of a server ever should."""


async def measure(directory: Path, first: int, number: int, say: Callable[[str], None]) -> Sequence[Section]:
    """Starts a shim twice: with objects that were never applied, then with more that all are.

    Args:
        directory: for an etcd and a shim of their own.
        first: objects at the first start; half of them ports, half their interfaces.
        number: objects at the other start, those of the first among them.
        say: is told what goes on.
    """
    with LocalEtcd(directory / "etcd") as etcd:
        stack = LocalStack(directory, etcd=etcd)
        desired, applied = keys.PROTON.decode(), keys.applied_prefix(CONTROLLER).decode()
        try:
            async with Client(Endpoints((etcd.endpoint,), timeout=ETCD_TIMEOUT)) as client:
                await _seed(client, first // 2, applied=False)
                say(f"first start with {first} objects")
                bare_first = await _bare("apply", etcd.endpoint, desired, BARE_RECORDS)
                await client.delete_prefix(BARE_RECORDS.encode())
                shim_first = await _start(stack, first)
                stack.shim.stop()
                say(f"writing {number} objects into etcd")
                await _seed(client, (number - first) // 2, applied=True)
            say(f"start with {number} objects")
            again = await _start(stack, number)
        finally:
            stack.shim.stop()
        floor = await _bare("load", etcd.endpoint, desired, applied)
    return (
        _section("Start", f"{number:,} objects, all applied", again, floor),
        _section("First start", f"{first:,} objects, none applied", shim_first, bare_first),
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


async def _seed(client: Client, pairs: int, *, applied: bool) -> None:
    """Ports and their interfaces into etcd, and what a shim that applied them recorded."""

    async def write(start: int) -> None:
        new = samples.new_keys(min(PAIRS_AT_ONCE, pairs - start))
        objects = [each for key in new for each in _pair(key)]
        done = await client.txn([], [Put(keys.desired(key), value) for _, key, value in objects])
        if applied:
            await client.txn([], [_record(*each, done.revision) for each in objects])

    await drive(range(0, pairs, PAIRS_AT_ONCE), [write] * WRITERS)


def _pair(key: str) -> tuple[tuple[ObjectType, ObjectKey, bytes], tuple[ObjectType, ObjectKey, bytes]]:
    return (
        (samples.PROTON.port, samples.port_key(key), samples.port_value(key)),
        (samples.PROTON.interface, samples.interface_key(key), samples.interface_value(key)),
    )


def _record(object_type: ObjectType, key: ObjectKey, value: bytes, revision: int) -> Put:
    return Put(keys.applied(CONTROLLER, key), samples.record(object_type, key.key, value, revision))


async def _start(stack: LocalStack, number: int) -> tuple[float, float]:
    """Seconds and MiB of one start."""
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
