"""Content to be written, and whether what is held differs from it.

OpenDaylight answers with or without prefixes, lists in any order, and members that netvirt has added.
So what is compared is what this backend writes, without prefixes, lists sorted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from gluon.shim.backends.opendaylight.paths import Path

Body = Mapping[str, Any]

_WRITTEN: dict[str, frozenset[str]] = {
    "network": frozenset({"uuid", "name", "tenant-id", "admin-state-up", "network-type"}),
    "subnet": frozenset({"uuid", "name", "network-id", "tenant-id", "cidr", "gateway-ip", "ip-version", "enable-dhcp"}),
    "port": frozenset({
        "uuid", "name", "network-id", "tenant-id", "mac-address", "admin-state-up", "device-id", "device-owner",
        "fixed-ips", "host-id", "vnic-type", "vif-type", "port-security-enabled",
    }),
    "bgpvpn": frozenset({
        "uuid", "name", "tenant-id", "type", "admin-state-up", "route-distinguishers", "route-targets",
        "import-targets", "export-targets",
    }),
    "bgpvpn-network-association": frozenset({"uuid", "bgpvpn-id", "network-id"}),
    "trunk": frozenset({"uuid", "name", "tenant-id", "admin-state-up", "port-id", "sub-ports"}),
    "vpn-instance": frozenset({
        "vpn-instance-name", "ipv4-family", "ipv6-family", "route-distinguisher", "vpnTargets", "bgpvpn-type",
        "ip-address-family-configured",
    }),
    "vpn-interface": frozenset({"name", "vpn-instance-name", "vpn-instance-names", "adjacency"}),
    "interface": frozenset({"name", "type", "enabled", "l2vlan-mode", "vlan-id", "parent-interface"}),
    "neighbors": frozenset({"address", "remote-as"}),
    "as-id": frozenset({"local-as", "router-id"}),
}  # fmt: skip
"""The members that this backend writes, by the name of the list; others are not looked at."""

_IDENTITIES = {"network-type", "segmentation-type", "ip-version", "type"}
"""Members whose value may have a prefix."""


class Resource(Struct, frozen=True):
    """A list's entry, or a container, with all that it shall have."""

    path: Path
    body: Body

    @property
    def document(self) -> dict[str, Any]:
        """The body of its PUT."""
        name = f"{self.path.module}:{self.path.name}"
        return {name: [self.body] if self.path.is_entry else self.body}


def differs(held: Body | None, wanted: Resource) -> bool:
    """Whether it has to be written."""
    if held is None:
        return True
    name = wanted.path.name
    return projected(name, held) != projected(name, wanted.body)


def projected(name: str, body: Body) -> dict[str, Any]:
    """Of an entry of that list what this backend writes, canonical."""
    found: dict[str, Any] = canonical(body)
    written = _WRITTEN[name]
    found = {member: value for member, value in found.items() if member in written}
    if name == "vpn-interface" and "adjacency" in found:
        found["adjacency"] = [each for each in found["adjacency"] if _is_primary(each)]
    return found


def canonical(value: Any) -> Any:
    """Without prefixes and empty members, lists sorted."""
    if isinstance(value, Mapping):
        members = ((_local(name), item) for name, item in value.items())
        plain = {name: canonical(_local(item) if name in _IDENTITIES else item) for name, item in members}
        return {name: item for name, item in sorted(plain.items()) if item not in (None, [], {})}
    if isinstance(value, list | tuple):
        return sorted(map(canonical, value), key=text)
    return value


def text(value: Any) -> str:
    """As a fingerprint has it: JSON in one order."""
    return msgspec.json.encode(value, order="deterministic").decode()


def _is_primary(adjacency: Mapping[str, Any]) -> bool:
    """Not one that netvirt has learnt, or made of a route."""
    return bool(adjacency.get("adjacency_type", "primary-adjacency") == "primary-adjacency")


def _local(value: Any) -> Any:
    return value.rpartition(":")[2] if isinstance(value, str) else value
