"""The models of each dialect: which members there are, of which type, in which module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from . import yang
from .yang import Container, Leaf, LeafList, List, Node, boolean, enumeration, identity, integer, string

L3VPN, L3VPN_SPLIT = "l3vpn", "l3vpn-instances-interfaces"
"""The module of vpn-instances up to Sodium, and from Magnesium."""

_uint64 = integer(0, (1 << 64) - 1)
_NETWORK_TYPE = identity(
    "neutron-networks", "network-type-flat", "network-type-vlan", "network-type-vxlan", "network-type-gre"
)
_IP_VERSION = identity("neutron-constants", "ip-version-v4", "ip-version-v6")
_DHCPV6 = identity("neutron-constants", "dhcpv6-off", "dhcpv6-slaac", "dhcpv6-stateful", "dhcpv6-stateless")
_TUNNEL_TYPE = identity(
    "odl-interface", "tunnel-type-vxlan", "tunnel-type-gre", "tunnel-type-mpls-over-gre", "tunnel-type-vxlan-gpe"
)
_TARGET = string(3, 21)
_VPN_NAME = string(1)  # the YANG says 1..40; the real one takes 41 all the same


@dataclass(frozen=True)
class Schema:
    """What one OpenDaylight knows."""

    top: Mapping[str, Node]
    """By name with the module's prefix."""
    rpcs: Mapping[str, Container]
    """The input of each, by name with the module's prefix."""
    modules: Mapping[str, str]
    """Revisions by names."""
    l3vpn: str
    """The module of vpn-instances and vpn-interfaces."""

    @property
    def associations(self) -> bool:
        """Whether networks are associated with BGPVPNs by objects of their own."""
        return "neutron-bgpvpn-network-association" in self.modules


# -- Neutron -----------------------------------------------------------------------------------------

_BASE: dict[str, Node] = {
    "uuid": Leaf(yang.uuid),
    "name": Leaf(),
    "tenant-id": Leaf(yang.uuid),
    "project-id": Leaf(string(0, 255)),
    "revision-number": Leaf(_uint64),
}
_ADMIN: dict[str, Node] = {**_BASE, "admin-state-up": Leaf(boolean), "status": Leaf()}


def _provider() -> dict[str, Node]:
    module = "neutron-provider-ext"
    plain: dict[str, Node] = {
        "physical-network": Leaf(),
        "network-type": Leaf(_NETWORK_TYPE),
        "segmentation-id": Leaf(),
    }
    segment: dict[str, Node] = {**plain, "segmentation-index": Leaf(integer())}
    return {
        "physical-network": Leaf(module=module),
        "network-type": Leaf(_NETWORK_TYPE, module=module),
        "segmentation-id": Leaf(module=module),
        "segments": List(("segmentation-index",), segment, module=module),
    }


def _networks() -> Container:
    return _listed(
        "network",
        {
            **_ADMIN,
            **_provider(),
            "shared": Leaf(boolean),
            "vlan-transparent": Leaf(boolean),
            "external": Leaf(boolean, module="neutron-L3-ext"),
        },
    )


def _subnets() -> Container:
    pool: dict[str, Node] = {"start": Leaf(), "end": Leaf()}
    route: dict[str, Node] = {"destination": Leaf(), "nexthop": Leaf(yang.ip_address)}
    return _listed(
        "subnet",
        {
            **_BASE,
            "network-id": Leaf(yang.uuid),
            "ip-version": Leaf(_IP_VERSION),
            "cidr": Leaf(),
            "gateway-ip": Leaf(yang.ip_address),
            "dns-nameservers": LeafList(yang.ip_address),
            "ipv6-address-mode": Leaf(_DHCPV6),
            "ipv6-ra-mode": Leaf(_DHCPV6),
            "allocation-pools": List(("start",), pool),
            "host-routes": List(("destination",), route),
            "enable-dhcp": Leaf(boolean),
        },
    )


