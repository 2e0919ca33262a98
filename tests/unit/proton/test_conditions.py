from __future__ import annotations

import pytest
from starlette.requests import Request

from gluon.proton.api import conditions
from gluon.proton.storage import Stored

STORED = Stored(attributes={}, created_at="2026-01-01T00:00:00.000000Z", updated_at="2026-01-01T00:00:00.000000Z")
TAG = conditions.etag(STORED)


def holds(if_match: str) -> bool:
    headers = [(b"if-match", if_match.encode())]
    condition = conditions.of(Request({"type": "http", "headers": headers}))
    assert condition is not None
    return condition(STORED)


@pytest.mark.parametrize("text", [TAG, f'"a,b" , {TAG}', f'"other",{TAG},', "*", f"  {TAG}", "revision_number=1"])
def test_one_of_several_tags_is_enough(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize("text", ['"other"', '"', f'"{TAG}', f'{TAG} "b"', f"*, {TAG}", f"W/{TAG}", ","])
def test_what_can_not_be_read_or_is_another_state_does_not_hold(text: str) -> None:
    assert not holds(text)


def test_a_long_header_is_read_in_one_pass() -> None:
    assert not holds(',",",' * 200_000)
