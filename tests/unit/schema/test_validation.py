"""Create, update, keys, and what is read from etcd."""

from __future__ import annotations

import pytest

from gluon.schema import InvalidAttributes, Problem, conform, validate_attributes, validate_key

TENANT = "8a6f0e6c-6c1e-4f5d-9a51-b0c1f9c5a7e2"
KEY = "0d7a3f0c-6c1e-4f5d-9a51-b0c1f9c5a7e3"
PORT = {"tenant_id": TENANT, "mac_address": "c8:2a:14:04:43:80"}


def problems(check, *args, **kwargs) -> dict[str, str]:
    with pytest.raises(InvalidAttributes) as caught:
        check(*args, **kwargs)
    return {problem.attribute: problem.message for problem in caught.value.problems}


def test_create_gives_every_attribute_in_the_models_order(net_l3vpn):
    port = net_l3vpn["Port"]
    result = validate_attributes(port, {"name": "p1", **PORT, "id": KEY})
    assert list(result) == list(port.attributes)
    assert result == {
        "id": KEY,
        "name": "p1",
        **PORT,
        "admin_state_up": True,
        "status": "DOWN",
        "vnic_type": "normal",
        "mtu": 1500,
        "vlan_transparency": False,
        "profile": None,
        "device_id": None,
        "device_owner": None,
        "host_id": None,
        "vif_type": None,
        "vif_details": None,
    }


def test_create_leaves_a_generated_key_to_the_caller(net_l3vpn):
    port = net_l3vpn["Port"]
    assert port.primary_key.is_generated
    assert "id" not in validate_attributes(port, PORT)
    assert "id" not in validate_attributes(port, {**PORT, "id": None})
    assert list(validate_attributes(port, PORT)) == list(port.attributes)[1:]


@pytest.mark.parametrize(("object_name", "key"), [("VpnBinding", "interface_id"), ("VpnAfConfig", "vrf_rt_value")])
def test_other_keys_are_required(net_l3vpn, object_name, key):
    object_type = net_l3vpn[object_name]
    assert not object_type.primary_key.is_generated
    assert object_type.primary_key.required
    assert problems(validate_attributes, object_type, {"tenant_id": TENANT})[key].startswith("required; expected a ")


def test_all_problems_come_at_once(net_l3vpn):
    given = {"mtu": 12, "mac_adress": "x", "status": "ACTIVE", "name": "n" * 65, "tenant_id": None}
    assert problems(validate_attributes, net_l3vpn["Port"], given) == {
        "mtu": "expected an integer 68..65535, got 12",
        "mac_adress": "unknown attribute; Port has admin_state_up, device_id, device_owner, host_id, id, "
        "mac_address, mtu, name, profile, tenant_id, vlan_transparency, vnic_type",
        "status": "read-only: the server sets it; leave it out",
        "name": f'expected text of at most 64 characters, got "{"n" * 65}": it has 65',
        "tenant_id": "required; expected a UUID such as 0d7a3f0c-6c1e-4f5d-9a51-b0c1f9c5a7e2",
        "mac_address": "required; expected a MAC address such as c8:2a:14:04:43:80",
    }


def test_unknown_attribute_with_an_unprintable_name(thing):
    (problem,) = [*problems(validate_attributes, thing(), {"\ud800" + "x" * 1000: 1}).items()]
    problem[0].encode()
    assert len(problem[0]) == 64


def test_error_reads_as_one_line():
    error = InvalidAttributes([Problem("a", "expected x"), Problem("b", "expected y")])
    assert str(error) == "a: expected x; b: expected y"


def test_null_means_unset_and_brings_the_default_back(thing):
    object_type = thing("a: {type: integer, default: 3}, b: {type: string}")
    assert validate_attributes(object_type, {"a": None, "b": None}) == {"a": 3, "b": None}
    stored = {"id": KEY, "a": 5, "b": "x"}
    assert validate_attributes(object_type, {"a": None, "b": None}, existing=stored) == {"id": KEY, "a": 3, "b": None}


def test_default_from_another_attribute(net_l3vpn):
    peering = net_l3vpn["BGPPeering"]
    given = {
        "tenant_id": TENANT,
        "local_ip_address": "10.0.0.1",
        "peer_ip_address": "10.0.0.2",
        "as_number": 4294967294,
    }
    created = validate_attributes(peering, given | {"id": KEY})
    assert created["peer_as_number"] == 4294967294
    assert validate_attributes(peering, given | {"peer_as_number": 5})["peer_as_number"] == 5
    changed = validate_attributes(peering, {"as_number": 7}, existing=created)
    assert (changed["as_number"], changed["peer_as_number"]) == (7, 4294967294)
    reset = validate_attributes(peering, {"as_number": 7, "peer_as_number": None}, existing=created)
    assert reset["peer_as_number"] == 7
    assert conform(peering, given, KEY)["peer_as_number"] == 4294967294


