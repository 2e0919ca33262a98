"""What networks can have and what they can't: every attribute of the shipped protons, through the REST API."""

from __future__ import annotations

import ipaddress
import itertools
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from gluon.testing.waiting import until

TENANT = "5b1a2d3c-0000-4000-8000-000000000001"
KEYSTONE = TENANT.replace("-", "")
MAC = "c8:2a:14:04:43:80"
SFC = "/proton/ietf-sfc/v1.0"


@pytest.fixture(scope="module")
def server(shared_etcd, tmp_path_factory, request):
    made = request.getfixturevalue("server_class")(
        tmp_path_factory.mktemp("networks"), shared_etcd.endpoint, service_list="net-l3vpn,ietf-sfc,test"
    )
    made.start()
    yield made
    made.end()


_FRESH = itertools.count(int(ipaddress.IPv4Address("10.2.0.1")))


def fresh_address() -> str:
    """One that no other object has."""
    return str(ipaddress.IPv4Address(next(_FRESH)))


class Api:
    """Makes objects of one proton, each with what it needs."""

    def __init__(self, server: Any, proton: str = "net-l3vpn") -> None:
        self.base = f"{server.root}/proton/{proton}/v1.0"
        self.client = httpx.Client(trust_env=False, timeout=30)

    def post(self, plural: str, **body: Any) -> httpx.Response:
        return self.client.post(f"{self.base}/{plural}", json={"tenant_id": TENANT, **body})

    def put(self, plural: str, key: str, **body: Any) -> httpx.Response:
        return self.client.put(f"{self.base}/{plural}/{key}", json=body)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"{self.base}/{path}", params=query).raise_for_status().json()

    def made(self, plural: str, **body: Any) -> dict[str, Any]:
        answer = self.post(plural, **body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def port(self) -> str:
        return str(self.made("ports", mac_address=MAC)["id"])

    def vpn(self) -> str:
        return str(self.made("vpns")["id"])

    def body(self, plural: str) -> dict[str, Any]:
        """What a create needs beside the attributes that are tried."""
        needed: dict[str, dict[str, Any]] = {
            "ports": {"mac_address": MAC},
            "vpnafconfigs": {"vrf_rt_value": f"65000:{uuid.uuid4().int % 2**31}", "vrf_rt_type": "both"},
            "bgppeerings": {"local_ip_address": "10.1.0.1", "peer_ip_address": fresh_address(), "as_number": 65000},
            "dataplanetunnels": {"local_tunnel_endpoint": "10.1.0.1", "remote_tunnel_endpoint": fresh_address()},
        }
        if plural == "interfaces":
            return {"port_id": self.port()}
        if plural == "vpnbindings":
            return {"interface_id": self.port(), "service_id": self.vpn()}
        if plural == "sfdataplanelocators":
            return {"interface_id": self.port(), "service_id": self.made("servicefunctions")["id"]}
        if plural == "sffdataplanelocators":
            return {"interface_id": self.port(), "service_id": self.made("servicefunctionforwarders")["id"]}
        return needed.get(plural, {})


@pytest.fixture(scope="module")
def apis(server) -> Iterator[Callable[..., Api]]:
    """Clients of this and of other servers."""
    made: list[Api] = []

    def make(of: Any = server, proton: str = "net-l3vpn") -> Api:
        made.append(Api(of, proton))
        return made[-1]

    yield make
    for each in made:
        each.client.close()


@pytest.fixture(scope="module")
def api(apis):
    return apis()


@pytest.fixture(scope="module")
def sfc(apis):
    return apis(proton="ietf-sfc")


@pytest.fixture
def view(shared_etcd, view_class):
    """etcd as the server has filled it."""
    return view_class(shared_etcd)


def at(address: str, prefix: int | None = None, gateway: str | None = None) -> dict[str, Any]:
    return {"ipaddress": address, "subnet_prefix": prefix, "gateway": gateway}


def segment(kind: str, number: int) -> dict[str, Any]:
    return {"segmentation_type": kind, "segmentation_id": number}


ACCEPTED: dict[str, list[dict[str, Any]]] = {
    "ports": [
        {"mac_address": "C8-2A-14-04-43-80"},
        {"mac_address": "c82a.1404.4380"},
        {"mac_address": "c82a14044380"},
        {"mac_address": "02:00:00:00:00:01"},
        {"mac_address": "fe:16:3e:00:00:01"},
        {"mac_address": "2:0:0:0:AA:5"},
        {"mtu": 68},
        {"mtu": 65535},
        {"profile": ""},
        {"profile": {}},
        {"profile": "null"},
        {"profile": '{"a": [1]}'},
        {"device_id": "", "host_id": "", "device_owner": ""},
        {"vnic_type": ""},
        {"vnic_type": "remote-managed"},
        {"name": ""},
    ],
    "interfaces": [
        segment("vlan", 1),
        segment("vlan", 4094),
        segment("tunnel_vxlan", 1),
        segment("tunnel_vxlan", 2**24 - 1),
        segment("tunnel_gre", 1),
        segment("tunnel_gre", 2**32 - 1),
        segment("mpls", 16),
        segment("mpls", 2**20 - 1),
    ],
    "vpnafconfigs": [
        {"vrf_rt_type": "import_extcommunity"},
        {"vrf_rt_value": "4200000000:65535"},
        {"vrf_rt_value": "10.0.0.1:65535"},
        {"vrf_rt_value": "65535:4294967295"},
        {"import_route_policy": "", "export_route_policy": ""},
    ],
    "vpns": [
        {"route_distinguishers": "4200000000:65535,4200000001:65535"},
        {"route_distinguishers": "4200000000:65535, 10.0.0.1:5, 65000:1"},
        {"route_distinguishers": "", "ipv4_family": "", "ipv6_family": ""},
    ],
    "vpnbindings": [
        at("10.0.0.5", 24, "10.0.0.1"),
        at("10.0.0.0", 31, "10.0.0.1"),
        at("10.0.0.255", 31, "10.0.0.254"),
        at("10.0.0.255", 32),
        at("10.0.0.5", 32, "10.0.0.1"),
        at("10.0.0.255", 16, "10.0.0.1"),
        at("10.0.0.5", 24, "169.254.1.1"),
        at("169.254.0.5", 16, "169.254.0.1"),
        at("2001:db8::5", 64, "fe80::1"),
        at("2001:DB8:0::5", 64, "2001:db8::"),
        at("2001:db8::ffff:ffff:ffff:ffff", 64),
        at("2001:db8::", 127, "2001:db8::1"),
        at("2001:db8::", 128, "fe80::1"),
        at("fd00::5", 64, "fd00::1"),
        at("10.0.0.5"),
        at("10.0.0.255"),
        {"ipaddress": "", "subnet_prefix": None, "gateway": ""},
        {"subnet_prefix": 64},
    ],
    "bgppeerings": [
        {"local_ip_address": "2001:db8::1", "peer_ip_address": "2001:db8::2"},
        {"local_ip_address": "fe80::1", "peer_ip_address": "fe80::2"},
        {"as_number": 4294967294},
        {"as_number": 65534, "peer_as_number": 65536},
        {"as_number": 1, "peer_as_number": 4200000000},
    ],
    "dataplanetunnels": [{"local_tunnel_endpoint": "2001:db8::1", "remote_tunnel_endpoint": "2001:db8::2"}],
}

REFUSED: dict[str, list[tuple[dict[str, Any], str]]] = {
    "ports": [
        ({"mac_address": "01:00:5e:00:00:01"}, "mac_address"),
        ({"mac_address": "ffff.ffff.ffff"}, "mac_address"),
        ({"mac_address": "000000000000"}, "mac_address"),
        ({"mac_address": "33-33-00-00-00-01"}, "mac_address"),
        ({"mac_address": ""}, "mac_address"),
        ({"mtu": 67}, "mtu"),
        ({"mtu": 65536}, "mtu"),
        ({"vnic_type": "virtual"}, "vnic_type"),
        ({"profile": 5}, "profile"),
        ({"profile": [1]}, "profile"),
        ({"profile": "true"}, "profile"),
        ({"tenant_id": ""}, "tenant_id"),
    ],
    "interfaces": [
        (segment("none", 5), "segmentation_id"),
        ({"segmentation_id": 5}, "segmentation_id"),
        ({"segmentation_type": "vlan"}, "segmentation_id"),
        (segment("vlan", 0), "segmentation_id"),
        (segment("vlan", 4095), "segmentation_id"),
        (segment("vlan", 99999), "segmentation_id"),
        (segment("tunnel_vxlan", 2**24), "segmentation_id"),
        (segment("tunnel_gre", 2**32), "segmentation_id"),
        (segment("mpls", 15), "segmentation_id"),
        (segment("mpls", 2**20), "segmentation_id"),
        (segment("vlan", -1), "segmentation_id"),
    ],
    "vpnafconfigs": [
        ({"vrf_rt_type": None}, "vrf_rt_type"),
        ({"vrf_rt_type": ""}, "vrf_rt_type"),
        ({"vrf_rt_value": "65536:65536"}, "vrf_rt_value"),
        ({"vrf_rt_value": "10.0.0.1:65536"}, "vrf_rt_value"),
        ({"vrf_rt_value": ""}, "vrf_rt_value"),
    ],
    "vpns": [
        ({"route_distinguishers": "65000:1,65000:1"}, "route_distinguishers"),
        ({"route_distinguishers": "65000:1,"}, "route_distinguishers"),
        ({"route_distinguishers": "4294967296:1"}, "route_distinguishers"),
        ({"ipv4_family": "65000"}, "ipv4_family"),
    ],
    "vpnbindings": [
        (at("10.0.0.255", 24), "ipaddress"),
        (at("10.0.0.0", 24), "ipaddress"),
        (at("10.0.0.3", 30), "ipaddress"),
        (at("2001:db8::", 64), "ipaddress"),
        (at("2001:db8::", 126), "ipaddress"),
        (at("255.255.255.255"), "ipaddress"),
        (at("0.0.0.0"), "ipaddress"),
        (at("240.0.0.1"), "ipaddress"),
        (at("127.0.0.1"), "ipaddress"),
        (at("224.0.0.1"), "ipaddress"),
        (at("::"), "ipaddress"),
        (at("::1"), "ipaddress"),
        (at("ff02::1"), "ipaddress"),
        (at("::ffff:10.0.0.5"), "ipaddress"),
        (at("fe80::5%eth0"), "ipaddress"),
        (at("10.0.0.05"), "ipaddress"),
        (at("10.0.0.5", 33), "subnet_prefix"),
        (at("10.0.0.5", 0), "subnet_prefix"),
        (at("10.0.0.5", 24, "10.0.1.1"), "gateway"),
        (at("10.0.0.5", 24, "10.0.0.255"), "gateway"),
        (at("10.0.0.5", 24, "10.0.0.0"), "gateway"),
        (at("10.0.0.5", 24, "10.0.0.5"), "gateway"),
        (at("10.0.0.5", 32, "10.0.0.5"), "gateway"),
        (at("10.0.0.5", 24, "fe80::1"), "gateway"),
        (at("2001:db8::5", 64, "2001:db8:1::1"), "gateway"),
        (at("2001:db8::5", 64, "ff02::2"), "gateway"),
        (at("10.0.0.5", 24, "0.0.0.0"), "gateway"),
    ],
    "bgppeerings": [
        ({"peer_ip_address": "10.1.0.1"}, "peer_ip_address"),
        (
            {"local_ip_address": "2001:DB8::1", "peer_ip_address": "2001:db8:0:0:0:0:0:1"},
            "peer_ip_address",
        ),
        ({"peer_ip_address": "2001:db8::2"}, "peer_ip_address"),
        ({"peer_ip_address": "0.0.0.0"}, "peer_ip_address"),
        ({"peer_ip_address": "224.0.0.5"}, "peer_ip_address"),
        ({"local_ip_address": "127.0.0.1"}, "local_ip_address"),
        ({"as_number": 0}, "as_number"),
        ({"as_number": 23456, "peer_as_number": 1}, "as_number"),
        ({"peer_as_number": 23456}, "peer_as_number"),
        ({"as_number": 65535, "peer_as_number": 1}, "as_number"),
        ({"peer_as_number": 4294967295}, "peer_as_number"),
        ({"peer_as_number": 4294967296}, "peer_as_number"),
        ({"local_ip_address": ""}, "local_ip_address"),
    ],
    "dataplanetunnels": [
        ({"remote_tunnel_endpoint": "10.1.0.1"}, "remote_tunnel_endpoint"),
        ({"remote_tunnel_endpoint": "fd00::1"}, "remote_tunnel_endpoint"),
        ({"remote_tunnel_endpoint": "239.0.0.1"}, "remote_tunnel_endpoint"),
        ({"local_tunnel_endpoint": "::"}, "local_tunnel_endpoint"),
    ],
}

SFC_ACCEPTED: dict[str, list[dict[str, Any]]] = {
    "servicefunctions": [{"ip_mgmt_address": "10.0.0.1", "type": "firewall"}, {"ip_mgmt_address": ""}],
    "servicefunctionforwarders": [{"ip_mgmt_address": "2001:db8::1"}],
    "sfdataplanelocators": [{"ipaddress": "10.0.0.1", "l4_port": 65535, "transport": "vxlan-gpe"}, {"transport": ""}],
    "sffdataplanelocators": [{"mac": "c82a.1404.4380"}, {"mac": ""}],
    "servicefunctionclassifiers": [
        {"src_ip": "10.0.0.1", "dst_ip": "224.0.0.1", "dst_mac": "01:00:5e:00:00:01"},
        {"src_ip": "fe80::1", "dst_ip": "ff02::1", "l4_port": 1},
        {"src_ip": "0.0.0.0", "dst_ip": "255.255.255.255", "dst_mac": "FFFF.FFFF.FFFF", "l4_port": 67},  # DHCP
        {"src_ip": "::", "dst_ip": "ff02::1:ff00:1", "dst_mac": "33:33:ff:00:00:01"},  # address detection
        {"dst_mac": "ff:ff:ff:ff:ff:ff"},  # ARP
    ],
    "servicefunctionchains": [{"sfc_service_functions": ""}],
    "servicefunctionpaths": [{"path_id": 2**24 - 1, "starting_index": 1}, {"path_id": 0, "sfc_encapsulation": ""}],
    "servicepathhops": [{"hop_id": 0}, {"hop_id": 255, "sf_name": ""}],
}

SFC_REFUSED: dict[str, list[tuple[dict[str, Any], str]]] = {
    "servicefunctions": [({"ip_mgmt_address": "224.0.0.1"}, "ip_mgmt_address")],
    "servicefunctionforwarders": [({"ip_mgmt_address": "::"}, "ip_mgmt_address")],
    "sfdataplanelocators": [({"l4_port": 0}, "l4_port"), ({"ipaddress": "0.0.0.0"}, "ipaddress")],
    "sffdataplanelocators": [({"mac": "01:00:5e:00:00:01"}, "mac")],
    "servicefunctionclassifiers": [
        ({"src_ip": "224.0.0.1"}, "src_ip"),
        ({"src_mac": "01:00:5e:00:00:01"}, "src_mac"),
        ({"src_ip": "10.0.0.1", "dst_ip": "2001:db8::1"}, "dst_ip"),
        ({"src_ip": "127.0.0.1"}, "src_ip"),
        ({"src_ip": "255.255.255.255"}, "src_ip"),
        ({"dst_ip": "127.0.0.1"}, "dst_ip"),
        ({"dst_ip": "0.0.0.0"}, "dst_ip"),
        ({"dst_ip": "::"}, "dst_ip"),
        ({"dst_ip": "::ffff:10.0.0.1"}, "dst_ip"),
        ({"dst_ip": "::ffff:224.0.0.1"}, "dst_ip"),
        ({"src_mac": "ff:ff:ff:ff:ff:ff"}, "src_mac"),
        ({"dst_mac": "00:00:00:00:00:00"}, "dst_mac"),
        ({"l4_port": 65536}, "l4_port"),
    ],
    "servicefunctionchains": [({"sfc_service_functions": "x"}, "sfc_service_functions")],
    "servicefunctionpaths": [
        ({"path_id": 2**24}, "path_id"),
        ({"starting_index": 0}, "starting_index"),
        ({"transport_type": "tcp"}, "transport_type"),
    ],
    "servicepathhops": [({"hop_id": 256}, "hop_id")],
}


def rows(table):
    return [
        pytest.param(plural, *(row if isinstance(row, tuple) else (row,)), id=f"{plural}-{number}")
        for plural, group in table.items()
        for number, row in enumerate(group)
    ]


def refused(answer: httpx.Response, status: int = 400) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    return dict(answer.json()["error"])


@pytest.mark.parametrize(("plural", "values"), rows(ACCEPTED))
def test_networks_can_have_it(api, plural, values):
    api.made(plural, **{**api.body(plural), **values})


@pytest.mark.parametrize(("plural", "values", "attribute"), rows(REFUSED))
def test_no_network_can_have_it(api, plural, values, attribute):
    error = refused(api.post(plural, **{**api.body(plural), **values}))
    assert [detail["attribute"] for detail in error["details"]] == [attribute]


@pytest.mark.parametrize(("plural", "values"), rows(SFC_ACCEPTED))
def test_chains_can_have_it(sfc, plural, values):
    sfc.made(plural, **{**sfc.body(plural), **values})


@pytest.mark.parametrize(("plural", "values", "attribute"), rows(SFC_REFUSED))
def test_no_chain_can_have_it(sfc, plural, values, attribute):
    error = refused(sfc.post(plural, **{**sfc.body(plural), **values}))
    assert [detail["attribute"] for detail in error["details"]] == [attribute]


def test_a_vpnafconfig_without_a_type_is_refused(api):
    error = refused(api.post("vpnafconfigs", vrf_rt_value="65000:77"))
    assert "vrf_rt_type: required; expected one of export_extcommunity" in error["message"]


@pytest.mark.parametrize(("plural", "values", "attribute"), rows({"vpnbindings": REFUSED["vpnbindings"]}))
def test_a_change_is_judged_as_a_create_is(api, plural, values, attribute):
    made = api.made(plural, **api.body(plural))
    error = refused(api.put(plural, made["interface_id"], **values))
    assert [detail["attribute"] for detail in error["details"]] == [attribute]


# -- between objects -----------------------------------------------------------------------------


SPELLINGS = [
    ("10.0.0.5", "10.0.0.5"),
    ("2001:db8::5", "2001:DB8:0:0:0:0:0:5"),
    ("2001:db8::5", "2001:0db8::0.0.0.5"),
]


@pytest.mark.parametrize(("first", "second"), SPELLINGS)
def test_an_address_is_once_in_a_vpn_however_it_is_spelled(api, first, second):
    vpn, other_vpn = api.vpn(), api.vpn()
    has = api.made("vpnbindings", interface_id=api.port(), service_id=vpn, ipaddress=first)
    port = api.port()
    error = refused(api.post("vpnbindings", interface_id=port, service_id=vpn, ipaddress=second), 409)
    assert error["code"] == "duplicate"
    assert f"VpnBinding {has['interface_id']} has service_id {vpn} and ipaddress {first} already" in error["message"]
    assert [detail["attribute"] for detail in error["details"]] == ["service_id", "ipaddress"]
    # In another VPN it is another address; and so it is not moved into the first one either.
    made = api.made("vpnbindings", interface_id=port, service_id=other_vpn, ipaddress=second)
    refused(api.put("vpnbindings", port, service_id=vpn), 409)
    assert api.put("vpnbindings", port, ipaddress=None, service_id=vpn).status_code == 200
    refused(api.put("vpnbindings", port, ipaddress=second), 409)
    assert made["ipaddress"] == first
    # Once it is free, it can be had.
    assert api.put("vpnbindings", has["interface_id"], ipaddress=None).status_code == 200
    assert api.put("vpnbindings", port, ipaddress=second).status_code == 200
    assert api.put("vpnbindings", port, ipaddress=second).status_code == 200


def test_anycast_says_that_an_address_is_meant_twice(api):
    vpn, shared = api.vpn(), {"ipaddress": "10.0.0.7"}
    first = api.made("vpnbindings", interface_id=api.port(), service_id=vpn, anycast=True, **shared)
    second = api.made("vpnbindings", interface_id=api.port(), service_id=vpn, anycast=True, **shared)
    error = refused(api.post("vpnbindings", interface_id=api.port(), service_id=vpn, **shared), 409)
    assert "or set anycast in both" in error["message"]
    refused(api.put("vpnbindings", second["interface_id"], anycast=False), 409)
    assert api.put("vpnbindings", first["interface_id"], ipaddress="10.0.0.8", anycast=False).status_code == 200
    assert api.put("vpnbindings", second["interface_id"], anycast=False).status_code == 200


def test_a_segment_is_once_on_a_port(api):
    port, other = api.port(), api.port()
    error = refused(api.post("interfaces", port_id=port), 409)  # a second untagged one
    assert (
        f"Interface {port} has port_id {port}, segmentation_type none and segmentation_id 0 already" in error["message"]
    )
    vlan = api.made("interfaces", port_id=port, **segment("vlan", 7))
    refused(api.post("interfaces", port_id=port, **segment("vlan", 7)), 409)
    api.made("interfaces", port_id=port, **segment("tunnel_vxlan", 7))
    elsewhere = api.made("interfaces", port_id=other, **segment("vlan", 7))
    refused(api.put("interfaces", elsewhere["id"], port_id=port), 409)
    refused(api.put("interfaces", vlan["id"], **segment("tunnel_vxlan", 7)), 409)
    refused(api.put("interfaces", vlan["id"], segmentation_type="none"), 400)
    assert api.put("interfaces", vlan["id"], segmentation_id=8).status_code == 200


def test_a_path_identifier_is_once(sfc):
    sfc.made("servicefunctionpaths", path_id=4711)
    refused(sfc.post("servicefunctionpaths", path_id=4711), 409)


def test_a_pair_of_addresses_is_once_a_session_and_once_a_tunnel(api):
    for plural, near, far in (
        ("bgppeerings", "local_ip_address", "peer_ip_address"),
        ("dataplanetunnels", "local_tunnel_endpoint", "remote_tunnel_endpoint"),
    ):
        made = api.made(plural, **{**api.body(plural), near: "fd00::1", far: "fd00::2"})
        again = {**api.body(plural), near: "FD00:0::1", far: "fd00::0.0.0.2"}
        if plural == "bgppeerings":
            again["as_number"] = 4200000000
        error = refused(api.post(plural, **again), 409)
        assert f"{made['id']} has {near} fd00::1 and {far} fd00::2 already" in error["message"]
        other = api.made(plural, **{**again, far: "fd00::3"})
        refused(api.put(plural, other["id"], **{far: "fd00::2"}), 409)


def test_what_is_attached_is_attached_once(sfc):
    function, forwarder, classifier = (
        sfc.made(plural)["id"]
        for plural in ("servicefunctions", "servicefunctionforwarders", "servicefunctionclassifiers")
    )
    other = sfc.made("servicefunctionforwarders")["id"]
    for plural, named in (
        ("sffsfbindings", {"service_function": function}),
        ("sclsffbindings", {"service_function_classifier": classifier}),
    ):
        sfc.made(plural, service_function_forwarder=forwarder, **named)
        assert refused(sfc.post(plural, service_function_forwarder=forwarder, **named), 409)["code"] == "duplicate"
        sfc.made(plural, service_function_forwarder=other, **named)


@pytest.mark.parametrize("plural", ["sfdataplanelocators", "sffdataplanelocators"])
def test_a_locator_is_once_with_its_port_and_without_one(sfc, plural):
    service = sfc.body(plural)["service_id"]

    def post(status: int, **values: Any) -> httpx.Response:
        answer = sfc.post(plural, interface_id=sfc.port(), service_id=service, **values)
        assert answer.status_code == status, answer.text
        return answer

    first = post(201, ipaddress="10.0.0.1").json()["interface_id"]
    error = refused(post(409, ipaddress="10.0.0.1"), 409)
    assert f"{first} has service_id {service}, ipaddress 10.0.0.1 and l4_port null already" in error["message"]
    second = post(201, ipaddress="10.0.0.1", l4_port=4790).json()["interface_id"]
    post(409, ipaddress="10.0.0.1", l4_port=4790)
    refused(sfc.put(plural, second, l4_port=None), 409)
    for _ in range(2):  # An address that is not set is no address.
        post(201)
        post(201, l4_port=4790)


def test_what_is_no_rule(api):
    for _ in range(2):
        vpn = api.made("vpns", route_distinguishers="65000:7")["id"]
    api.made("vpnafconfigs", vrf_rt_value="0:7", vrf_rt_type="both")
    api.made("vpnbindings", interface_id=api.port(), service_id=vpn, **at("10.0.0.5", 24, "10.0.0.1"))
    api.made("vpnbindings", interface_id=api.port(), service_id=vpn, **at("10.0.0.1", 24))  # a VM that is the router


def test_packets_of_a_chain_may_visit_a_function_again(sfc):
    firewall, cache = (sfc.made("servicefunctions")["id"] for _ in range(2))
    chain = sfc.made("servicefunctionchains", sfc_service_functions=f"{firewall}, {cache},{firewall}")
    assert chain["sfc_service_functions"] == f"{firewall},{cache},{firewall}"
    key = chain["id"]
    assert sfc.put("servicefunctionchains", key, sfc_service_functions=f"{cache},{cache}").status_code == 200
    refused(sfc.client.delete(f"{sfc.base}/servicefunctions/{cache}"), 409)
    assert sfc.client.delete(f"{sfc.base}/servicefunctions/{firewall}").status_code == 204
    hops = [sfc.made("servicepathhops", hop_id=place, sf_name=cache)["id"] for place in range(2)]
    sfc.made("servicefunctionpaths", service_path_hops=",".join(hops))
    error = refused(sfc.post("servicefunctionpaths", service_path_hops=",".join(hops), starting_index=1))
    assert "starting_index: expected at least 2, one for each item of service_path_hops, got 1" in error["message"]
    sfc.made("servicefunctionpaths", service_path_hops=",".join(hops), starting_index=2)
    # A hop is one place of a path: a function that is visited again is another hop.
    error = refused(sfc.post("servicefunctionpaths", service_path_hops=f"{hops[0]},{hops[0]}"))
    assert "is given twice" in error["message"]


def test_of_many_at_once_one_gets_the_address(server, apis, api, make_server, view):
    """Two servers on one database, as many requests at once as fit: the database decides."""
    second = make_server(view, server.database.parent, service_list="net-l3vpn,ietf-sfc,test")
    second.start()
    doors = [api, apis(second)]
    vpn = api.vpn()
    ports = [api.port() for _ in range(24)]

    def bind(number: int) -> int:
        answer = doors[number % 2].post("vpnbindings", interface_id=ports[number], service_id=vpn, ipaddress="10.9.9.9")
        return answer.status_code

    with ThreadPoolExecutor(24) as pool:
        statuses = sorted(pool.map(bind, range(len(ports))))
    assert statuses == [201] + [409] * (len(ports) - 1)
    assert len(api.get("vpnbindings", service_id=vpn)["vpnbindings"]) == 1
    second.end()


# -- names and filters -----------------------------------------------------------------------------


def test_a_project_comes_back_as_keystone_writes_it(api, view):
    tenant = uuid.uuid4()
    port = api.made("ports", tenant_id=tenant.hex, mac_address=MAC)
    other = api.made("ports", tenant_id=str(tenant), mac_address=MAC)
    assert (port["tenant_id"], other["tenant_id"]) == (tenant.hex, str(tenant))
    assert api.get(f"interfaces/{port['id']}")["tenant_id"] == tenant.hex
    for spelling in (tenant.hex, str(tenant), tenant.hex.upper()):
        found = api.get("ports", tenant_id=spelling)["ports"]
        assert {each["id"] for each in found} == {port["id"], other["id"]}
    until(lambda: view.get(f"/gluon/port/{port['id']}"), "the port is registered")
    assert view.get(f"/gluon/port/{port['id']}")[0]["tenant_id"] == tenant.hex
    assert view.published(port["id"])["tenant_id"] == tenant.hex


def test_a_project_never_changes(api):
    port = api.made("ports", tenant_id=KEYSTONE, mac_address=MAC)
    error = refused(api.put("ports", port["id"], tenant_id=str(uuid.uuid4())))
    assert f'tenant_id: it never changes; leave it out or give "{KEYSTONE}"' in error["message"]
    refused(api.put("ports", port["id"], tenant_id=None))
    assert api.put("ports", port["id"], tenant_id=TENANT, name="n").json() | {
        "updated_at": 0,
        "revision_number": 0,
    } == {
        **port,
        "name": "n",
        "updated_at": 0,
        "revision_number": 0,
    }


def test_filters_find_what_is_unset_and_take_alternatives(api):
    tenant = str(uuid.uuid4())
    ports = [
        api.made("ports", tenant_id=tenant, mac_address=MAC, **values)["id"]
        for values in ({}, {"device_id": ""}, {"device_id": "vm-1"}, {"device_id": "vm-2"})
    ]

    def keys(**query: Any) -> set[int]:
        return {ports.index(each["id"]) for each in api.get("ports", tenant_id=tenant, **query)["ports"]}

    assert keys(device_id="") == {0, 1}
    assert keys(device_id=["vm-1", "vm-2"]) == {2, 3}
    assert keys(device_id=["", "vm-2"]) == {0, 1, 3}
    assert keys(profile="", host_id="") == {0, 1, 2, 3}
    assert keys(mtu=["1500", "9000"], admin_state_up="true") == {0, 1, 2, 3}
    assert keys(mtu="") == set()


@pytest.mark.parametrize(
    ("query", "attribute"),
    [
        ([("limit", "1"), ("limit", "2")], "limit"),
        ([("limit", "01")], "limit"),
        ([("limit", "4294967296")], "limit"),
        ([("marker", TENANT), ("marker", TENANT)], "marker"),
        ([("mtu", "1_500")], "mtu"),
        ([("mtu", "\u0661\u0665\u0660\u0660")], "mtu"),
        ([("mtu", " 1500")], "mtu"),
        ([("mtu", "+1500")], "mtu"),
        ([("profile", '{"a":1,"a":2}')], "profile"),
        ([("device_id", "a"), ("mtu", "x")], "mtu"),
    ],
)
def test_a_filter_is_as_strict_as_a_body(api, query, attribute):
    error = refused(api.client.get(f"{api.base}/ports", params=query))
    assert [detail["attribute"] for detail in error["details"]] == [attribute]


# -- objects of an older version -------------------------------------------------------------------


def test_objects_that_an_older_version_took_are_named_and_can_be_mended(own_etcd, apis, make_server, tmp_path):
    server = make_server(own_etcd, tmp_path / "old", service_list="net-l3vpn,ietf-sfc")
    server.start()
    api, sfc = apis(server), apis(server, "ietf-sfc")
    function = sfc.made("servicefunctions")["id"]
    locators = [
        sfc.made("sfdataplanelocators", interface_id=sfc.port(), service_id=function, ipaddress=f"10.0.0.{number}")
        for number in (5, 6)
    ]
    vpn, ports = api.vpn(), [api.port() for _ in range(2)]
    api.made("vpnafconfigs", vrf_rt_value="65000:5", vrf_rt_type="both")
    for number, port in enumerate(ports):
        api.made("vpnbindings", interface_id=port, service_id=vpn, ipaddress=f"10.0.0.{5 + number}", subnet_prefix=24)
    peering = api.made("bgppeerings", **api.body("bgppeerings"))
    server.stop()
    age(server.database)
    with sqlite3.connect(server.database) as connection:
        connection.execute("UPDATE net_l3vpn_vpnafconfig SET vrf_rt_type = NULL")
        connection.execute("UPDATE net_l3vpn_vpnbinding SET ipaddress = '10.0.0.9'")
        connection.execute("UPDATE net_l3vpn_port SET mac_address = '01:00:5e:00:00:01' WHERE id = ?", ports[:1])
        connection.execute("UPDATE net_l3vpn_bgppeering SET peer_ip_address = local_ip_address")
        connection.execute("UPDATE ietf_sfc_sfdataplanelocator SET ipaddress = '10.0.0.9'")
    connection.close()
    server.start()

    def degraded() -> str:
        return str(server.ready()[1]["database"].get("degraded", ""))

    until(lambda: "7 objects are not as the model wants" in degraded(), "the objects are found")
    assert server.ready()[0] == 200
    log = server.log.read_text()
    for name in ("VpnAfConfig 65000:5", f"VpnBinding {ports[0]}", f"VpnBinding {ports[1]}", f"Port {ports[0]}"):
        assert f"{name} of net-l3vpn is not as its model wants it" in log
    assert "BGPPeering" in log
    assert f"SfDataPlaneLocator {locators[0]['interface_id']} of ietf-sfc is not as its model wants it" in log
    api, sfc = apis(server), apis(server, "ietf-sfc")
    mended = sfc.put("sfdataplanelocators", locators[0]["interface_id"], l4_port=4790)
    assert mended.status_code == 200
    # They are served, and what is not about the fault can be changed.
    assert api.get("vpnbindings/" + ports[0])["anycast"] is None  # which means false
    assert api.put("ports", ports[0], name="n", device_id="").status_code == 200
    assert api.put("vpnafconfigs", "65000:5", import_route_policy="p").status_code == 200
    assert api.put("bgppeerings", peering["id"], name="n").status_code == 200
    # A change that leaves the fault is refused; one that mends it is not.
    refused(api.put("vpnafconfigs", "65000:5", vrf_rt_type=None))
    refused(api.put("bgppeerings", peering["id"], local_ip_address="10.1.0.1"))
    assert api.put("vpnafconfigs", "65000:5", vrf_rt_type="both").status_code == 200
    assert api.put("ports", ports[0], mac_address=MAC).status_code == 200
    assert api.put("vpnbindings", ports[0], ipaddress="10.0.0.10").status_code == 200
    until(lambda: "1 object is not as the model wants" in degraded(), "four are mended")
    assert api.put("bgppeerings", peering["id"], peer_ip_address="10.1.0.9").status_code == 200
    until(lambda: degraded() == "", "all are mended")


def age(database: Any) -> None:
    """Takes from the database what this version added."""
    connection = sqlite3.connect(database)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(net_l3vpn_vpnafconfig)")]
    connection.executescript("ALTER TABLE net_l3vpn_vpnbinding DROP COLUMN anycast; PRAGMA writable_schema = ON;")
    for name, kind in (("vrf_rt_type", "VARCHAR(19)"),):
        assert name in columns
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = 'net_l3vpn_vpnafconfig'",
            (f"{name} {kind} NOT NULL", f"{name} {kind}"),
        )
    connection.execute(
        "UPDATE sqlite_schema SET sql = replace(sql, 'route_distinguishers VARCHAR(255)', 'route_distinguishers "
        "VARCHAR(32)') WHERE name = 'net_l3vpn_vpnservice'"
    )
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'rule_%'").fetchall():
        connection.execute("PRAGMA writable_schema = OFF")
        connection.execute(f"DROP INDEX {name}")
    connection.commit()
    connection.close()
