from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import StandIn
from .client import Client


@pytest.fixture
def odl() -> Iterator[StandIn]:
    """As Neon: dialect C, both flavours."""
    with StandIn(delay=0.005) as stand_in:
        yield stand_in


@pytest.fixture
def client(odl: StandIn) -> Iterator[Client]:
    with Client(odl.url) as speaking:
        yield speaking