def test_default_from_goes_through_a_chain_in_any_order(thing):
    object_type = thing(
        "a: {type: integer, default_from: b}, b: {type: integer, default_from: c}, c: {type: integer, default: 4}"
    )
    assert validate_attributes(object_type, {}) == {"a": 4, "b": 4, "c": 4}
    assert validate_attributes(object_type, {"b": 2}) == {"a": 2, "b": 2, "c": 4}


def test_default_from_a_value_that_does_not_fit(thing):
    object_type = thing("a: {type: integer, max: 5, default_from: b}, b: {type: integer}")
    assert problems(validate_attributes, object_type, {"b": 9}) == {
        "a": "expected an integer -2147483648..5, got 9 (it defaults to b; give it a value of its own)"
    }


def test_json_default_is_not_shared(thing):
    object_type = thing("a: {type: string, format: json, default: {x: []}}")
    first = validate_attributes(object_type, {})["a"]
    first["x"].append(1)
    assert validate_attributes(object_type, {})["a"] == {"x": []}
    assert conform(object_type, {}, KEY)["a"] == {"x": []}


def test_update_changes_only_what_it_names(net_l3vpn):
    port = net_l3vpn["Port"]
    stored = validate_attributes(port, PORT | {"id": KEY}) | {"status": "ACTIVE", "vif_type": "ovs"}
    before = dict(stored)
    changed = validate_attributes(port, {"name": "new"}, existing=stored)
    assert changed == stored | {"name": "new"}
    assert stored == before
    assert validate_attributes(port, {}, existing=stored) == stored


def test_update_drops_what_the_model_does_not_know(thing):
    stored = {"id": KEY, "gone": 1, "created_at": "2024-05-17T09:30:00Z"}
    assert validate_attributes(thing("a: {type: string, default: x}"), {}, existing=stored) == {"id": KEY, "a": "x"}


def test_update_cannot_unset_a_required_attribute(net_l3vpn):
    port = net_l3vpn["Port"]
    stored = validate_attributes(port, PORT | {"id": KEY})
    found = problems(validate_attributes, port, {"mac_address": None}, existing=stored)
    assert found == {"mac_address": "required; expected a MAC address such as c8:2a:14:04:43:80"}


def test_update_keeps_the_key(net_l3vpn):
    port = net_l3vpn["Port"]
    stored = validate_attributes(port, PORT | {"id": KEY})
    assert validate_attributes(port, {"id": KEY.upper().replace("-", "")}, existing=stored) == stored
    for other in (TENANT, None):
        found = problems(validate_attributes, port, {"id": other}, existing=stored)
        assert found == {"id": f'the key of an object never changes; leave it out or give "{KEY}"'}


BINDING = {"tenant_id": TENANT, "interface_id": KEY, "service_id": TENANT}

SUBNETS = [
    ({"ipaddress": "10.0.0.5", "subnet_prefix": 33}, "subnet_prefix", "expected at most 32 for IPv4, got 33"),
    (
        {"ipaddress": "10.0.0.5", "subnet_prefix": 24, "gateway": "10.0.1.1"},
        "gateway",
        'expected an address inside 10.0.0.0/24, got "10.0.1.1"',
    ),
    (
        {"ipaddress": "10.0.0.5", "gateway": "2001:db8::1"},
        "gateway",
        'expected an IPv4 address as 10.0.0.5 is, got "2001:db8::1"',
    ),
    ({"gateway": "10.0.0.1", "subnet_prefix": 64}, "subnet_prefix", "expected at most 32 for IPv4, got 64"),
]


@pytest.mark.parametrize(("values", "attribute", "message"), SUBNETS)
def test_subnet_that_does_not_hold_together(net_l3vpn, values, attribute, message):
    binding = net_l3vpn["VpnBinding"]
    assert problems(validate_attributes, binding, BINDING | values) == {attribute: message}
    assert problems(conform, binding, BINDING | values, KEY) == {attribute: message}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"subnet_prefix": 64},
        {"ipaddress": "10.0.0.5", "subnet_prefix": 24, "gateway": "10.0.0.1"},
        {"ipaddress": "2001:db8::5", "subnet_prefix": 64, "gateway": "2001:db8::1"},
        {"ipaddress": "10.0.0.5", "gateway": "10.9.9.9"},
    ],
)
def test_subnet_that_holds_together(net_l3vpn, values):
    result = validate_attributes(net_l3vpn["VpnBinding"], BINDING | values)
    assert {name: result[name] for name in values} == values


