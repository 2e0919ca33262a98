"""What OpenDaylight makes of requests that are written by hand: packets arrive, or don't."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import pytest

from lab.commands import in_namespace, run
from lab.controller import OpenDaylight
from lab.fabric import Fabric, NoControl, Vm
from standins.opendaylight.exchanges import (
    BGPVPNS,
    NETWORKS,
    PORTS,
    SUBNETS,
    TRUNKS,
    Body,
    bgpvpn,
    network,
    port,
    put,
    subnet,
    trunk,
)
from standins.opendaylight.playing import DRAFT02, Player


def key(kind: str, number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind} {number}"))


@dataclass(frozen=True)
class Net:
    """One network with one subnet, 10.`number`.0.0/24."""

    number: int

    @property
    def id(self) -> str:
        return key("network", self.number)

    @property
    def subnet_id(self) -> str:
        return key("subnet", self.number)


class Tenant:
    """Writes networks, ports and VPNs, and starts machines on the ports."""

    def __init__(self, controller: OpenDaylight, fabric: Fabric) -> None:
        self._player = Player(controller.url, DRAFT02)
        self._fabric = fabric
        self._machines = 0

    def network(self, number: int) -> Net:
        net = Net(number)
        segment = str(10_000 + number)
        named = network(net.id, name=f"by-hand-{number}", neutron_provider_ext__segmentation_id=segment)
        self._put(NETWORKS + net.id, named)
        cidr = {"cidr": f"10.{number}.0.0/24", "gateway_ip": f"10.{number}.0.1"}
        self._put(SUBNETS + net.subnet_id, subnet(net.subnet_id, network_id=net.id, **cidr))
        return net

    def vpn(self, number: int, *nets: Net) -> None:
        target = [f"65000:{number}"]
        named = bgpvpn(
            key("vpn", number),
            name=f"vpn{number}",
            route_distinguishers=[f"65000:{1000 + number}"],
            route_targets=None,
            import_targets=target,
            export_targets=target,
            networks=[net.id for net in nets],
        )
        self._put(BGPVPNS + key("vpn", number), named)

    def machine(self, net: Net, host: str) -> Vm:
        port_id, mac, address = self._port(net, host)
        return self._fabric.plug(port_id, mac, f"{address}/24", host)

    def subport(self, vm: Vm, net: Net, vlan: int) -> Vm:
        port_id, mac, address = self._port(net, vm.host)
        sub_port = {
            "port-id": port_id,
            "segmentation-type": "neutron-networks:network-type-vlan",
            "segmentation-id": vlan,
        }
        self._put(TRUNKS + key("trunk", vlan), trunk(key("trunk", vlan), vm.port_id, sub_port))
        return self._fabric.tag(vm, vlan, port_id, mac, f"{address}/24")

    def _port(self, net: Net, host: str) -> tuple[str, str, str]:
        """Writes a port; returns its key, hardware address and address."""
        self._machines += 1
        last = 10 + self._machines
        address, mac, port_id = f"10.{net.number}.0.{last}", f"fa:16:3e:00:01:{last:02x}", key("port", last)
        fixed = [{"subnet-id": net.subnet_id, "ip-address": address}]
        bound = {"neutron_binding__host_id": host}
        self._put(PORTS + port_id, port(port_id, network_id=net.id, mac_address=mac, fixed_ips=fixed, **bound))
        return port_id, mac, address

    def _put(self, path: str, body: Body) -> None:
        answer = self._player.send(put(path, path, body))
        assert answer["status"] in {200, 201}, answer


@dataclass(frozen=True)
class Two:
    """Two VPNs: three machines in the first, on two networks, two in the second."""

    here: Vm
    there: Vm
    routed: Vm
    other: Vm
    others_peer: Vm


@pytest.fixture(scope="module")
def tenant(fabric: Fabric, opendaylight: OpenDaylight) -> Tenant:
    return Tenant(opendaylight, fabric)


@pytest.fixture(scope="module")
def two(tenant: Tenant) -> Two:
    first, second, third = tenant.network(1), tenant.network(2), tenant.network(3)
    tenant.vpn(1, first, second)
    tenant.vpn(2, third)
    return Two(
        here=tenant.machine(first, "h1"),
        there=tenant.machine(first, "h2"),
        routed=tenant.machine(second, "h2"),
        other=tenant.machine(third, "h1"),
        others_peer=tenant.machine(third, "h2"),
    )


def test_one_network_on_two_hosts(fabric: Fabric, two: Two):
    assert fabric.ping(two.here, str(two.there.address.ip))


def test_two_networks_of_one_vpn_on_two_hosts(fabric: Fabric, two: Two):
    assert fabric.ping(two.here, str(two.routed.address.ip))
    assert fabric.ping(two.routed, str(two.here.address.ip))


def test_two_vpns_do_not_meet(fabric: Fabric, two: Two):
    peer, stranger = str(two.others_peer.address.ip), str(two.routed.address.ip)

    assert fabric.silent(two.other, stranger, control=peer)
    assert fabric.silent(two.routed, peer, control=str(two.here.address.ip))


def test_silence_without_a_control_says_nothing(fabric: Fabric, two: Two):
    with pytest.raises(NoControl):
        fabric.silent(two.other, "10.3.0.98", control="10.3.0.99")


def test_a_machine_that_is_unplugged_is_silent_and_answers_on_its_new_host(fabric: Fabric, two: Two):
    address = str(two.there.address.ip)
    assert fabric.ping(two.here, address)

    fabric.unplug(two.there)
    after = fabric.silent_after(two.here, address)
    moved = fabric.plug(two.there.port_id, two.there.mac, str(two.there.address), "h1")
    back = fabric.answers_after(two.here, address)

    print(f"silent after {after} s, answers on the other host after {back} s")
    assert after is not None
    assert back is not None
    fabric.unplug(moved)


def test_a_vlan_is_a_card_of_its_own(fabric: Fabric, two: Two, tenant: Tenant):
    tagged = tenant.subport(two.here, Net(2), vlan=100)

    assert fabric.ping(tagged, str(two.routed.address.ip))


def test_a_gateway_on_the_underlay(fabric: Fabric, two: Two):
    gateway = fabric.node("gateway", "192.0.2.50")

    run(*in_namespace(gateway, "ping", "-c", "1", "-W", "5", fabric.hypervisors[two.here.host].address))


def test_packets_go_on_when_a_switch_was_killed_and_started(fabric: Fabric, two: Two):
    address, switch = str(two.routed.address.ip), fabric.hypervisors[two.here.host]
    assert fabric.ping(two.here, address)

    switch.kill_switch()
    assert not fabric.ping(two.here, address, 1.0)
    switch.start_switch()
    after = fabric.answers_after(two.here, address)

    print(f"pings again {after} s after the switch started")
    assert after is not None


@pytest.mark.timeout(900)
def test_packets_go_on_while_opendaylight_restarts(fabric: Fabric, opendaylight: OpenDaylight, two: Two):
    address = str(two.routed.address.ip)
    assert fabric.ping(two.here, address)

    with fabric.stream(two.here, address) as stream:
        opendaylight.kill()
        opendaylight.start()

    print(f"{stream.lost} of {stream.sent} packets lost")
    assert stream.sent > 50
    assert stream.lost == 0
