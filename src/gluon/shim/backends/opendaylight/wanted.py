"""VPNs and their members as the model wants them, all references followed."""

from __future__ import annotations

import ipaddress

from msgspec import Struct

from gluon.shim.backend import Model, Object, Refused, RetryLater
from gluon.shim.backends.opendaylight import names
from gluon.shim.backends.opendaylight.dialects import Targets, VpnInstance, VpnInterface

_SERVICE, _BINDING = "VpnService", "VpnBinding"
_VLAN, _WHOLE = "vlan", "none"


class Vpn(Struct, frozen=True):
    """A VpnService."""

    instance: VpnInstance
    tenant: str
    """The project's id, with hyphens."""

    @property
    def key(self) -> str:
        """Of the VpnService."""
        return self.instance.name


class Member(Struct, frozen=True, kw_only=True):
    """A VpnBinding, with its interface and its port."""

    key: str
    """Of the VpnBinding, and so of the interface."""
    vpn: str
    tenant: str
    """The project's id, with hyphens."""
    port: str
    """The port's id, by which the switch knows it (`iface-id`)."""
    vlan: int | None
    """None: all of the port's traffic."""
    address: str | None
    """None: it takes no part in routing."""
    cidr: str | None
    gateway: str | None
    mac: str
    admin_state_up: bool
    device_id: str
    device_owner: str
    host: str
    vnic_type: str

    @property
    def plug(self) -> str:
        """The uuid of its Neutron port, and the name of its vpn-interface."""
        return self.port if self.vlan is None else self.key

    @property
    def network(self) -> str:
        """The uuid of its network."""
        return names.network(self.vpn, self.tenant)

    @property
    def subnet(self) -> str | None:
        """The uuid of its subnet."""
        return names.subnet(self.network, self.cidr) if self.cidr else None

    @property
    def vpn_interface(self) -> VpnInterface | None:
        """Its part in routing; None without an address."""
        if not self.address or not self.subnet:
            return None
        prefix = f"{self.address}/{ipaddress.ip_address(self.address).max_prefixlen}"
        return VpnInterface(self.plug, self.vpn, prefix, self.mac, self.subnet)


def vpn_of(service: Object, model: Model, rd_as: int) -> Vpn:
    """A VPN.

    Args:
        service: the VpnService.
        model: has its VpnAfConfigs.
        rd_as: AS number in the route distinguisher of a VPN without one.
    """
    distinguishers = tuple(filter(None, str(service["route_distinguishers"] or "").split(",")))
    instance = VpnInstance(
        name=service.key,
        distinguishers=distinguishers or (names.distinguisher(service.key, rd_as),),
        ipv4=_targets(service, "ipv4_family", model),
        ipv6=_targets(service, "ipv6_family", model) if service["ipv6_family"] else None,
    )
    return Vpn(instance, names.tenant(str(service["tenant_id"])))


def _targets(service: Object, family: str, model: Model) -> Targets:
    return {target.key: str(target["vrf_rt_type"]) for target in model.referenced(service, family)}


def member_of(binding: Object, model: Model) -> Member:
    """A member.

    Raises:
        RetryLater: its interface or its port is not there.
        Refused: netvirt has no such interface.
    """
    interface, port = model.interface_of(binding), model.port_of(binding)
    if interface is None or port is None:
        raise RetryLater(f"the interface of {binding.id} or its port is not there")
    address = binding["ipaddress"]
    return Member(
        key=binding.key,
        vpn=str(binding["service_id"]),
        tenant=names.tenant(str(binding["tenant_id"])),
        port=port.key,
        vlan=vlan_of(interface),
        address=str(address) if address else None,
        cidr=cidr_of(binding),
        gateway=gateway_of(binding, model),
        mac=str(port["mac_address"]),
        admin_state_up=bool(port["admin_state_up"]),
        device_id=str(port["device_id"] or ""),
        device_owner=str(port["device_owner"] or ""),
        host=str(port["host_id"] or ""),
        vnic_type=str(port["vnic_type"]),
    )


def vlan_of(interface: Object) -> int | None:
    """The VLAN of an interface; None: it has the port's whole traffic.

    Raises:
        Refused: it is told by something else.
    """
    kind = interface["segmentation_type"]
    if kind in (None, _WHOLE):
        return None
    if kind != _VLAN:
        raise Refused(f"netvirt tells the interfaces of a port by VLAN only, not by {kind}")
    return int(str(interface["segmentation_id"]))


def cidr_of(binding: Object) -> str | None:
    """The subnet of its address; without a prefix length the address alone."""
    address, length = binding["ipaddress"], binding["subnet_prefix"]
    if not address:
        return None
    whole = ipaddress.ip_address(str(address)).max_prefixlen
    return str(ipaddress.ip_network(f"{address}/{whole if length is None else length}", strict=False))


def gateway_of(binding: Object, model: Model) -> str | None:
    """Its own gateway, or the one that another binding names for the same subnet."""
    if binding["gateway"]:
        return str(binding["gateway"])
    named = [each for each in _others(binding, model) if each["gateway"] and _is_beside(each, binding)]
    return str(min(named, key=lambda each: each.key)["gateway"]) if named else None


def has_companion(binding: Object, model: Model) -> bool:
    """Whether another binding is in the same subnet of the same VPN and tenant."""
    return any(_is_beside(each, binding) for each in _others(binding, model))


def _others(binding: Object, model: Model) -> list[Object]:
    service = model.get(_SERVICE, str(binding["service_id"]))
    found = model.service_bindings_of(service) if service else []
    return [each for each in found if each.key != binding.key]


def _is_beside(one: Object, other: Object) -> bool:
    same = all(one[name] == other[name] for name in ("tenant_id", "subnet_prefix"))
    return same and cidr_of(one) == cidr_of(other)


def members_of(service: Object, model: Model) -> list[Member]:
    """The members of a VPN that can be there: their ports are bound."""
    return [member for each in model.service_bindings_of(service) if (member := found_member(each, model))]


def members_on(port: Object, model: Model) -> list[Member]:
    """The members of all VPNs that a port has."""
    return [member for each in model.service_bindings_of(port) if (member := found_member(each, model))]


def found_member(binding: Object, model: Model) -> Member | None:
    """A member; None if it can't be one, or its port is not bound."""
    try:
        member = member_of(binding, model)
    except (RetryLater, Refused):
        return None
    return member if member.host else None
