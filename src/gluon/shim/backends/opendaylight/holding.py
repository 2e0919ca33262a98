"""What OpenDaylight holds of ours, and in which words it would hold what is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from gluon.shim.backend import Held, Model, Object
from gluon.shim.backends.opendaylight import dialects, names, networks, peering, wanted
from gluon.shim.backends.opendaylight.discovery import Speech
from gluon.shim.backends.opendaylight.names import Mark
from gluon.shim.backends.opendaylight.options import Mode, Settings
from gluon.shim.backends.opendaylight.resources import Body, projected, text
from gluon.shim.backends.opendaylight.restconf import Restconf

_SERVICE, _BINDING = "VpnService", "VpnBinding"

TYPES = frozenset({_SERVICE, _BINDING, peering.PEERING, peering.TUNNEL})
"""What can be listed: a bound port and an interface are held as part of a VpnBinding, a VpnAfConfig of a VpnService."""


class Holdings(Struct, frozen=True):
    """All lists that something of ours may be in, by id or name."""

    networks: Mapping[str, Body]
    subnets: Mapping[str, Body]
    ports: Mapping[str, Body]
    vpns: Mapping[str, Body]
    """vpn-instances, or BGPVPNs."""
    vpn_instances: Mapping[str, Body]
    vpn_interfaces: Mapping[str, Body]
    interfaces: Mapping[str, Body]
    bgp: Body


async def read(restconf: Restconf, speech: Speech, mode: Mode) -> Holdings:
    """Asks for all of them; an error is raised, since a list that lacks something would say that it is gone."""
    instances, interfaces = dialects.instances(speech.dialect), dialects.interfaces(speech.dialect)
    containers = [networks.NETWORKS, networks.SUBNETS, networks.PORTS, instances, interfaces]
    containers += [networks.BGPVPNS] if mode is Mode.BGPVPN else []
    listed = await asyncio.gather(*(restconf.entries(container) for container in containers))
    bgp = await restconf.get(peering.BGP) or {}
    ports = _by(listed[2], "uuid")
    has_vlans = any(networks.member_of_port(body) == uuid for uuid, body in ports.items())
    genius = await restconf.entries(networks.INTERFACES) if has_vlans else []
    vpn_instances = _by(listed[3], "vpn-instance-name")
    return Holdings(
        networks=_by(listed[0], "uuid"),
        subnets=_by(listed[1], "uuid"),
        ports=ports,
        vpns=_by(listed[5], "uuid") if mode is Mode.BGPVPN else vpn_instances,
        vpn_instances=vpn_instances,
        vpn_interfaces=_by(listed[4], "name"),
        interfaces=_by(genius, "name"),
        bgp=bgp,
    )


def _by(entries: Iterable[Body], key: str) -> dict[str, Body]:
    return {str(each[key]): each for each in entries if key in each}


# -- as it is held ---------------------------------------------------------------------------------


def listed(held: Holdings, mode: Mode) -> list[Held]:
    """Each object of ours; what has no mark is nobody's business here."""
    return [*_vpns(held, mode), *_members(held, mode), *_notes(held)]


def _vpns(held: Holdings, mode: Mode) -> Iterable[Held]:
    marked = held.vpns.values() if mode is Mode.BGPVPN else held.networks.values()
    own = {vpn: body for body in marked if (vpn := networks.vpn_of_note(body))}
    unused = _unused(held)
    for vpn in sorted(own.keys() | unused.keys()):
        body = held.vpns.get(vpn)
        attributes = {"tenant_id": own[vpn].get("tenant-id")} if vpn in own else {}
        is_there = vpn in own and vpn in held.vpn_instances
        yield Held(_SERVICE, vpn, _vpn_text(mode, body, is_there, sorted(unused.get(vpn, ()))), attributes)


def _vpn_text(mode: Mode, body: Body | None, is_there: bool, unused: list[str]) -> str:  # noqa: FBT001
    name = "bgpvpn" if mode is Mode.BGPVPN else "vpn-instance"
    return text({"vpn": projected(name, body or {}), "is there": is_there, "unused": unused})


def _unused(held: Holdings) -> dict[str, set[str]]:
    """Networks and subnets of each VPN that no port uses."""
    used = {str(port.get("network-id")) for port in held.ports.values()}
    used |= {subnet for port in held.ports.values() for subnet in networks.subnets_of(port)}
    found: dict[str, set[str]] = {}
    for bodies, vpn_of in ((held.networks, networks.vpn_of_network), (held.subnets, networks.vpn_of_subnet)):
        for uuid, body in bodies.items():
            vpn = vpn_of(body)
            if vpn and uuid not in used:
                found.setdefault(vpn, set()).add(uuid)
    return found


