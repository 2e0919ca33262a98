"""Answers are compared in one form."""

from __future__ import annotations

from standins.opendaylight.exchanges import SCENARIOS
from standins.opendaylight.playing import FLAVOURS, canonical, canonical_answer, recorded


def test_lists_have_an_order_and_drawn_numbers_are_not_compared():
    held = {"vpn-instance": [{"rd": ["b", "a"], "odl-l3vpn:vpn-id": 100015}]}

    assert canonical(held) == {"vpn-instance": [{"rd": ["a", "b"], "odl-l3vpn:vpn-id": "drawn"}]}


def test_of_an_error_its_type_tag_and_message_are_kept():
    error = {"error-type": "protocol", "error-tag": "x", "error-message": "Length@29431c05", "error-info": "at java"}

    kept = {"error-type": "protocol", "error-tag": "x", "error-message": "Length@drawn"}
    assert canonical({"errors": {"error": [error]}}) == {"errors": {"error": [kept]}}


def test_a_location_is_a_path():
    answer = canonical_answer(201, "http://127.0.0.1:8181/rests/data/x:y", "")

    assert answer == {"status": 201, "body": None, "location": "/rests/data/x:y"}


def test_every_exchange_is_recorded_under_a_name_of_its_own():
    for scenario in SCENARIOS:
        names = [exchange.name for exchange in scenario.exchanges]
        kept = [exchange.name for exchange in scenario.exchanges if not exchange.chancy]
        assert len(names) == len(set(names)), scenario.name
        for flavour in FLAVOURS:
            assert list(recorded()[flavour][scenario.name]) == kept
