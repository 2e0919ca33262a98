"""A real proton-server on a real etcd, and `protonclient` as a user runs it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gluon.client.app import main
from gluon.contract import keys
from gluon.testing.etcd import LocalEtcd

READY_TIMEOUT = 30.0

CONFIGURATION = """
[api]
host = 127.0.0.1
port = 0
service_list = net-l3vpn, ietf-sfc
bind_timeout = 3
etcd_host = 127.0.0.1
etcd_port = {etcd_port}

[database]
connection = sqlite:///{database}
"""


@dataclass
class Stack:
    """The running server and its etcd."""

    port: int
    etcd: LocalEtcd
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("stack")
    with LocalEtcd(directory / "etcd") as etcd:
        etcd_port = int(etcd.endpoint.rpartition(":")[2])
        configuration = directory / "proton.conf"
        configuration.write_text(CONFIGURATION.format(etcd_port=etcd_port, database=directory / "gluon.db"))
        log = directory / "proton-server.log"
        command = [sys.executable, "-c", "import sys; from gluon.proton.app import main; sys.exit(main())"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--config-file", str(configuration)], stdout=output, stderr=subprocess.STDOUT
            )
        try:
            yield Stack(_ready_port(process, log), etcd, process)
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)
                raise


def _ready_port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + READY_TIMEOUT
    while time.monotonic() < deadline:
        text = log.read_text()
        if found := re.search(r"ready: http://127\.0\.0\.1:(\d+)", text):
            return int(found[1])
        if process.poll() is not None:
            break
        time.sleep(0.05)
    pytest.fail(f"proton-server did not get ready:\n{log.read_text()}")


@dataclass
class Result:
    """What one run of protonclient left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.out)


@pytest.fixture
def run(stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs `protonclient` on net-l3vpn."""
    monkeypatch.setenv("OS_PROTON_HOST", "127.0.0.1")
    monkeypatch.setenv("OS_PROTON_PORT", str(stack.port))
    monkeypatch.setenv("OS_PROTON_API", "net-l3vpn")

    def run_(*argv: str) -> Result:
        code = main(list(argv))
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run_


@pytest.fixture
def do(run: Callable[..., Result]) -> Callable[..., dict[str, object]]:
    """Runs a command that must succeed; returns the object that it shows."""

    def do_(*argv: str) -> dict[str, object]:
        result = run(*argv, "-f", "json")
        assert (result.code, result.err) == (0, "")
        return result.json

    return do_


@pytest.fixture
def answering(stack: Stack) -> Iterator[Callable[[str, dict[str, object]], None]]:
    """Answers, as a shim would, the bind of one port as soon as etcd says that it is asked for."""
    threads: list[threading.Thread] = []

    def answer(port: str, binding: dict[str, object]) -> None:
        thread = threading.Thread(target=_answer_bind, args=(stack.etcd, port, binding), daemon=True)
        thread.start()
        threads.append(thread)

    yield answer
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()


def _answer_bind(etcd: LocalEtcd, port: str, binding: dict[str, object]) -> None:
    key = keys.ObjectKey("net-l3vpn", "Port", port)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = etcd.call("kv/range", key=_base64(keys.desired(key))).get("kvs", [])
        attributes = json.loads(base64.b64decode(found[0]["value"])) if found else {}
        if attributes.get("host_id"):
            revision = int(found[0]["mod_revision"])
            answer = {"controller": "test", "revision": revision, "host_id": attributes["host_id"], **binding}
            etcd.call("kv/put", key=_base64(keys.answer(key)), value=_base64(json.dumps(answer).encode()))
            return
        time.sleep(0.02)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