def test_subnet_is_checked_on_the_merged_object(net_l3vpn):
    binding = net_l3vpn["VpnBinding"]
    stored = validate_attributes(binding, BINDING | {"ipaddress": "10.0.0.5", "subnet_prefix": 24})
    found = problems(validate_attributes, binding, {"gateway": "10.0.1.1"}, existing=stored)
    assert found == {"gateway": 'expected an address inside 10.0.0.0/24, got "10.0.1.1"'}


def test_key_as_it_stands_in_a_url(net_l3vpn):
    assert validate_key(net_l3vpn["Port"], KEY.upper().replace("-", "")) == KEY
    assert validate_key(net_l3vpn["VpnAfConfig"], "65000:1") == "65000:1"
    assert problems(validate_key, net_l3vpn["Port"], "5") == {
        "id": 'expected a UUID such as 0d7a3f0c-6c1e-4f5d-9a51-b0c1f9c5a7e2, got "5"'
    }


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "a key cannot be empty"),
        (".", "a URL cannot hold it as a key"),
        ("..", "a URL cannot hold it as a key"),
        ("🙂" * 64, "a key is at most 765 bytes long, percent-encoded"),
        ("a\0", "it holds a NUL character"),
        ("x" * 256, "it has 256"),
    ],
    ids=["empty", "dot", "dots", "bytes", "nul", "characters"],
)
def test_text_that_is_no_key(load_objects, key, message):
    label = load_objects("Label: {api: {name: label}, attributes: {text: {type: string, primary: true}}}")
    assert message in problems(validate_key, label.objects["Label"], key)["text"]
    assert message in problems(validate_attributes, label.objects["Label"], {"text": key})["text"]


def test_text_that_is_a_key(load_objects):
    label = load_objects("Label: {api: {name: label}, attributes: {text: {type: string, primary: true}}}")
    for key in ("a/b c%", "...", "x" * 255, "🙂" * 63):
        assert validate_key(label.objects["Label"], key) == key


def test_conform_drops_what_is_read_only_or_unknown_and_fills_defaults(net_l3vpn):
    port = net_l3vpn["Port"]
    value = {**PORT, "id": KEY, "status": "NONSENSE", "vif_type": 5, "future": [1], "created_at": 0, "name": None}
    assert conform(port, value, KEY) == {
        "id": KEY,
        **PORT,
        "name": None,
        "admin_state_up": True,
        "vnic_type": "normal",
        "mtu": 1500,
        "vlan_transparency": False,
        "profile": None,
        "device_id": None,
        "device_owner": None,
        "host_id": None,
    }


def test_conform_canonicalises_what_a_raw_writer_wrote(net_l3vpn):
    value = {"tenant_id": TENANT.upper(), "mac_address": "C8-2A-14-04-43-80", "profile": '{"a":1}'}
    result = conform(net_l3vpn["Port"], value, KEY)
    assert (result["tenant_id"], result["mac_address"]) == (TENANT, "c8:2a:14:04:43:80")
    assert result["profile"] == {"a": 1}
    assert result["id"] == KEY


def test_conform_refuses_wrong_types_and_missing_values(net_l3vpn):
    assert problems(conform, net_l3vpn["Port"], {"tenant_id": TENANT, "mtu": "1500", "name": 5}, KEY) == {
        "name": "expected text of at most 64 characters, got 5",
        "mtu": 'expected an integer 68..65535, got "1500"',
        "mac_address": "required; expected a MAC address such as c8:2a:14:04:43:80",
    }


@pytest.mark.parametrize(
    ("inside", "path"), [(TENANT, KEY), (KEY, KEY.upper()), (KEY.upper(), KEY.upper()), (None, KEY.upper())]
)
def test_conform_wants_the_canonical_key_of_the_path(net_l3vpn, inside, path):
    found = problems(conform, net_l3vpn["Port"], {**PORT, "id": inside}, path)
    assert found == {"id": f'expected the key that it is stored under, "{path}"'}


def test_conform_of_a_path_that_is_no_key(net_l3vpn):
    assert problems(conform, net_l3vpn["Port"], PORT, "x")["id"].startswith("expected a UUID such as")
