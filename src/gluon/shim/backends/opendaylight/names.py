"""Ids and marks by which our objects in OpenDaylight are known again.

Neutron objects of ours have a name that begins with `gluon:`; what is marked otherwise is nobody's
business here.  An id follows from what it stands for, so that no book has to be kept.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Collection

from msgspec import Struct

MARK = "gluon:"
_NAMESPACE = uuid.UUID("2d0b7c0e-6a58-4a3e-9a0d-1f2f0a7c5e61")


class Mark(Struct, frozen=True):
    """What the name of an object says: `gluon:<kind> <key> ...`."""

    kind: str
    """`network`, `subnet`, `port`, `trunk`, `vpn`, `shim`, or a type of the model for a note."""
    key: str
    """What it is for: of a network and a subnet the VPN, of a port the interface."""
    more: tuple[str, ...] = ()

    def __str__(self) -> str:
        return MARK + " ".join((self.kind, self.key, *self.more))


def mark_of(name: object) -> Mark | None:
    """What a name says; None: not ours."""
    if not isinstance(name, str) or not name.startswith(MARK):
        return None
    kind, *rest = name.removeprefix(MARK).split(" ")
    return Mark(kind, rest[0], tuple(rest[1:])) if rest else None


def tenant(text: str) -> str:
    """The project's id with its hyphens, without which OpenDaylight takes none."""
    return str(uuid.UUID(text))


def network(vpn: str, of: str) -> str:
    """The network of a VPN's members of one tenant."""
    return _id("network", vpn, tenant(of))


def subnet(network_id: str, cidr: str) -> str:
    """A subnet of that network."""
    return _id("subnet", network_id, cidr)


def trunk(port: str) -> str:
    """The trunk of a port."""
    return _id("trunk", port)


def association(vpn: str, network_id: str) -> str:
    """The association of a BGPVPN with a network (Aluminium)."""
    return _id("association", vpn, network_id)


def shim(controller: str) -> str:
    """The note by which a shim sees that OpenDaylight has lost everything."""
    return _id("shim", controller)


def vni(network_id: str, allowed: range, taken: Collection[int]) -> int | None:
    """A network's VXLAN identifier: the first free one from where its id points to; None: all are taken."""
    start = zlib.crc32(network_id.encode()) % len(allowed)
    candidates = (allowed[(start + step) % len(allowed)] for step in range(len(allowed)))
    return next((each for each in candidates if each not in taken), None)


def distinguisher(vpn: str, as_number: int) -> str:
    """The route distinguisher of a VPN that has none: netvirt makes nothing of a BGPVPN without (RFC 4364 4.2)."""
    return f"{as_number}:{zlib.crc32(vpn.encode())}"


def _id(*parts: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "/".join(parts)))
