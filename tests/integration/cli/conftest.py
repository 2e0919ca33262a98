"""`protonclient` as a user runs it, on the real servers and the dummy backend."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from gluon.cli.app import main
from gluon.testing.stack import LocalStack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Two protons; only the first has a backend, and only on the hosts compute-1 and compute-2."""
    proton = {"api": {"service_list": "net-l3vpn, ietf-sfc", "bind_timeout": 3}}
    shim = {"shim": {"host_list": "compute-1, compute-2"}}
    with LocalStack(tmp_path_factory.mktemp("stack"), proton=proton, shim=shim) as running:
        yield running


@dataclass
class Result:
    """The outcome of one run of protonclient."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.out)


@pytest.fixture
def run(
    stack: LocalStack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Runs `protonclient` on net-l3vpn."""
    monkeypatch.setenv("OS_PROTON_HOST", "127.0.0.1")
    monkeypatch.setenv("OS_PROTON_PORT", stack.url.rpartition(":")[2])
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
