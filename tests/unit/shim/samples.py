"""Objects of the shipped models, named by small numbers."""

from __future__ import annotations

import uuid
from typing import Any

from gluon.contract.keys import ObjectKey
from gluon.contract.records import AppliedRecord, Bound
from gluon.models import catalog
from gluon.schema import Proton, conform
from gluon.shim.plan import Identity
from gluon.shim.state import Object

PROTONS = catalog.load([catalog.ALL])
L3VPN = PROTONS["net-l3vpn"]
SFC = PROTONS["ietf-sfc"]
TENANT = str(uuid.UUID(int=99))
OURS = Identity(controller="ours", hosts=frozenset({"host-1", "host-2"}))


def name(object_type: str, number: int, proton: Proton = L3VPN) -> ObjectKey:
    """The name of an object; interface 1 and the binding of interface 1 have the same key."""
    if object_type == "VpnAfConfig":
        return ObjectKey(proton.name, object_type, f"65000:{number}")
    space = {"VpnBinding": "Interface", "SfDataPlaneLocator": "Interface"}.get(object_type, object_type)
    return ObjectKey(proton.name, object_type, str(uuid.uuid5(uuid.NAMESPACE_OID, f"{space} {number}")))


def values(object_type: str, number: int, proton: Proton = L3VPN, **attributes: Any) -> dict[str, Any]:
    """The least attributes of an object, and those given."""
    key = name(object_type, number, proton)
    primary = proton.objects[object_type].primary_key.name
    least: dict[str, Any] = {primary: key.key, "tenant_id": TENANT}
    if object_type == "Port":
        least["mac_address"] = f"fa:16:3e:00:00:{number:02x}"
    if object_type == "Interface":
        least["port_id"] = name("Port", number, proton).key
    if object_type == "VpnAfConfig":
        least["vrf_rt_type"] = "both"
    if object_type == "BGPPeering":
        least |= {"local_ip_address": "10.0.0.1", "peer_ip_address": f"10.0.1.{number}", "as_number": 65000}
    return {**least, **attributes}


def sample(object_type: str, number: int, proton: Proton = L3VPN, *, revision: int = 1, **attributes: Any) -> Object:
    """The object as the shim holds it."""
    key = name(object_type, number, proton)
    type_ = proton.objects[object_type]
    given = values(object_type, number, proton, **attributes)
    return Object(key, type_.base, conform(type_, given, key.key), revision)


def port(number: int = 1, host: str | None = "host-1", *, revision: int = 1, **attributes: Any) -> Object:
    """A port that is to be bound on `host`; None for a port that is not to be bound."""
    device = "vm" if host else None
    return sample("Port", number, revision=revision, **{"host_id": host, "device_id": device, **attributes})


def vpn_binding(number: int = 1, vpn: int = 1, *, revision: int = 1, **attributes: Any) -> Object:
    """The binding of interface `number` to service `vpn`."""
    return sample("VpnBinding", number, revision=revision, service_id=name("VpnService", vpn).key, **attributes)


def applied(obj: Object, **members: Any) -> AppliedRecord:
    """The record of an object that has been applied."""
    return AppliedRecord(attributes=dict(obj.attributes), revision=obj.revision, **members)


def bound(obj: Object, vif_type: str = "ovs", token: str = "", **members: Any) -> AppliedRecord:
    """The record of a binding whose port has been bound."""
    return applied(obj, bound=Bound(vif_type=vif_type, token=token), **members)
