"""What Neutron's part of OpenDaylight has to hold for the members of VPNs, and genius' interfaces."""

from __future__ import annotations

import ipaddress
from typing import Any

from gluon.shim.backends.opendaylight import names
from gluon.shim.backends.opendaylight.names import Mark
from gluon.shim.backends.opendaylight.options import MAX_VNI
from gluon.shim.backends.opendaylight.paths import Path
from gluon.shim.backends.opendaylight.resources import Body, Resource
from gluon.shim.backends.opendaylight.wanted import Member, Vpn

NEUTRON = Path.of("neutron:neutron")
NETWORKS = NEUTRON.to("networks")
SUBNETS = NEUTRON.to("subnets")
PORTS = NEUTRON.to("ports")
BGPVPNS = NEUTRON.to("bgpvpns")
ASSOCIATIONS = NEUTRON.to("bgpvpn-network-associations")
TRUNKS = NEUTRON.to("trunks")
INTERFACES = Path.of("ietf-interfaces:interfaces")
INTERFACE_STATES = Path.of("ietf-interfaces:interfaces-state")

_NETWORK, _SUBNET, _PORT, _TRUNK, _VPN = "network", "subnet", "port", "trunk", "vpn"


def network_path(uuid: str) -> Path:
    """One network."""
    return NETWORKS.to("network", uuid)


def subnet_path(uuid: str) -> Path:
    """One subnet."""
    return SUBNETS.to("subnet", uuid)


def port_path(uuid: str) -> Path:
    """One port."""
    return PORTS.to("port", uuid)


def interface_path(name: str) -> Path:
    """One interface of genius."""
    return INTERFACES.to("interface", name)


def bgpvpn_path(vpn: str) -> Path:
    """One BGPVPN."""
    return BGPVPNS.to("bgpvpn", vpn)


def association_path(vpn: str, network: str) -> Path:
    """The association of a BGPVPN with a network."""
    return ASSOCIATIONS.to("bgpvpn-network-association", names.association(vpn, network))


def trunk_path(port: str) -> Path:
    """The trunk of a port."""
    return TRUNKS.to("trunk", names.trunk(port))


def network(member: Member, vni: int | None = None) -> Resource:
    """The network of a VPN's members of one tenant.

    Args:
        member: one of them.
        vni: its VXLAN identifier; None: to be compared only, since any will do.
    """
    body: dict[str, Any] = {
        "uuid": member.network,
        "name": str(Mark(_NETWORK, member.vpn)),
        "tenant-id": member.tenant,
        "admin-state-up": True,
        "neutron-provider-ext:network-type": "neutron-networks:network-type-vxlan",
    }
    if vni is not None:
        body["neutron-provider-ext:segmentation-id"] = str(vni)
    return Resource(network_path(member.network), body)


def subnet(member: Member) -> Resource | None:
    """The subnet of a member; None without an address."""
    if member.subnet is None or member.cidr is None:
        return None
    body: dict[str, Any] = {
        "uuid": member.subnet,
        "name": str(Mark(_SUBNET, member.vpn)),
        "network-id": member.network,
        "tenant-id": member.tenant,
        "cidr": member.cidr,
        "ip-version": f"neutron-constants:ip-version-v{ipaddress.ip_network(member.cidr).version}",
        "enable-dhcp": False,
    }
    if member.gateway:
        body["gateway-ip"] = member.gateway
    return Resource(subnet_path(member.subnet), body)


def port(member: Member) -> Resource:
    """The port of a member, on its host.  netvirt leaves one without an address alone."""
    body: dict[str, Any] = {
        "uuid": member.plug,
        "name": str(Mark(_PORT, member.key)),
        "network-id": member.network,
        "tenant-id": member.tenant,
        "mac-address": member.mac,
        "admin-state-up": member.admin_state_up,
        "device-id": member.device_id,
        "device-owner": member.device_owner or "compute:None",
        "neutron-binding:host-id": member.host,
        "neutron-binding:vnic-type": member.vnic_type,
        "neutron-binding:vif-type": "ovs",
        "neutron-portsecurity:port-security-enabled": False,
    }
    if member.subnet:
        body["fixed-ips"] = [{"subnet-id": member.subnet, "ip-address": member.address}]
    return Resource(port_path(member.plug), body)


