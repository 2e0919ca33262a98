"""Rules between attributes and between objects: how a model says them, and what they judge."""

from __future__ import annotations

import ipaddress
import textwrap

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gluon.models import catalog
from gluon.schema import InvalidAttributes, ModelError, Unique, conform, validate_attributes, violations

TENANT = "8a6f0e6c-6c1e-4f5d-9a51-b0c1f9c5a7e2"
KEY = "0d7a3f0c-6c1e-4f5d-9a51-b0c1f9c5a7e3"

THING = """
Thing:
  extends: BaseObject
  api: {name: thing}
  attributes:
    a: {type: string, format: ip}
    b: {type: string, format: ip}
    n: {type: integer, min: 0, max: 100}
    kind: {type: enum, values: [x, y, z], default: x}
    shared: {type: boolean}
    list: {type: string, format: ip-list}
    data: {type: string, format: json}
    mine: {type: string, read_only: true}
  rules:
"""


def model(rules: str) -> str:
    return THING + textwrap.indent(textwrap.dedent(rules), "    ")


@pytest.fixture(scope="module")
def ruled(load_objects):
    def build(rules: str):
        return load_objects(model(rules)).objects["Thing"]

    return build


def problems(object_type, values, existing=None) -> dict[str, str]:
    try:
        validate_attributes(object_type, values, existing=existing)
    except InvalidAttributes as error:
        return {problem.attribute: problem.message for problem in error.problems}
    return {}


# -- at load ---------------------------------------------------------------------------------------

BAD = [
    ("r: 1", "rules: r: expected a mapping, got 1"),
    ("r-1: {unique: [a]}", "rules: name: expected a letter"),
    ("r: {}", "rules: r: expected exactly one of unique, range, different, same_family, counts_down, got none"),
    ("r: {unique: [a], different: [a, b]}", "got unique and different"),
    (
        "r: {unique: [a], by: kind}",
        'unknown property of a rule unique "by"; expected unique, unless, nulls_equal, source',
    ),
    ("r: {unique: [a], nulls_equal: [b]}", "rules: r: nulls_equal: expected a list of names out of a, got a list"),
    ("r: {unique: [a], nulls_equal: a}", 'rules: r: nulls_equal: expected a list of names out of a, got "a"'),
    ("r: {different: [a, b], nulls_equal: [a]}", 'unknown property of a rule different "nulls_equal"'),
    ("r: {unique: a}", 'rules: r: unique: expected a list of the names of attributes, none twice, got "a"'),
    ("r: {unique: []}", "rules: r: unique: expected a list of the names of attributes"),
    ("r: {unique: [a, a]}", "none twice"),
    ("r: {unique: [1]}", "expected a list of the names of attributes"),
    ("r: {unique: [c]}", 'rules: r: unknown attribute "c"; expected one of a, b, data, id, kind, list, mine'),
    ("r: {unique: [mine]}", "rules: r: mine is read-only, nobody gives it a value"),
    ("r: {unique: [list]}", "list does not fit; expected attributes of one value, no list and no JSON"),
    ("r: {unique: [data]}", "data does not fit"),
    ("r: {unique: [a], unless: n}", "rules: r: n does not fit; expected unless to name a boolean"),
    ("r: {unique: [a], unless: 1}", "rules: r: unless: expected the name of an attribute, got 1"),
    ("r: {unique: [a], source: 1}", "source: expected text, got 1"),
    ("r: {different: [a]}", "rules: r: different: expected a list of the names of two or more attributes"),
    ("r: {different: [a, n]}", "rules: r: different: a, n are of several types; expected attributes of one type"),
    ("r: {same_family: [a, n]}", "rules: r: n does not fit; expected attributes of format ip, ipv4, ipv6"),
    ("r: {range: n, values: {x: 1}}", "rules: r: by: expected the name of an attribute, got null"),
    ("r: {range: n, by: kind}", "rules: r: values is missing; expected a range for each value"),
    ("r: {range: n, by: kind, values: [1]}", "rules: r: values: expected a mapping"),
    ("r: {range: n, by: kind, values: {x: [5, 1]}}", "values: x: expected an integer, or smallest and largest one"),
    ("r: {range: n, by: kind, values: {x: [1, 2, 3]}}", "values: x: expected an integer"),
    ("r: {range: n, by: kind, values: {x: high}}", "values: x: expected an integer"),
    ("r: {range: n, by: kind, values: {w: 1}}", 'rules: r: values: kind has no value "w"; expected x, y, z'),
    (
        "r: {range: n, by: kind, values: {x: [1, 101]}}",
        "values: x: expected a range in 0..100, as n has it; got 1..101",
    ),
    ("r: {range: a, by: kind, values: {x: 1}}", "rules: r: a does not fit; expected range to name an integer"),
    ("r: {range: n, by: a, values: {x: 1}}", "rules: r: a does not fit; expected by to name an enum"),
    ("r: {counts_down: n}", "rules: r: along: expected the name of an attribute, got null"),
    ("r: {counts_down: a, along: list}", "rules: r: a does not fit; expected counts_down to name an integer"),
    ("r: {counts_down: n, along: a}", "rules: r: a does not fit; expected along to name a list"),
    ("r: null", "rules: r: there is no such rule to drop; none is inherited"),
]


