from __future__ import annotations

import pytest

from gluon.shim.backend import Model, Refused, RetryLater
from gluon.shim.backends.opendaylight import wanted
from unit.shim.samples import L3VPN, TENANT, name, port, sample


def model(*objects):
    made = Model(L3VPN)
    for obj in objects:
        made = made.having(obj)
    return made


def binding(number=1, **attributes):
    given = {"service_id": name("VpnService", 1).key, **attributes}
    return sample("VpnBinding", number, **given)


def interface(number=1, **attributes):
    return sample("Interface", number, **attributes)


VPN = sample("VpnService", 1)


def test_a_member():
    joined = binding(ipaddress="10.0.0.5", subnet_prefix=24, gateway="10.0.0.1")
    member = wanted.member_of(joined, model(VPN, port(), interface(), joined))
    assert (member.plug, member.cidr, member.gateway, member.host) == (port().key, "10.0.0.0/24", "10.0.0.1", "host-1")
    assert member.vpn_interface is not None
    assert member.vpn_interface.prefix == "10.0.0.5/32"


def test_a_member_with_ipv6():
    joined = binding(ipaddress="2001:db8::5", subnet_prefix=64)
    member = wanted.member_of(joined, model(VPN, port(), interface(), joined))
    assert member.cidr == "2001:db8::/64"
    assert member.vpn_interface is not None
    assert member.vpn_interface.prefix == "2001:db8::5/128"


def test_a_vlan_has_a_port_of_its_own():
    joined, vlan = binding(ipaddress="10.0.0.5"), interface(segmentation_type="vlan", segmentation_id=7)
    member = wanted.member_of(joined, model(VPN, port(), vlan, joined))
    assert (member.plug, member.port, member.vlan) == (vlan.key, port().key, 7)
    assert member.cidr == "10.0.0.5/32"


@pytest.mark.parametrize(("kind", "number"), [("tunnel_vxlan", 5), ("tunnel_gre", 5), ("mpls", 100)])
def test_what_netvirt_has_no_interface_for(kind, number):
    joined, other = binding(), interface(segmentation_type=kind, segmentation_id=number)
    with pytest.raises(Refused, match=f"not by {kind}"):
        wanted.member_of(joined, model(VPN, port(), other, joined))


def test_a_missing_port_is_waited_for():
    with pytest.raises(RetryLater):
        wanted.member_of(binding(), model(VPN, interface()))


def test_a_gateway_that_is_left_out_is_that_of_the_subnet():
    one = binding(1, ipaddress="10.0.0.5", subnet_prefix=24, gateway="10.0.0.1")
    other = binding(2, ipaddress="10.0.0.6", subnet_prefix=24)
    elsewhere = binding(3, ipaddress="10.0.1.6", subnet_prefix=24)
    held = model(VPN, one, other, elsewhere)
    assert wanted.gateway_of(other, held) == "10.0.0.1"
    assert wanted.gateway_of(elsewhere, held) is None


def test_a_vpn_has_its_targets_by_family_and_type():
    imported = sample("VpnAfConfig", 1, vrf_rt_type="import_extcommunity")
    vpn = sample("VpnService", 1, ipv4_family=imported.key, route_distinguishers="65000:9,65000:8")
    found = wanted.vpn_of(vpn, model(imported, vpn), 64512)
    assert found.instance.ipv4 == {imported.key: "import_extcommunity"}
    assert found.instance.ipv6 is None
    assert found.instance.distinguishers == ("65000:9", "65000:8")
    assert found.tenant == TENANT
