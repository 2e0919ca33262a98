"""All faults of a model at once, and none that only follows from another one."""

from __future__ import annotations

import pytest

from gluon.models import catalog
from gluon.schema import ModelError, find_faults

HEAD = 'file_version: "1.0"\nimports: base.yaml\ninfo: {name: a, version: "1.0"}\nobjects:\n'
SERVICE = "  Service: {extends: BaseService, api: {name: service}}\n"


def read_import(name):
    return (catalog.SHIPPED / name).read_text()


def faults(text):
    return find_faults("api.yaml", text, read_import)


def test_a_right_model_has_none():
    assert faults(HEAD + SERVICE) == []
    for name in catalog.available():
        file = catalog.SHIPPED / name / "api.yaml"
        assert find_faults(str(file), file.read_text(), read_import) == []


def test_every_fault_is_told_with_its_line():
    text = """\
file_version: "2.0"
imports: base.yaml
info: {name: A, version: "1.0"}
licence: x
objects:
  Service:
    extends: BaseService
    api: {name: service, parent: Gone, parent_key: id}
    attributes:
      a: {type: strin}
      b: {type: string, length: 0, description: 5}
      c: {type: integer, min: 5, max: 4}
      d: {type: enum, values: [yes]}
      e: {type: Gone}
    colour: red
    policies: {remove: {role: x}, create: admin}
  Other:
    extends: BaseObject
    api: {name: service}
    attributes:
      created_at: {type: string}
      f: {type: string, frob: 1}
  Third:
    api: {name: third}
    attributes:
      text: {type: string}
"""
    found = faults(text)
    where = {(fault.line, fault.object_name, fault.attribute) for fault in found}
    assert where >= {
        (1, "", ""), (3, "", ""), (4, "", ""), (15, "Service", ""), (16, "Service", ""), (10, "Service", "a"),
        (11, "Service", "b"), (12, "Service", "c"), (13, "Service", "d"), (14, "Service", "e"),
        (21, "Other", "created_at"), (22, "Other", "f"),
    }  # fmt: skip
    told = "\n".join(map(str, found))
    for message in (
        "length: expected an integer 1..65535", "description: expected text, got 5", 'parent "Gone" does not exist',
        '"service" is already an API name', 'unknown operation "remove"', "policies: create: expected an oslo.policy",
        "exactly one attribute with primary: true, got none",
    ):  # fmt: skip
        assert told.count(message) == 1, told
    assert len(found) == len(set(map(str, found)))


def test_rules_and_names_are_judged_beside_attributes_that_are_at_fault():
    text = """\
  Segment:
    extends: BaseService
    api: {name: segment}
    attributes:
      vni: {type: integer, min: 5, max: 1}
      ip: {type: string, format: ipv9}
      mac: {type: string, format: mac, address: nonsense}
      d: {type: integer, default: "x"}
      e: {type: strin}
    rules:
      r1: {unique: [nothere]}
      r2: {range: vni, by: name, values: {a: 1}}
      r3: {same_family: [vni, d]}
      follows_from_ip: {same_family: [ip, ip2]}
      follows_from_e: {different: [e, vni]}
  Bad:
    extends: Nope
    api: {name: segment}
    attributes: {f: {type: strin}}
    rules: {follows: {unique: [inherited]}}
  Named:
    extends: BaseService
    api: {name: named, parent: Bad, parent_key: follows}
"""
    found = faults(HEAD + SERVICE + text.replace("      ip: ", "      ip2: {type: string, format: ip}\n      ip: "))
    told = "\n".join(map(str, found))
    for message in (
        "attribute vni: min: expected an integer of at most 1, which is max, got 5",
        'attribute ip: unknown format "ipv9"',
        "attribute mac: address: expected one of",
        "attribute d: default: expected an integer",
        'attribute e: unknown type "strin"',
        'rules: r1: unknown attribute "nothere"',
        "rules: r2: name does not fit; expected by to name an enum",
        "rules: r3: vni does not fit; expected attributes of format ip, ipv4, ipv6",
        'object Bad: extends: "Nope" does not exist',
        'object Bad: api: "segment" is already an API name of Segment',
        'attribute f: unknown type "strin"',
    ):
        assert told.count(message) == 1, told
    assert "follows" not in told
    assert len(found) == 11, told


@pytest.mark.parametrize(
    ("objects", "number"),
    [
        (
            """\
  Thing: {extends: BaseObject, api: {name: thing}, attributes: {id: {type: uid}}}
  Other: {extends: BaseObject, api: {name: other}, attributes: {x: {type: Thing}}}
""",
            1,
        ),
        (
            """\
  Thing: {extends: BaseObjec, api: {name: thing}}
  Other: {extends: BaseObject, api: {name: other, parent: Thing, parent_key: x}, attributes: {x: {type: Thing}}}
""",
            1,
        ),
        (
            """\
  Interface:
    extends: BaseInterface
    api: {name: interface, parent: Port, parent_key: port_id}
    attributes: {port_id: {type: Prot}}
""",
            1,
        ),
        ("  Port: {extends: BasePort, api: {name: port}, attributes: {name: {type: strin}, mtu: {min: x}}}\n", 2),
    ],
)
def test_what_follows_from_a_fault_is_not_told(objects, number):
    found = faults(HEAD + SERVICE + objects)
    assert len(found) == number, "\n".join(map(str, found))


@pytest.mark.parametrize("text", ["", "a: [", "5", "objects: {a: 1, a: 2}", HEAD.replace("base.yaml", "gone.yaml")])
def test_what_can_not_be_read_further_is_one_fault(text):
    found = faults(text)
    assert found
    assert all(isinstance(fault, ModelError) for fault in found)
