from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "tools" / "bench.py"
PATIENCE = 110

RATES = [
    *(f"create, {clients}" for clients in ("1 client", "8 clients", "50 clients")),
    *(f"bind, {clients}, binds/s" for clients in ("1 client", "8 clients", "50 clients")),
    "events, live",
    "events, backlog",
    "events, backlog; the floor records too",
]
LATENCIES = [
    f"bind, {clients}, {percent}"
    for clients in ("1 client", "8 clients", "50 clients")
    for percent in ("p50", "p95", "p99")
]
LATENCIES += [f"bind during an audit, {percent}" for percent in ("p50", "p95", "p99")]
STARTS = {
    "start: in sync and settled": "s",
    "start: peak memory": "MiB",
    "first start: in sync and settled": "s",
    "first start: peak memory": "MiB",
}
UNITS = {**dict.fromkeys(RATES, "/s"), **dict.fromkeys(LATENCIES, "ms"), **STARTS}


@pytest.fixture(scope="module")
def printed() -> str:
    run = subprocess.run(
        [sys.executable, str(BENCH), "--quick"], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
    return run.stdout


def cells(printed: str, what: str) -> list[str]:
    rows = [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in printed.splitlines() if "│" in line]
    [row] = [row for row in rows if row[0] == what]
    return row


def number(cell: str, unit: str) -> float:
    assert cell.endswith(unit), cell
    return float(cell.removesuffix(unit).replace(",", ""))


@pytest.mark.parametrize(("what", "unit"), UNITS.items())
def test_every_measure_stands_beside_its_floor(printed: str, what: str, unit: str) -> None:
    _, measured, floor, ratio, _ = cells(printed, what)
    assert number(measured, unit) > 0
    assert number(floor, unit) > 0
    assert number(ratio, "x") > 0


@pytest.mark.parametrize(
    ("what", "aim"),
    [
        ("bind, 1 client, p50", "<= 3x"),
        ("bind during an audit, p50", "<= 2x"),
        ("events, live", ">= 0.5x"),
        ("events, backlog", ">= 0.5x"),
    ],
)
def test_an_aim_is_shown_with_whether_it_holds(printed: str, what: str, aim: str) -> None:
    *_, shown = cells(printed, what)
    assert re.fullmatch(f"{re.escape(aim)} (held|missed)", shown)


def test_no_request_fails(printed: str) -> None:
    _, failed, *_, aim = cells(printed, "requests that failed, of all")
    assert (failed, aim) == ("0", "0 held")


def test_the_original_is_named_for_comparison(printed: str) -> None:
    assert "The original of 2017" in printed
