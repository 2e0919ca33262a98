"""What a model becomes: inheritance, references, order."""

from __future__ import annotations

from gluon.schema import Attribute, AttributeType, Base, Policies, Subnet


def test_attributes_merge_property_by_property(load_objects):
    thing = load_objects(
        """
        Named:
          attributes: {id: {type: uuid, primary: true}, name: {type: string, length: 64, description: Name}}
        Thing:
          extends: Named
          api: {name: thing}
          attributes: {name: {required: true, length: 10}, last: {type: uuid}}
        """
    ).objects["Thing"]
    assert list(thing.attributes) == ["id", "name", "last"]
    assert thing.attributes["name"] == Attribute(
        name="name", type=AttributeType.STRING, description="Name", required=True, length=10
    )


def test_overridden_type_drops_what_belonged_to_the_old_one(load_objects):
    thing = load_objects(
        """
        Old:
          attributes:
            id: {type: uuid, primary: true}
            a: {type: string, length: 64, default: x, required: true, description: A}
            b: {type: integer, min: 1, max: 5, default: 3}
        Thing: {extends: Old, api: {name: thing}, attributes: {a: {type: Port}, b: {type: boolean}}}
        """
    ).objects["Thing"]
    assert thing.attributes["a"] == Attribute(
        name="a", type=AttributeType.UUID, reference="Port", required=True, description="A"
    )
    assert thing.attributes["b"] == Attribute(name="b", type=AttributeType.BOOLEAN)


def test_default_and_default_from_replace_each_other(load_objects):
    objects = load_objects(
        """
        Old:
          attributes:
            id: {type: uuid, primary: true}
            a: {type: integer, default: 3}
            b: {type: integer, default_from: a}
        Thing: {extends: Old, api: {name: thing}, attributes: {a: {default_from: b}, b: {default: 4}}}
        Other: {extends: Old, api: {name: other}, attributes: {a: {default: null}}}
        """
    ).objects
    thing, other = objects["Thing"].attributes, objects["Other"].attributes
    assert (thing["a"].default, thing["a"].default_from) == (None, "b")
    assert (thing["b"].default, thing["b"].default_from) == (4, "")
    assert (other["a"].default, other["b"].default_from) == (None, "a")


def test_reference_takes_the_type_of_the_key(load_objects):
    objects = load_objects(
        """
        Target:
          api: {name: target}
          attributes: {rt: {type: string, format: route-target, length: 21, primary: true}}
        Level: {api: {name: level}, attributes: {level: {type: enum, values: [low, high], primary: true}}}
        Thing:
          extends: BaseObject
          api: {name: thing}
          attributes:
            rt: {type: Target}
            rts: {type: string, format: route-target-list, references: Target}
            level: {type: Level}
            again: {type: Again}
        Again: {api: {name: again}, attributes: {thing: {type: Level, primary: true}}}
        """
    ).objects
    attributes = objects["Thing"].attributes
    assert attributes["rt"] == Attribute(
        name="rt", type=AttributeType.STRING, reference="Target", format="route-target", length=21
    )
    assert attributes["rts"].reference == "Target"
    assert attributes["rts"].is_list
    assert (attributes["level"].type, attributes["level"].values) == (AttributeType.ENUM, ("low", "high"))
    assert attributes["again"].values == ("low", "high")
    assert [a.name for a in objects["Thing"].references] == ["rt", "rts", "level", "again"]
    assert objects["Thing"].reference_attributes == (
        ("rt", "Target", False),
        ("rts", "Target", True),
        ("level", "Level", False),
        ("again", "Again", False),
    )


def test_objects_stand_after_those_that_they_refer_to(load_objects):
    objects = load_objects(
        """
        A: {extends: BaseObject, api: {name: a}, attributes: {b: {type: B}}}
        B: {extends: BaseObject, api: {name: b}, attributes: {c: {type: string, format: uuid-list, references: C}}}
        C: {extends: BaseObject, api: {name: c}}
        """
    ).objects
    order = list(objects)
    assert order.index("C") < order.index("B") < order.index("A")
    assert order.index("Port") < order.index("Interface")


def test_base_is_found_through_other_base_objects(load_objects):
    objects = load_objects(
        """
        Vpn: {extends: BaseService}
        Thing: {extends: Vpn, api: {name: thing}}
        Plain: {extends: BaseObject, api: {name: plain}}
        Bare: {api: {name: bare}, attributes: {k: {type: string, primary: true}}}
        """
    ).objects
    assert [objects[name].base for name in ("Port", "Interface", "Thing", "Plain", "Bare")] == [
        Base.PORT,
        Base.INTERFACE,
        Base.SERVICE,
        Base.OBJECT,
        Base.OBJECT,
    ]


def test_policies_subnet_and_api_names(load_objects):
    objects = load_objects(
        """
        Old:
          extends: BaseServiceBinding
          policies: {list: {role: "rule:listing"}, get: {role: "rule:old"}}
          attributes: {gw: {type: string, format: ip}, prefix: {type: integer}}
          subnet: {address: ipaddress, prefix: prefix, gateway: gw}
        Thing:
          extends: Old
          description: A thing
          api: {name: thing, plural_name: thingies, parent: Port, parent_key: p}
          policies: {get: {role: "rule:new"}}
          attributes: {p: {type: Port}}
        """
    ).objects
    thing = objects["Thing"]
    assert thing.policies == Policies(list="rule:listing", get="rule:new")
    assert thing.subnet == Subnet(address="ipaddress", prefix="prefix", gateway="gw")
    assert (thing.api.name, thing.api.plural_name, thing.api.parent, thing.api.parent_key) == (
        "thing",
        "thingies",
        "Port",
        "p",
    )
    assert thing.description == "A thing"
    assert objects["Port"].api.plural_name == "ports"


def test_info(load):
    proton = load(
        """
file_version: "1.0"
imports: [base.yaml]
info: {name: a-1, version: "2.10", description: D, author: {name: N, url: U, email: E}}
objects:
  P: {extends: BasePort, api: {name: p}}
  I: {extends: BaseInterface, api: {name: i}}
  S: {extends: BaseService, api: {name: s}}
"""
    )
    info = proton.info
    assert (proton.name, info.version, info.description) == ("a-1", "2.10", "D")
    assert (info.author_name, info.author_url, info.author_email) == ("N", "U", "E")
    assert (proton.port.name, proton.interface.name) == ("P", "I")


def test_yaml_anchors_and_merge_keys_work(load_objects):
    thing = load_objects(
        """
        Thing:
          extends: BaseObject
          api: {name: thing}
          attributes:
            a: &a {type: integer, min: 1}
            b: *a
            c: {<<: *a, max: 9}
        """
    ).objects["Thing"]
    assert thing.attributes["b"].minimum == 1
    assert (thing.attributes["c"].minimum, thing.attributes["c"].maximum) == (1, 9)


def test_integer_has_its_format_and_string_its_length(thing):
    attributes = thing("i: {type: integer}, s: {type: string}, j: {type: string, format: json}").attributes
    assert attributes["i"].format == "int32"
    assert (attributes["s"].length, attributes["j"].length) == (255, 255)
