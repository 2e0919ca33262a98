"""`make demo` and `make dev`: they do what they promise, end, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from gluon.testing.waiting import until

TOOLS = Path(__file__).parents[2] / "tools"
DEMO_TIMEOUT = 90.0
"""Generous: how long it takes is the machine's business."""


def _left_running(mark: str) -> list[psutil.Process]:
    """Processes that name something in this directory, or work in it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and mark in " ".join([process.cwd(), *process.cmdline()]):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_the_demo_shows_the_main_job_and_leaves_nothing(tmp_path: Path) -> None:
    # Everything that it starts has its files below the temporary directory.
    done = subprocess.run(
        [sys.executable, TOOLS / "demo.py"],
        cwd=tempfile.gettempdir(),
        env={**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=DEMO_TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    for shown in ('"vif_type": "ovs"', "bind_port", "unbind_port", "delete_port", "+ /proton/", "- /proton/"):
        assert shown in done.stdout, f"{shown} in:\n{done.stdout}"
    assert done.stderr == ""
    assert _left_running(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


@contextmanager
def _dev(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """`make dev`, with its data below `directory`."""
    process = subprocess.Popen(
        [sys.executable, "-u", TOOLS / "dev.py"],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        if process.stdout:
            process.stdout.close()
        for left in _left_running(str(directory)):
            left.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_dev_serves_until_it_is_asked_to_end(tmp_path: Path, number: signal.Signals) -> None:
    with _dev(tmp_path) as process:
        assert process.stdout
        url = process.stdout.readline().split()[2]
        listed = httpx.get(url, timeout=10, trust_env=False).raise_for_status().json()
        assert [each["proton_service"] for each in listed["protons"]] == ["net-l3vpn"]
        assert {process.name() for process in _left_running(str(tmp_path))} >= {"etcd"}
        process.send_signal(number)
        output, _ = process.communicate(timeout=20)
        assert process.returncode == 0, output
        assert _left_running(str(tmp_path)) == []


def test_dev_ends_when_a_server_ends(tmp_path: Path) -> None:
    with _dev(tmp_path) as process:
        assert process.stdout
        process.stdout.readline()
        [server] = [
            each for each in _left_running(str(tmp_path)) if "proton-shim-server.conf" in " ".join(each.cmdline())
        ]
        server.kill()
        output, _ = process.communicate(timeout=20)
        assert "proton-shim-server ended with exit code -9" in output
        until(lambda: _left_running(str(tmp_path)) == [], "nothing is left running")
