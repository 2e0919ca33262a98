"""The wheel, installed as its users install it: in a fresh environment, without the checkout.

`make test-dist` builds it and says where it is; without that there is nothing to test.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

WHEEL = os.environ.get("GLUON_WHEEL", "")
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"

pytestmark = pytest.mark.skipif(not WHEEL, reason="make test-dist sets GLUON_WHEEL")


class Environment:
    """A virtual environment that has the wheel with some extras and nothing else."""

    def __init__(self, folder: Path, extras: str) -> None:
        self.folder = folder
        venv.create(folder / "venv", with_pip=True, symlinks=True)
        wanted = f"gluon-network[{extras}] @ file://{WHEEL}" if extras else WHEEL
        pip = ("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", str(CONSTRAINTS))
        done = self.run(*pip, wanted)
        assert done.returncode == 0, done.stderr

    @property
    def variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy") or "PIP" in name}
        path = f"{self.folder / 'venv/bin'}:/usr/bin:/bin"
        return {**kept, "PATH": path, "HOME": str(self.folder), "PYTHONUNBUFFERED": "1"}

    def command(self, program: str, *words: str) -> list[str]:
        return [str(self.folder / "venv/bin" / program), *words]

    def run(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(program, *words),
            cwd=self.folder, env=self.variables, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    @contextmanager
    def running(self, program: str, *words: str) -> Iterator[None]:
        log = self.folder / f"{program}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                self.command(program, *words), cwd=self.folder, env=self.variables, stdout=output, stderr=output
            )
        try:
            yield
            assert process.poll() is None, log.read_text()
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Environment:
    return Environment(tmp_path, request.param)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def answer(url: str) -> bytes:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return bytes(response.read())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.mark.parametrize("environment", [""], indirect=True)
def test_each_program_names_its_extra(environment: Environment) -> None:
    for program, extra in {
        "proton-server": "server", "proton-shim-server": "shim", "protonclient": "client", "gluon-manage": "server",
    }.items():  # fmt: skip
        done = environment.run(program, "--version")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.endswith(f"needs the extra `{extra}`: pip install 'gluon-network[{extra}]'\n")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("environment", ["server,client"], indirect=True)
def test_the_server_and_its_client(environment: Environment) -> None:
    port = str(free_port())
    conf = environment.folder / "proton.conf"
    conf.write_text(f"[api]\nport = {port}\n[database]\nconnection = sqlite:///{environment.folder}/gluon.db\n")
    with environment.running("proton-server", "--config-file", str(conf)):
        assert json.loads(answer(f"http://127.0.0.1:{port}/healthz")) == {"status": "ok"}
        assert b"<html" in answer(f"http://127.0.0.1:{port}/docs").lower()
        tenant = "8e0f9e5a-3c55-4d7e-9a35-0d6c1a5c7a11"
        made = environment.run(
            "protonclient", "--port", port, "port-create", "--mac_address", "fa:16:3e:00:00:01", "--tenant_id", tenant,
            "--name", "web",
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        assert "web" in environment.run("protonclient", "--port", port, "port-list").stdout
    assert environment.run("gluon-manage", "--version").stdout.startswith("gluon-manage ")
    new = environment.run("gluon-manage", "backend", "new", "acme")
    assert new.returncode == 0, new.stderr


@pytest.mark.parametrize("environment", ["shim"], indirect=True)
def test_the_shim(environment: Environment) -> None:
    port = str(free_port())
    conf = environment.folder / "proton-shim.conf"
    conf.write_text(f"[shim]\nhttp_port = {port}\nhandlers = net-l3vpn:net-l3vpn-dummy\n")
    with environment.running("proton-shim-server", "--config-file", str(conf)):
        assert json.loads(answer(f"http://127.0.0.1:{port}/healthz")) == {"status": "ok"}


@pytest.mark.parametrize("environment", ["sdk"], indirect=True)
def test_the_sdk(environment: Environment) -> None:
    done = environment.run("python", "-c", "import gluon.sdk; print(gluon.sdk.__file__)")
    assert str(environment.folder) in done.stdout, done.stderr


@pytest.mark.parametrize("environment", ["testing"], indirect=True)
def test_a_new_backend_passes_its_test(environment: Environment) -> None:
    assert environment.run("gluon-manage", "backend", "new", "acme").returncode == 0
    package = environment.folder / "gluon-acme"
    done = environment.run("python", "-m", "pytest", "-q", str(package))
    assert done.returncode == 0, done.stdout
