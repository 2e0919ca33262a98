"""What must hold of every value and every model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gluon.contract.records import decode_attributes, encode_attributes
from gluon.models import catalog
from gluon.schema import (
    FORMATS,
    Attribute,
    AttributeType,
    InvalidAttributes,
    ModelError,
    ObjectType,
    conform,
    parse_proton,
    validate_attributes,
)

many = settings(max_examples=200, deadline=None)
"""A busy machine is no failure, so there is no deadline."""

PROTONS = catalog.load(["*"])
TYPES = [object_type for proton in PROTONS.values() for object_type in proton.objects.values()]
SAMPLE = PROTONS["test"].objects["Sample"]

mixed_case = st.sampled_from([str.lower, str.upper])
uuids = st.builds(lambda u, case, bare: case(u.hex if bare else str(u)), st.uuids(), mixed_case, st.booleans())
ips = st.one_of(st.ip_addresses().map(str), st.ip_addresses(v=6).map(lambda ip: ip.exploded.upper()))
cidrs = st.builds(
    lambda value, host_bits: (
        ".".join(str(b) for b in (value >> host_bits << host_bits).to_bytes(4, "big")) + f"/{32 - host_bits}"
    ),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)
route_targets = st.one_of(
    st.builds("{}:{}".format, st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)),
    st.builds("{}:{}".format, st.integers(2**16, 2**32 - 1), st.integers(0, 2**16 - 1)),
    st.builds("{}:{}".format, st.ip_addresses(v=4), st.integers(0, 2**16 - 1)),
)
macs = st.builds(
    lambda octets, separator, case: case(separator.join(f"{o:02x}" for o in octets)),
    st.lists(st.integers(1, 254), min_size=6, max_size=6),
    st.sampled_from(":-"),
    mixed_case,
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=8,
)

TEXTS = {
    "date-time": st.datetimes().map(lambda moment: f"{moment.isoformat()}+01:30"),
    "ipv4": st.ip_addresses(v=4).map(str),
    "ipv6": st.ip_addresses(v=6).map(str),
    "ip": ips,
    "cidr": cidrs,
    "mac": macs,
    "uri": st.sampled_from(["http://example.com/a?b#c", "urn:a:b", "mailto:a@b"]),
    "email": st.sampled_from(["A@B.c", "operator+x@Example.com"]),
    "route-target": route_targets,
    "route-distinguisher": route_targets,
}
ITEMS = TEXTS | {"uuid": uuids}


def texts(attribute: Attribute) -> st.SearchStrategy:
    name = attribute.format
    if name == "json":
        return st.one_of(json_values, json_values.map(lambda value: msgspec.json.encode(value).decode()))
    if attribute.is_list:
        return st.lists(ITEMS[name.removesuffix("-list")], max_size=4).map(" , ".join)
    return TEXTS[name] if name else st.text(max_size=70)


def plausible(attribute: Attribute) -> st.SearchStrategy:
    """Values most of which the attribute accepts."""
    match attribute.type:
        case AttributeType.INTEGER:
            return st.integers(*attribute.integer_range)
        case AttributeType.NUMBER:
            return st.floats() | st.integers()
        case AttributeType.BOOLEAN:
            return st.booleans()
        case AttributeType.UUID:
            return uuids
        case AttributeType.ENUM:
            return st.sampled_from(attribute.values)
        case AttributeType.STRING:
            return texts(attribute)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def objects(draw) -> tuple[ObjectType, dict]:
    """An object type, and values that have a good chance to be accepted."""
    object_type = draw(st.sampled_from(TYPES))
    values = {}
    for name, attribute in object_type.attributes.items():
        if not attribute.read_only and (attribute.required or attribute.primary or draw(st.booleans())):
            values[name] = draw(st.none() | plausible(attribute) if not attribute.required else plausible(attribute))
    return object_type, values


def refusal(call: Callable[[], Any], kind: type[Exception]) -> Any:
    """The error of this kind that the call raises, None if none; any other fails the test."""
    try:
        call()
    except kind as error:
        return error
    return None


def accepted(object_type: ObjectType, values: dict) -> dict | None:
    error = refusal(lambda: validate_attributes(object_type, values), InvalidAttributes)
    if error is None:
        return validate_attributes(object_type, values)
    check_problems(error)
    return None


def check_problems(error: InvalidAttributes) -> None:
    assert error.problems
    for problem in error.problems:
        assert problem.message
        msgspec.json.encode(problem)


def writable(object_type: ObjectType, values: dict) -> dict:
    return {name: value for name, value in values.items() if not object_type.attributes[name].read_only}


@given(objects())
@many
def test_validation_is_idempotent(given_object):
    object_type, values = given_object
    first = accepted(object_type, values)
    if first is not None:
        assert validate_attributes(object_type, writable(object_type, first)) == first
        assert validate_attributes(object_type, writable(object_type, first), existing=first) == first


@given(objects())
@many
def test_what_validation_accepts_passes_through_etcd_unchanged(given_object):
    object_type, values = given_object
    result = accepted(object_type, values)
    key = object_type.primary_key.name
    if result is not None and key in result:
        read = decode_attributes(encode_attributes(result))
        assert conform(object_type, read, str(result[key])) == writable(object_type, result)


@given(objects(), st.randoms(use_true_random=False))
@many
def test_order_of_the_values_does_not_matter(given_object, random):
    object_type, values = given_object
    shuffled = list(values.items())
    random.shuffle(shuffled)
    first, second = accepted(object_type, values), accepted(object_type, dict(shuffled))
    assert first == second
    assert first is None or list(first) == list(second)


@given(objects())
@many
def test_an_update_in_parts_ends_where_one_update_does(given_object):
    object_type, values = given_object
    created = accepted(object_type, values)
    if created is None or object_type.subnet is not None:
        return  # a subnet's attributes may have to change together
    step = created
    for name, value in values.items():
        step = validate_attributes(object_type, {name: value}, existing=step) if value is not None else step
    assert step == created


@given(st.dictionaries(st.sampled_from([*SAMPLE.attributes, "x"]), anything, max_size=6), st.text(max_size=40))
@many
def test_any_value_is_accepted_or_refused_and_nothing_else(values, key):
    accepted(SAMPLE, values)
    error = refusal(lambda: conform(SAMPLE, values, key), InvalidAttributes)
    if error is not None:
        check_problems(error)


def test_every_format_is_generated_here():
    lists = {name for name in FORMATS[AttributeType.STRING] if name.endswith("-list")}
    assert {name.removesuffix("-list") for name in lists} <= set(ITEMS)
    assert set(FORMATS[AttributeType.STRING]) == {"json"} | set(TEXTS) | lists


# Models at random: well-formed ones with parts replaced, and structures out of nothing.

words = st.sampled_from(
    [
        "Port", "Thing", "BaseObject", "BasePort", "BaseService", "Missing", "string", "integer", "uuid", "enum",
        "boolean", "json", "ip", "uuid-list", "int64", "id", "name", "thing", "port", "ports", "a", "B", "", "1.0",
    ]
)  # fmt: skip
leaves = words | st.none() | st.booleans() | st.integers(-3, 2**40) | st.floats() | st.dates() | st.binary(max_size=2)
properties = st.dictionaries(
    st.sampled_from(
        ["type", "primary", "required", "read_only", "length", "values", "format", "min", "max", "default",
         "default_from", "references", "description"]
    ),
    leaves | st.lists(leaves, max_size=3),
    max_size=5,
)  # fmt: skip
model_objects = st.fixed_dictionaries(
    {},
    optional={
        "extends": words,
        "api": st.fixed_dictionaries(
            {"name": words}, optional={"parent": words, "parent_key": words, "plural_name": words}
        )
        | leaves,
        "attributes": st.dictionaries(words, properties | leaves, max_size=4) | leaves,
        "policies": st.dictionaries(st.sampled_from(["create", "get", "drop"]), leaves, max_size=2),
        "subnet": st.dictionaries(st.sampled_from(["address", "prefix", "gateway"]), words, max_size=3),
        "description": leaves,
    },
)
names = st.sampled_from(["a", "b", "c", "id"])
object_names = st.sampled_from(["A", "B", "C", "Port", "Service"])
typed_properties = st.fixed_dictionaries(
    {"type": st.sampled_from([*AttributeType]).map(str) | object_names},
    optional={
        "required": st.booleans(),
        "read_only": st.booleans(),
        "length": st.integers(1, 300),
        "values": st.just(["x", "y"]),
        "format": st.sampled_from(["uuid-list", "ip", "json", "int64"]),
        "min": st.integers(-3, 3),
        "max": st.integers(-3, 2**33),
        "default": st.sampled_from([0, 2, "x", True, None, 1.5]),
        "default_from": names,
        "references": object_names,
    },
)
few_properties = typed_properties.flatmap(
    lambda p: st.sets(st.sampled_from(sorted(p)), max_size=2).map(lambda keep: {k: p[k] for k in {"type", *keep}})
)
typed_objects = st.dictionaries(
    st.sampled_from("ABC"),
    st.fixed_dictionaries(
        {"attributes": st.dictionaries(names, few_properties, max_size=3)},
        optional={
            "extends": st.sampled_from(["A", "B", "BaseObject", "BaseObject", "BaseService", "Port"]),
            "api": st.fixed_dictionaries(
                {"name": st.sampled_from(["x", "y", "z"])},
                optional={"parent": st.just("Port"), "parent_key": names},
            ),
        },
    ),
    max_size=3,
)
structures = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(leaves, inner, max_size=3),
    max_leaves=10,
)


# The shipped base takes a while to read, so this one has no more than it must.
BASE = """
file_version: "1.0"
objects:
  BaseObject: {attributes: {id: {type: uuid, primary: true}, tenant_id: {type: uuid}, name: {type: string}}}
  BasePort:
    extends: BaseObject
    attributes:
      admin_state_up: {type: boolean}
      status: {type: enum, values: [DOWN]}
      vnic_type: {type: enum, values: [normal]}
      device_id: &text {type: string}
      host_id: *text
      profile: *text
      vif_type: *text
      vif_details: *text
  BaseInterface:
    extends: BaseObject
    attributes: {port_id: {type: uuid}, segmentation_type: {type: enum, values: [a]}, segmentation_id: {type: integer}}
  BaseService: {extends: BaseObject}