def _members(held: Holdings, mode: Mode) -> Iterable[Held]:
    found: dict[str, list[Body]] = {}
    for port in held.ports.values():
        key = networks.member_of_port(port)
        if key:
            found.setdefault(key, []).append(port)
    for key, ports in found.items():
        [port, *more] = ports
        fingerprint = text("twice") if more else _held_member(held, mode, key, port)
        yield Held(_BINDING, key, fingerprint, _attributes(held, port))


def _held_member(held: Holdings, mode: Mode, key: str, port: Body) -> str:
    plug, subnets = port["uuid"], sorted(networks.subnets_of(port))
    network = held.networks.get(str(port.get("network-id")), {})
    return _member_text(
        mode,
        port=port,
        network=network,
        has_vni=networks.vni_of(network) is not None,
        subnets=[held.subnets.get(each, {}) for each in subnets],
        vpn_interface=held.vpn_interfaces.get(plug, {}),
        interface=held.interfaces.get(plug, {}) if plug == key else {},
    )


def _member_text(
    mode: Mode,
    *,
    port: Body,
    network: Body,
    has_vni: bool,
    subnets: list[Body],
    vpn_interface: Body,
    interface: Body,
) -> str:
    """A vpn-interface that netvirt makes is compared by its VPN alone: what else it has is netvirt's business."""
    own = dialects.vpns_of(vpn_interface) if mode is Mode.BGPVPN else projected("vpn-interface", vpn_interface)
    content: dict[str, Any] = {
        "port": projected("port", port),
        "network": projected("network", network),
        "has vni": has_vni,
        "subnets": [projected("subnet", each) for each in subnets],
        "vpn-interface": own,
        "interface": projected("interface", interface),
    }
    return text(content)


def _attributes(held: Holdings, port: Body) -> dict[str, Any]:
    """What a delete needs: the VPN, by the network that the port is on."""
    vpn = networks.vpn_of_network(held.networks.get(str(port.get("network-id")), {}))
    attributes = {"service_id": vpn, "tenant_id": port.get("tenant-id")}
    return {name: value for name, value in attributes.items() if value}


def _notes(held: Holdings) -> Iterable[Held]:
    for uuid, body in held.networks.items():
        mark = names.mark_of(body.get("name"))
        if mark and mark.key == uuid and mark.kind == peering.PEERING:
            own = peering.peering_in(mark)
            neighbor = peering.neighbors_in(held.bgp).get(own.peer, {}) if own else {}
            local_as = held.bgp.get("as-id", {}).get("local-as")
            fingerprint = _peering_text(mark, neighbor, local_as)
            yield Held(mark.kind, uuid, fingerprint, {"tenant_id": body.get("tenant-id")})
        elif mark and mark.key == uuid and mark.kind == peering.TUNNEL:
            yield Held(mark.kind, uuid, text(mark.more), {"tenant_id": body.get("tenant-id")})


def _peering_text(mark: Mark, neighbor: Body, local_as: object) -> str:
    return text({"note": mark.more, "neighbor": projected("neighbors", neighbor), "as": local_as})


# -- as it is wanted -------------------------------------------------------------------------------


def fingerprint(obj: Object, model: Model, speech: Speech, settings: Settings) -> str | None:
    """What `listed` gives for the object where it is held as it is wanted."""
    match obj.type:
        case "VpnService":
            vpn = wanted.vpn_of(obj, model, settings.rd_as)
            bgpvpn, instance = networks.bgpvpn(vpn), dialects.instance(speech.dialect, vpn.instance)
            body = bgpvpn.body if settings.mode is Mode.BGPVPN else instance.body
            return _vpn_text(settings.mode, body, is_there=True, unused=[])
        case "VpnBinding":
            member = wanted.found_member(obj, model)
            return _wanted_member(member, speech, settings.mode) if member else None
        case peering.PEERING:
            own = peering.peering_of(obj)
            neighbor = peering.neighbor(speech.dialect, own).body
            return _peering_text(Mark(obj.type, obj.key, own.details), neighbor, own.local_as)
        case peering.TUNNEL:
            return text(peering.tunnel_of(obj, settings.tunnel_type).details)
    return None


def _wanted_member(member: wanted.Member, speech: Speech, mode: Mode) -> str:
    vpn_interface = member.vpn_interface
    subnet = networks.subnet(member)
    return _member_text(
        mode,
        port=networks.port(member).body,
        network=networks.network(member).body,
        has_vni=True,
        subnets=[subnet.body] if subnet else [],
        vpn_interface=dialects.interface(speech.dialect, vpn_interface).body if vpn_interface else {},
        interface=networks.vlan_interface(member).body if member.vlan is not None else {},
    )
