"""Kinds of addresses: which of the addresses that a format takes a network can have in a certain place.

Belongs here: what a single address says of itself.  How an address lies in its subnet is in
`gluon.schema.subnets`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from types import MappingProxyType

from gluon.schema.formats import Mismatch, any_mac

UNICAST = "unicast"
"""One machine's: what an interface, a peer or the end of a tunnel can have."""
MULTICAST = "multicast"
"""A group's."""
SOURCE = "source"
"""What the source of a packet can be, for what matches packets: one machine, or one that has no address yet."""
DESTINATION = "destination"
"""What the destination of a packet can be: one machine, a group, or all machines of a link."""

KINDS = (UNICAST, MULTICAST, SOURCE, DESTINATION)
"""The values of an attribute's `address`."""

ADDRESS_FORMATS = ("ipv4", "ipv6", "ip", "ip-list", "mac")
"""The formats whose attributes may say which kind of address they take."""

_GROUP_BIT = 1
_UNSPECIFIED = ("0.0.0.0", "::")  # noqa: S104 - a value, not an address to listen on
_BROADCAST = "255.255.255.255"
_IPV4_COMPATIBLE = range(2**32)
"""`::` and `::1` are among them, and are told before."""

_EXPECTED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        UNICAST: MappingProxyType({"ip": "the address of one machine", "mac": "the address of one network card"}),
        MULTICAST: MappingProxyType({"ip": "the address of a group", "mac": "the address of a group"}),
        SOURCE: MappingProxyType({"ip": "the source of a packet", "mac": "the address of one network card"}),
        DESTINATION: MappingProxyType({"ip": "the destination of a packet", "mac": "broadcast included"}),
    }
)


def expected(kind: str, format_name: str) -> str:
    """What the kind adds to `expected ...` of the format."""
    return _EXPECTED[kind]["mac" if format_name == "mac" else "ip"]


def spelling(kind: str, format_name: str) -> Callable[[str], str] | None:
    """What canonicalises the texts of a kind of which the format itself refuses some; None: the format's own."""
    return any_mac if kind == DESTINATION and format_name == "mac" else None


def address_check(kind: str, format_name: str) -> Callable[[str], None]:
    """The check of a canonical text, which raises `Mismatch` for an address of another kind."""
    single: Callable[[str], None] = _CHECKS[kind, "mac" if format_name == "mac" else "ip"]
    if not format_name.endswith("-list"):
        return single

    def check(text: str) -> None:
        for item in text.split(",") if text else ():
            single(item)

    return check


def _is_group(mac: str) -> bool:
    return bool(int(mac[:2], 16) & _GROUP_BIT)


def _unicast_mac(mac: str) -> None:
    if _is_group(mac):
        raise Mismatch(f"{mac} is a multicast address, its first octet is odd")


def _multicast_mac(mac: str) -> None:
    if not _is_group(mac):
        raise Mismatch(f"{mac} is the address of one network card, its first octet is even")


def _unicast_ip(text: str) -> None:
    why = _no_machine_v6(text) if ":" in text else _no_machine_v4(text)
    if why:
        raise Mismatch(f"{text} is {why}")


# The first octet tells most of it, and costs a tenth of what `ipaddress` does: a shim reads 100,000 of them.
def _no_machine_v4(text: str) -> str:
    first = int(text[: text.index(".")])
    if first == 0:
        return "the unspecified address" if text in _UNSPECIFIED else "no machine's: 0.0.0.0/8 is reserved"
    if first == 127:  # noqa: PLR2004 - 127.0.0.0/8
        return "a loopback address"
    if 224 <= first <= 239:  # noqa: PLR2004 - 224.0.0.0/4
        return "a multicast address"
    if text == _BROADCAST:
        return "the broadcast address"
    return "no machine's: 240.0.0.0/4 is reserved" if first >= 240 else ""  # noqa: PLR2004


def _no_machine_v6(text: str) -> str:
    address = ipaddress.IPv6Address(text)
    if address.is_unspecified:
        return "the unspecified address"
    if address.is_loopback:
        return "a loopback address"
    if address.is_multicast:
        return "a multicast address"
    if address.ipv4_mapped is not None:
        return f"an IPv4 address in IPv6 spelling; write {address.ipv4_mapped}"
    return "an IPv4-compatible address, which RFC 4291 has withdrawn" if int(address) in _IPV4_COMPATIBLE else ""


def _is_multicast(text: str) -> bool:
    # An IPv4 group in IPv6 spelling is one to some versions of `ipaddress`, and to no network.
    return text.startswith("ff") if ":" in text else ipaddress.IPv4Address(text).is_multicast


def _multicast_ip(text: str) -> None:
    if not _is_multicast(text):
        raise Mismatch(f"{text} is no multicast address")


def _source_ip(text: str) -> None:
    if text not in _UNSPECIFIED:  # DHCP and duplicate address detection send from there.
        _unicast_ip(text)


def _destination_ip(text: str) -> None:
    if text != _BROADCAST and not _is_multicast(text):
        _unicast_ip(text)


def _destination_mac(_: str) -> None:
    """Every address: what a network card does not have, a group does, or all."""


def is_link_local(text: str) -> bool:
    """Whether a canonical address holds on its link only; one to a gateway that need not lie in the subnet."""
    return text.startswith("169.254.") or (":" in text and ipaddress.IPv6Address(text).is_link_local)


_CHECKS: Mapping[tuple[str, str], Callable[[str], None]] = MappingProxyType(
    {
        (UNICAST, "ip"): _unicast_ip,
        (UNICAST, "mac"): _unicast_mac,
        (MULTICAST, "ip"): _multicast_ip,
        (MULTICAST, "mac"): _multicast_mac,
        (SOURCE, "ip"): _source_ip,
        (SOURCE, "mac"): _unicast_mac,
        (DESTINATION, "ip"): _destination_ip,
        (DESTINATION, "mac"): _destination_mac,
    }
)
