"""The stand-in does what is known of OpenDaylight."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from . import StandIn
from .client import Client

NETWORK = "22222222-2222-4222-8222-222222222222"
TENANT = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def odl() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture
def client(odl: StandIn) -> Iterator[Client]:
    with Client(odl.url) as speaking:
        yield speaking


def network(**members: Any) -> dict[str, Any]:
    return {"neutron:network": [{"uuid": NETWORK, "name": "n", "tenant-id": TENANT, **members}]}


def test_a_network_is_kept(client: Client) -> None:
    url = f"/restconf/config/neutron:neutron/networks/network/{NETWORK}"
    assert client.request("GET", url).status == 404
    assert client.request("PUT", url, network()).status == 201
    assert client.request("PUT", url, network()).status == 200
    assert client.request("GET", url).content == {"network": network()["neutron:network"]}
