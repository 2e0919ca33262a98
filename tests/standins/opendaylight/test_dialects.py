"""What differs between the models of the releases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from . import DIALECTS, StandIn
from .client import Client
from .objects import PORT, VPN, instance, instances, module_of, vpn_interface, vpn_interfaces

pytestmark = pytest.mark.opendaylight


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def speaking(dialect: str) -> Iterator[Client]:
    with StandIn(dialect) as odl, Client(odl.url) as client:
        yield client


def test_each_takes_its_own(dialect: str, speaking: Client) -> None:
    assert speaking.put(instances(dialect) + VPN, instance(dialect)).status == 201
    assert speaking.put(vpn_interfaces(dialect) + PORT, vpn_interface(dialect)).status == 201


@pytest.mark.parametrize("other", DIALECTS)
def test_a_vpn_instance_of_another(dialect: str, speaking: Client, other: str) -> None:
    alike = {"A": "A", "B1": "B", "B2": "B", "C": "B", "D": "D", "E": "E"}
    body = _in_module(instance(other), dialect)
    taken = _is_like(alike, dialect, other)
    assert speaking.put(instances(dialect) + VPN, body).status == (201 if taken else 400)


@pytest.mark.parametrize("other", DIALECTS)
def test_a_vpn_interface_of_another(dialect: str, speaking: Client, other: str) -> None:
    body = _in_module(vpn_interface(other), dialect)
    alike = {"A": "A", "B1": "A", "B2": "B2", "C": "C", "D": "D", "E": "D"}
    # Without a prefix an adjacency is taken everywhere, with one not by the later dialects.
    taken = alike[dialect] == alike[other] or (dialect, other) in {("C", "D"), ("C", "E")}
    assert speaking.put(vpn_interfaces(dialect) + PORT, body).status == (201 if taken else 400)


def test_the_module_of_another(dialect: str, speaking: Client) -> None:
    later = dialect in {"D", "E"}
    path = f"{'l3vpn' if later else 'l3vpn-instances-interfaces'}:vpn-instances/vpn-instance={VPN}"
    assert speaking.put(path, instance(dialect)).status in {400, 404, 409}


@pytest.mark.parametrize("member", [{"type": "l3"}, {"l3vni": 0}, {"description": "ours"}])
def test_members_of_a_vpn_instance(dialect: str, speaking: Client, member: dict[str, Any]) -> None:
    without = {"type": {"A", "E"}, "l3vni": {"A"}, "description": {"E"}}[next(iter(member))]
    status = 400 if dialect in without else 201
    assert speaking.put(instances(dialect) + VPN, instance(dialect, **member)).status == status


def test_neighbors(dialect: str, speaking: Client) -> None:
    forms = {"neighbors": "ebgp:bgp/", "neighborsContainer": "ebgp:bgp/neighborsContainer/"}
    right = "neighborsContainer" if dialect in {"D", "E"} else "neighbors"
    body = {"ebgp:neighbors": [{"address": "192.0.2.2", "remote-as": 65001}]}
    for form, parent in forms.items():
        status = speaking.put(f"{parent}neighbors=192.0.2.2", body).status
        assert (status == 201) == (form == right)


def test_a_neighbor_needs_its_system(dialect: str, speaking: Client) -> None:
    parent = "neighborsContainer/" if dialect in {"D", "E"} else ""
    body = {"ebgp:neighbors": [{"address": "192.0.2.2"}]}
    assert speaking.put(f"ebgp:bgp/{parent}neighbors=192.0.2.2", body).status == 500


@pytest.mark.parametrize(
    "target",
    [
        {"vrfRTValue": "1:", "vrfRTType": "both"},
        {"vrfRTValue": "1" * 22, "vrfRTType": "both"},
        {"vrfRTValue": "65000:1", "vrfRTType": "sideways"},
        {"vrfRTType": "both"},
    ],
)
def test_targets_are_checked(dialect: str, speaking: Client, target: dict[str, str]) -> None:
    targets = {"vpnTargets": {"vpnTarget": [target]}}
    body = {"vpn-instance-name": VPN, **(targets if dialect == "E" else {"ipv4-family": targets})}
    path = instances(dialect) + VPN
    assert speaking.put(path, {f"{module_of(dialect)}:vpn-instance": [body]}).status == 400


def _in_module(body: dict[str, Any], dialect: str) -> dict[str, Any]:
    ((name, value),) = body.items()
    return {f"{module_of(dialect)}:{name.partition(':')[2]}": value}


def _is_like(alike: dict[str, str], dialect: str, other: str) -> bool:
    """D took over what B to C have, but for the name of the module."""
    families = {"B", "D"}
    return alike[dialect] == alike[other] or {alike[dialect], alike[other]} == families