def _ports() -> Container:
    binding, details = "neutron-binding", {"details-key": Leaf(), "value": Leaf()}
    return _listed(
        "port",
        {
            **_ADMIN,
            "network-id": Leaf(yang.uuid),
            "mac-address": Leaf(yang.mac_address),
            "device-id": Leaf(),
            "device-owner": Leaf(),
            "security-groups": LeafList(yang.uuid),
            "fixed-ips": List(
                ("subnet-id", "ip-address"), {"subnet-id": Leaf(yang.uuid), "ip-address": Leaf(yang.ip_address)}
            ),
            "allowed-address-pairs": List(
                ("mac-address", "ip-address"), {"mac-address": Leaf(yang.mac_address), "ip-address": Leaf()}
            ),
            "host-id": Leaf(module=binding),
            "vif-type": Leaf(module=binding),
            "vnic-type": Leaf(module=binding),
            "vif-details": List(("details-key",), details, module=binding),
            "profile": Container({"capabilities": LeafList()}, module=binding),
            "port-security-enabled": Leaf(boolean, module="neutron-portsecurity"),
        },
    )


def _bgpvpns() -> Container:
    return _listed(
        "bgpvpn",
        {
            **_ADMIN,
            "type": Leaf(identity("neutron-bgpvpns", "bgpvpn-type-l2", "bgpvpn-type-l3")),
            "technique": Leaf(),
            "route-targets": LeafList(),
            "import-targets": LeafList(),
            "export-targets": LeafList(),
            "route-distinguishers": LeafList(),
            "vnid": Leaf(integer()),
            "auto-aggregate": Leaf(boolean),
            "networks": LeafList(yang.uuid),
            "routers": LeafList(yang.uuid),
        },
    )


def _associations() -> Container:
    return _listed(
        "bgpvpn-network-association", {**_ADMIN, "bgpvpn-id": Leaf(yang.uuid), "network-id": Leaf(yang.uuid)}
    )


def _trunks() -> Container:
    sub_port: dict[str, Node] = {
        "port-id": Leaf(yang.uuid),
        "segmentation-type": Leaf(_NETWORK_TYPE),
        "segmentation-id": Leaf(integer()),
    }
    return _listed("trunk", {**_ADMIN, "port-id": Leaf(yang.uuid), "sub-ports": List(("port-id",), sub_port)})


def _security() -> dict[str, Node]:
    rule: dict[str, Node] = {
        **_BASE,
        "direction": Leaf(identity("neutron-constants", "direction-ingress", "direction-egress")),
        "ethertype": Leaf(identity("neutron-constants", "ethertype-v4", "ethertype-v6")),
        "security-group-id": Leaf(yang.uuid),
        "remote-group-id": Leaf(yang.uuid),
        "remote-ip-prefix": Leaf(),
        "protocol": Leaf(),
        "port-range-min": Leaf(integer(0, 65535)),
        "port-range-max": Leaf(integer(0, 65535)),
    }
    return {"security-groups": _listed("security-group", _BASE), "security-rules": _listed("security-rule", rule)}


def _listed(name: str, children: Mapping[str, Node]) -> Container:
    return Container({name: List(("uuid",), children)})


def _neutron(dialect: str, *, associations: bool) -> Container:
    children: dict[str, Node] = {
        "networks": _networks(),
        "subnets": _subnets(),
        "ports": _ports(),
        "bgpvpns": _bgpvpns(),
        **_security(),
    }
    if dialect != "A":  # trunks came with Carbon
        children["trunks"] = _trunks()
    if associations:
        children["bgpvpn-network-associations"] = _associations()
    return Container(children)


# -- VPNs --------------------------------------------------------------------------------------------

_TARGETS = Container(
    {
        "vpnTarget": List(
            ("vrfRTValue",),
            {
                "vrfRTValue": Leaf(_TARGET, mandatory=True),
                "vrfRTType": Leaf(
                    enumeration("import_extcommunity", "export_extcommunity", "both"),
                    mandatory=True,
                ),
            },
        )
    }
)


