"""Everything is asked for by REST, machines are plugged as Nova would, and packets arrive, or don't.

Between two VPNs machines are on two hypervisors: on one, netvirt's routes from VPN to VPN are silent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab.controller import OpenDaylight
from lab.fabric import Fabric, Vm
from opendaylight.running import PATIENCE, Running, running, unproven

pytestmark = pytest.mark.timeout(600)

FIRST = 60.0
"""Seconds for a first ping, on a machine that has much else to do."""


@pytest.fixture(scope="module")
def gluon(
    fabric: Fabric,  # noqa: ARG001 - its hypervisors belong to OpenDaylight
    opendaylight: OpenDaylight,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:
    with running(opendaylight, tmp_path_factory.mktemp("gluon")) as made:
        yield made


@dataclass(frozen=True)
class Cloud:
    """Gluon and the hypervisors together, as Nova has them."""

    gluon: Running
    fabric: Fabric

    def machine(self, vpn: str, address: str, host: str) -> Vm:
        """Binds a port, puts it into the VPN, and plugs it."""
        port = self.gluon.port(host)
        self.gluon.port_shows(port, vif_type="ovs")
        self.gluon.bind(port, vpn, address)
        return self.plug(port, address, host)

    def plug(self, port: str, address: str, host: str) -> Vm:
        """Plugs a port that is bound and in its VPN."""
        self.gluon.agrees()
        mac = self.gluon.client.get(f"/ports/{port}").raise_for_status().json()["mac_address"]
        return self.fabric.plug(port, mac, f"{address}/24", host)

    def reaches(self, vm: Vm, other: Vm) -> bool:
        """Whether it is answered, within a generous time."""
        return self.fabric.ping(vm, str(other.address.ip), FIRST)

    def is_cut_off(self, vm: Vm, address: str, control: Vm) -> bool:
        """Whether the address is silent, or soon is, while another machine answers."""
        assert self.reaches(vm, control)
        assert self.fabric.silent_after(vm, address, FIRST) is not None
        return self.fabric.silent(vm, address, control=str(control.address.ip))


@pytest.fixture(scope="module")
def cloud(gluon: Running, fabric: Fabric) -> Cloud:
    return Cloud(gluon, fabric)


@dataclass(frozen=True)
class Pair:
    """A VPN with a machine on each hypervisor."""

    vpn: str
    here: Vm
    there: Vm


def pair(cloud: Cloud, net: int, last: int = 10, **attributes: str) -> Pair:
    """A new VPN with machines 10.`net`.0.`last` and the next one."""
    vpn = cloud.gluon.vpn(**attributes)
    here, there = (f"10.{net}.0.{number}" for number in (last, last + 1))
    return Pair(vpn, cloud.machine(vpn, here, "h1"), cloud.machine(vpn, there, "h2"))


@pytest.fixture(scope="module")
def blue(cloud: Cloud) -> Pair:
    return pair(cloud, 1)


def test_two_machines_of_one_vpn_on_two_hosts(cloud: Cloud, blue: Pair):
    assert cloud.reaches(blue.here, blue.there)
    for vm in (blue.here, blue.there):
        cloud.gluon.port_shows(vm.port_id, status="ACTIVE")


def test_two_subnets_of_one_vpn(cloud: Cloud, blue: Pair):
    routed = cloud.machine(blue.vpn, "10.2.0.10", "h2")

    assert cloud.reaches(blue.here, routed)
    assert cloud.reaches(routed, blue.here)


def test_two_vpns_with_the_same_subnet_do_not_meet(cloud: Cloud, blue: Pair):
    green = pair(cloud, 1, last=20)

    assert cloud.reaches(green.here, green.there)
    assert cloud.is_cut_off(blue.here, str(green.there.address.ip), control=blue.there)
    assert cloud.is_cut_off(green.here, str(blue.there.address.ip), control=green.there)


def test_route_targets_join_two_vpns_and_part_them(cloud: Cloud):
    for value in ("65000:31", "65000:32", "65000:39"):
        cloud.gluon.target(value)
    red, grey = (pair(cloud, net, ipv4_family=f"65000:{net}") for net in (31, 32))
    assert cloud.is_cut_off(red.here, str(grey.there.address.ip), control=red.there)

    for each, own in ((red, "65000:31"), (grey, "65000:32")):
        cloud.gluon.put(f"/vpns/{each.vpn}", ipv4_family=f"{own},65000:39")
    cloud.gluon.agrees()
    assert cloud.reaches(red.here, grey.there)
    assert cloud.reaches(red.here, red.there)

    cloud.gluon.put("/vpnafconfigs/65000:39", vrf_rt_type="import_extcommunity")  # nobody exports any more
    cloud.gluon.agrees()
    assert cloud.is_cut_off(red.here, str(grey.there.address.ip), control=red.there)


def test_hub_and_spokes(cloud: Cloud):
    for value in ("65000:41", "65000:42"):
        cloud.gluon.target(value)
    hub = pair(cloud, 40, ipv4_family="65000:41,65000:42")
    spoke, other = (pair(cloud, net, ipv4_family=f"65000:{net}") for net in (41, 42))

    for each in (spoke, other):
        assert cloud.reaches(hub.here, each.there)
        assert cloud.reaches(each.here, hub.there)
    assert cloud.is_cut_off(spoke.here, str(other.there.address.ip), control=spoke.there)


def test_a_machine_moves(cloud: Cloud):
    moving = pair(cloud, 50)
    assert cloud.reaches(moving.here, moving.there)

    cloud.fabric.unplug(moving.there)
    cloud.gluon.put(f"/ports/{moving.there.port_id}", host_id="h1")
    moved = cloud.plug(moving.there.port_id, str(moving.there.address.ip), "h1")

    assert cloud.reaches(moving.here, moved)
    cloud.gluon.port_shows(moved.port_id, status="ACTIVE", host_id="h1")


def test_a_machine_that_leaves_its_vpn_is_silent(cloud: Cloud):
    leaving = pair(cloud, 51)
    stays = cloud.machine(leaving.vpn, "10.51.0.12", "h2")
    assert cloud.reaches(leaving.here, leaving.there)

    cloud.gluon.delete(f"/vpnbindings/{leaving.there.port_id}")
    cloud.gluon.agrees()
    assert cloud.is_cut_off(leaving.here, str(leaving.there.address.ip), control=stays)

    cloud.gluon.put(f"/ports/{stays.port_id}", host_id=None, device_id=None)  # unbound, and plugged still
    cloud.gluon.agrees()
    assert cloud.fabric.silent_after(leaving.here, str(stays.address.ip), FIRST) is not None


def test_a_vlan_is_in_a_vpn_of_its_own(cloud: Cloud, blue: Pair):
    vpn = cloud.gluon.vpn()
    peer = cloud.machine(vpn, "10.60.0.11", "h2")
    vlan = cloud.gluon.create("interfaces", port_id=blue.here.port_id, segmentation_type="vlan", segmentation_id=100)
    cloud.gluon.bind(vlan, vpn, "10.60.0.10")
    cloud.gluon.agrees()
    tagged = cloud.fabric.tag(blue.here, 100, vlan, blue.here.mac, "10.60.0.10/24")

    assert cloud.reaches(tagged, peer)
    assert cloud.reaches(blue.here, blue.there)
    assert cloud.is_cut_off(tagged, str(blue.there.address.ip), control=peer)


@unproven
def test_no_packet_is_lost_while_the_shim_and_opendaylight_restart(cloud: Cloud, blue: Pair):
    gluon = cloud.gluon
    assert cloud.reaches(blue.here, blue.there)

    with cloud.fabric.stream(blue.here, str(blue.there.address.ip)) as stream:
        gluon.stack.shim.kill()
        gluon.odl.kill()
        gluon.stack.shim.start()
        gluon.odl.start()
        gluon.stack.shim.wait_ready(PATIENCE)
        gluon.sees_opendaylight()
        gluon.audit()
        gluon.agrees()

    print(f"{stream.lost} of {stream.sent} packets lost")
    assert stream.sent > 50
    assert stream.lost == 0
