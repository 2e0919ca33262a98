"""RESTCONF in both flavours: statuses, bodies, paths."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import DRAFT02, RFC8040, StandIn
from .client import Client
from .objects import (
    INTERFACES,
    NETWORK,
    NETWORKS,
    PORT,
    TENANT,
    VPN,
    instance,
    instances,
    network,
    vpn_interface,
    vpn_interfaces,
)

pytestmark = pytest.mark.opendaylight

HERE = NETWORKS + NETWORK
BOTH = pytest.mark.parametrize("flavour", [DRAFT02, RFC8040])
MODULES_OF_RFC8040 = "/rests/data/ietf-yang-library:modules-state?content=nonconfig"


@pytest.fixture(params=[("C", DRAFT02), ("C", RFC8040), ("E", DRAFT02), ("E", RFC8040)], ids="-".join)
def spoken(request: pytest.FixtureRequest) -> Iterator[tuple[str, Client]]:
    """A dialect, and a client of a stand-in that has it."""
    dialect, flavour = request.param
    with StandIn(dialect) as odl, Client(odl.url, flavour) as client:
        yield dialect, client


def test_put_says_whether_it_was_new(spoken: tuple[str, Client]) -> None:
    _, client = spoken
    statuses = [client.put(HERE, network()).status for _ in range(2)]
    assert statuses == ([201, 200] if client.flavour == DRAFT02 else [201, 204])


def test_delete(spoken: tuple[str, Client]) -> None:
    _, client = spoken
    client.put(HERE, network())
    assert client.delete(HERE).status == (200 if client.flavour == DRAFT02 else 204)


@pytest.mark.parametrize("method", ["get", "delete"])
def test_what_is_absent_is_404_and_in_aluminium_409(spoken: tuple[str, Client], method: str) -> None:
    dialect, client = spoken
    reply = getattr(client, method)(HERE)
    assert reply.status == (409 if dialect == "E" else 404)
    if (dialect, client.flavour) == ("C", RFC8040):
        assert reply.content is None
    else:
        (errors,) = reply.content.values()
        assert errors["error"][0]["error-tag"] == "data-missing"


def test_errors_are_named_as_the_release_names_them(spoken: tuple[str, Client]) -> None:
    dialect, client = spoken
    reply = client.get(HERE)
    expected = {("C", RFC8040): None, ("E", RFC8040): "ietf-restconf:errors"}
    name = next(iter(reply.content), None) if reply.content else None
    assert name == expected.get((dialect, client.flavour), "errors")


@BOTH
def test_post_makes_a_new_one_alone(odl: StandIn, flavour: str) -> None:
    with Client(odl.url, flavour) as client:
        made, again = (client.post("neutron:neutron/networks", network()) for _ in range(2))
    assert (made.status, again.status) == (204 if flavour == DRAFT02 else 201, 409)
    root = "/restconf/config" if flavour == DRAFT02 else "/rests/data"
    assert made.location == f"{odl.url}{root}/neutron:neutron/networks"


@BOTH
def test_prefixes_of_what_is_read(odl: StandIn, flavour: str) -> None:
    with Client(odl.url, flavour) as client:
        client.put(HERE, network())
        content = client.get(HERE).content
    assert content == {"network" if flavour == DRAFT02 else "neutron:network": network()["neutron:network"]}


def test_reading_without_content_merges_the_datastores(odl: StandIn) -> None:
    with Client(odl.url, RFC8040) as client:
        client.put(instances() + VPN, instance())
        odl.settle()
        url = "/rests/data/odl-l3vpn:vpn-instance-op-data"
        assert client.request("GET", url).status == 200
        assert client.request("GET", f"{url}?content=config").status == 404
        assert client.request("GET", f"/rests/data/{instances()}{VPN}?content=nonconfig").status == 404


def test_parents_are_made_and_go_with_their_last_member(odl: StandIn, client: Client) -> None:
    client.put(vpn_interfaces() + PORT, vpn_interface())
    client.delete(vpn_interfaces() + PORT)
    assert client.get("l3vpn:vpn-interfaces").status == 404
    assert odl.config() == {}


def test_an_empty_container_empties_it(client: Client) -> None:
    client.put(HERE, network())
    assert client.put("neutron:neutron/networks", {"neutron:networks": {}}).status == 200
    assert client.get(HERE).status == 404


def test_a_whole_collection_takes_the_place_of_another_one(client: Client) -> None:
    client.put(HERE, network())
    other = "23232323-2222-4222-8222-222222222222"
    client.put("neutron:neutron/networks", {"neutron:networks": {"network": network(other)["neutron:network"]}})
    assert client.get(HERE).status == 404


@BOTH
@pytest.mark.parametrize(("user", "password"), [("admin", "wrong"), ("nobody", "admin")])
def test_who_may_not(odl: StandIn, flavour: str, user: str, password: str) -> None:
    with Client(odl.url, flavour, user, password) as client:
        assert client.get(HERE).status == 401
        assert client.put(HERE, network()).status == 401
    assert odl.config() == {}


@BOTH
def test_another_user_can_be_the_one(flavour: str) -> None:
    with StandIn(user="gluon", password="secret") as odl, Client(odl.url, flavour, "gluon", "secret") as client:
        assert client.put(HERE, network()).status == 201


@BOTH
def test_writes_take_no_query_parameters(odl: StandIn, flavour: str) -> None:
    with Client(odl.url, flavour) as client:
        for method in ("PUT", "POST"):
            url = client.address(HERE).partition("?")[0]
            assert client.request(method, f"{url}?content=config", network()).status == 500
    assert odl.config() == {}


@pytest.mark.parametrize(("dialect", "status"), [("C", 500), ("D", 400), ("E", 400)])
def test_a_trailing_slash_at_rests(dialect: str, status: int) -> None:
    with StandIn(dialect) as odl, Client(odl.url, RFC8040) as client:
        assert client.put(f"{HERE}/", network()).status == status


@BOTH
def test_another_key_in_the_body(odl: StandIn, flavour: str) -> None:
    with Client(odl.url, flavour) as client:
        assert client.put(HERE, network(TENANT)).status == 400


@pytest.mark.parametrize(
    "body",
    [
        network(colour="blue"),
        network(nowhere__shared=True),
        network(tenant_id=TENANT.replace("-", "")),
        network(admin_state_up="perhaps"),
        network(neutron_provider_ext__network_type="network-type-vxlan"),
        {"neutron:networks": network()["neutron:network"]},
        {"neutron:network": [{"name": "no key"}]},
        {"neutron:network": []},
        {},
        [],
        b"",
        b"{",
    ],
)
def test_a_body_that_does_not_fit(client: Client, body: object) -> None:
    reply = client.put(HERE, body)
    assert reply.status == 400
    assert reply.content["errors"]["error"][0]["error-tag"] == "malformed-message"
    assert client.get(HERE).status == 404


@pytest.mark.parametrize(
    "body",
    [
        network(neutron_provider_ext__segmentation_id=10042),
        {"neutron:network": network()["neutron:network"][0]},
        {"network": network()["neutron:network"]},
    ],
    ids=["a number for a string", "an object for a list of one", "no prefix"],
)
def test_what_is_laxer_than_the_rules(client: Client, body: object) -> None:
    assert client.put(HERE, body).status == 201
    assert client.get(HERE).content == {"network": network()["neutron:network"]}


@BOTH
def test_a_missing_mandatory_leaf_is_a_500_and_in_neon_the_next_request_too(odl: StandIn, flavour: str) -> None:
    with Client(odl.url, flavour) as client:
        body = {"ietf-interfaces:interface": [{"name": "tap", "odl-interface:l2vlan-mode": "trunk"}]}
        assert client.put(f"{INTERFACES}tap", body).status == 500
        in_the_way = [] if flavour == DRAFT02 else [500]
        assert [client.get(f"{INTERFACES}tap").status for _ in range(2)] == ([*in_the_way, 404, 404])[:2]


@BOTH
def test_keys_are_percent_encoded(odl: StandIn, flavour: str) -> None:
    with Client(odl.url, flavour) as client:
        assert client.put(f"{instances()}a%2Fb%3Ac", instance(name="a/b:c")).status == 201
    assert "a/b:c" in odl.config()["l3vpn:vpn-instances"]["vpn-instance"]


@BOTH
def test_media_types(odl: StandIn, flavour: str) -> None:
    with Client(odl.url, flavour) as client:
        url = client.address(HERE).partition("?")[0]
        assert client.request("PUT", url, network(), "text/plain").status == 415
        assert client.request("PATCH", url, network()).status == 415
        assert (
            client.request(
                "PUT", url, network(), f"application/yang{'.' if flavour == DRAFT02 else '-'}data+json"
            ).status
            == 201
        )


def test_an_entry_that_is_only_a_parent_has_its_key(odl: StandIn, client: Client) -> None:
    leaf = f"{HERE}/name"
    assert client.put(leaf, {"name": "n"}).status == 201
    assert odl.config()["neutron:neutron"]["networks"]["network"] == {NETWORK: {"uuid": NETWORK, "name": "n"}}
    assert client.get(leaf).content == {"name": "n"}


@pytest.mark.parametrize(("dialect", "status"), [("C", 404), ("E", 409)])
def test_a_node_that_is_not_in_the_schema_at_rests(dialect: str, status: int) -> None:
    with StandIn(dialect) as odl, Client(odl.url, RFC8040) as client:
        assert client.get("neutron:neutron/colours").status == status


def test_a_node_that_is_not_in_the_schema_of_draft_02(client: Client) -> None:
    reply = client.get("neutron:neutron/colours")
    assert reply.status in {400, 404}
    assert reply.content["errors"]["error"][0]["error-tag"] == "unknown-element"


@pytest.mark.parametrize("dialect", ["A", "B1", "B2", "C", "D", "E"])
@pytest.mark.parametrize("flavour", [DRAFT02, RFC8040])
def test_modules_are_listed(dialect: str, flavour: str) -> None:
    with StandIn(dialect, (flavour,)) as odl, Client(odl.url, flavour) as client:
        here, other = ("/restconf/modules", MODULES_OF_RFC8040)[:: 1 if flavour == DRAFT02 else -1]
        assert client.request("GET", other).status == 404
        (content,) = client.request("GET", here).content.values()
    names = {module["name"] for module in content["module"]}
    assert {"l3vpn", "neutron"} <= names
    assert ("l3vpn-instances-interfaces" in names) == (dialect in {"D", "E"})
    assert ("neutron-bgpvpn-network-association" in names) == (dialect == "E")


def test_the_first_release_of_aluminium_has_no_associations() -> None:
    with StandIn("E", associations=False) as odl, Client(odl.url) as client:
        (content,) = client.request("GET", "/restconf/modules").content.values()
    assert "neutron-bgpvpn-network-association" not in {module["name"] for module in content["module"]}


def test_a_modern_one_has_no_models() -> None:
    with StandIn("modern") as odl, Client(odl.url, RFC8040) as client:
        (content,) = client.request("GET", MODULES_OF_RFC8040).content.values()
        assert "neutron" not in {module["name"] for module in content["module"]}
        assert client.request("GET", "/restconf/modules").status == 404
        assert client.put(HERE, network()).status == 409


@BOTH
def test_tunnels(odl: StandIn, flavour: str) -> None:
    endpoint = {"destination-ip": "192.0.2.9", "tunnel-type": "odl-interface:tunnel-type-mpls-over-gre"}
    with Client(odl.url, flavour) as client:
        call = "itm-rpc:add-external-tunnel-endpoint"
        assert client.call(call, {"itm-rpc:input": endpoint}).status == 200
        assert client.call(call, {"itm-rpc:input": {**endpoint, "tunnel-type": "string"}}).status == 400
    assert odl.tunnels == {"192.0.2.9": "odl-interface:tunnel-type-mpls-over-gre"}
