"""Kinds of addresses: which of the addresses that a format takes a network can have in a certain place.

Belongs here: what a single address says of itself.  How an address lies in its subnet is in
`gluon.schema.subnets`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from types import MappingProxyType

from gluon.schema.formats import Mismatch

UNICAST = "unicast"
"""One machine's: what an interface, a peer or the end of a tunnel can have."""
MULTICAST = "multicast"
"""A group's."""

KINDS = (UNICAST, MULTICAST)
"""The values of an attribute's `address`."""

ADDRESS_FORMATS = ("ipv4", "ipv6", "ip", "ip-list", "mac")
"""The formats whose attributes may say which kind of address they take."""

_GROUP_BIT = 1
_IPV4_COMPATIBLE = range(2**32)
"""`::` and `::1` are among them, and are told before."""

_EXPECTED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        UNICAST: MappingProxyType({"ip": "the address of one machine", "mac": "the address of one network card"}),
        MULTICAST: MappingProxyType({"ip": "the address of a group", "mac": "the address of a group"}),
    }
)


def expected(kind: str, format_name: str) -> str:
    """What the kind adds to `expected ...` of the format."""
    return _EXPECTED[kind]["mac" if format_name == "mac" else "ip"]


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
        return "the unspecified address" if text == "0.0.0.0" else "no machine's: 0.0.0.0/8 is reserved"  # noqa: S104
    if first == 127:  # noqa: PLR2004 - 127.0.0.0/8
        return "a loopback address"
    if 224 <= first <= 239:  # noqa: PLR2004 - 224.0.0.0/4
        return "a multicast address"
    if text == "255.255.255.255":
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


def _multicast_ip(text: str) -> None:
    if not ipaddress.ip_address(text).is_multicast:
        raise Mismatch(f"{text} is no multicast address")


def is_link_local(text: str) -> bool:
    """Whether a canonical address holds on its link only; one to a gateway that need not lie in the subnet."""
    return text.startswith("169.254.") or (":" in text and ipaddress.IPv6Address(text).is_link_local)


_CHECKS: Mapping[tuple[str, str], Callable[[str], None]] = MappingProxyType(
    {
        (UNICAST, "ip"): _unicast_ip,
        (UNICAST, "mac"): _unicast_mac,
        (MULTICAST, "ip"): _multicast_ip,
        (MULTICAST, "mac"): _multicast_mac,
    }
)
