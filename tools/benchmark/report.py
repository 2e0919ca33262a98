"""What is measured, as lines of one table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmark.load import Load

ORIGINAL = (
    "The original of 2017 on such a machine: create + binding 24/s; bind p50 41-66 ms; 30 binds/s at 8 clients; "
    "connections reset at 50."
)


@dataclass(frozen=True)
class Aim:
    """A bound on the ratio of measured to floor."""

    most: float = math.inf
    least: float = 0.0

    def __str__(self) -> str:
        return f"<= {self.most:g}x" if self.most < math.inf else f">= {self.least:g}x"

    def holds(self, ratio: float) -> bool:
        """Whether the ratio is within the bound."""
        return self.least <= ratio <= self.most


@dataclass(frozen=True)
class Line:
    """One measured value beside its floor."""

    what: str
    unit: str
    """`ms`, `s`, `/s` or `MiB`."""
    measured: float
    floor: float
    aim: Aim | None = None
    processor: Mapping[str, float] = field(default_factory=dict)
    """Processor milliseconds of one operation, by process; empty: not measured."""

    @property
    def ratio(self) -> float:
        """Measured over floor: of times and memory less is better, of rates more."""
        return self.measured / self.floor if self.floor else math.nan


@dataclass(frozen=True)
class Section:
    """Lines that were measured together."""

    title: str
    lines: Sequence[Line]
    failures: Sequence[str] = ()
    """Why requests failed, one entry a request."""
    notes: Sequence[str] = ()


def latency_lines(what: str, measured: Load, floor: Load, *, p50: Aim | None = None) -> list[Line]:
    """p50, p95 and p99 of two loads, in ms."""
    return [
        Line(f"{what}, p{percent}", "ms", 1000 * measured.percentile(percent), 1000 * floor.percentile(percent), aim)
        for percent, aim in ((50, p50), (95, None), (99, None))
    ]


def rate_line(
    what: str, measured: float, floor: float, *, aim: Aim | None = None, processor: Mapping[str, float] | None = None
) -> Line:
    """Two rates per second, and what an operation cost."""
    return Line(what, "/s", measured, floor, aim, processor or {})


def show(console: Console, sections: Sequence[Section]) -> None:
    """Prints the table, what it leaves out, and the failures."""
    table = Table(title="Gluon, each measure beside its floor", title_justify="left", pad_edge=False)
    table.add_column("what", overflow="fold", min_width=34)
    for column in ("measured", "floor", "ratio", "aim"):
        table.add_column(column, justify="right", no_wrap=True)
    for section in sections:
        table.add_row(Text(section.title, "bold"))
        for line in section.lines:
            table.add_row(*_cells(line))
        table.add_section()
    table.add_row("requests that failed, of all", *_failed(sections))
    console.print(table)
    _show_processor(console, [line for section in sections for line in section.lines if line.processor])
    for note in _once(note for section in sections for note in section.notes):
        console.print(f"- {note}")
    console.print(f"- {ORIGINAL}")
    for failure in _once(failure for section in sections for failure in section.failures):
        console.print(Text(f"failed: {failure}", "red"))


def _show_processor(console: Console, lines: Sequence[Line]) -> None:
    names = list(_once(name for line in lines for name in line.processor))
    table = Table(title="Processor milliseconds of one operation", title_justify="left", pad_edge=False)
    table.add_column("what", overflow="fold", min_width=34)
    for name in (*names, "all"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        spent = [line.processor.get(name) for name in names]
        cells = ["" if each is None else f"{each:.2f}" for each in spent]
        table.add_row(line.what, *cells, f"{sum(line.processor.values()):.2f}")
    console.print(table)


def _cells(line: Line) -> tuple[str | Text, ...]:
    aim = Text("")
    if line.aim is not None:
        held = line.aim.holds(line.ratio)
        aim = Text(f"{line.aim} {'held' if held else 'missed'}", "green" if held else "red")
    ratio = "" if math.isnan(line.ratio) else f"{line.ratio:.2f}x"
    return f"  {line.what}", _number(line.measured, line.unit), _number(line.floor, line.unit), ratio, aim


def _failed(sections: Sequence[Section]) -> tuple[str, str, str, Text]:
    failed = sum(len(section.failures) for section in sections)
    aim = Text("0 missed", "red") if failed else Text("0 held", "green")
    return f"{failed}", "", "", aim


def _number(value: float, unit: str) -> str:
    if math.isnan(value):
        return "n/a"
    digits = 0 if value >= 1000 or unit in ("/s", "MiB") else 2  # noqa: PLR2004 - digits that mean something
    return f"{value:,.{digits}f} {unit}" if unit != "/s" else f"{value:,.{digits}f}/s"


def _once(texts: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys(texts)
