from __future__ import annotations

import json
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


BEFORE = {"events, live": {"ratio": 0.25, "processor": 1.5}, "gone by now": {"ratio": 1.0}}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that `--json` writes."""
    return tmp_path_factory.mktemp("bench") / "run.json"


@pytest.fixture(scope="module")
def printed(kept: Path) -> str:
    before = kept.with_name("before.json")
    before.write_text(json.dumps(BEFORE))
    options = ["--quick", "--json", str(kept), "--compare", str(before)]
    run = subprocess.run(
        [sys.executable, str(BENCH), *options], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stderr == ""
    return run.stdout


def cells(printed: str, what: str, table: int = 0) -> list[str]:
    """A line of one of the tables: measures, processor, comparison."""
    rows = [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in printed.splitlines() if "│" in line]
    return [row for row in rows if row[0] == what][table]


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


@pytest.mark.parametrize(("what", "processes"), [("create, 50 clients", 3), ("bind, 50 clients, binds/s", 3)])
def test_the_processor_time_of_each_process_is_shown(printed: str, what: str, processes: int) -> None:
    _, *spent, total = cells(printed, what, table=1)
    assert len(spent) == processes
    assert float(total) == pytest.approx(sum(map(float, spent)), abs=0.02)
    assert float(total) > 0


def test_a_run_is_shown_beside_one_that_was_kept(printed: str, kept: Path) -> None:
    _, ratio, before, change, _, processor, _ = cells(printed, "events, live", table=2)
    assert (before, processor) == ("0.25x", "1.50 ms")
    assert re.fullmatch(r"[+-]\d+ %", change)
    assert json.loads(kept.read_text())["events, live"]["ratio"] == pytest.approx(number(ratio, "x"), abs=0.01)


def test_what_is_no_run_can_not_be_compared(tmp_path: Path) -> None:
    (tmp_path / "no-run").write_text("[1]")
    command = [sys.executable, str(BENCH), "--compare", str(tmp_path / "no-run")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert run.returncode == 2
    assert "no-run: " in run.stderr
    assert "expected what `--json` writes" in run.stderr
