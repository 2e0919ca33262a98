from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gluon.shim.backends.opendaylight import networks
from gluon.shim.backends.opendaylight.dialects import VpnInstance
from gluon.shim.backends.opendaylight.paths import Path
from gluon.shim.backends.opendaylight.resources import Resource, canonical, differs
from gluon.shim.backends.opendaylight.wanted import Member, Vpn

MEMBER = Member(
    key="I", vpn="V", tenant="8e0f9e5a-3c55-4d7e-9a35-0d6c1a5c7a11", port="P", vlan=None, address="10.0.0.5",
    cidr="10.0.0.0/24", gateway="10.0.0.1", mac="fa:16:3e:00:00:01", admin_state_up=True, device_id="vm1",
    device_owner="", host="cmp1", vnic_type="normal",
)  # fmt: skip


def test_a_port_as_it_was_checked_on_a_real_one():
    assert networks.port(MEMBER).document == {
        "neutron:port": [
            {
                "uuid": "P",
                "name": "gluon:port I",
                "network-id": MEMBER.network,
                "tenant-id": MEMBER.tenant,
                "mac-address": "fa:16:3e:00:00:01",
                "admin-state-up": True,
                "device-id": "vm1",
                "device-owner": "compute:None",
                "fixed-ips": [{"subnet-id": MEMBER.subnet, "ip-address": "10.0.0.5"}],
                "neutron-binding:host-id": "cmp1",
                "neutron-binding:vnic-type": "normal",
                "neutron-binding:vif-type": "ovs",
                "neutron-portsecurity:port-security-enabled": False,
            }
        ]
    }


def test_a_network_and_a_subnet_as_they_were_checked_on_a_real_one():
    network, subnet = networks.network(MEMBER, 10042).body, networks.subnet(MEMBER)
    assert network["neutron-provider-ext:network-type"] == "neutron-networks:network-type-vxlan"
    assert network["neutron-provider-ext:segmentation-id"] == "10042"  # a string
    assert subnet is not None
    assert subnet.body["ip-version"] == "neutron-constants:ip-version-v4"
    assert subnet.body["gateway-ip"] == "10.0.0.1"
    assert not {"allocation-pools", "dns-nameservers"} & subnet.body.keys()


def test_the_vni_that_a_network_was_given_is_no_difference():
    assert not differs(networks.network(MEMBER, 7).body, networks.network(MEMBER))


def test_a_bgpvpn_has_its_targets_by_direction():
    ipv4 = {"1:1": "import_extcommunity", "1:2": "export_extcommunity", "1:3": "both"}
    body = networks.bgpvpn(Vpn(VpnInstance("V", ("65000:100",), ipv4, {"1:3": "both"}), MEMBER.tenant)).body
    assert (body["import-targets"], body["export-targets"], body["route-targets"]) == (["1:1"], ["1:2"], ["1:3"])
    assert "networks" not in body


NAMES = st.text("abc", min_size=1, max_size=2)
JSON = st.recursive(
    st.text(max_size=3) | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
)


def prefixed(value: Any) -> Any:
    if isinstance(value, dict):
        return {f"module:{name}": prefixed(item) for name, item in reversed(value.items())}
    return list(reversed([prefixed(item) for item in value])) if isinstance(value, list) else value


@given(JSON)
def test_neither_prefixes_nor_order_make_a_difference(value):
    assert canonical(prefixed(value)) == canonical(value)
    assert canonical(canonical(value)) == canonical(value)


def test_an_entry_and_a_container_are_wrapped():
    top = Path.of("ebgp:bgp")
    assert Resource(top.to("as-id"), {"local-as": 1}).document == {"ebgp:as-id": {"local-as": 1}}
    assert Resource(top.to("neighbors", "a"), {"address": "a"}).document == {"ebgp:neighbors": [{"address": "a"}]}
