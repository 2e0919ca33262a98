"""vpn-instances and vpn-interfaces in the words of each release.

Sources: `l3vpn.yang` and `odl-l3vpn.yang` of Boron, Carbon, Oxygen and Sodium,
`l3vpn-instances-interfaces.yang` of Magnesium and Aluminium.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gluon.shim.backends.opendaylight.options import Dialect
from gluon.shim.backends.opendaylight.paths import Path
from gluon.shim.backends.opendaylight.resources import Body, Resource

Targets = Mapping[str, str]
"""Route targets: `both`, `import_extcommunity` or `export_extcommunity` by value."""

_BOTH = "both"
_SPLIT = (Dialect.D, Dialect.E)
_ONE_VPN = (Dialect.A, Dialect.B1, Dialect.B2)
_PRIMARY_IS_A_FLAG = (Dialect.A, Dialect.B1)

INSTANCE_DATA = Path.of("odl-l3vpn:vpn-instance-op-data")
"""What netvirt has made of vpn-instances: an entry for each, by one of its route distinguishers."""


class VpnInstance(Struct, frozen=True):
    """A VPN as netvirt has it."""

    name: str
    distinguishers: tuple[str, ...]
    ipv4: Targets
    ipv6: Targets | None
    """None: IPv6 has no targets of its own."""


class VpnInterface(Struct, frozen=True):
    """A member of a VPN as netvirt has it."""

    name: str
    """Of the genius interface, which is the uuid of the Neutron port."""
    vpn: str
    prefix: str
    """The address with /32 or /128."""
    mac: str
    subnet: str


def instances(dialect: Dialect) -> Path:
    """The container of all vpn-instances."""
    return Path.of(f"{_module(dialect)}:vpn-instances")


def interfaces(dialect: Dialect) -> Path:
    """The container of all vpn-interfaces."""
    return Path.of(f"{_module(dialect)}:vpn-interfaces")


def instance_path(dialect: Dialect, name: str) -> Path:
    """One vpn-instance."""
    return instances(dialect).to("vpn-instance", name)


def interface_path(dialect: Dialect, name: str) -> Path:
    """One vpn-interface."""
    return interfaces(dialect).to("vpn-interface", name)


def instance(dialect: Dialect, vpn: VpnInstance) -> Resource:
    """The vpn-instance.

    IPv4 is there even if it has no targets: without an `ipv4-family` netvirt fails with a
    NullPointerException (Neon).  Aluminium has no families: their targets are one set.
    """
    body: dict[str, Any] = {"vpn-instance-name": vpn.name}
    if dialect is Dialect.E:
        targets = united(vpn.ipv4, vpn.ipv6 or {})
        body |= _family(dialect, vpn.distinguishers, targets)
        body |= {"bgpvpn-type": "BGPVPN", "ip-address-family-configured": "ipv4-and-ipv6"}
    else:
        body["ipv4-family"] = _family(dialect, vpn.distinguishers, vpn.ipv4)
        if vpn.ipv6 is not None:
            body["ipv6-family"] = _family(dialect, vpn.distinguishers, vpn.ipv6)
    return Resource(instance_path(dialect, vpn.name), body)


def interface(dialect: Dialect, member: VpnInterface) -> Resource:
    """The vpn-interface."""
    prefix = "" if dialect in _SPLIT else "odl-l3vpn:"
    primary = {"primary-adjacency": True} if dialect in _PRIMARY_IS_A_FLAG else {"adjacency_type": "primary-adjacency"}
    adjacency = {"ip_address": member.prefix, "mac_address": member.mac, "subnet_id": member.subnet, **primary}
    vpn: dict[str, Any] = {"vpn-instance-name": member.vpn}
    if dialect not in _ONE_VPN:
        vpn = {"vpn-instance-names": [{"vpn-name": member.vpn, "associated-subnet-type": "V4AndV6Subnets"}]}
    return Resource(
        interface_path(dialect, member.name), {"name": member.name, **vpn, f"{prefix}adjacency": [adjacency]}
    )


def vpns_of(interface_body: Body) -> list[str]:
    """The VPNs that a vpn-interface is in, in any dialect."""
    if "vpn-instance-name" in interface_body:
        return [interface_body["vpn-instance-name"]]
    return [each["vpn-name"] for each in interface_body.get("vpn-instance-names", []) if "vpn-name" in each]


def distinguishers_of(instance_body: Body) -> list[str]:
    """The route distinguishers of a vpn-instance, in any dialect."""
    holders = [instance_body.get("ipv4-family"), instance_body.get("ipv6-family"), instance_body]
    found: dict[str, None] = {}
    for holder in holders:
        value = (holder or {}).get("route-distinguisher", [])
        found |= dict.fromkeys([value] if isinstance(value, str) else value)
    return list(found)


def united(one: Targets, other: Targets) -> Targets:
    """The targets of both families as one set: what one imports and the other exports is both."""
    found = dict(one)
    for value, kind in other.items():
        found[value] = kind if found.get(value, kind) == kind else _BOTH
    return found


def _module(dialect: Dialect) -> str:
    return "l3vpn-instances-interfaces" if dialect in _SPLIT else "l3vpn"


def _family(dialect: Dialect, distinguishers: tuple[str, ...], targets: Targets) -> dict[str, Any]:
    """Boron's models have one route distinguisher, a leaf; later ones have a leaf-list."""
    first, *_ = distinguishers
    listed = [{"vrfRTValue": value, "vrfRTType": kind} for value, kind in sorted(targets.items())]
    return {
        "route-distinguisher": first if dialect is Dialect.A else list(distinguishers),
        **({"vpnTargets": {"vpnTarget": listed}} if listed else {}),
    }
