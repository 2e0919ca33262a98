"""A real OpenDaylight for the tests in this folder: `make test-odl` (docs/reference/opendaylight.md)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from lab import isolation
from lab.assembly import get
from lab.controller import OpenDaylight

LOG_END = 6000
"""Characters of OpenDaylight's log that a failed test shows."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Outside of a network of its own, OpenDaylight would be open to everybody."""
    if not isolation.inside():
        for item in items:
            if "tests/opendaylight" in item.path.as_posix():
                item.add_marker(pytest.mark.skip(reason="needs a network of its own: make test-odl"))


@pytest.fixture(scope="session")
def opendaylight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenDaylight]:
    """The only instance: its ports are fixed, and a start takes most of a minute."""
    directory = tmp_path_factory.mktemp("opendaylight")
    controller = OpenDaylight(get(), directory / "karaf")
    yield controller
    controller.kill()
    shutil.rmtree(directory)  # 150 MB, which pytest would keep for three runs


@pytest.fixture
def controller(opendaylight: OpenDaylight) -> OpenDaylight:
    """It runs, with whatever the tests before have left; a test that needs it empty says `empty_controller`."""
    opendaylight.start()
    return opendaylight


@pytest.fixture
def empty_controller(opendaylight: OpenDaylight) -> OpenDaylight:
    """It runs, and has never been told anything."""
    opendaylight.kill()
    opendaylight.wipe()
    opendaylight.start()
    return opendaylight


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Beside a failure stand the ends of the logs of OpenDaylight and of Gluon's servers."""
    report = yield
    given = getattr(item, "funcargs", {})
    for running in given.values() if report.failed else ():
        report.sections += list(getattr(running, "logs", {}).items())
    controller = given.get("opendaylight")
    if report.failed and controller is not None:
        report.sections.append(("OpenDaylight's log, its end", controller.log[-LOG_END:]))
    return report
