"""Objects for tests of the stand-in, in any dialect, and where they belong."""

from __future__ import annotations

from typing import Any

TENANT = "11111111-1111-4111-8111-111111111111"
NETWORK = "22222222-2222-4222-8222-222222222222"
SUBNET = "33333333-3333-4333-8333-333333333333"
PORT = "44444444-4444-4444-8444-444444444444"
PORT_2 = "45454545-4545-4545-8545-454545454545"
VPN = "66666666-6666-4666-8666-666666666666"
VPN_2 = "77777777-7777-4777-8777-777777777777"
TRUNK = "88888888-8888-4888-8888-888888888888"

NETWORKS = "neutron:neutron/networks/network="
SUBNETS = "neutron:neutron/subnets/subnet="
PORTS = "neutron:neutron/ports/port="
BGPVPNS = "neutron:neutron/bgpvpns/bgpvpn="
TRUNKS = "neutron:neutron/trunks/trunk="
ASSOCIATIONS = "neutron:neutron/bgpvpn-network-associations/bgpvpn-network-association="
INTERFACES = "ietf-interfaces:interfaces/interface="
DATA = "odl-l3vpn:vpn-instance-op-data/vpn-instance-op-data-entry="


def module_of(dialect: str) -> str:
    """Where vpn-instances and vpn-interfaces are defined."""
    return "l3vpn-instances-interfaces" if dialect in {"D", "E"} else "l3vpn"


def instances(dialect: str = "C") -> str:
    """The path of vpn-instances, up to the key."""
    return f"{module_of(dialect)}:vpn-instances/vpn-instance="


def vpn_interfaces(dialect: str = "C") -> str:
    """The path of vpn-interfaces, up to the key."""
    return f"{module_of(dialect)}:vpn-interfaces/vpn-interface="


def network(key: str = NETWORK, **changed: Any) -> dict[str, Any]:
    """A network of VXLAN."""
    made = {
        "uuid": key,
        "name": "gluon:vpn1",
        "tenant-id": TENANT,
        "admin-state-up": True,
        "neutron-provider-ext:network-type": "neutron-networks:network-type-vxlan",
        "neutron-provider-ext:segmentation-id": "10042",
    }
    return _one("neutron:network", made, changed)


def subnet(key: str = SUBNET, **changed: Any) -> dict[str, Any]:
    """A subnet of the network."""
    made = {
        "uuid": key,
        "network-id": NETWORK,
        "tenant-id": TENANT,
        "cidr": "10.0.0.0/24",
        "gateway-ip": "10.0.0.1",
        "ip-version": "neutron-constants:ip-version-v4",
        "enable-dhcp": False,
    }
    return _one("neutron:subnet", made, changed)


def port(key: str = PORT, last: int = 5, **changed: Any) -> dict[str, Any]:
    """A port with an address of the subnet."""
    made = {
        "uuid": key,
        "network-id": NETWORK,
        "tenant-id": TENANT,
        "mac-address": f"fa:16:3e:00:00:{last:02x}",
        "admin-state-up": True,
        "device-id": "vm1",
        "device-owner": "compute:None",
        "fixed-ips": [{"subnet-id": SUBNET, "ip-address": f"10.0.0.{last}"}],
        "neutron-binding:host-id": "cmp1",
        "neutron-binding:vnic-type": "normal",
        "neutron-binding:vif-type": "ovs",
        "neutron-portsecurity:port-security-enabled": False,
    }
    return _one("neutron:port", made, changed)


def bgpvpn(key: str = VPN, **changed: Any) -> dict[str, Any]:
    """A BGPVPN on the network."""
    made = {
        "uuid": key,
        "name": "vpn1",
        "tenant-id": TENANT,
        "type": "neutron-bgpvpns:bgpvpn-type-l3",
        "admin-state-up": True,
        "route-distinguishers": ["65000:200"],
        "import-targets": ["65000:1", "65000:3"],
        "export-targets": ["65000:2", "65000:3"],
        "networks": [NETWORK],
    }
    return _one("neutron:bgpvpn", made, changed)


def trunk(**changed: Any) -> dict[str, Any]:
    """A trunk on the first port with the second one as its VLAN 100."""
    member = {"port-id": PORT_2, "segmentation-type": "neutron-networks:network-type-vlan", "segmentation-id": 100}
    made = {"uuid": TRUNK, "name": "t1", "tenant-id": TENANT, "port-id": PORT, "sub-ports": [member]}
    return _one("neutron:trunk", made, changed)


def association(key: str = TRUNK) -> dict[str, Any]:
    """The network's association with the BGPVPN."""
    return {"neutron:bgpvpn-network-association": [{"uuid": key, "bgpvpn-id": VPN, "network-id": NETWORK}]}


def instance(dialect: str = "C", name: str = VPN, distinguisher: str = "65000:100", **changed: Any) -> dict[str, Any]:
    """A vpn-instance with one target."""
    targets = {"vpnTarget": [{"vrfRTValue": "65000:1", "vrfRTType": "both"}]}
    family = {"route-distinguisher": distinguisher if dialect == "A" else [distinguisher], "vpnTargets": targets}
    flat = {**family, "bgpvpn-type": "BGPVPN", "ip-address-family-configured": "ipv4-and-ipv6"}
    made = {"vpn-instance-name": name, **(flat if dialect == "E" else {"ipv4-family": family})}
    return _one(f"{module_of(dialect)}:vpn-instance", made, changed)


def vpn_interface(dialect: str = "C", name: str = PORT, vpn: str = VPN, **changed: Any) -> dict[str, Any]:
    """A vpn-interface of the port."""
    older = dialect in {"A", "B1"}
    kind = {"primary-adjacency": True} if older else {"adjacency_type": "primary-adjacency"}
    adjacency = {"ip_address": "10.0.0.5/32", "mac_address": "fa:16:3e:00:00:05", "subnet_id": SUBNET, **kind}
    named = [{"vpn-name": vpn, "associated-subnet-type": "V4AndV6Subnets"}]
    made = {
        "name": name,
        **({"vpn-instance-name": vpn} if dialect in {"A", "B1", "B2"} else {"vpn-instance-names": named}),
        "adjacency" if dialect in {"D", "E"} else "odl-l3vpn:adjacency": [adjacency],
    }
    return _one(f"{module_of(dialect)}:vpn-interface", made, changed)


def _one(name: str, made: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    """Names of changed members have `_` for `-` and `__` for `:`; None leaves one out."""
    renamed = {member.replace("__", ":").replace("_", "-"): value for member, value in changed.items()}
    return {name: [{member: value for member, value in {**made, **renamed}.items() if value is not None}]}
