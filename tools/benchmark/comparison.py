"""Two runs beside each other: what one version measured, and what another did."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmark.report import Line, Section

Run = Mapping[str, Mapping[str, float]]
"""By line: its ratio to the floor, and the processor milliseconds of an operation in all processes."""

RATIO, PROCESSOR = "ratio", "processor"


class NotComparable(Exception):
    """A file is no run that `--json` wrote; the message says why."""


def as_run(sections: Sequence[Section]) -> Run:
    """What of a run can be compared with another."""
    return {line.what: _values(line) for section in sections for line in section.lines}


def write(file: Path, sections: Sequence[Section]) -> None:
    """Keeps a run for later."""
    file.write_text(json.dumps(as_run(sections), indent=1) + "\n")


def read(file: Path) -> Run:
    """Reads a run.

    Raises:
        NotComparable: it is none.
    """
    try:
        run = json.loads(file.read_text())
        return {str(what): {str(name): float(value) for name, value in line.items()} for what, line in run.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise NotComparable(f"{file}: {error}; expected what `--json` writes") from error


def show(console: Console, sections: Sequence[Section], other: Run, name: str) -> None:
    """Prints each line's ratio to its floor in both runs, and its processor time."""
    table = Table(title=f"This run, and {name}", title_justify="left", pad_edge=False)
    table.add_column("what", overflow="fold", min_width=34)
    for column in ("ratio", "other", "change", "processor", "other", "change"):
        table.add_column(column, justify="right", no_wrap=True)
    for what, values in as_run(sections).items():
        before = other.get(what, {})
        table.add_row(what, *_cells(values, before, RATIO, "x"), *_cells(values, before, PROCESSOR, " ms"))
    console.print(table)


def _values(line: Line) -> dict[str, float]:
    found = {} if math.isnan(line.ratio) else {RATIO: line.ratio}
    return found | ({PROCESSOR: sum(line.processor.values())} if line.processor else {})


def _cells(now: Mapping[str, float], before: Mapping[str, float], name: str, unit: str) -> tuple[str, str, str]:
    new, old = now.get(name), before.get(name)
    change = f"{100 * (new / old - 1):+.0f} %" if new is not None and old else ""
    return _text(new, unit), _text(old, unit), change


def _text(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.2f}{unit}"
