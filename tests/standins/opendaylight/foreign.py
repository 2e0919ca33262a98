"""Objects of other users of the same OpenDaylight, which nobody else may touch."""

from __future__ import annotations

from typing import Any, TypeAlias

_TENANT = "f0000000-0000-4000-8000-00000000000a"
_NETWORK = "f0000000-0000-4000-8000-000000000001"
_SUBNET = "f0000000-0000-4000-8000-000000000002"
_PORT = "f0000000-0000-4000-8000-000000000003"
_GROUP = "f0000000-0000-4000-8000-000000000004"
_BGPVPN = "f0000000-0000-4000-8000-000000000005"
_ASSOCIATION = "f0000000-0000-4000-8000-000000000006"
INSTANCE = "f0000000-0000-4000-8000-000000000007"
"""A uuid: another name ends a thread of netvirt (Neon)."""
_NEIGHBOR = "198.51.100.99"

KEYS = frozenset({_NETWORK, _SUBNET, _PORT, _GROUP, _BGPVPN, _ASSOCIATION, INSTANCE, _NEIGHBOR})
"""Of the objects and of what netvirt makes of them."""


Placed: TypeAlias = tuple[tuple[str, ...], str, dict[str, Any]]
"""The containers (the first with its module), the list and the entry."""


def foreign_bodies(dialect: str, l3vpn: str, *, associations: bool) -> list[Placed]:
    """Everything, in an order in which netvirt drops nothing."""
    neutron = ("neutron:neutron",)
    association = {"uuid": _ASSOCIATION, "bgpvpn-id": _BGPVPN, "network-id": _NETWORK}
    associated = [((*neutron, "bgpvpn-network-associations"), "bgpvpn-network-association", association)]
    return [
        ((*neutron, "networks"), "network", _network()),
        ((*neutron, "subnets"), "subnet", _subnet()),
        ((*neutron, "security-groups"), "security-group", {"uuid": _GROUP, "name": "web", "tenant-id": _TENANT}),
        ((*neutron, "ports"), "port", _port()),
        ((*neutron, "bgpvpns"), "bgpvpn", _bgpvpn()),
        *(associated if associations else []),
        ((f"{l3vpn}:vpn-instances",), "vpn-instance", _instance(dialect)),
        (_neighbors(dialect), "neighbors", {"address": _NEIGHBOR, "remote-as": 64999}),
    ]


def without(held: Any) -> Any:
    """Of a configuration in canonical form what is not of them."""
    if not isinstance(held, dict):
        return held
    kept = {name: without(value) for name, value in held.items() if name not in KEYS}
    return {name: value for name, value in kept.items() if value != {} or held[name] == {}}


def only(held: Any) -> dict[str, Any]:
    """Of a configuration in canonical form what is of them."""
    if not isinstance(held, dict):
        return {}
    kept = {name: value if name in KEYS else only(value) for name, value in held.items()}
    return {name: value for name, value in kept.items() if value != {}}


def _network() -> dict[str, Any]:
    return {
        "uuid": _NETWORK,
        "name": "private",
        "tenant-id": _TENANT,
        "admin-state-up": True,
        "neutron-provider-ext:network-type": "neutron-networks:network-type-vxlan",
        "neutron-provider-ext:segmentation-id": "99",
    }


def _subnet() -> dict[str, Any]:
    return {
        "uuid": _SUBNET,
        "name": "private-v4",
        "tenant-id": _TENANT,
        "network-id": _NETWORK,
        "cidr": "10.99.0.0/24",
        "gateway-ip": "10.99.0.1",
        "ip-version": "neutron-constants:ip-version-v4",
    }


def _port() -> dict[str, Any]:
    return {
        "uuid": _PORT,
        "name": "web-1",
        "tenant-id": _TENANT,
        "network-id": _NETWORK,
        "mac-address": "fa:16:3e:99:00:01",
        "fixed-ips": [{"subnet-id": _SUBNET, "ip-address": "10.99.0.5"}],
        "security-groups": [_GROUP],
        "neutron-binding:host-id": "cmp9",
    }


def _bgpvpn() -> dict[str, Any]:
    return {
        "uuid": _BGPVPN,
        "name": "theirs",
        "tenant-id": _TENANT,
        "type": "neutron-bgpvpns:bgpvpn-type-l3",
        "route-distinguishers": ["64999:1"],
        "route-targets": ["64999:1"],
        "networks": [_NETWORK],
    }


def _instance(dialect: str) -> dict[str, Any]:
    distinguisher = "64999:2" if dialect == "A" else ["64999:2"]
    target = {"vrfRTValue": "64999:2", "vrfRTType": "both"}
    family = {"route-distinguisher": distinguisher, "vpnTargets": {"vpnTarget": [target]}}
    return {"vpn-instance-name": INSTANCE, **(family if dialect == "E" else {"ipv4-family": family})}


def _neighbors(dialect: str) -> tuple[str, ...]:
    return ("ebgp:bgp", "neighborsContainer") if dialect in {"D", "E"} else ("ebgp:bgp",)
