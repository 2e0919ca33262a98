"""Measures Gluon on this machine, each measure beside its floor (docs/reference/performance.md)."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop
from rich.console import Console

from benchmark import audits, comparison, rest_api, shim_events, start_up
from benchmark.bare_server import bare_server
from benchmark.report import Section, show
from gluon.etcd import Client, Endpoints
from gluon.testing.process import ProcessFailed
from gluon.testing.stack import LocalStack

NARROWEST = 100
"""Columns that the table needs."""
console = Console(highlight=False)
console.width = max(console.width, NARROWEST)


@dataclass(frozen=True)
class Amounts:
    """How much is measured."""

    ports: Mapping[int, int]
    """Ports that are created and bound, by the number of clients."""
    burst: int
    """Ports of one burst of events."""
    audited: int
    """Ports that are bound before an audit; ten times as many are there for it."""
    first: int
    """Objects at a shim's first start, which applies all of them."""
    objects: int
    """Objects at a shim's start that finds them applied."""


FULL = Amounts(ports={1: 200, 8: 500, 50: 1000}, burst=5_000, audited=50, first=10_000, objects=100_000)
QUICK = Amounts(ports={1: 10, 8: 16, 50: 50}, burst=200, audited=2, first=200, objects=400)


async def measure(directory: Path, amounts: Amounts, say: Callable[[str], None]) -> Sequence[Section]:
    """Measures everything, one after the other."""
    with LocalStack(directory / "stack") as stack:
        async with Client(Endpoints((stack.etcd.endpoint,))) as etcd, bare_server(directory / "stack", etcd) as bare:
            requests = await rest_api.measure(stack, bare, amounts.ports, say)
            events = await shim_events.measure(stack, etcd, amounts.burst, say)
            audit = await audits.measure(stack, amounts.audited, say)
    starts = await start_up.measure(directory / "start-up", amounts.first, amounts.objects, say)
    return [*requests, events, audit, *starts]


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; returns 1 when a server or a request failed."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few of everything: shows that it works, says nothing")
    parser.add_argument("--directory", type=Path, help="where data is written (default: the system's for such)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keeps the run, to be compared with another")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="shows it beside a run that --json kept")
    options = parser.parse_args(argv)
    try:
        other = comparison.read(options.compare) if options.compare else None
    except comparison.NotComparable as error:
        parser.error(str(error))
    amounts, began = QUICK if options.quick else FULL, time.monotonic()

    def say(what: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:4.0f} s  {what}[/]")

    with tempfile.TemporaryDirectory(prefix="gluon-bench-", dir=options.directory) as directory:
        try:
            sections = uvloop.run(measure(Path(directory), amounts, say))
        except ProcessFailed as error:
            console.print(f"The benchmark failed: {error}", style="red", markup=False)
            return 1
    console.print()
    show(console, sections)
    if other is not None:
        comparison.show(console, sections, other, str(options.compare))
    if options.json:
        comparison.write(options.json, sections)
    console.print(f"All of it in {time.monotonic() - began:.0f} s.")
    return 1 if any(section.failures for section in sections) else 0


if __name__ == "__main__":
    sys.exit(main())
