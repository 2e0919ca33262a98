"""Where the servers log to, as their command line says."""

from __future__ import annotations

import json
import subprocess

import pytest

from gluon.distribution import version
from gluon.testing.process import console_script
from gluon.testing.waiting import until


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("proton-server", "[api]\nport = 0\n[database]\nconnection = sqlite:///gluon.db\n"),
        ("proton-shim-server", "[shim]\nhttp_port = 0\n"),
    ],
)
def test_json_into_a_file(tmp_path, program, text):
    (tmp_path / "p.conf").write_text(text)
    log = tmp_path / "p.log"
    words = ["--config-dir", str(tmp_path), "--log-file", str(log), "--use-json", "--debug"]
    command = [console_script(program), *words]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            until(lambda: any(f"{program} ready" in line["message"] for line in lines(log)), "it is ready")
        finally:
            process.terminate()
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (0, b"", b"")
    assert {"time", "level", "logger", "message"} <= lines(log)[0].keys()


def test_why_it_did_not_start_is_in_the_file_too(tmp_path):
    (tmp_path / "p.conf").write_text("[database]\nconnection = sqlite:////nonexistent/gluon.db\n")
    log = tmp_path / "p.log"
    words = ["--config-file", str(tmp_path / "p.conf"), "--logfile", str(log)]
    done = subprocess.run(
        [console_script("proton-server"), *words], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert done.stderr.removeprefix("proton-server: ").strip() in log.read_text()


@pytest.mark.parametrize("program", ["proton-server", "proton-shim-server", "gluon-manage", "protonclient"])
def test_the_version(program):
    done = subprocess.run(
        [console_script(program), "--version"], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == f"{program} {version()}\n"