@pytest.mark.parametrize(("rules", "message"), BAD)
def test_a_rule_that_cannot_be_judged_is_refused_at_load(ruled, rules, message):
    with pytest.raises(ModelError) as caught:
        ruled(rules)
    assert message in str(caught.value)
    assert caught.value.object_name == "Thing"
    assert caught.value.line is not None


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("a: {type: string, address: unicast}", "address: only for format ipv4, ipv6, ip, ip-list, mac"),
        ("a: {type: integer, address: unicast}", "address: only for type string, and the type is integer"),
        ("a: {type: string, format: ip, address: anycast}", "address: expected one of unicast, multicast, source"),
        ("a: {type: string, format: ip, repeats: true}", "repeats: only for a list format (uuid-list, ip-list"),
        ("a: {type: string, object_only: true}", "object_only: only for format json"),
        ("a: {type: integer, repeats: true}", "repeats: only for type string, and the type is integer"),
        ("a: {type: integer, except: 3}", "except: expected a list of integers, got 3"),
        ("a: {type: string, except: [3]}", "except: only for type integer, and the type is string"),
        ("a: {type: integer, except: [3], default: 3}", "default: expected an integer -2147483648..2147483647, got 3"),
        ("a: {type: string, immutable: 1}", "immutable: expected true or false"),
        ("a: {type: string, read_only: true, immutable: true}", "read_only and immutable exclude each other"),
        ("a: {type: string, required: true, added: true}", "added: an object that was made before has no value"),
        ("a: {type: uuid, format: mac}", 'unknown format "mac" for type uuid; expected project-id'),
        ("a: {type: string, format: ip, address: unicast, default: 0.0.0.0}", "0.0.0.0 is the unspecified address"),
    ],
)
def test_properties_that_cannot_hold_are_refused_at_load(thing, attribute, message):
    with pytest.raises(ModelError) as caught:
        thing(attribute)
    assert message in str(caught.value)
    assert caught.value.attribute == "a"


def test_rules_are_inherited_replaced_and_dropped(load_objects):
    proton = load_objects("""
        Base:
          extends: BaseObject
          attributes:
            a: {type: integer}
            b: {type: integer}
            kind: {type: enum, values: [x, y]}
          rules:
            one: {unique: [a]}
            two: {different: [a, b], source: RFC 1}
            three: {range: a, by: kind, values: {x: [1, 5], y: [2, 3]}}
        Heir: {extends: Base, api: {name: heir}, rules: {one: null, two: {unique: [b]}}}
        Other: {extends: Base, api: {name: other}, attributes: {kind: {values: [y]}}}
    """)
    assert {rule.name: type(rule).__name__ for rule in proton.objects["Heir"].rules} == {
        "two": "Unique",
        "three": "Range",
    }
    other = {rule.name: rule for rule in proton.objects["Other"].rules}
    assert list(other) == ["one", "two", "three"]
    assert other["two"].source == "RFC 1"
    assert dict(other["three"].ranges) == {"y": (2, 3)}  # the base's rule knows a value more


def test_an_address_kind_goes_with_the_format_it_was_said_of(load_objects):
    proton = load_objects("""
        Base: {extends: BaseObject, attributes: {a: {type: string, format: ip, address: unicast}}}
        Same: {extends: Base, api: {name: same}, attributes: {a: {length: 50}}}
        Cidr: {extends: Base, api: {name: cidr}, attributes: {a: {format: cidr}}}
    """)
    assert proton.objects["Same"].attributes["a"].address == "unicast"
    assert proton.objects["Cidr"].attributes["a"].address == ""


