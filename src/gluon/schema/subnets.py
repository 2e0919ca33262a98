"""How the attributes that describe one address in one subnet have to agree."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from msgspec import Struct

from gluon.schema.addresses import is_link_local
from gluon.schema.checks import Value, show
from gluon.schema.errors import Problem
from gluon.schema.formats import address_number

FAMILIES = {32: "IPv4", 128: "IPv6"}
"""By the width of an address in bits."""


class Subnet(Struct, frozen=True, kw_only=True):
    """Names the attributes that together describe one address in one subnet.

    The values must agree: the prefix length fits the address' family, the address is one that a host can
    have there, and the gateway is another address of the subnet.  A gateway may also be link-local; and
    where the subnet is one address (/32, /128), the gateway is necessarily outside it.
    """

    address: str
    prefix: str
    gateway: str

    @property
    def attributes(self) -> tuple[str, ...]:
        """The three."""
        return (self.address, self.prefix, self.gateway)

    @property
    def sentence(self) -> str:
        """The rule, for people."""
        return (
            f"{self.address} is an address that a host can have in the subnet which {self.prefix} gives, and "
            f"{self.gateway} is another one of the subnet; it may be link-local, and lies outside a /32 or /128"
        )


class _Net(Struct, frozen=True):
    """A subnet as numbers."""

    bits: int
    prefix: int
    first: int

    @classmethod
    def around(cls, text: str, prefix: int) -> _Net:
        bits, number = address_number(text)
        host_bits = bits - prefix
        return cls(bits, prefix, number >> host_bits << host_bits)

    @property
    def size(self) -> int:
        return 1 << (self.bits - self.prefix)

    def has(self, text: str) -> bool:
        return self.first <= address_number(text)[1] < self.first + self.size

    def no_host(self, text: str, *, router: bool) -> str:
        """Why a host (a router) can't have the address; empty: it can."""
        if self.size <= 2:  # noqa: PLR2004 - /31 and /127 link two hosts (RFC 3021, RFC 6164); /32 and /128 are one
            return ""
        place = address_number(text)[1] - self.first
        if place == 0 and self.bits == 32:  # noqa: PLR2004 - IPv4
            return "it is the address of the network"
        if place == 0 and not router:
            return "it is the anycast address of the subnet's routers"
        if place == self.size - 1 and self.bits == 32:  # noqa: PLR2004 - IPv6 has no broadcast
            return "it is the broadcast address"
        return ""

    def __str__(self) -> str:
        address = ipaddress.IPv4Address(self.first) if self.bits == 32 else ipaddress.IPv6Address(self.first)  # noqa: PLR2004
        return f"{address}/{self.prefix}"


def subnet_problems(subnet: Subnet, values: Mapping[str, Value]) -> list[Problem]:
    """The one thing that is wrong with them; empty: they agree, as far as they are set."""
    address, prefix, gateway = (values[name] for name in subnet.attributes)
    first = address if isinstance(address, str) else gateway
    if not isinstance(first, str):
        return []
    bits, _ = address_number(first)
    family = FAMILIES[bits]
    if isinstance(gateway, str) and address_number(gateway)[0] != bits:
        return [Problem(subnet.gateway, f"expected an {family} address as {first} is, got {show(gateway)}")]
    if address == gateway:
        return [Problem(subnet.gateway, f"expected another address than {subnet.address} has, got {show(gateway)}")]
    if not isinstance(prefix, int):
        return []
    if not 0 <= prefix <= bits:
        expected = f"at most {bits} for {family}" if prefix > bits else "0 or more"
        return [Problem(subnet.prefix, f"expected {expected}, got {prefix}")]
    net = _Net.around(first, prefix)
    return _address_problems(subnet, net, address) or _gateway_problems(subnet, net, gateway)


def _address_problems(subnet: Subnet, net: _Net, address: Value) -> list[Problem]:
    why = net.no_host(address, router=False) if isinstance(address, str) else ""
    message = f"expected an address of a host in {net}, got {show(address)}: {why}"
    return [Problem(subnet.address, message)] if why else []


def _gateway_problems(subnet: Subnet, net: _Net, gateway: Value) -> list[Problem]:
    if not isinstance(gateway, str):
        return []
    if not net.has(gateway):
        if net.size == 1 or is_link_local(gateway):
            return []
        return [Problem(subnet.gateway, f"expected an address inside {net}, got {show(gateway)}")]
    why = net.no_host(gateway, router=True)
    message = f"expected the address of a router in {net}, got {show(gateway)}: {why}"
    return [Problem(subnet.gateway, message)] if why else []
