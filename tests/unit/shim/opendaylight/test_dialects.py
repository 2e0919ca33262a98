"""Bodies in each release's words, as they were checked against its YANG."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gluon.shim.backends.opendaylight import dialects
from gluon.shim.backends.opendaylight.dialects import VpnInstance, VpnInterface
from gluon.shim.backends.opendaylight.options import Dialect
from gluon.shim.backends.opendaylight.resources import differs, projected

A, B1, B2, C, D, E = Dialect
VPN = VpnInstance("V", ("65000:100",), {"65000:1": "import_extcommunity"}, {"65000:1": "export_extcommunity"})
MEMBER = VpnInterface("P", "V", "10.0.0.5/32", "fa:16:3e:00:00:01", "S")


def target(kind: str) -> dict[str, object]:
    return {"vpnTargets": {"vpnTarget": [{"vrfRTValue": "65000:1", "vrfRTType": kind}]}}


def families(distinguisher: object) -> dict[str, object]:
    return {
        "vpn-instance-name": "V",
        "ipv4-family": {"route-distinguisher": distinguisher, **target("import_extcommunity")},
        "ipv6-family": {"route-distinguisher": distinguisher, **target("export_extcommunity")},
    }


FLAT = {
    "vpn-instance-name": "V",
    "route-distinguisher": ["65000:100"],
    **target("both"),
    "bgpvpn-type": "BGPVPN",
    "ip-address-family-configured": "ipv4-and-ipv6",
}

INSTANCES = {
    A: ("l3vpn:vpn-instance", families("65000:100")),
    **dict.fromkeys((B1, B2, C), ("l3vpn:vpn-instance", families(["65000:100"]))),
    D: ("l3vpn-instances-interfaces:vpn-instance", families(["65000:100"])),
    E: ("l3vpn-instances-interfaces:vpn-instance", FLAT),
}

ONE = {"vpn-instance-name": "V"}
LISTED = {"vpn-instance-names": [{"vpn-name": "V", "associated-subnet-type": "V4AndV6Subnets"}]}
ADJACENCY = {"ip_address": "10.0.0.5/32", "mac_address": "fa:16:3e:00:00:01", "subnet_id": "S"}
FLAG, KIND = {"primary-adjacency": True}, {"adjacency_type": "primary-adjacency"}
INTERFACES = {
    A: {"name": "P", **ONE, "odl-l3vpn:adjacency": [{**ADJACENCY, **FLAG}]},
    B1: {"name": "P", **ONE, "odl-l3vpn:adjacency": [{**ADJACENCY, **FLAG}]},
    B2: {"name": "P", **ONE, "odl-l3vpn:adjacency": [{**ADJACENCY, **KIND}]},
    C: {"name": "P", **LISTED, "odl-l3vpn:adjacency": [{**ADJACENCY, **KIND}]},
    D: {"name": "P", **LISTED, "adjacency": [{**ADJACENCY, **KIND}]},
    E: {"name": "P", **LISTED, "adjacency": [{**ADJACENCY, **KIND}]},
}


@pytest.mark.parametrize("dialect", Dialect)
def test_a_vpn_instance(dialect):
    name, body = INSTANCES[dialect]
    assert dialects.instance(dialect, VPN).document == {name: [body]}


@pytest.mark.parametrize("dialect", Dialect)
def test_a_vpn_interface(dialect):
    resource = dialects.interface(dialect, MEMBER)
    module = "l3vpn-instances-interfaces" if dialect in (D, E) else "l3vpn"
    assert resource.document == {f"{module}:vpn-interface": [INTERFACES[dialect]]}


@pytest.mark.parametrize("dialect", Dialect)
def test_ipv4_is_there_without_targets_of_its_own(dialect):
    """Without an ipv4-family netvirt fails with a NullPointerException."""
    body = dialects.instance(dialect, VpnInstance("V", ("1:1",), {}, {"1:1": "both"})).body
    assert (body if dialect is E else body["ipv4-family"])["route-distinguisher"]


def test_an_empty_set_of_targets_is_left_out():
    assert dialects.instance(C, VpnInstance("V", ("1:1",), {}, None)).body == {
        "vpn-instance-name": "V",
        "ipv4-family": {"route-distinguisher": ["1:1"]},
    }


KINDS = st.sampled_from(["both", "import_extcommunity", "export_extcommunity"])
TARGETS = st.dictionaries(st.sampled_from(["1:1", "1:2", "1:3"]), KINDS)


def directions(targets: dict[str, str]) -> set[tuple[str, str]]:
    of = {"both": ("import", "export"), "import_extcommunity": ("import",), "export_extcommunity": ("export",)}
    return {(value, direction) for value, kind in targets.items() for direction in of[kind]}


@given(TARGETS, TARGETS)
def test_united_targets_import_and_export_what_either_does(one, other):
    assert directions(dict(dialects.united(one, other))) == directions(one) | directions(other)


@given(st.sampled_from(list(Dialect)), TARGETS, TARGETS | st.none(), st.permutations(["1:1", "2:2", "3:3"]))
def test_what_was_written_does_not_differ_however_it_is_answered(dialect, ipv4, ipv6, distinguishers):
    wanted = dialects.instance(dialect, VpnInstance("V", tuple(distinguishers), ipv4, ipv6))
    answered = {f"l3vpn:{name}": value for name, value in reversed(wanted.body.items())}
    assert not differs({**answered, "l3vpn:l3vni": 0}, wanted)
    assert dialects.distinguishers_of(wanted.body) == list(distinguishers)[: 1 if dialect is A else 3]


@pytest.mark.parametrize("dialect", Dialect)
def test_what_netvirt_has_learnt_is_no_difference(dialect):
    wanted = dialects.interface(dialect, MEMBER)
    [name] = [each for each in wanted.body if each.endswith("adjacency")]
    learnt = {"ip_address": "10.0.0.9/32", "adjacency_type": "learnt-ip"}
    held = {**wanted.body, name: [*wanted.body[name], learnt], "router-interface": False}
    assert projected("vpn-interface", held) == projected("vpn-interface", wanted.body)
    assert dialects.vpns_of(held) == ["V"]