def test_rules_as_sentences(ruled):
    thing = ruled("""
        one: {unique: [a, b], unless: shared}
        two: {different: [a, b]}
        three: {same_family: [a, b]}
        six: {counts_down: n, along: list}
        five: {unique: [a, n], nulls_equal: [n]}
        four: {range: n, by: kind, values: {x: 0, y: [1, 5]}}
    """)
    assert thing.sentences == (
        "no two have the same a and b, unless shared is true in all of them",
        "a and b are different",
        "a and b are of one family, IPv4 or IPv6",
        "n is at least the number of items of list, at each of which it is counted down",
        "no two have the same a and n; an unset n counts as a value",
        "n by kind: x: 0; y: 1..5",
    )
    assert [rule.name for rule in thing.unique] == ["one", "five"]
    assert isinstance(thing.unique[0], Unique)


# -- judging ---------------------------------------------------------------------------------------


@given(kind=st.sampled_from("xyz"), n=st.none() | st.integers(0, 100))
def test_range(ruled, kind, n):
    thing = ruled("r: {range: n, by: kind, values: {x: 0, y: [10, 20]}}")
    bounds = {"x": (0, 0), "y": (10, 20), "z": (0, 100)}[kind]
    found = problems(thing, {"tenant_id": TENANT, "kind": kind, "n": n})
    assert (found == {}) is (n is None or bounds[0] <= n <= bounds[1])
    if found:
        expected = "0" if kind == "x" else "an integer 10..20"
        assert found == {"n": f"expected {expected} where kind is {kind}, got {n}"}


@given(n=st.none() | st.integers(0, 4), count=st.integers(0, 4))
def test_counts_down(ruled, n, count):
    thing = ruled("r: {counts_down: n, along: list}")
    items = ", ".join(f"10.0.0.{number}" for number in range(count))
    found = problems(thing, {"tenant_id": TENANT, "n": n, "list": items})
    assert found == (
        {} if n is None or n >= count else {"n": f"expected at least {count}, one for each item of list, got {n}"}
    )


addresses = st.ip_addresses().map(str).filter(lambda text: "ffff:" not in text)


@given(a=st.none() | addresses, b=st.none() | addresses)
def test_different_and_same_family(ruled, a, b):
    thing = ruled("r: {different: [a, b]}\ns: {same_family: [a, b]}")
    found = problems(thing, {"tenant_id": TENANT, "a": a, "b": b})
    alike = a is not None and b is not None and ipaddress.ip_address(a) == ipaddress.ip_address(b)
    mixed = a is not None and b is not None and (":" in a) is not (":" in b)
    assert (set(found) == {"b"}) is (alike or mixed)


@given(address=st.ip_addresses(v=6))
def test_an_address_in_two_spellings_is_not_two_addresses(ruled, address):
    thing = ruled("r: {different: [a, b]}")
    assert set(problems(thing, {"tenant_id": TENANT, "a": str(address), "b": address.exploded.upper()})) == {"b"}


def test_a_change_is_judged_by_the_rules_that_it_names_an_attribute_of(ruled):
    thing = ruled("r: {different: [a, b]}")
    stored = {"id": KEY, "tenant_id": TENANT, "name": None, "a": "10.0.0.1", "b": "10.0.0.1", "n": None, "kind": "x"}
    stored |= {"shared": None, "list": None, "data": None, "mine": None}
    assert [problem.attribute for problem in violations(thing, stored)] == ["b"]
    assert problems(thing, {"name": "n"}, existing=stored) == {}
    assert set(problems(thing, {"a": "10.0.0.1"}, existing=stored)) == {"b"}
    assert problems(thing, {"a": "10.0.0.2"}, existing=stored) == {}


# -- subnets -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def binding(net_l3vpn):
    return net_l3vpn["VpnBinding"]


def in_subnet(address: str, prefix: int, gateway: str | None = None) -> dict:
    body = {"tenant_id": TENANT, "interface_id": KEY, "service_id": KEY}
    return body | {"ipaddress": address, "subnet_prefix": prefix, "gateway": gateway}


networks_4 = st.tuples(st.integers(10 << 24, (11 << 24) - 1), st.integers(8, 32))
networks_6 = st.tuples(st.integers(0x20010DB8 << 96, (0x20010DB9 << 96) - 1), st.integers(32, 128))


@given(network=networks_4 | networks_6, data=st.data())
def test_a_host_address_is_neither_the_network_nor_its_broadcast(binding, network, data):
    number, prefix = network
    net = ipaddress.ip_network((number, prefix), strict=False)
    last = net.num_addresses - 1
    place = data.draw(st.sampled_from([0, last]) | st.integers(0, last))
    refused = net.num_addresses > 2 and (place == 0 or (place == last and net.version == 4))
    found = problems(binding, in_subnet(str(net[place]), prefix))
    assert (set(found) == {"ipaddress"}) is refused
    assert bool(found) is refused