def _vpn_instances(dialect: str) -> Container:
    distinguisher: Node = Leaf(_TARGET) if dialect == "A" else LeafList(_TARGET)
    family: dict[str, Node] = {"route-distinguisher": distinguisher, "vpnTargets": _TARGETS}
    children: dict[str, Node] = {"vpn-instance-name": Leaf(string(1), mandatory=True)}
    in_family: dict[str, Node] = {**family, "vpn-frr": Leaf(boolean), "traffic-statistics": Leaf(boolean)}
    if dialect == "E":
        children |= {
            **family,
            "l2vpn": Leaf(boolean),
            "bgpvpn-type": Leaf(enumeration("InternetBGPVPN", "BGPVPN", "InternalVPN")),
            "ip-address-family-configured": Leaf(enumeration("undefined", "ipv4", "ipv6", "ipv4-and-ipv6")),
        }
    else:
        children |= {
            "description": Leaf(string(1, 242, "[^?]*")),
            "ipv4-family": Container(in_family),
            "ipv6-family": Container(in_family),
        }
    if dialect not in {"A", "E"}:
        children["type"] = Leaf(enumeration("l3", "l2"))
    if dialect != "A":
        children["l3vni"] = Leaf(integer())
    return Container({"vpn-instance": List(("vpn-instance-name",), children)})


def _vpn_interfaces(dialect: str) -> Container:
    children: dict[str, Node] = {
        "name": Leaf(string(1)),  # a leafref to an interface, which the real one does not enforce
        "dpn-id": Leaf(_uint64),
        "router-interface": Leaf(boolean),
        "adjacency": _adjacency(dialect),
    }
    if dialect in {"A", "B1", "B2"}:
        children["vpn-instance-name"] = Leaf(_VPN_NAME)
    else:
        kinds = enumeration("V4Subnet", "V6Subnet", "V6InternetVPN", "V4AndV6Subnets")
        children |= {
            "network-id": Leaf(yang.uuid),
            "network-type": Leaf(enumeration("FLAT", "VLAN", "VXLAN", "GRE", "INTERNAL")),
            "segmentation-id": Leaf(integer()),
        }
        names: dict[str, Node] = {"vpn-name": Leaf(_VPN_NAME), "associated-subnet-type": Leaf(kinds)}
        children["vpn-instance-names"] = List(("vpn-name",), names)
    if dialect == "A":
        del children["router-interface"]
    return Container({"vpn-interface": List(("name",), children)})


def _adjacency(dialect: str) -> List:
    children: dict[str, Node] = {
        "ip_address": Leaf(),
        "mac_address": Leaf(),
        "subnet_id": Leaf(yang.uuid),
        "subnet_gateway_ip": Leaf(),
        "next-hop-ip-list": LeafList(),
        "label": Leaf(integer()),
    }
    if dialect in {"A", "B1"}:
        children["primary-adjacency"] = Leaf(boolean)
    else:
        children["adjacency_type"] = Leaf(enumeration("primary-adjacency", "learnt-ip", "extra-route"))
    return List(("ip_address",), children, module="" if dialect in {"D", "E"} else "odl-l3vpn")


def _vpn_instance_data() -> Container:
    entry: dict[str, Node] = {
        "vrf-id": Leaf(),
        "vpn-instance-name": Leaf(),
        "vpn-id": Leaf(integer()),
        "vpn-interface-count": Leaf(integer()),
        "type": Leaf(),
        "l3vni": Leaf(integer()),
        "vpn-state": Leaf(),
        "bgpvpn-type": Leaf(),
        "ipv4-configured": Leaf(boolean),
        "ipv6-configured": Leaf(boolean),
        "rd": LeafList(),
        "vpnTargets": _TARGETS,
    }
    return Container({"vpn-instance-op-data-entry": List(("vrf-id",), entry)})


def _vpn_interface_data(dialect: str) -> Container:
    entry: dict[str, Node] = {
        "name": Leaf(),
        "vpn-instance-name": Leaf(),
        "dpn-id": Leaf(_uint64),
        "lport-tag": Leaf(integer()),
        "router-interface": Leaf(boolean),
        "adjacency": List(("ip_address",), _adjacency(dialect).children),
    }
    return Container({"vpn-interface-op-data-entry": List(("name", "vpn-instance-name"), entry)})


def _vpn_ids() -> Container:
    entry: dict[str, Node] = {"vpn-instance-name": Leaf(), "vpn-id": Leaf(integer()), "vrf-id": Leaf()}
    return Container({"vpn-instance": List(("vpn-instance-name",), entry)})


