"""The stand-in answers as a real OpenDaylight did: Neon's recorded answers, request by request."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from . import StandIn
from .exchanges import SCENARIOS, Scenario
from .playing import FLAVOURS, Answer, Player, recorded

pytestmark = pytest.mark.opendaylight

WORDED_BY_JAVA = "error-message"
WRITTEN_LATER = "mac-timeout"
"""netvirt adds it to an elan-instance a moment after it has made it."""


def answers_of_stand_in(flavour: str, scenario: Scenario) -> dict[str, Answer]:
    """Netvirt has followed before each exchange, so that nothing needs to be waited for."""
    answers = {}
    with StandIn(delay=0.001) as odl:
        player = Player(odl.url, flavour, pace=0)
        for exchange in scenario.exchanges:
            odl.settle()
            answers[exchange.name] = player.send(exchange)
    return answers


def comparable(answer: Answer) -> Any:
    kept = copy.deepcopy(answer)
    _leave_out(kept["body"])
    return kept


def _leave_out(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _leave_out(item)
    elif isinstance(value, dict):
        for name in (WORDED_BY_JAVA, WRITTEN_LATER):
            value.pop(name, None)
        _leave_out(list(value.values()))


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_answers_as_neon_did(flavour: str, scenario: Scenario) -> None:
    real = recorded()[flavour][scenario.name]
    own = answers_of_stand_in(flavour, scenario)
    for exchange in scenario.exchanges:
        if not exchange.chancy:
            assert comparable(own[exchange.name]) == comparable(real[exchange.name]), exchange.name