"""
MODEL: dict[str, Any] = {
    "file_version": "1.0",
    "imports": "base.yaml",
    "info": {"name": "a", "version": "1.0"},
    "objects": {
        "Port": {"extends": "BasePort", "api": {"name": "port"}},
        "Interface": {"extends": "BaseInterface", "api": {"name": "interface"}},
        "Service": {"extends": "BaseService", "api": {"name": "service"}},
    },
}


def test_the_model_that_random_parts_are_put_into_loads():
    assert parse_proton("api.yaml", yaml.safe_dump(MODEL), lambda _: BASE).port.name == "Port"


def loads_or_is_refused(text: str) -> None:
    error = refusal(lambda: parse_proton("api.yaml", text, lambda _: BASE), ModelError)
    if error is not None:
        assert str(error).startswith(("api.yaml:", "base.yaml:"))
        return
    seen: set[str] = set()
    for object_type in parse_proton("api.yaml", text, lambda _: BASE).objects.values():
        assert {attribute.reference for attribute in object_type.references} <= seen
        seen.add(object_type.name)


@given(st.dictionaries(words, model_objects, max_size=4))
@settings(many, suppress_health_check=[HealthCheck.too_slow])
def test_a_random_model_loads_or_is_refused(more):
    loads_or_is_refused(yaml.safe_dump(MODEL | {"objects": MODEL["objects"] | more}))


@given(typed_objects)
@many
def test_a_random_model_of_well_typed_parts_loads_or_is_refused(more):
    loads_or_is_refused(yaml.safe_dump(MODEL | {"objects": MODEL["objects"] | more}))


@given(structures)
@many
def test_a_random_structure_is_refused(structure):
    loads_or_is_refused(yaml.safe_dump(structure))


@given(st.text(max_size=60) | st.text("[]{}:,-!&*|>'\"#%@\n yesnoul<12.", max_size=60))
@many
def test_random_text_is_refused(text):
    loads_or_is_refused(text)