# -- what netvirt and genius keep -----------------------------------------------------------------


def _interfaces() -> Container:
    genius = "odl-interface"
    return Container(
        {
            "interface": List(
                ("name",),
                {
                    "name": Leaf(string(1)),
                    "type": Leaf(identity("iana-if-type", "l2vlan", "tunnel", "other"), mandatory=True),
                    "enabled": Leaf(boolean),
                    "description": Leaf(),
                    "link-up-down-trap-enable": Leaf(enumeration("enabled", "disabled")),
                    "l2vlan-mode": Leaf(
                        enumeration("access", "trunk", "trunk-member", "transparent", "untagged", "native-untagged"),
                        module=genius,
                    ),
                    "vlan-id": Leaf(integer(0, 4095), module=genius),
                    "parent-interface": Leaf(module=genius),
                    "external": Leaf(boolean, module=genius),
                    "override-split-horizon-protection": Leaf(boolean, module=genius),
                },
            )
        }
    )


def _interface_states() -> Container:
    entry: dict[str, Node] = {
        "name": Leaf(),
        "type": Leaf(),
        "admin-status": Leaf(),
        "oper-status": Leaf(),
        "if-index": Leaf(integer()),
        "lower-layer-if": LeafList(),
    }
    return Container({"interface": List(("name",), entry)})


def _elan_instances() -> Container:
    entry: dict[str, Node] = {
        "elan-instance-name": Leaf(),
        "segmentation-id": Leaf(integer()),
        "segment-type": Leaf(),
        "mac-timeout": Leaf(integer()),
        "elan-tag": Leaf(integer()),
        "external": Leaf(boolean),
    }
    return Container({"elan-instance": List(("elan-instance-name",), entry)})


def _elan_interfaces() -> Container:
    entry: dict[str, Node] = {
        "name": Leaf(),
        "elan-instance-name": Leaf(),
        "static-mac-entries": List(("mac-address", "ip-prefix"), {"mac-address": Leaf(), "ip-prefix": Leaf()}),
    }
    return Container({"elan-interface": List(("name",), entry)})


def _subnetmaps() -> Container:
    entry: dict[str, Node] = {
        "id": Leaf(yang.uuid),
        "subnet-ip": Leaf(),
        "tenant-id": Leaf(yang.uuid),
        "network-id": Leaf(yang.uuid),
        "network-type": Leaf(),
        "segmentation-id": Leaf(integer()),
        "vpn-id": Leaf(yang.uuid),
        "port-list": LeafList(yang.uuid),
    }
    return Container({"subnetmap": List(("id",), entry)})


def _vpn_maps() -> Container:
    entry: dict[str, Node] = {
        "vpn-id": Leaf(yang.uuid),
        "name": Leaf(),
        "tenant-id": Leaf(yang.uuid),
        "network_ids": LeafList(yang.uuid),
    }
    return Container({"vpnMap": List(("vpn-id",), entry)})


def _bgp(dialect: str) -> Container:
    source: dict[str, Node] = {"source-ip": Leaf(yang.ipv4_address), "peer-ip": Leaf(yang.ipv4_address)}
    hops: dict[str, Node] = {"nhops": Leaf(integer()), "peer-ip": Leaf(yang.ipv4_address)}
    family: dict[str, Node] = {
        "afi": Leaf(integer()),
        "safi": Leaf(integer()),
        "peer-ip": Leaf(yang.ipv4_address),
    }
    neighbor: dict[str, Node] = {
        "address": Leaf(yang.ipv4_address, mandatory=True),
        "remote-as": Leaf(integer(), mandatory=True),
        "ebgp-multihop": Container(hops),
        "update-source": Container(source),
        "address-families": List(("afi", "safi"), family),
    }
    neighbors = List(("address",), neighbor)
    own: dict[str, Node] = {
        "local-as": Leaf(integer(), mandatory=True),
        "router-id": Leaf(yang.ip_address),
        "stalepath-time": Leaf(integer()),
        "announce-fbit": Leaf(boolean),
    }
    children: dict[str, Node] = {
        "as-id": Container(own),
        "config-server": Container(
            {"host": Leaf(yang.ipv4_address, mandatory=True), "port": Leaf(integer(), mandatory=True)}
        ),
        "graceful-restart": Container({"stalepath-time": Leaf(integer(), mandatory=True)}),
        "logging": Container({"file": Leaf(), "level": Leaf()}),
    }
    if dialect in {"D", "E"}:
        return Container({**children, "neighborsContainer": Container({"neighbors": neighbors})})
    return Container({**children, "neighbors": neighbors})


