"""What follows from the fields of an attribute or of an object type."""

from __future__ import annotations

import msgspec
import pytest

from gluon.schema import Attribute, AttributeType, Base, InvalidAttributes, Mismatch, validate_attributes


def sample(thing, properties: str) -> Attribute:
    return thing(f"source: {{type: string}}, a: {{{properties}}}").attributes["a"]


@pytest.mark.parametrize(
    ("properties", "must_be_given", "never_null"),
    [
        ("type: string", False, False),
        ("type: string, required: true", True, True),
        ("type: string, required: true, default: x", False, False),
        ("type: string, required: true, default_from: source", False, False),
        ("type: string, default: x", False, False),
        ("type: string, read_only: true", False, False),
    ],
)
def test_what_must_be_given(thing, properties, must_be_given, never_null):
    attribute = sample(thing, properties)
    assert (attribute.must_be_given, attribute.never_null) == (must_be_given, never_null)


@pytest.mark.parametrize(
    ("key", "is_generated"),
    [
        ("type: uuid, primary: true", True),
        ("type: uuid, primary: true, required: true", False),
        ("type: Port, primary: true", False),
        ("type: string, primary: true", False),
    ],
)
def test_a_key_is_generated_or_must_be_given(load_objects, key, is_generated):
    thing = load_objects(f"Thing: {{api: {{name: thing}}, attributes: {{id: {{{key}}}}}}}").objects["Thing"]
    attribute = thing.primary_key
    assert (attribute.is_generated, attribute.must_be_given) == (is_generated, not is_generated)
    assert attribute.never_null
    assert list(thing.required) == ([] if is_generated else [attribute])


def test_what_must_be_given_is_what_a_create_is_refused_without(net_l3vpn):
    for object_type in net_l3vpn.values():
        with pytest.raises(InvalidAttributes) as caught:
            validate_attributes(object_type, {})
        refused = {problem.attribute for problem in caught.value.problems}
        assert refused == {a.name for a in object_type.writable if a.must_be_given}


def test_no_other_attribute_is_generated(net_l3vpn):
    generated = [a for o in net_l3vpn.values() for a in o.attributes.values() if a.is_generated]
    assert generated
    assert all(a.primary for a in generated)


@pytest.mark.parametrize(
    ("properties", "value", "items"),
    [
        ("type: string, format: uuid-list", None, ()),
        ("type: string, format: uuid-list", "", ()),
        ("type: string, format: ip-list", "10.0.0.1", ("10.0.0.1",)),
        ("type: string, format: ip-list", "10.0.0.1,10.0.0.2", ("10.0.0.1", "10.0.0.2")),
        ("type: string", "a,b", ("a,b",)),
        ("type: string", None, ()),
        ("type: integer", 5, ("5",)),
    ],
)
def test_items_of_a_value(thing, properties, value, items):
    assert sample(thing, properties).items(value) == items


def test_a_refusal_says_what_was_expected_and_given(thing):
    attribute = sample(thing, "type: integer, min: 1, max: 5")
    assert attribute.check(5) == 5
    with pytest.raises(Mismatch) as caught:
        attribute.check(6)
    assert attribute.refusal(6, caught.value) == "expected an integer 1..5, got 6"


def test_what_is_worked_out_changes_neither_equality_nor_what_is_served(thing):
    one, other = sample(thing, "type: integer"), Attribute(name="a", type=AttributeType.INTEGER, format="int32")
    before = msgspec.json.encode(one)
    assert one.check(1) == 1
    assert one.expected.startswith("an integer")
    assert not one.is_list
    assert one == other
    assert msgspec.json.encode(one) == before == msgspec.json.encode(other)


def test_each_object_type_is_itself_and_no_other(load_objects):
    one, other = load_objects(""), load_objects("")
    assert one != other
    assert one.port != other.port
    assert one.port is one.objects["Port"]
    assert one.interface is one.objects["Interface"]
    assert {one.port: "port"}[one.port] == "port"


def test_no_object_of_a_model_has_the_base_of_a_binding(load_objects):
    assert all(o.base is not Base.PORT_BINDING for o in load_objects("").objects.values())
    with pytest.raises(ValueError, match='extends: "port binding" does not exist'):
        load_objects("Thing: {extends: port binding, api: {name: thing}}")
