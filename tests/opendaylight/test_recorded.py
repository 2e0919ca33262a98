"""The real one answers as tests/standins/opendaylight/recorded says it does."""

from __future__ import annotations

import os

import pytest

from lab.controller import OpenDaylight
from standins.opendaylight.exchanges import SCENARIOS, Scenario
from standins.opendaylight.playing import FLAVOURS, Player, record, recorded, write

RECORD = "GLUON_RECORD"
"""Environment variable that makes `test_recorded` write what it hears, instead of comparing."""


@pytest.mark.timeout(900)
@pytest.mark.skipif(RECORD not in os.environ, reason=f"records only with {RECORD}=1")
def test_record(empty_controller: OpenDaylight):
    write(record(empty_controller.url))


@pytest.fixture(scope="module")
def emptied(opendaylight: OpenDaylight) -> OpenDaylight:
    """It has nothing that other tests have left, which could answer as well."""
    opendaylight.kill()
    opendaylight.wipe()
    opendaylight.start()
    return opendaylight


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_recorded(emptied: OpenDaylight, flavour: str, scenario: Scenario):
    answers = Player(emptied.url, flavour).play([scenario])

    assert answers[scenario.name] == recorded()[flavour][scenario.name]