def _module_list() -> Container:
    entry: dict[str, Node] = {
        "name": Leaf(),
        "revision": Leaf(),
        "namespace": Leaf(),
        "conformance-type": Leaf(),
    }
    return Container({"module-set-id": Leaf(), "module": List(("name", "revision"), entry)})


# -- the dialects ----------------------------------------------------------------------------------

_REVISIONS = {
    "ebgp": "2015-09-01",
    "elan": "2015-06-02",
    "iana-if-type": "2014-05-08",
    "ietf-interfaces": "2014-05-08",
    "ietf-yang-library": "2016-06-21",
    "itm-rpc": "2016-04-06",
    "l3vpn": "2014-08-15",
    "neutron": "2015-07-12",
    "neutron-binding": "2015-07-12",
    "neutron-bgpvpns": "2015-09-03",
    "neutron-constants": "2015-07-12",
    "neutron-networks": "2015-07-12",
    "neutron-ports": "2015-07-12",
    "neutron-portsecurity": "2015-07-12",
    "neutron-provider-ext": "2015-07-12",
    "neutron-subnets": "2015-07-12",
    "neutronvpn": "2015-06-02",
    "odl-interface": "2016-04-06",
    "odl-l3vpn": "2013-09-11",
}
_MODERN = {"ietf-yang-library": "2019-01-04", "network-topology": "2013-10-21", "opendaylight-inventory": "2013-08-19"}
_TUNNEL_ENDPOINT = Container({"destination-ip": Leaf(yang.ip_address), "tunnel-type": Leaf(_TUNNEL_TYPE)})


def schema_of(dialect: str, *, associations: bool) -> Schema:
    """The schema of a dialect; with the module of Aluminium SR1 that has associations of networks, or without."""
    if dialect == "modern":
        return Schema({"ietf-yang-library:modules-state": _module_list()}, {}, _MODERN, l3vpn="")
    l3vpn = L3VPN_SPLIT if dialect in {"D", "E"} else L3VPN
    top: dict[str, Node] = {
        "neutron:neutron": _neutron(dialect, associations=associations),
        f"{l3vpn}:vpn-instances": _vpn_instances(dialect),
        f"{l3vpn}:vpn-interfaces": _vpn_interfaces(dialect),
        "odl-l3vpn:vpn-instance-op-data": _vpn_instance_data(),
        "odl-l3vpn:vpn-interface-op-data": _vpn_interface_data(dialect),
        "odl-l3vpn:vpn-instance-to-vpn-id": _vpn_ids(),
        "ietf-interfaces:interfaces": _interfaces(),
        "ietf-interfaces:interfaces-state": _interface_states(),
        "elan:elan-instances": _elan_instances(),
        "elan:elan-interfaces": _elan_interfaces(),
        "neutronvpn:subnetmaps": _subnetmaps(),
        "neutronvpn:vpnMaps": _vpn_maps(),
        "ebgp:bgp": _bgp(dialect),
        "ietf-yang-library:modules-state": _module_list(),
    }
    rpcs = {f"itm-rpc:{verb}-external-tunnel-endpoint": _TUNNEL_ENDPOINT for verb in ("add", "remove")}
    return Schema(top, rpcs, _modules(dialect, associations=associations), l3vpn)


def _modules(dialect: str, *, associations: bool) -> dict[str, str]:
    modules = dict(_REVISIONS)
    if dialect in {"D", "E"}:  # the old module is listed as well
        modules[L3VPN_SPLIT] = "2020-02-04"
    if dialect != "A":
        modules["neutron-trunks"] = "2017-01-18"
    if associations:
        modules["neutron-bgpvpn-network-association"] = "2019-05-02"
    return modules
