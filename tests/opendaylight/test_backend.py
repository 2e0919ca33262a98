"""Every object of net-l3vpn through its life, asked for by REST, and what the real OpenDaylight holds then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.on_opendaylight import BGPVPN, L3VPN
from gluon.testing.waiting import until
from lab.controller import OpenDaylight
from standins.opendaylight import foreign

from .real import Real
from .running import OTHER_TENANT, PATIENCE, Running, running, unproven

pytestmark = pytest.mark.timeout(600)


def beside(opendaylight: OpenDaylight, directory: Path, mode: str = L3VPN) -> Iterator[Running]:
    """A stack beside an OpenDaylight that has objects of others, and no more; so it is left."""
    opendaylight.start()
    with Real(opendaylight.url, opendaylight.user, opendaylight.password) as real:
        if real.ours():  # a test that failed has left it
            opendaylight.kill()
            opendaylight.wipe()
            opendaylight.start()
        real.add_foreign()
    with running(opendaylight, directory, mode) as made:
        yield made
        made.delete_all()
        made.agrees()
        until(lambda: not made.real.ours(), "nothing is left of what was deleted", PATIENCE)


@pytest.fixture
def gluon(opendaylight: OpenDaylight, tmp_path: Path) -> Iterator[Running]:
    yield from beside(opendaylight, tmp_path)


@pytest.fixture(params=[L3VPN, BGPVPN])
def in_either_mode(request: pytest.FixtureRequest, opendaylight: OpenDaylight, tmp_path: Path) -> Iterator[Running]:
    yield from beside(opendaylight, tmp_path, request.param)


def members(gluon: Running, vpn: str, number: int) -> list[str]:
    """So many ports, each in the VPN."""
    ports = [gluon.port() for _ in range(number)]
    for last, port in enumerate(ports, start=10):
        gluon.bind(port, vpn, f"10.0.0.{last}")
    return ports


def test_a_vpn(in_either_mode: Running):
    gluon = in_either_mode
    for value, kind in (("65000:1", "both"), ("65000:2", "import_extcommunity"), ("65000:3", "export_extcommunity")):
        gluon.target(value, kind)
    vpn = gluon.vpn(ipv4_family="65000:1,65000:2", ipv6_family="65000:1", route_distinguishers="65000:20,65000:10")
    gluon.agrees()
    assert gluon.real.read("odl-l3vpn:vpn-instance-op-data", "operational")
    gluon.vpn(name="without a route distinguisher")
    gluon.agrees()
    port = gluon.port()
    gluon.bind(port, vpn, "10.0.0.10")
    gluon.agrees()

    gluon.put(f"/vpns/{vpn}", ipv4_family="65000:3")
    gluon.agrees()
    gluon.put("/vpnafconfigs/65000:3", vrf_rt_type="both")
    gluon.agrees()
    gluon.put(f"/vpns/{vpn}", route_distinguishers="65000:30", ipv6_family="65000:2,65000:3")
    gluon.agrees()
    gluon.put(f"/vpns/{vpn}", ipv4_family=None, ipv6_family=None)
    gluon.agrees()


def test_a_member(in_either_mode: Running):
    gluon = in_either_mode
    blue, green = gluon.vpn(name="blue"), gluon.vpn(name="green")
    one, other = gluon.port(), gluon.port("h2")
    gluon.port_shows(one, vif_type="ovs")
    gluon.bind(one, blue, "10.0.0.10")
    gluon.bind(other, blue, "10.0.0.11", tenant_id=OTHER_TENANT)
    gluon.agrees()

    gluon.put(f"/ports/{one}", host_id="h2")  # it moves
    gluon.agrees()
    gluon.put(f"/ports/{one}", admin_state_up=False, name="web")
    gluon.agrees()
    gluon.put(f"/vpnbindings/{one}", ipaddress="10.0.1.10", gateway="10.0.1.1")
    gluon.agrees()
    gluon.put(f"/vpnbindings/{one}", service_id=green)
    gluon.agrees()
    gluon.put(f"/ports/{one}", host_id=None, device_id=None)  # it is unbound
    gluon.agrees()
    gluon.put(f"/ports/{one}", host_id="h1", device_id="vm-9")
    gluon.agrees()
    gluon.put(f"/vpnbindings/{other}", ipaddress=None, subnet_prefix=None, gateway=None)
    gluon.agrees()
    gluon.put(f"/vpnbindings/{other}", ipaddress="10.0.0.12", subnet_prefix=24, gateway="10.0.0.1")
    gluon.agrees()
    gluon.delete(f"/vpnbindings/{one}")
    gluon.agrees()
    gluon.bind(one, green, "10.0.0.10")
    gluon.agrees()
    gluon.delete(f"/vpnbindings/{one}")
    gluon.delete(f"/ports/{one}")
    gluon.agrees()


def test_a_vlan(in_either_mode: Running):
    gluon = in_either_mode
    blue, green = gluon.vpn(name="blue"), gluon.vpn(name="green")
    port = gluon.port()
    vlan = gluon.create("interfaces", port_id=port, segmentation_type="vlan", segmentation_id=100)
    gluon.bind(vlan, green, "10.0.1.10")  # over a port that is in no VPN as a whole
    gluon.agrees()
    gluon.bind(port, blue, "10.0.0.10")
    gluon.agrees()
    gluon.put(f"/interfaces/{vlan}", segmentation_id=101)
    gluon.agrees()
    gluon.put(f"/ports/{port}", host_id="h2")
    gluon.agrees()
    gluon.delete(f"/vpnbindings/{port}")
    gluon.agrees()
    gluon.delete(f"/vpnbindings/{vlan}")
    gluon.agrees()


def test_a_bgp_session(gluon: Running):
    first = gluon.create("bgppeerings", local_ip_address="192.0.2.1", peer_ip_address="192.0.2.2", as_number=65000)
    gluon.agrees()
    other = {"local_ip_address": "192.0.2.1", "peer_ip_address": "192.0.2.3", "peer_as_number": 65001}
    gluon.create("bgppeerings", as_number=65000, **other)
    gluon.agrees()
    gluon.put(f"/bgppeerings/{first}", peer_ip_address="192.0.2.4", peer_as_number=65002)
    gluon.agrees()
    gluon.delete(f"/bgppeerings/{first}")
    gluon.agrees()


def test_a_tunnel(gluon: Running):
    ends = {"local_tunnel_endpoint": "192.0.2.11", "remote_tunnel_endpoint": "192.0.2.50"}
    tunnel = gluon.create("dataplanetunnels", **ends)
    gluon.agrees()
    gluon.put(f"/dataplanetunnels/{tunnel}", remote_tunnel_endpoint="192.0.2.51")
    gluon.agrees()
    assert sum("itm-rpc" in each for each in gluon.writes()) == 3
    gluon.delete(f"/dataplanetunnels/{tunnel}")
    gluon.agrees()


# -- by hand ---------------------------------------------------------------------------------------


def test_what_was_deleted_by_hand_comes_back(gluon: Running):
    gluon.target("65000:1")
    vpn = gluon.vpn(ipv4_family="65000:1")
    one, other = members(gluon, vpn, 2)
    gluon.create("bgppeerings", local_ip_address="192.0.2.1", peer_ip_address="192.0.2.2", as_number=65000)
    gluon.agrees()
    config = gluon.real.config(foreign_too=False)["neutron:neutron"]
    [network] = [key for key, each in config["networks"]["network"].items() if "network-type" in each]
    [subnet] = config["subnets"]["subnet"]
    for path in (
        f"neutron:neutron/ports/port/{one}",
        f"l3vpn:vpn-interfaces/vpn-interface/{other}",
        f"l3vpn:vpn-instances/vpn-instance/{vpn}",
        "ebgp:bgp/neighbors/192.0.2.2",
        f"neutron:neutron/networks/network/{vpn}",  # the note
        f"neutron:neutron/subnets/subnet/{subnet}",
        f"neutron:neutron/networks/network/{network}",
    ):
        gluon.real.delete(path)
        gluon.audit()
        gluon.agrees()


def test_what_was_changed_by_hand_is_put_right(gluon: Running):
    gluon.target("65000:1")
    vpn = gluon.vpn(ipv4_family="65000:1", route_distinguishers="65000:10")
    [port] = members(gluon, vpn, 1)
    gluon.agrees()
    real = gluon.real
    real.change(f"neutron:neutron/ports/port/{port}", "neutron:port", neutron_binding__host_id="elsewhere")
    gluon.audit()
    gluon.agrees()
    targets = {"vpnTarget": [{"vrfRTValue": "65000:9", "vrfRTType": "both"}]}
    family = {"route-distinguisher": ["65000:10"], "vpnTargets": targets}
    real.change(f"l3vpn:vpn-instances/vpn-instance/{vpn}", "l3vpn:vpn-instance", ipv4_family=family)
    gluon.audit()
    gluon.agrees()
    elsewhere = [{"vpn-name": foreign.INSTANCE}]
    path = f"l3vpn:vpn-interfaces/vpn-interface/{port}"
    real.change(path, "l3vpn:vpn-interface", vpn_instance_names=elsewhere)
    gluon.audit()
    gluon.agrees()


# -- OpenDaylight goes and comes -------------------------------------------------------------------


@unproven
def test_one_that_restarts_with_its_data_is_told_nothing(gluon: Running):
    members(gluon, gluon.vpn(), 10)
    for last in range(2, 32):  # a note for each
        ends = {"local_ip_address": "192.0.2.1", "peer_ip_address": f"192.0.2.{last}"}
        gluon.create("bgppeerings", as_number=65000, **ends)
    gluon.agrees()
    gluon.odl.stop()
    until(gluon.away, "the shim sees that OpenDaylight is away", PATIENCE)
    gluon.odl.start()
    gluon.sees_opendaylight()
    since = gluon.mark
    assert gluon.audit()
    gluon.agrees()
    assert gluon.writes(since) == []
    assert "came back without" not in gluon.stack.shim.log
    made = gluon.real.read("elan:elan-instances") or {}
    notes = {key for key, each in networks(gluon).items() if "network-type" not in each}
    assert len(notes) >= 32
    assert not notes & made.get("elan-instance", {}).keys()


@unproven
def test_one_that_comes_back_empty_is_filled_again(gluon: Running):
    members(gluon, gluon.vpn(), 10)
    gluon.create("bgppeerings", local_ip_address="192.0.2.1", peer_ip_address="192.0.2.2", as_number=65000)
    gluon.agrees()
    gluon.odl.kill()
    gluon.odl.wipe()
    gluon.odl.start()
    gluon.real.add_foreign()
    gluon.agrees()
    assert "OpenDaylight came back without what it held" in gluon.stack.shim.log


@unproven
def test_one_that_is_killed_in_the_midst_of_a_burst(gluon: Running):
    vpn = gluon.vpn()
    members(gluon, vpn, 10)
    gluon.odl.kill()
    members_more = [gluon.port() for _ in range(10)]
    for last, port in enumerate(members_more, start=50):
        gluon.bind(port, vpn, f"10.0.0.{last}")
    gluon.odl.start()
    gluon.agrees()


@unproven
def test_the_shim_is_killed_in_the_midst_of_a_burst(gluon: Running):
    members(gluon, gluon.vpn(), 20)
    gluon.stack.shim.kill()
    gluon.stack.shim.start()
    gluon.stack.shim.wait_ready(PATIENCE)
    gluon.agrees()
    ports = [port["id"] for port in gluon.listed("ports")]
    for port in ports[:10]:
        gluon.delete(f"/vpnbindings/{port}")
    gluon.stack.shim.kill()
    gluon.stack.shim.start()
    gluon.stack.shim.wait_ready(PATIENCE)
    gluon.agrees()


@unproven
def test_a_hundred_members(gluon: Running):
    members(gluon, gluon.vpn(), 100)
    gluon.agrees()


def networks(gluon: Running) -> dict[str, dict[str, object]]:
    return dict(gluon.real.config(foreign_too=False)["neutron:neutron"]["networks"]["network"])
