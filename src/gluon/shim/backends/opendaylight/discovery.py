"""Finds out which RESTCONF an OpenDaylight speaks, and which models of VPNs it has."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from msgspec import Struct

from gluon.shim.backends.opendaylight import errors
from gluon.shim.backends.opendaylight.errors import ModelsMissing, Reply, Unreachable
from gluon.shim.backends.opendaylight.options import Dialect, Flavour, Settings
from gluon.shim.backends.opendaylight.restconf import Connection

_LISTS = {
    Flavour.DRAFT02: ("/restconf/modules", {}),
    Flavour.RFC8040: ("/rests/data/ietf-yang-library:modules-state", {"content": "nonconfig"}),
}
"""Where each flavour lists the models."""

_PROBES = (
    (Dialect.E, "l3vpn-instances-interfaces:vpn-instances/vpn-instance/gluon/bgpvpn-type"),
    (Dialect.D, "l3vpn-instances-interfaces:vpn-instances/vpn-instance/gluon/ipv4-family"),
    (Dialect.C, "l3vpn:vpn-interfaces/vpn-interface/gluon/vpn-instance-names/gluon"),
    (Dialect.B2, "l3vpn:vpn-interfaces/vpn-interface/gluon/odl-l3vpn:adjacency/gluon/adjacency_type"),
    (Dialect.B1, "l3vpn:vpn-instances/vpn-instance/gluon/l3vni"),
    (Dialect.A, "l3vpn:vpn-instances/vpn-instance/gluon/ipv4-family"),
)
"""What a dialect has and the older ones of the same module lack: draft-02 answers 400 to a URL with
a name that is not in the models, and 404 or 409 where there are only no such data."""

_SPLIT = "l3vpn-instances-interfaces"
_SINCE_ALUMINIUM_SR1 = "neutron-bgpvpn-network-association"
_SINCE_CARBON = "neutron-trunks"


class Speech(Struct, frozen=True):
    """How an OpenDaylight is to be spoken to."""

    flavour: Flavour
    dialect: Dialect
    has_associations: bool
    """A BGPVPN's networks are objects of their own (Aluminium from SR1 on)."""
    has_trunks: bool
    """Neutron's trunks are there (from Carbon on)."""

    @property
    def one_at_a_time(self) -> bool:
        """Neon's `/rests` fails when two requests are made at once; Aluminium's does not."""
        return self.flavour is Flavour.RFC8040 and self.dialect is not Dialect.E


async def discover(connection: Connection, settings: Settings) -> Speech:
    """Asks for what the options leave open.

    Raises:
        Unreachable: it can't be asked, or not yet.
        NotPermitted: it does not let the user ask.
        ModelsMissing: it has no netvirt.
    """
    found: dict[Flavour, set[str]] = {}
    for flavour in (settings.flavour,) if settings.flavour else tuple(Flavour):
        modules = await _modules(connection, flavour, settings.user)
        if modules is not None:
            found[flavour] = modules
            break
    if not found and settings.flavour is Flavour.RFC8040:
        # A reduced Aluminium answered 409 to its own list.
        modules = await _modules(connection, Flavour.DRAFT02, settings.user)
        found = {} if modules is None else {Flavour.RFC8040: modules}
    if not found:
        raise Unreachable(f"{settings.url} answers, but lists no models: is OpenDaylight starting?")
    [(flavour, modules)] = found.items()
    dialect = settings.dialect or await _dialect(connection, settings, flavour, modules)
    return Speech(flavour, dialect, _SINCE_ALUMINIUM_SR1 in modules, _SINCE_CARBON in modules)


async def _modules(connection: Connection, flavour: Flavour, user: str) -> set[str] | None:
    """The names of the models; None: this flavour is not spoken."""
    path, query = _LISTS[flavour]
    answer = await connection.request("GET", path, query=query)
    if isinstance(answer, Reply):
        if answer.is_absent or answer.is_unknown_element:
            return None
        raise errors.failure(answer, f"GET {path}", user)
    content: Any = next(iter(answer.values()), {}) if isinstance(answer, dict) else {}
    return {str(each.get("name")) for each in content.get("module", [])}


async def _dialect(connection: Connection, settings: Settings, flavour: Flavour, modules: Collection[str]) -> Dialect:
    candidates = candidates_of(modules)
    if not candidates:
        raise ModelsMissing(
            f"OpenDaylight at {settings.url} has no models of VPNs: the backend needs the l3vpn models, which are in "
            "OpenDaylight Aluminium or older with the feature odl-netvirt-openstack"
        )
    if flavour is Flavour.DRAFT02:
        for dialect, path in _PROBES:
            if dialect in candidates and await _has(connection, path, settings.user):
                return dialect
    return candidates[0]


def candidates_of(modules: Collection[str]) -> tuple[Dialect, ...]:
    """The dialects that have these models, the most likely first; the old module is listed in new releases too."""
    if "neutron" not in modules or not {"l3vpn", _SPLIT} & set(modules):
        return ()
    if _SPLIT in modules:
        return (Dialect.E,) if _SINCE_ALUMINIUM_SR1 in modules else (Dialect.D, Dialect.E)
    if _SINCE_CARBON not in modules:
        return (Dialect.A,)
    return (Dialect.C, Dialect.B2, Dialect.B1)


async def _has(connection: Connection, path: str, user: str) -> bool:
    answer = await connection.request("GET", f"/restconf/config/{path}")
    if not isinstance(answer, Reply) or answer.is_absent:
        return True
    if answer.is_unknown_element:
        return False
    raise errors.failure(answer, f"GET {path}", user)