@given(network=networks_4 | networks_6, data=st.data())
def test_a_gateway_is_another_address_of_the_subnet(binding, network, data):
    number, prefix = network
    net = ipaddress.ip_network((number, prefix), strict=False)
    assume(net.num_addresses > 2)
    last = net.num_addresses - 1
    mine, place = 1, data.draw(st.sampled_from([0, 1, last]) | st.integers(0, last))
    refused = place == mine or (net.version == 4 and place in (0, last))
    found = problems(binding, in_subnet(str(net[mine]), prefix, str(net[place])))
    assert set(found) == ({"gateway"} if refused else set())
    outside = "192.0.2.1" if net.version == 4 else "3fff::1"
    assert set(problems(binding, in_subnet(str(net[mine]), prefix, outside))) == {"gateway"}
    link_local = "169.254.169.1" if net.version == 4 else "fe80::1"
    assert problems(binding, in_subnet(str(net[mine]), prefix, link_local)) == {}


# -- addresses -----------------------------------------------------------------------------------------


@given(address=st.ip_addresses())
def test_unicast_is_what_one_machine_can_have(thing, address):
    kind = thing("a: {type: string, format: ip, address: unicast}")
    no_machine = (
        address.is_unspecified or address.is_loopback or address.is_multicast or str(address) == "255.255.255.255"
    )
    no_machine = no_machine or (address.version == 4 and not 2**24 <= int(address) < 240 << 24)
    no_machine = no_machine or (address.version == 6 and (address.ipv4_mapped is not None or int(address) < 2**32))
    assert bool(problems(kind, {"a": str(address)})) is no_machine


@given(octets=st.binary(min_size=6, max_size=6), data=st.data())
def test_a_mac_address_is_the_same_in_every_notation(thing, octets, data):
    digits = octets.hex()
    four, six, two = ([digits[at : at + n] for at in range(0, 12, n)] for n in (4, 6, 2))
    spellings = [":".join(two), "-".join(two), ".".join(four), "-".join(four), ":".join(four), "-".join(six), digits]
    spellings.append(":".join(octet.removeprefix("0") for octet in two))
    text = data.draw(st.sampled_from(spellings + [each.upper() for each in spellings]))
    unicast, multicast = (
        thing(f"a: {{type: string, format: mac, address: {kind}}}") for kind in ("unicast", "multicast")
    )
    none = set(octets) == {0} or set(octets) == {255}
    assert bool(problems(unicast, {"a": text})) is (none or octets[0] % 2 == 1)
    assert bool(problems(multicast, {"a": text})) is (none or octets[0] % 2 == 0)
    if not none and octets[0] % 2 == 0:
        assert validate_attributes(unicast, {"a": text})["a"] == ":".join(two)


# -- for the shim, and for what is stored already ----------------------------------------------------


@pytest.mark.parametrize(
    ("object_name", "key", "values", "attribute"),
    [
        ("Port", KEY, {"mac_address": "01:00:5e:00:00:01"}, "mac_address"),
        ("Interface", KEY, {"port_id": KEY, "segmentation_type": "vlan", "segmentation_id": 99999}, "segmentation_id"),
        ("VpnAfConfig", "1:1", {}, "vrf_rt_type"),
        (
            "BGPPeering",
            KEY,
            {"local_ip_address": "10.0.0.1", "peer_ip_address": "10.0.0.1", "as_number": 1},
            "peer_ip_address",
        ),
        ("VpnBinding", KEY, {"service_id": KEY, "ipaddress": "10.0.0.255", "subnet_prefix": 24}, "ipaddress"),
        (
            "DataplaneTunnel",
            KEY,
            {"local_tunnel_endpoint": "::1", "remote_tunnel_endpoint": "fd00::1"},
            "local_tunnel_endpoint",
        ),
    ],
)
def test_a_shim_takes_nothing_that_breaks_a_rule(net_l3vpn, object_name, key, values, attribute):
    object_type = net_l3vpn[object_name]
    with pytest.raises(InvalidAttributes) as caught:
        conform(object_type, {"tenant_id": TENANT, **values}, key)
    assert [problem.attribute for problem in caught.value.problems] == [attribute]


def test_every_value_of_an_enum_that_a_shipped_range_depends_on_has_one():
    for proton in catalog.load(["*"]).values():
        rule = next(rule for rule in proton.interface.rules if rule.name == "segmentation_id_fits_type")
        assert set(rule.ranges) == set(proton.interface.attributes["segmentation_type"].values)
