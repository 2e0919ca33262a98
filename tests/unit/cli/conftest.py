from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from gluon.cli.app import main

from ..stand_in import (  # noqa: TID252 - tests are not installed, so it has no other name
    StandIn,
    answer_error,
    answer_raw,
    closed_port,
    environment,
    server,
)

__all__ = ["answer_error", "answer_raw", "closed_port", "environment", "server"]


@dataclass
class Result:
    """The outcome of one run of protonclient."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        return json.loads(self.out)


@pytest.fixture
def protonclient(server: StandIn, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs `protonclient` against the stand-in."""

    def run(*argv: str) -> Result:
        code = main(["--port", str(server.port), *argv])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def port(protonclient: Callable[..., Result], server: StandIn) -> str:
    """Key of a port; the requests that created it are forgotten."""
    result = protonclient(
        "port-create", "--mac_address", "c8:2a:14:04:43:80", "--tenant_id", "t", "--name", "p1", "--id", "p"
    )
    assert result.code == 0, result.err
    server.requests.clear()
    return "p"
