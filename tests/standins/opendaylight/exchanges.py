"""What is asked of a real OpenDaylight (dialect C), so that a stand-in can be held against its answers.

A scenario begins with an OpenDaylight that has nothing of it, and ends so.  Its exchanges are sent
one after the other, in either flavour of RESTCONF; a path is written as RFC 8040 has it, from the
datastore on.  Where netvirt acts on its own time, an exchange is repeated until the status is the
one awaited, or, to show that nothing happens, for as long as it usually would.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CONFIG, OPERATIONAL, CALL = "config", "operational", "operations"

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Exchange:
    """One request."""

    name: str
    """Unique in its scenario."""
    method: str
    path: str
    body: Body | str | None = None
    """An object, or text that is sent as it is."""
    store: str = CONFIG
    query: str = ""
    """Added to the query that the flavour needs."""
    suffix: str = ""
    """Added to the path as it is."""
    content_type: str = "application/json"
    user: str | None = "admin"
    until: int | None = None
    """Repeated until this is the status, for at most ten seconds."""
    stays: float = 0.0
    """Repeated for so many seconds; the last answer counts."""
    chancy: bool = False
    """Sent, but the answer is one time this and one time that, and is not kept."""


@dataclass(frozen=True)
class Scenario:
    """Exchanges that build on each other."""

    name: str
    exchanges: Sequence[Exchange]
    tidy: Sequence[str] = field(default=())
    """Paths that are deleted at the end, whether they are there or not."""


TENANT = "11111111-1111-4111-8111-111111111111"
NETWORK = "22222222-2222-4222-8222-222222222222"
SUBNET = "33333333-3333-4333-8333-333333333333"
SUBNET_6 = "36363636-3333-4333-8333-333333333333"
PORT = "44444444-4444-4444-8444-444444444444"
PORT_2 = "45454545-4545-4545-8545-454545454545"
VPN = "55555555-5555-4555-8555-555555555555"
BGPVPN = "66666666-6666-4666-8666-666666666666"
BGPVPN_2 = "77777777-7777-4777-8777-777777777777"
NOWHERE = "99999999-9999-4999-8999-999999999999"

NETWORKS = "neutron:neutron/networks/network="
SUBNETS = "neutron:neutron/subnets/subnet="
PORTS = "neutron:neutron/ports/port="
BGPVPNS = "neutron:neutron/bgpvpns/bgpvpn="
TRUNKS = "neutron:neutron/trunks/trunk="
INSTANCES = "l3vpn:vpn-instances/vpn-instance="
VPN_INTERFACES = "l3vpn:vpn-interfaces/vpn-interface="
INTERFACES = "ietf-interfaces:interfaces/interface="
ELAN_INSTANCES = "elan:elan-instances/elan-instance="
ELAN_INTERFACES = "elan:elan-interfaces/elan-interface="
INSTANCES_HELD = "odl-l3vpn:vpn-instance-op-data/vpn-instance-op-data-entry="
NEIGHBORS = "ebgp:bgp/neighbors="


def network(key: str = NETWORK, **changed: Any) -> Body:
    """A Neutron network; a member that is changed to None is left out."""
    return _one(
        "neutron:network",
        {
            "uuid": key,
            "name": "gluon:vpn1",
            "tenant-id": TENANT,
            "admin-state-up": True,
            "neutron-provider-ext:network-type": "neutron-networks:network-type-vxlan",
            "neutron-provider-ext:segmentation-id": "10042",
        },
        changed,
    )


def subnet(key: str = SUBNET, **changed: Any) -> Body:
    """A Neutron subnet of the network."""
    return _one(
        "neutron:subnet",
        {
            "uuid": key,
            "network-id": NETWORK,
            "tenant-id": TENANT,
            "cidr": "10.0.0.0/24",
            "gateway-ip": "10.0.0.1",
            "ip-version": "neutron-constants:ip-version-v4",
            "enable-dhcp": False,
        },
        changed,
    )


def port(key: str = PORT, last: int = 5, **changed: Any) -> Body:
    """A Neutron port with the address 10.0.0.`last`."""
    return _one(
        "neutron:port",
        {
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
        },
        changed,
    )


def bgpvpn(key: str = BGPVPN, **changed: Any) -> Body:
    """A Neutron BGPVPN on the network."""
    return _one(
        "neutron:bgpvpn",
        {
            "uuid": key,
            "name": "vpn2",
            "tenant-id": TENANT,
            "type": "neutron-bgpvpns:bgpvpn-type-l3",
            "admin-state-up": True,
            "route-distinguishers": ["65000:200"],
            "route-targets": ["65000:3"],
            "import-targets": ["65000:1"],
            "export-targets": ["65000:2"],
            "networks": [NETWORK],
        },
        changed,
    )


def targets(*pairs: tuple[str, str]) -> Body:
    """A container of route targets, from pairs of value and type."""
    return {"vpnTarget": [{"vrfRTValue": value, "vrfRTType": kind} for value, kind in pairs]}


def family(*pairs: tuple[str, str], distinguisher: str = "65000:100") -> Body:
    """What an address family of a vpn-instance holds."""
    given = pairs or (("65000:1", "import_extcommunity"), ("65000:2", "export_extcommunity"))
    return {"route-distinguisher": [distinguisher], "vpnTargets": targets(*given)}


def instance(name: str = VPN, module: str = "l3vpn", **changed: Any) -> Body:
    """A vpn-instance with one family."""
    return _one(f"{module}:vpn-instance", {"vpn-instance-name": name, "ipv4-family": family()}, changed)


def adjacency(last: int = 5) -> Body:
    """The address of a port, as a vpn-interface holds it."""
    return {
        "ip_address": f"10.0.0.{last}/32",
        "mac_address": f"fa:16:3e:00:00:{last:02x}",
        "subnet_id": SUBNET,
        "adjacency_type": "primary-adjacency",
    }


def vpn_interface(name: str = PORT, **changed: Any) -> Body:
    """A vpn-interface of the port in the vpn-instance."""
    return _one(
        "l3vpn:vpn-interface",
        {
            "name": name,
            "vpn-instance-names": [{"vpn-name": VPN, "associated-subnet-type": "V4AndV6Subnets"}],
            "odl-l3vpn:adjacency": [adjacency()],
        },
        changed,
    )


def trunk(key: str, parent: str, *sub_ports: Body) -> Body:
    """A Neutron trunk over a port."""
    return _one(
        "neutron:trunk",
        {
            "uuid": key,
            "name": "gluon:trunk1",
            "tenant-id": TENANT,
            "admin-state-up": True,
            "port-id": parent,
            "sub-ports": list(sub_ports),
        },
        {},
    )


def vlan_interface(name: str, **changed: Any) -> Body:
    """An interface that carries VLANs."""
    return _one(
        "ietf-interfaces:interface",
        {"name": name, "type": "iana-if-type:l2vlan", "enabled": True, "odl-interface:l2vlan-mode": "trunk"},
        changed,
    )


def _one(wrapper: str, item: Mapping[str, Any], changed: Mapping[str, Any]) -> Body:
    renamed = {name.replace("__", ":").replace("_", "-"): value for name, value in changed.items()}
    merged = {**copy.deepcopy(dict(item)), **renamed}
    return {wrapper: [{name: value for name, value in merged.items() if value is not None}]}


def on_host(name: str) -> Body:
    """The port, moved."""
    return port(neutron_binding__host_id=name)


def get(name: str, path: str, **options: Any) -> Exchange:
    """Reads."""
    return Exchange(name, "GET", path, **options)


def put(name: str, path: str, body: Body | str, **options: Any) -> Exchange:
    """Writes."""
    return Exchange(name, "PUT", path, body, **options)


def post(name: str, path: str, body: Body | str, **options: Any) -> Exchange:
    """Creates below, or calls."""
    return Exchange(name, "POST", path, body, **options)


def delete(name: str, path: str, **options: Any) -> Exchange:
    """Deletes."""
    return Exchange(name, "DELETE", path, **options)


HAPPENS = 4.0
"""Seconds after which netvirt would have acted, if it were to."""

MADE = (
    put("network", NETWORKS + NETWORK, network()),
    get("elan-instance of the network", ELAN_INSTANCES + NETWORK, until=200),
    put("subnet", SUBNETS + SUBNET, subnet()),
    put("port", PORTS + PORT, port()),
    get("interface of the port", INTERFACES + PORT, until=200),
)
ALL_OF_IT = (
    VPN_INTERFACES + PORT,
    VPN_INTERFACES + PORT_2,
    BGPVPNS + BGPVPN,
    BGPVPNS + BGPVPN_2,
    PORTS + PORT,
    PORTS + PORT_2,
    INSTANCES + VPN,
    SUBNETS + SUBNET,
    NETWORKS + NETWORK,
)

AUTHORISATION = Scenario(
    "authorisation",
    (
        get("no user", INSTANCES + VPN, user=None),
        get("unknown user", INSTANCES + VPN, user="nobody"),
        put("unknown user writes", INSTANCES + VPN, instance(), user="nobody"),
    ),
)

LIFE = Scenario(
    "a vpn-instance's life",
    (
        get("missing", INSTANCES + VPN),
        delete("delete missing", INSTANCES + VPN),
        put("new", INSTANCES + VPN, instance()),
        get("there", INSTANCES + VPN),
        get("operational", INSTANCES + VPN, store=OPERATIONAL),
        put("unchanged", INSTANCES + VPN, instance()),
        put("replace", INSTANCES + VPN, instance(ipv4_family=family(("65000:9", "both")))),
        get("replaced", INSTANCES + VPN),
        get("collection", "l3vpn:vpn-instances"),
        post("post exists", "l3vpn:vpn-instances", instance()),
        delete("delete", INSTANCES + VPN),
        get("gone", INSTANCES + VPN),
        get("collection without its last", "l3vpn:vpn-instances"),
        post("post new", "l3vpn:vpn-instances", instance()),
        delete("delete again", INSTANCES + VPN),
    ),
)

BODIES = Scenario(
    "bodies of a vpn-instance",
    (
        put("other key than the path's", INSTANCES + VPN, instance("other")),
        put("key missing", INSTANCES + VPN, instance(vpn_instance_name=None)),
        put("unknown member", INSTANCES + VPN, instance(colour="blue")),
        put("unknown member with a module", INSTANCES + VPN, instance(nowhere__colour="blue")),
        put(
            "scalar distinguisher, as Boron has it",
            INSTANCES + VPN,
            instance(ipv4_family={**family(), "route-distinguisher": "65000:100"}),
        ),
        put("flat, as Aluminium has it", INSTANCES + VPN, instance(ipv4_family=None, **family())),
        put("target of an unknown type", INSTANCES + VPN, instance(ipv4_family=family(("65000:1", "sideways")))),
        put("target too short", INSTANCES + VPN, instance(ipv4_family=family(("1:", "both")))),
        put("target too long", INSTANCES + VPN, instance(ipv4_family=family(("4200000000:42000000000", "both")))),
        put("no JSON", INSTANCES + VPN, "{"),
        put("empty", INSTANCES + VPN, ""),
        put("empty object", INSTANCES + VPN, {}),
        put("array", INSTANCES + VPN, "[]"),
        get("nothing of it stored", INSTANCES + VPN),
        put(
            "target without its type: a mandatory leaf",
            INSTANCES + VPN,
            instance(ipv4_family={"vpnTargets": {"vpnTarget": [{"vrfRTValue": "65000:1"}]}}),
        ),
        get("the first request after a failed write", INSTANCES + VPN, chancy=True),
        get("the second", INSTANCES + VPN),
        put("object for a list of one", INSTANCES + VPN, {"l3vpn:vpn-instance": instance()["l3vpn:vpn-instance"][0]}),
        put("no prefix", INSTANCES + VPN, {"vpn-instance": instance()["l3vpn:vpn-instance"]}),
        put("only a name", INSTANCES + VPN, instance(ipv4_family=None)),
        put("type and l3vni", INSTANCES + VPN, instance(type="l3", l3vni=0)),
        put("both families", INSTANCES + VPN, instance(ipv6_family=family(distinguisher="65000:101"))),
        get("both families there", INSTANCES + VPN),
        delete("deleted", INSTANCES + VPN),
        put("module of Magnesium", INSTANCES + VPN, instance(module="l3vpn-instances-interfaces")),
        get("what that stored", INSTANCES + VPN),
    ),
    tidy=(INSTANCES + VPN,),
)

PATHS = Scenario(
    "paths",
    (
        put("trailing slash", INSTANCES + VPN, instance(), suffix="/"),
        get("trailing slash read", INSTANCES + VPN, suffix="/"),
        put("unknown query parameter", INSTANCES + VPN, instance(), query="colour=blue"),
        get("unknown query parameter read", INSTANCES + VPN, query="colour=blue"),
        post("unknown query parameter on post", "l3vpn:vpn-instances", instance(), query="colour=blue"),
        get("module of Magnesium", "l3vpn-instances-interfaces:vpn-instances"),
        put(
            "write to the module of Magnesium",
            f"l3vpn-instances-interfaces:vpn-instances/vpn-instance={VPN}",
            instance(module="l3vpn-instances-interfaces"),
        ),
        get("unknown node", "l3vpn:vpn-colours"),
        get("unknown node below", "l3vpn:vpn-instances/colour"),
        get("list without its key", "l3vpn:vpn-instances/vpn-instance"),
        put("encoded key", INSTANCES + "a%2Fb%3Ac", instance("a/b:c")),
        get("encoded key there", INSTANCES + "a%2Fb%3Ac"),
        delete("encoded key deleted", INSTANCES + "a%2Fb%3Ac"),
        put("41 characters", INSTANCES + "x" * 41, instance("x" * 41)),
        delete("41 characters deleted", INSTANCES + "x" * 41),
    ),
    tidy=(INSTANCES + VPN,),
)

MEDIA = Scenario(
    "content types",
    (
        put("yang-data+json", INSTANCES + VPN, instance(), content_type="application/yang-data+json"),
        put("yang.data+json", INSTANCES + VPN, instance(), content_type="application/yang.data+json"),
        put("text", INSTANCES + VPN, instance(), content_type="text/plain"),
        Exchange("patch", "PATCH", INSTANCES + VPN, instance()),
    ),
    tidy=(INSTANCES + VPN,),
)

NEUTRON = Scenario(
    "Neutron objects",
    (
        get("network missing", NETWORKS + NETWORK),
        put("network", NETWORKS + NETWORK, network()),
        get("network there", NETWORKS + NETWORK),
        put("network again", NETWORKS + NETWORK, network(name="gluon:renamed")),
        post("network exists", "neutron:neutron/networks", network()),
        put("tenant without hyphens", NETWORKS + NETWORK, network(tenant_id=TENANT.replace("-", ""))),
        put(
            "unknown network type",
            NETWORKS + NETWORK,
            network(neutron_provider_ext__network_type="neutron-networks:network-type-pigeon"),
        ),
        put("key that is no uuid", NETWORKS + "vpn1", network("vpn1")),
        put("subnet", SUBNETS + SUBNET, subnet()),
        get("subnet there", SUBNETS + SUBNET),
        put("pools as an object", SUBNETS + SUBNET, subnet(allocation_pools={"start": "10.0.0.2", "end": "10.0.0.9"})),
        put("address that is none", SUBNETS + SUBNET, subnet(gateway_ip="nowhere")),
        put("port", PORTS + PORT, port()),
        get("port there", PORTS + PORT),
        put("port on another host", PORTS + PORT, on_host("cmp2")),
        get("port there on another host", PORTS + PORT),
        put("hardware address that is none", PORTS + PORT, port(mac_address="fa:16")),
        put("fixed-ip without its subnet", PORTS + PORT_2, port(PORT_2, 6, fixed_ips=[{"ip-address": "10.0.0.6"}])),
        get("networks", "neutron:neutron/networks"),
        delete("port deleted", PORTS + PORT),
        get("port gone", PORTS + PORT),
        get("interface gone with it", INTERFACES + PORT, until=404),
        delete("subnet deleted", SUBNETS + SUBNET),
        delete("network deleted", NETWORKS + NETWORK),
        delete("network deleted again", NETWORKS + NETWORK),
        get("elan-instance gone with it", ELAN_INSTANCES + NETWORK, until=404),
    ),
    tidy=ALL_OF_IT,
)

L3VPN = Scenario(
    "a vpn-interface written by hand",
    (
        *MADE,
        get("elan-interface of the port", ELAN_INTERFACES + PORT, until=200),
        put("vpn-instance", INSTANCES + VPN, instance()),
        get("vpn-instance in operation", INSTANCES_HELD + "65000%3A100", store=OPERATIONAL, until=200),
        get("vpn-interface missing", VPN_INTERFACES + PORT),
        put(
            "vpn-instance-name, as Carbon has it",
            VPN_INTERFACES + PORT,
            vpn_interface(vpn_instance_names=None, vpn_instance_name=VPN),
        ),
        put(
            "primary-adjacency, as Carbon has it",
            VPN_INTERFACES + PORT,
            vpn_interface(odl_l3vpn__adjacency=[{**adjacency(), "primary-adjacency": True}]),
        ),
        put(
            "adjacency of an unknown type",
            VPN_INTERFACES + PORT,
            vpn_interface(odl_l3vpn__adjacency=[{**adjacency(), "adjacency_type": "distant"}]),
        ),
        put("vpn-interface", VPN_INTERFACES + PORT, vpn_interface()),
        get("vpn-interface there", VPN_INTERFACES + PORT, stays=1.0),
        put("vpn-interface again", VPN_INTERFACES + PORT, vpn_interface()),
        put(
            "adjacency without its module",
            VPN_INTERFACES + PORT,
            vpn_interface(odl_l3vpn__adjacency=None, adjacency=[adjacency()]),
        ),
        put("targets changed", INSTANCES + VPN, instance(ipv4_family=family(("65000:9", "both")))),
        get("targets changed in the configuration", INSTANCES + VPN),
        get("targets unchanged in operation", INSTANCES_HELD + "65000%3A100", store=OPERATIONAL, stays=HAPPENS),
        delete("vpn-instance deleted under its interface", INSTANCES + VPN),
        get("vpn-interface left", VPN_INTERFACES + PORT, stays=HAPPENS),
        delete("port deleted under its vpn-interface", PORTS + PORT),
        get("interface gone", INTERFACES + PORT, until=404),
        get("vpn-interface still left", VPN_INTERFACES + PORT, stays=HAPPENS),
        delete("vpn-interface deleted", VPN_INTERFACES + PORT),
        get("vpn-interface gone", VPN_INTERFACES + PORT),
        get("vpn-instance out of operation", INSTANCES_HELD + "65000%3A100", store=OPERATIONAL, until=404),
        put("vpn-interface of no interface and no vpn-instance", VPN_INTERFACES + "ghost", vpn_interface("ghost")),
        get("it is there", VPN_INTERFACES + "ghost", stays=1.0),
        delete("it is deleted", VPN_INTERFACES + "ghost"),
    ),
    tidy=ALL_OF_IT,
)

BY_BGPVPN = Scenario(
    "a BGPVPN",
    (
        *MADE,
        put("bgpvpn", BGPVPNS + BGPVPN, bgpvpn()),
        get("bgpvpn there", BGPVPNS + BGPVPN),
        get("vpn-instance made, targets folded", INSTANCES + BGPVPN, until=200),
        get("vpn-interface made", VPN_INTERFACES + PORT, until=200),
        get("vpn-instance in operation", INSTANCES_HELD + "65000%3A200", store=OPERATIONAL, until=200),
        put("second port", PORTS + PORT_2, port(PORT_2, 6)),
        get("vpn-interface of the second port", VPN_INTERFACES + PORT_2, until=200),
        put("targets changed", BGPVPNS + BGPVPN, bgpvpn(import_targets=["65000:7"])),
        get("vpn-instance unchanged", INSTANCES + BGPVPN, stays=HAPPENS),
        delete("second port deleted", PORTS + PORT_2),
        get("its vpn-interface gone", VPN_INTERFACES + PORT_2, until=404),
        put("taken out of the network", BGPVPNS + BGPVPN, bgpvpn(networks=[])),
        get("vpn-interface gone", VPN_INTERFACES + PORT, until=404),
        put("put back", BGPVPNS + BGPVPN, bgpvpn()),
        get("vpn-interface back", VPN_INTERFACES + PORT, until=200),
        delete("bgpvpn deleted", BGPVPNS + BGPVPN),
        get("vpn-interface gone with it", VPN_INTERFACES + PORT, until=404),
        get("vpn-instance gone with it", INSTANCES + BGPVPN, until=404),
        get("vpn-instance out of operation", INSTANCES_HELD + "65000%3A200", store=OPERATIONAL, until=404),
        put("route targets alone", BGPVPNS + BGPVPN, bgpvpn(import_targets=None, export_targets=None)),
        get("all of them both ways", INSTANCES + BGPVPN, until=200),
        delete("deleted again", BGPVPNS + BGPVPN),
        get("gone again", INSTANCES + BGPVPN, until=404),
    ),
    tidy=ALL_OF_IT,
)

DISTINGUISHERS = Scenario(
    "a BGPVPN with one more distinguisher",
    (
        *MADE,
        put("bgpvpn", BGPVPNS + BGPVPN, bgpvpn(route_distinguishers=["65000:400"])),
        get("vpn-instance made", INSTANCES + BGPVPN, until=200),
        put("one more", BGPVPNS + BGPVPN, bgpvpn(route_distinguishers=["65000:400", "65000:401"])),
        get("both in the vpn-instance", INSTANCES + BGPVPN, stays=HAPPENS),
        put("the first alone", BGPVPNS + BGPVPN, bgpvpn(route_distinguishers=["65000:400"])),
        get("both still in the vpn-instance", INSTANCES + BGPVPN, stays=HAPPENS),
        delete("bgpvpn deleted", BGPVPNS + BGPVPN),
        get("vpn-instance gone", INSTANCES + BGPVPN, until=404),
    ),
    tidy=ALL_OF_IT,
)

BOTH_ADDRESSES = [{"subnet-id": SUBNET, "ip-address": "10.0.0.5"}, {"subnet-id": SUBNET_6, "ip-address": "2001:db8::5"}]

DUAL_STACK = Scenario(
    "a port with addresses of both families",
    (
        *MADE[:3],
        put(
            "subnet of IPv6",
            SUBNETS + SUBNET_6,
            subnet(
                SUBNET_6, cidr="2001:db8::/64", gateway_ip="2001:db8::1", ip_version="neutron-constants:ip-version-v6"
            ),
        ),
        put("port", PORTS + PORT, port(fixed_ips=BOTH_ADDRESSES)),
        get("interface of the port", INTERFACES + PORT, until=200),
        put("bgpvpn", BGPVPNS + BGPVPN, bgpvpn(route_distinguishers=["65000:500"])),
        get("vpn-instance made", INSTANCES + BGPVPN, until=200),
        get("vpn-interface made", VPN_INTERFACES + PORT, until=200),
        get("vpn-interface later", VPN_INTERFACES + PORT, stays=HAPPENS),
        get("vpn-instance later", INSTANCES + BGPVPN),
        delete("bgpvpn deleted", BGPVPNS + BGPVPN),
        get("vpn-interface gone", VPN_INTERFACES + PORT, until=404),
        get("vpn-instance gone", INSTANCES + BGPVPN, until=404),
    ),
    tidy=(SUBNETS + SUBNET_6, *ALL_OF_IT),
)

TAKEN = Scenario(
    "a second BGPVPN on one network",
    (
        *MADE,
        put("first", BGPVPNS + BGPVPN, bgpvpn()),
        get("vpn-interface of the first", VPN_INTERFACES + PORT, until=200),
        put(
            "second",
            BGPVPNS + BGPVPN_2,
            bgpvpn(BGPVPN_2, name="vpn3", route_distinguishers=["65000:300"]),
        ),
        get("a vpn-instance of its own", INSTANCES + BGPVPN_2, until=200),
        get("the interface stays with the first", VPN_INTERFACES + PORT, stays=HAPPENS),
        delete("second deleted", BGPVPNS + BGPVPN_2),
        get("its vpn-instance gone", INSTANCES + BGPVPN_2, until=404),
        delete("first deleted", BGPVPNS + BGPVPN),
        get("vpn-interface gone", VPN_INTERFACES + PORT, until=404),
    ),
    tidy=ALL_OF_IT,
)

DROPS = Scenario(
    "dropped without a word",
    (
        put("port before its network", PORTS + PORT, port(network_id=NOWHERE)),
        get("no interface without a network", INTERFACES + PORT, stays=HAPPENS),
        delete("port deleted", PORTS + PORT),
        put(
            "network without a type",
            NETWORKS + NETWORK,
            network(neutron_provider_ext__network_type=None, neutron_provider_ext__segmentation_id=None),
        ),
        get("no elan-instance", ELAN_INSTANCES + NETWORK, stays=HAPPENS),
        put("port on it", PORTS + PORT, port()),
        get("no interface", INTERFACES + PORT, stays=HAPPENS),
        delete("port on it deleted", PORTS + PORT),
        delete("network without a type deleted", NETWORKS + NETWORK),
        put("network with a type", NETWORKS + NETWORK, network()),
        get("elan-instance", ELAN_INSTANCES + NETWORK, until=200),
        put("port without fixed-ips", PORTS + PORT, port(fixed_ips=None)),
        get("no interface without fixed-ips", INTERFACES + PORT, stays=HAPPENS),
        put("bgpvpn without a distinguisher", BGPVPNS + BGPVPN, bgpvpn(route_distinguishers=None)),
        get("no vpn-instance", INSTANCES + BGPVPN, stays=HAPPENS),
        delete("bgpvpn deleted", BGPVPNS + BGPVPN),
    ),
    tidy=ALL_OF_IT,
)

VLANS = Scenario(
    "interfaces with a VLAN",
    (
        put("parent", INTERFACES + "trunk1", vlan_interface("trunk1")),
        put(
            "member",
            INTERFACES + "member1",
            vlan_interface(
                "member1",
                odl_interface__l2vlan_mode="trunk-member",
                odl_interface__vlan_id=33,
                odl_interface__parent_interface="trunk1",
            ),
        ),
        get("member there", INTERFACES + "member1"),
        put("VLAN out of range", INTERFACES + "member2", vlan_interface("member2", odl_interface__vlan_id=5000)),
        put("no type: a mandatory leaf", INTERFACES + "member2", vlan_interface("member2", type=None)),
        get("the first request after a failed write", INTERFACES + "member2", chancy=True),
        get("nothing of it stored", INTERFACES + "member2"),
        delete("member deleted", INTERFACES + "member1"),
        delete("parent deleted", INTERFACES + "trunk1"),
    ),
    tidy=(INTERFACES + "member1", INTERFACES + "member2", INTERFACES + "trunk1"),
)

TRUNK = "88888888-8888-4888-8888-888888888888"
SUBPORT = {"port-id": PORT_2, "segmentation-type": "neutron-networks:network-type-vlan", "segmentation-id": 100}

TRUNKED = Scenario(
    "a Neutron trunk",
    (
        *MADE,
        put("port of the VLAN", PORTS + PORT_2, port(PORT_2, 6)),
        get("its interface", INTERFACES + PORT_2, until=200),
        put("trunk", TRUNKS + TRUNK, trunk(TRUNK, PORT, SUBPORT)),
        get("trunk there", TRUNKS + TRUNK),
        get("the parent's interface", INTERFACES + PORT, stays=HAPPENS),
        get("the subport's interface", INTERFACES + PORT_2),
        delete("trunk deleted", TRUNKS + TRUNK),
        get("the subport's interface without the trunk", INTERFACES + PORT_2, stays=HAPPENS),
    ),
    tidy=(TRUNKS + TRUNK, *ALL_OF_IT),
)

PEERS = Scenario(
    "BGP peers",
    (
        get("none", "ebgp:bgp"),
        put(
            "own system",
            "ebgp:bgp",
            {"ebgp:bgp": {"as-id": {"local-as": 65000, "router-id": "192.0.2.1"}}},
        ),
        put(
            "neighbor",
            NEIGHBORS + "192.0.2.2",
            {"ebgp:neighbors": [{"address": "192.0.2.2", "remote-as": 65001}]},
        ),
        put(
            "remote-as missing: a mandatory leaf",
            NEIGHBORS + "192.0.2.3",
            {"ebgp:neighbors": [{"address": "192.0.2.3"}]},
        ),
        get("the first request after a failed write", "ebgp:bgp", chancy=True),
        put("neighborsContainer, as Magnesium has it", "ebgp:bgp/neighborsContainer", {"ebgp:neighborsContainer": {}}),
        get("both there", "ebgp:bgp"),
        delete("neighbor deleted", NEIGHBORS + "192.0.2.2"),
        get("neighbor gone", NEIGHBORS + "192.0.2.2"),
        delete("all deleted", "ebgp:bgp"),
    ),
    tidy=("ebgp:bgp",),
)

TUNNEL = "itm-rpc:add-external-tunnel-endpoint"
ENDPOINT = {"destination-ip": "192.0.2.9", "tunnel-type": "odl-interface:tunnel-type-mpls-over-gre"}

TUNNELS = Scenario(
    "tunnels",
    (
        post("endpoint", TUNNEL, {"itm-rpc:input": ENDPOINT}, store=CALL),
        post("endpoint again", TUNNEL, {"itm-rpc:input": ENDPOINT}, store=CALL),
        post("destination missing", TUNNEL, {"itm-rpc:input": {"tunnel-type": ENDPOINT["tunnel-type"]}}, store=CALL),
        post("unknown type", TUNNEL, {"itm-rpc:input": {**ENDPOINT, "tunnel-type": "string"}}, store=CALL),
        post("unknown call", "itm-rpc:add-tunnel", {"itm-rpc:input": ENDPOINT}, store=CALL),
        post(
            "endpoint removed",
            "itm-rpc:remove-external-tunnel-endpoint",
            {"itm-rpc:input": ENDPOINT},
            store=CALL,
        ),
    ),
)

CONTAINERS = Scenario(
    "containers",
    (
        put(
            "all networks at once",
            "neutron:neutron/networks",
            {"neutron:networks": {"network": network()["neutron:network"]}},
        ),
        get("one network there", NETWORKS + NETWORK),
        put("empty container", "neutron:neutron/networks", {"neutron:networks": {}}),
        get("empties it", NETWORKS + NETWORK),
        get("the container is gone", "neutron:neutron/networks"),
    ),
    tidy=ALL_OF_IT,
)

SCENARIOS = (
    AUTHORISATION,
    LIFE,
    BODIES,
    PATHS,
    MEDIA,
    NEUTRON,
    L3VPN,
    BY_BGPVPN,
    DISTINGUISHERS,
    DUAL_STACK,
    TAKEN,
    DROPS,
    VLANS,
    TRUNKED,
    PEERS,
    TUNNELS,
    CONTAINERS,
)
"""All of them, in the order in which they are played."""
