"""What netvirt makes of the configuration, and what it silently does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from . import DIALECTS, StandIn
from .client import Client
from .objects import (
    ASSOCIATIONS,
    BGPVPNS,
    DATA,
    INTERFACES,
    NETWORK,
    NETWORKS,
    PORT,
    PORT_2,
    PORTS,
    SUBNET,
    SUBNETS,
    TENANT,
    TRUNK,
    TRUNKS,
    VPN,
    VPN_2,
    association,
    bgpvpn,
    instance,
    instances,
    module_of,
    network,
    port,
    subnet,
    trunk,
    vpn_interface,
    vpn_interfaces,
)

pytestmark = pytest.mark.opendaylight

HERE = INTERFACES + PORT
MADE_INSTANCE, MADE_INTERFACE = instances() + VPN, vpn_interfaces() + PORT


@pytest.fixture
def ground(odl: StandIn, client: Client) -> Client:
    """A client of one that has a network, a subnet and a port."""
    _lay(client)
    odl.settle()
    return client


def _lay(client: Client) -> None:
    client.put(NETWORKS + NETWORK, network())
    client.put(SUBNETS + SUBNET, subnet())
    client.put(PORTS + PORT, port())


def write(odl: StandIn, client: Client, path: str, body: dict[str, Any]) -> None:
    """And wait until netvirt has followed."""
    assert client.put(path, body).status in {200, 201, 204}
    odl.settle()


def data_of(client: Client, distinguisher: str) -> Any:
    """The operational data of a vpn-instance, or None."""
    reply = client.get(DATA + distinguisher.replace(":", "%3A"), operational=True)
    return reply.content["vpn-instance-op-data-entry"][0] if reply.status == 200 else None


# -- ports -------------------------------------------------------------------------------------------


def test_a_port_makes_its_interface_a_little_later() -> None:
    with StandIn(delay=0.3) as odl, Client(odl.url) as client:
        _lay(client)
        assert client.get(HERE).status == 404
        odl.settle()
        (interface,) = client.get(HERE).content["interface"]
    assert (interface["name"], interface["type"]) == (PORT, "iana-if-type:l2vlan")


def test_its_interface_goes_with_it(odl: StandIn, ground: Client) -> None:
    ground.delete(PORTS + PORT)
    odl.settle()
    assert ground.get(HERE).status == 404


def test_an_elan_interface_stays_for_a_while(odl: StandIn, ground: Client) -> None:
    odl.delay = 0.05
    ground.delete(PORTS + PORT)
    odl.settle()
    assert ground.get(f"elan:elan-interfaces/elan-interface={PORT}").status == 200


def test_of_a_port_that_is_deleted_at_once_an_elan_interface_stays(odl: StandIn, ground: Client) -> None:
    odl.delay = 0.05
    ground.put(PORTS + PORT_2, port(PORT_2, 6))
    ground.delete(PORTS + PORT_2)
    odl.settle()
    assert ground.get(INTERFACES + PORT_2).status == 404
    assert ground.get(f"elan:elan-interfaces/elan-interface={PORT_2}").status == 200


@pytest.mark.parametrize(
    ("of_network", "of_port"),
    [
        (None, {}),
        ({"neutron_provider_ext__network_type": None}, {}),
        ({}, {"fixed_ips": None}),
    ],
    ids=["no network", "a network without a type", "no fixed-ips"],
)
def test_a_port_is_dropped(
    odl: StandIn, client: Client, of_network: dict[str, Any] | None, of_port: dict[str, Any]
) -> None:
    if of_network is not None:
        write(odl, client, NETWORKS + NETWORK, network(**of_network))
    write(odl, client, PORTS + PORT, port(**of_port))
    assert client.get(HERE).status == 404


def test_a_dropped_port_is_not_remembered_when_its_network_comes(odl: StandIn, client: Client) -> None:
    write(odl, client, PORTS + PORT, port())
    write(odl, client, NETWORKS + NETWORK, network())
    write(odl, client, PORTS + PORT, port(neutron_binding__host_id="cmp2"))
    assert client.get(HERE).status == 404


def test_a_port_may_get_its_addresses_later(odl: StandIn, client: Client) -> None:
    write(odl, client, NETWORKS + NETWORK, network())
    write(odl, client, PORTS + PORT, port(fixed_ips=None))
    write(odl, client, PORTS + PORT, port())
    assert client.get(HERE).status == 200


def test_operational_state_needs_a_switch(odl: StandIn, ground: Client) -> None:
    state, held = (
        f"ietf-interfaces:interfaces-state/interface={PORT}",
        f"odl-l3vpn:vpn-interface-op-data/vpn-interface-op-data-entry={PORT},{VPN}",
    )
    write(odl, ground, BGPVPNS + VPN, bgpvpn())
    assert ground.get(state, operational=True).status == 404
    odl.plug(PORT)
    odl.settle()
    assert ground.get(state, operational=True).content["interface"][0]["oper-status"] == "up"
    assert ground.get(held, operational=True).status == 200
    odl.unplug(PORT)
    odl.settle()
    assert ground.get(state, operational=True).status == 404
    assert ground.get(held, operational=True).status == 404


# -- trunks ------------------------------------------------------------------------------------------


def test_a_trunk_makes_its_subport_a_member(odl: StandIn, ground: Client) -> None:
    ground.put(PORTS + PORT_2, port(PORT_2, 6))
    write(odl, ground, TRUNKS + TRUNK, trunk())
    (member,) = ground.get(INTERFACES + PORT_2).content["interface"]
    assert member["odl-interface:l2vlan-mode"] == "trunk-member"
    assert member["odl-interface:parent-interface"] == PORT
    assert member["odl-interface:vlan-id"] == 100
    ground.delete(TRUNKS + TRUNK)
    odl.settle()
    (member,) = ground.get(INTERFACES + PORT_2).content["interface"]
    assert member["odl-interface:l2vlan-mode"] == "trunk"
    assert "odl-interface:parent-interface" not in member


def test_boron_has_no_trunks() -> None:
    with StandIn("A") as odl, Client(odl.url) as client:
        assert client.put(TRUNKS + TRUNK, trunk()).status == 400


# -- BGPVPNs -----------------------------------------------------------------------------------------


@pytest.fixture(params=DIALECTS)
def speaking(request: pytest.FixtureRequest) -> Iterator[tuple[StandIn, Client]]:
    """One without associations in each dialect, with a network, a subnet and a port."""
    with StandIn(request.param, associations=False, delay=0.005) as odl, Client(odl.url) as client:
        _lay(client)
        odl.settle()
        yield odl, client


def test_a_bgpvpn_makes_its_instance_with_targets_folded(speaking: tuple[StandIn, Client]) -> None:
    odl, client = speaking
    dialect = odl.release.dialect
    write(odl, client, BGPVPNS + VPN, bgpvpn())
    (made,) = client.get(instances(dialect) + VPN).content["vpn-instance"]
    family = made if dialect == "E" else made["ipv4-family"]
    assert family["route-distinguisher"] == ("65000:200" if dialect == "A" else ["65000:200"])
    targets = {target["vrfRTValue"]: target["vrfRTType"] for target in family["vpnTargets"]["vpnTarget"]}
    assert targets == {"65000:1": "import_extcommunity", "65000:2": "export_extcommunity", "65000:3": "both"}
    assert data_of(client, "65000:200")["vpn-state"] == "created"


def test_a_bgpvpn_makes_the_ports_of_its_networks_members(speaking: tuple[StandIn, Client]) -> None:
    odl, client = speaking
    dialect = odl.release.dialect
    write(odl, client, BGPVPNS + VPN, bgpvpn())
    write(odl, client, PORTS + PORT_2, port(PORT_2, 6))
    made = {name: client.get(vpn_interfaces(dialect) + name).content["vpn-interface"][0] for name in (PORT, PORT_2)}
    assert (
        made[PORT_2]["adjacency" if dialect in {"D", "E"} else "odl-l3vpn:adjacency"][0]["ip_address"] == "10.0.0.6/32"
    )
    # What it makes, it would take from a request.
    assert (
        client.put(vpn_interfaces(dialect) + PORT, {f"{module_of(dialect)}:vpn-interface": [made[PORT]]}).status == 200
    )


def test_all_goes_with_the_bgpvpn(odl: StandIn, ground: Client) -> None:
    write(odl, ground, BGPVPNS + VPN, bgpvpn())
    ground.delete(BGPVPNS + VPN)
    odl.settle()
    assert ground.get(MADE_INSTANCE).status == 404
    assert ground.get(MADE_INTERFACE).status == 404
    assert data_of(ground, "65000:200") is None


def test_a_membership_goes_with_its_port(odl: StandIn, ground: Client) -> None:
    write(odl, ground, BGPVPNS + VPN, bgpvpn())
    ground.delete(PORTS + PORT)
    odl.settle()
    assert ground.get(MADE_INTERFACE).status == 404


@pytest.mark.parametrize("distinguishers", [None, [], ["65000: 1"]])
def test_of_a_bgpvpn_without_a_distinguisher_nothing_becomes(
    odl: StandIn, ground: Client, distinguishers: list[str] | None
) -> None:
    write(odl, ground, BGPVPNS + VPN, bgpvpn(route_distinguishers=distinguishers))
    assert ground.get(MADE_INSTANCE).status == 404


def test_of_a_bgpvpn_with_a_distinguisher_that_is_taken_nothing_becomes(odl: StandIn, ground: Client) -> None:
    write(odl, ground, instances() + "theirs", instance(name="theirs", distinguisher="65000:200"))
    write(odl, ground, BGPVPNS + VPN, bgpvpn())
    assert ground.get(MADE_INSTANCE).status == 404


def test_a_second_bgpvpn_on_a_network_has_an_instance_and_no_network(odl: StandIn, ground: Client) -> None:
    write(odl, ground, BGPVPNS + VPN, bgpvpn())
    write(odl, ground, BGPVPNS + VPN_2, bgpvpn(VPN_2, route_distinguishers=["65000:300"]))
    assert ground.get(instances() + VPN_2).status == 200
    (held,) = ground.get(MADE_INTERFACE).content["vpn-interface"]
    assert [named["vpn-name"] for named in held["vpn-instance-names"]] == [VPN]


def test_changed_targets_of_a_bgpvpn_are_ignored(odl: StandIn, ground: Client) -> None:
    write(odl, ground, BGPVPNS + VPN, bgpvpn())
    before = ground.get(MADE_INSTANCE)
    write(odl, ground, BGPVPNS + VPN, bgpvpn(import_targets=["65000:9"]))
    assert ground.get(MADE_INSTANCE) == before


def test_distinguishers_are_only_added(odl: StandIn, ground: Client) -> None:
    write(odl, ground, BGPVPNS + VPN, bgpvpn())
    write(odl, ground, BGPVPNS + VPN, bgpvpn(route_distinguishers=["65000:201"]))
    (made,) = ground.get(MADE_INSTANCE).content["vpn-instance"]
    assert made["ipv4-family"]["route-distinguisher"] == ["65000:200", "65000:201"]


def test_operational_data_are_left_of_one_whose_distinguishers_changed(odl: StandIn, ground: Client) -> None:
    write(odl, ground, BGPVPNS + VPN, bgpvpn())
    write(odl, ground, BGPVPNS + VPN, bgpvpn(route_distinguishers=["65000:200", "65000:201"]))
    ground.delete(BGPVPNS + VPN)
    odl.settle()
    assert data_of(ground, "65000:200")


def test_a_network_can_be_taken_out_and_put_back(odl: StandIn, ground: Client) -> None:
    write(odl, ground, BGPVPNS + VPN, bgpvpn())
    write(odl, ground, BGPVPNS + VPN, bgpvpn(networks=[]))
    assert ground.get(MADE_INTERFACE).status == 404
    write(odl, ground, BGPVPNS + VPN, bgpvpn())
    assert ground.get(MADE_INTERFACE).status == 200


def test_a_network_whose_subnet_overlaps_is_left_out(odl: StandIn, ground: Client) -> None:
    other, subnet_of_other = VPN_2, TRUNK
    ground.put(NETWORKS + other, network(other))
    ground.put(SUBNETS + subnet_of_other, subnet(subnet_of_other, network_id=other, cidr="10.0.0.128/25"))
    ground.put(PORTS + PORT_2, port(PORT_2, 200, network_id=other))
    write(odl, ground, BGPVPNS + VPN, bgpvpn(networks=[NETWORK, other]))
    assert ground.get(vpn_interfaces() + PORT).status == 200
    assert ground.get(vpn_interfaces() + PORT_2).status == 404


@pytest.fixture
def aluminium() -> Iterator[tuple[StandIn, Client]]:
    with StandIn("E", delay=0.005) as odl, Client(odl.url) as client:
        _lay(client)
        odl.settle()
        yield odl, client


def test_associations_of_aluminium(aluminium: tuple[StandIn, Client]) -> None:
    odl, client = aluminium
    write(odl, client, BGPVPNS + VPN, bgpvpn())
    assert client.get(vpn_interfaces("E") + PORT).status == 409
    write(odl, client, ASSOCIATIONS + TRUNK, association())
    assert client.get(vpn_interfaces("E") + PORT).status == 200
    client.delete(ASSOCIATIONS + TRUNK)
    odl.settle()
    assert client.get(vpn_interfaces("E") + PORT).status == 409


@pytest.mark.parametrize("early", [True, False])
def test_an_association_may_come_first(aluminium: tuple[StandIn, Client], *, early: bool) -> None:
    odl, client = aluminium
    pair = [(ASSOCIATIONS + TRUNK, association()), (BGPVPNS + VPN, bgpvpn(networks=None))]
    for path, body in pair if early else reversed(pair):
        write(odl, client, path, body)
    assert client.get(vpn_interfaces("E") + PORT).status == 200


def test_aluminium_fails_on_an_update_without_targets(aluminium: tuple[StandIn, Client]) -> None:
    odl, client = aluminium
    write(odl, client, ASSOCIATIONS + TRUNK, association())
    write(odl, client, BGPVPNS + VPN, bgpvpn(networks=None))
    update = bgpvpn(import_targets=None, export_targets=None, route_distinguishers=["65000:200", "65000:201"])
    write(odl, client, BGPVPNS + VPN, update)
    (made,) = client.get(instances("E") + VPN).content["vpn-instance"]
    assert made["route-distinguisher"] == ["65000:200"]


# -- instances and interfaces written by hand ----------------------------------------------------------


def test_an_instance_is_in_operation_a_little_later(odl: StandIn, client: Client) -> None:
    write(odl, client, MADE_INSTANCE, instance())
    assert data_of(client, "65000:100")["vpn-instance-name"] == VPN
    client.delete(MADE_INSTANCE)
    odl.settle()
    assert data_of(client, "65000:100") is None


def test_changed_targets_of_an_instance_stay_in_the_configuration(odl: StandIn, client: Client) -> None:
    write(odl, client, MADE_INSTANCE, instance())
    before = data_of(client, "65000:100")
    changed = instance(ipv4_family={"route-distinguisher": ["65000:100"]})
    write(odl, client, MADE_INSTANCE, changed)
    assert client.get(MADE_INSTANCE).content["vpn-instance"] == changed["l3vpn:vpn-instance"]
    assert data_of(client, "65000:100") == before


def test_an_instance_that_is_made_again_too_early_is_lost(odl: StandIn, client: Client) -> None:
    write(odl, client, MADE_INSTANCE, instance())
    odl.delay = 0.1
    client.delete(MADE_INSTANCE)
    write(odl, client, MADE_INSTANCE, instance())
    assert data_of(client, "65000:100") is None


def test_the_second_instance_of_a_distinguisher_takes_the_first_ones_data_along(odl: StandIn, client: Client) -> None:
    write(odl, client, MADE_INSTANCE, instance())
    write(odl, client, instances() + VPN_2, instance(name=VPN_2))
    assert data_of(client, "65000:100")["vpn-instance-name"] == VPN
    client.delete(instances() + VPN_2)
    odl.settle()
    assert data_of(client, "65000:100") is None
    odl.stop()
    odl.start()
    odl.settle()
    with Client(odl.url) as again:
        assert data_of(again, "65000:100")["vpn-instance-name"] == VPN


def test_a_vpn_interface_written_by_hand_outlives_everything(odl: StandIn, ground: Client) -> None:
    write(odl, ground, MADE_INSTANCE, instance())
    write(odl, ground, MADE_INTERFACE, vpn_interface())
    ground.delete(MADE_INSTANCE)
    ground.delete(PORTS + PORT)
    odl.settle()
    assert ground.get(MADE_INTERFACE).status == 200


def test_a_vpn_interface_needs_nothing(client: Client) -> None:
    assert client.put(vpn_interfaces() + "ghost", vpn_interface(name="ghost", vpn="nowhere")).status == 201


# -- dead --------------------------------------------------------------------------------------------


def test_nothing_becomes_of_anything(odl: StandIn, client: Client) -> None:
    odl.netvirt = "dead"
    _lay(client)
    client.put(BGPVPNS + VPN, bgpvpn())
    odl.settle()
    assert set(odl.config()) == {"neutron:neutron"}
    assert odl.operational() == {}
    odl.netvirt = "alive"
    write(odl, client, NETWORKS + NETWORK, network(TENANT, uuid=NETWORK, name="renamed"))
    assert client.get(HERE).status == 404  # it does not look back


def test_a_restart_looks_at_everything_again(odl: StandIn, client: Client) -> None:
    odl.netvirt = "dead"
    _lay(client)
    client.put(BGPVPNS + VPN, bgpvpn())
    odl.netvirt = "alive"
    odl.stop()
    odl.start()
    odl.settle()
    with Client(odl.url) as again:
        assert again.get(MADE_INTERFACE).status == 200
