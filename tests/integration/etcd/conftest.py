"""Fixtures of the tests against real etcd processes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from gluon.etcd import Client, Endpoints
from gluon.testing.etcd import LocalEtcd
from gluon.testing.fixtures import local_etcd  # noqa: F401 - the fixture


@pytest_asyncio.fixture
async def client(local_etcd: LocalEtcd) -> AsyncIterator[Client]:  # noqa: F811 - how pytest passes it
    """A client of `local_etcd`, with a short timeout."""
    async with Client(Endpoints((local_etcd.endpoint,), timeout=2.0)) as etcd:
        yield etcd


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str, float], None]:
    """Prints how long a recovery took: what recovered, and `time.monotonic()` when the fault ended."""

    def show(what: str, since: float) -> None:
        with capsys.disabled():
            print(f"\n  recovered from {what} in {time.monotonic() - since:.2f} s", flush=True)

    return show