def bgpvpn(vpn: Vpn) -> Resource:
    """The BGPVPN of a VPN, without its networks.  It has one set of targets for both families."""
    instance = vpn.instance
    targets: dict[str, list[str]] = {"both": [], "import_extcommunity": [], "export_extcommunity": []}
    for family in (instance.ipv4, instance.ipv6 or {}):
        for value, kind in family.items():
            targets[kind].append(value)
    body = {
        "uuid": vpn.key,
        "name": str(Mark(_VPN, vpn.key)),
        "tenant-id": vpn.tenant,
        "type": "neutron-bgpvpns:bgpvpn-type-l3",
        "admin-state-up": True,
        "route-distinguishers": list(instance.distinguishers),
        "route-targets": sorted(set(targets["both"])),
        "import-targets": sorted(set(targets["import_extcommunity"])),
        "export-targets": sorted(set(targets["export_extcommunity"])),
    }
    return Resource(bgpvpn_path(vpn.key), {name: value for name, value in body.items() if value != []})


def association(vpn: str, network_id: str) -> Resource:
    """The association of a BGPVPN with a network (Aluminium)."""
    body = {"uuid": names.association(vpn, network_id), "bgpvpn-id": vpn, "network-id": network_id}
    return Resource(association_path(vpn, network_id), body)


def note(mark: Mark, uuid: str, tenant: str) -> Resource:
    """A network by which something is known to be ours.

    netvirt leaves a network without a provider's type alone, and Neutron's objects are the only ones
    that have a place for a mark in every release.
    """
    body = {"uuid": uuid, "name": str(mark), "tenant-id": tenant, "admin-state-up": False}
    return Resource(network_path(uuid), body)


def vpn_note(vpn: Vpn) -> Resource:
    """By which a vpn-instance is known to be ours."""
    return note(Mark(_VPN, vpn.key), vpn.key, vpn.tenant)


def trunk_with(port: str, tenant: str, sub_ports: list[Body]) -> Resource:
    """The trunk of a port, with the Neutron ports of its VLANs."""
    body = {
        "uuid": names.trunk(port),
        "name": str(Mark(_TRUNK, port)),
        "tenant-id": tenant,
        "admin-state-up": True,
        "port-id": port,
        "sub-ports": sub_ports,
    }
    return Resource(trunk_path(port), body)


def sub_port(member: Member) -> Body:
    """A VLAN's entry in the trunk."""
    return {
        "port-id": member.plug,
        "segmentation-type": "neutron-networks:network-type-vlan",
        "segmentation-id": member.vlan,
    }


def parent_interface(port: str) -> Resource:
    """The interface that carries VLANs; netvirt makes it for a port that is in a VPN as a whole."""
    body = {"name": port, "type": "iana-if-type:l2vlan", "enabled": True, "odl-interface:l2vlan-mode": "trunk"}
    return Resource(interface_path(port), body)


def vlan_interface(member: Member) -> Resource:
    """The interface of one VLAN."""
    body = {
        "name": member.plug,
        "type": "iana-if-type:l2vlan",
        "enabled": True,
        "odl-interface:l2vlan-mode": "trunk-member",
        "odl-interface:vlan-id": member.vlan,
        "odl-interface:parent-interface": member.port,
    }
    return Resource(interface_path(member.plug), body)


def parent_of(interface: Body) -> str | None:
    """The parent of an interface as it is held."""
    return interface.get("odl-interface:parent-interface") or interface.get("parent-interface")


def vni_of(body: Body) -> int | None:
    """The VXLAN identifier of a network as it is held."""
    text = str(body.get("neutron-provider-ext:segmentation-id") or body.get("segmentation-id") or "")
    return int(text) if text.isdecimal() and int(text) <= MAX_VNI else None


def vpn_of_network(body: Body) -> str | None:
    """The VPN of a network as it is held; None: not one of ours."""
    mark = names.mark_of(body.get("name"))
    return mark.key if mark and mark.kind == _NETWORK else None


def vpn_of_subnet(body: Body) -> str | None:
    """The VPN of a subnet as it is held; None: not one of ours."""
    mark = names.mark_of(body.get("name"))
    return mark.key if mark and mark.kind == _SUBNET else None


def vpn_of_note(body: Body) -> str | None:
    """The VPN of a note, or of a BGPVPN, as it is held; None: not one of ours."""
    mark = names.mark_of(body.get("name"))
    return mark.key if mark and mark.kind == _VPN and mark.key == body.get("uuid") else None


def member_of_port(body: Body) -> str | None:
    """The VpnBinding of a port as it is held; None: not one of ours."""
    mark = names.mark_of(body.get("name"))
    return mark.key if mark and mark.kind == _PORT else None


def subnets_of(port_body: Body) -> set[str]:
    """The subnets of a port as it is held."""
    return {each["subnet-id"] for each in port_body.get("fixed-ips", []) if "subnet-id" in each}


def addresses_of(port_body: Body) -> set[str]:
    """The addresses of a port as it is held."""
    return {each["ip-address"] for each in port_body.get("fixed-ips", []) if "ip-address" in each}
