"""Every load check, by the message that it gives."""

from __future__ import annotations

import pytest

from gluon.schema import ModelError, parse_proton

TYPES = "integer, number, string, boolean, uuid, enum, or an API object (Port, Interface, Service, Thing)"


def refused(parse, text: str) -> ModelError:
    with pytest.raises(ModelError) as caught:
        parse(text)
    return caught.value


ATTRIBUTES = [
    ("a: {type: strnig}", f'unknown type "strnig"; expected {TYPES}'),
    ("a: {description: no type}", f"type is missing; expected {TYPES}"),
    ("a: {type: BaseObject}", f'unknown type "BaseObject"; expected {TYPES}'),
    ("a: {type: string, format: jsn}", 'unknown format "jsn" for type string; expected json, date-time, ipv4'),
    ("a: {type: integer, format: int16}", 'unknown format "int16" for type integer; expected int32, int64'),
    ("a: {type: string, lenght: 5}", 'unknown property of an attribute "lenght"; expected type, description'),
    ("a: {type: enum}", "an enum without values"),
    ("a: {type: enum, values: []}", "values: expected a list of different strings"),
    ("a: {type: enum, values: [yes, no]}", "values: expected a list of different strings, each in quotes"),
    ("a: {type: enum, values: [x, x]}", "values: expected a list of different strings"),
    ("a: {type: enum, values: ['']}", "values: expected a list of different strings"),
    ("a: {type: string, values: [x]}", "values: only for type enum, and the type is string"),
    ("a: {type: string, min: 1}", "min: only for type integer, and the type is string"),
    ("a: {type: number, max: 1}", "max: only for type integer, and the type is number"),
    ("a: {type: uuid, length: 36}", "length: only for type string, and the type is uuid"),
    ("a: {type: boolean, format: json}", "format: only for type string or integer or uuid, and the type is boolean"),
    ("a: {type: integer, references: Port}", "references: only for type string, and the type is integer"),
    ("a: {type: string, length: 0}", "length: expected an integer 1..65535, got 0"),
    ("a: {type: string, length: true}", "length: expected an integer 1..65535, got true"),
    ("a: {type: integer, min: 1.5}", "min: expected an integer, got 1.5"),
    ("a: {type: integer, min: 3, max: 2}", "min: expected an integer of at most 2, which is max, got 3"),
    ("a: {type: integer, max: 4294967295}", "max: expected an integer -2147483648..2147483647 for format int32"),
    ("a: {type: string, required: maybe}", 'required: expected true or false, got "maybe"'),
    ("a: {type: string, required: true, read_only: true}", "read_only and required exclude each other"),
    (
        "a: {type: string, read_only: true, default_from: b}, b: {type: string}",
        "read_only and default_from exclude each other: only the server sets it",
    ),
    ("a: {type: string, description: 5}", "description: expected text, got 5"),
    ("a: {type: integer, min: 1, max: 5, default: 9}", "default: expected an integer 1..5, got 9"),
    ("a: {type: string, default: 5}", "default: expected text of at most 255 characters, got 5"),
    ("a: {type: string, format: route-target, default: 65000:10}", "default: expected a route target"),
    ("a: {type: enum, values: [x], default: y}", 'default: expected one of x, got "y"'),
    ("a: {type: string, default_from: b}", 'default_from: unknown attribute "b"; expected one of a, id'),
    ("a: {type: string, default_from: id}", "default_from: expected an attribute of type string, id is of type uuid"),
    ("a: {type: string, default_from: a}", "default_from: cycle a -> a"),
    (
        "a: {type: string, default_from: b}, b: {type: string, default_from: c}, c: {type: string, default_from: a}",
        "default_from: cycle a -> b -> c -> a",
    ),
    ("a: {type: string, default_from: b}, b: {type: string, read_only: true}", "default_from: b is read-only"),
    ("a: {type: string, default: x, default_from: b}, b: {type: string}", "default and default_from exclude each"),
    (
        "a: {type: string, default_from: b}, b: {type: string, format: json}",
        "default_from: expected an attribute of type string, b is of type string and format json",
    ),
    ("a: {type: Port, length: 5}", "length: a reference has none of its own; it is that of Port's primary key"),
    ("a: {type: Port, format: uuid-list}", "format: a reference has none of its own"),
    ("a: {type: string, references: Port}", "references: only for a list format (uuid-list, ip-list"),
    ("a: {type: string, format: ip-list, references: Port}", "whose primary key id would need uuid-list"),
    ("a: {type: string, format: uuid-list, references: Prot}", 'references: unknown object "Prot"'),
    ("a: 5", "an attribute: expected a mapping, got 5"),
]


@pytest.mark.parametrize(("attribute", "message"), ATTRIBUTES)
def test_attribute_check(thing, attribute, message):
    error = refused(thing, attribute)
    assert message in str(error)
    assert str(error).startswith("api.yaml:8: object Thing, attribute a: ")
    assert (error.file, error.line, error.object_name, error.attribute) == ("api.yaml", 8, "Thing", "a")


KEYS = [
    ("type: integer", "primary: expected type uuid, string (one text) or enum, got integer"),
    ("type: number", "primary: expected type uuid, string (one text) or enum, got number"),
    ("type: boolean", "primary: expected type uuid, string (one text) or enum, got boolean"),
    ("type: string, format: json", "primary: expected type uuid, string (one text) or enum, got json"),
    ("type: string, format: ip-list", "primary: expected type uuid, string (one text) or enum, got ip-list"),
    ("type: string, length: 256", "length: a primary key has at most 255 characters, got 256"),
    ("type: string, read_only: true", "read_only: a primary key is set by the client or generated"),
    ("type: string, default: x", "default: a primary key has none"),
]


@pytest.mark.parametrize(("key", "message"), KEYS)
def test_primary_key_check(load_objects, key, message):
    error = refused(load_objects, f"Thing: {{api: {{name: thing}}, attributes: {{k: {{primary: true, {key}}}}}}}")
    assert message in str(error)
    assert (error.object_name, error.attribute) == ("Thing", "k")


OBJECTS = [
    ("extends: Bas", 'extends: "Bas" does not exist; expected a base object: BaseObject, BasePort, BaseInterface'),
    ("extends: Service", 'extends: "Service" is an API object; expected a base object'),
    ("extends: Thing", 'extends: "Thing" is an API object'),
    ("frob: 1", 'unknown property of an object "frob"; expected api, attributes, description, extends, policies'),
    ("attributes: {a: {type: string}}", "expected exactly one attribute with primary: true, got none"),
    (
        "attributes: {a: {type: uuid, primary: true}, b: {type: uuid, primary: true}}",
        "expected exactly one attribute with primary: true, got a, b",
    ),
    ("attributes: [a]", "attributes: expected a mapping, got a list"),
    ("policies: {remove: {role: x}}", 'unknown operation "remove"; expected create, get, list, update, delete'),
    ("policies: {create: admin}", "policies: create: expected an oslo.policy rule such as {role:"),
    ("policies: {create: {role: ''}}", "policies: create: expected an oslo.policy rule such as {role:"),
    ("policies: {create: {rule: x}}", "policies: create: expected an oslo.policy rule such as {role:"),
    ("subnet: {address: a}", "subnet: prefix is missing; expected the names of attributes: address, prefix, gateway"),
    ("subnet: {address: a, netmask: b}", 'unknown property of subnet "netmask"; expected address, prefix, gateway'),
    (
        "extends: BaseObject, subnet: {address: a, prefix: b, gateway: c}",
        'subnet: address: unknown attribute "a"; expected one of id, name, tenant_id',
    ),
    (
        "extends: BaseObject, subnet: {address: name, prefix: b, gateway: c}",
        "subnet: address: name does not fit; expected an attribute of format ip, ipv4, ipv6",
    ),
    (
        "extends: BaseServiceBinding, subnet: {address: ipaddress, prefix: ipaddress, gateway: ipaddress}",
        "subnet: prefix: ipaddress does not fit; expected an attribute of type integer",
    ),
    (
        "attributes: {n: {type: uuid, read_only: true}}, subnet: {address: n, prefix: b, gateway: c}",
        "subnet: address: n is read-only, nobody gives it a value",
    ),
    ("api: {name: Thing}", "api: name: expected a lower-case letter, then up to 62 lower-case letters, digits or"),
    ("api: {}", "api: name: expected a lower-case letter"),
    ("api: thing", "api: expected a mapping"),
    ("api: {name: thing, plural_name: thing_s}", "api: plural_name: expected a lower-case letter"),
    ("api: {name: thing, plural: x}", 'unknown property of api "plural"; expected name, plural_name, parent'),
    ("api: {name: thing, parent: Port}", "api: parent without parent_key; give both"),
    ("api: {name: thing, parent_key: id}", "api: parent_key without parent; give both"),
    (
        "extends: BaseObject, api: {name: thing, parent: Prot, parent_key: id}",
        'api: parent "Prot" does not exist; expected one of Port, Service, ',
    ),
    (
        "extends: BaseObject, api: {name: thing, parent: Port, parent_key: id}",
        'api: parent_key "id" does not refer to Port; expected an attribute of type Port, and there is none',
    ),
    (
        "extends: BaseObject, api: {name: thing, parent: Port, parent_key: x}, attributes: {p: {type: Port}}",
        'api: parent_key "x" does not refer to Port; expected p',
    ),
    ("extends: BaseObject, api: {name: port}", 'api: "port" is already an API name of Port; choose another'),
    ("extends: BaseObject, api: {name: ports}", 'api: "ports" is already an API name of Port; choose another'),
    (
        "extends: BaseObject, api: {name: x, plural_name: services}",
        'api: "services" is already an API name of Service',
    ),
    ("extends: BasePort", "expected exactly one API object that extends BasePort, got Port, Thing"),
    ("extends: BaseInterface", "expected exactly one API object that extends BaseInterface, got "),
    (
        "extends: BaseServiceBinding, attributes: {service_id: {type: string}}",
        "needs attribute service_id of type uuid",
    ),
]


@pytest.mark.parametrize(("body", "message"), OBJECTS)
def test_object_check(load_objects, body, message):
    sections = body if "api:" in body else f"api: {{name: thing}}, {body}"
    error = refused(load_objects, f"Thing: {{{sections}}}")
    assert message in str(error)
    assert error.file == "api.yaml"
    assert error.object_name == "Thing" or "exactly one API object" in message


def test_names(load_objects, thing):
    assert "object name: expected a letter, then up to 62 letters" in str(refused(load_objects, "1x: {}"))
    assert 'got "my-thing"' in str(refused(load_objects, "my-thing: {}"))
    assert "the name of a type" in str(refused(load_objects, "string: {extends: BaseObject, api: {name: x}}"))
    assert "objects Port and port differ in case only" in str(refused(load_objects, "port: {}"))
    for name in ("1a", "a-b", "'a b'", "a" * 64):
        assert "attribute name: expected a letter" in str(refused(thing, f"{name}: {{type: string}}"))
    assert "attributes id and ID differ in case only" in str(refused(thing, "ID: {type: string}"))
    for name in ("created_at", "updated_at", "status_reason"):
        error = refused(thing, f"{name}: {{type: string}}")
        assert error.attribute == name
        assert "the server itself adds created_at, updated_at, status_reason" in str(error)


def test_reference_cycle(load_objects):
    objects = """
        A: {extends: BaseObject, api: {name: a}, attributes: {b: {type: B}}}
        B: {extends: BaseObject, api: {name: b}, attributes: {c: {type: C}}}
        C: {extends: BaseObject, api: {name: c}, attributes: {a: {type: string, format: uuid-list, references: A}}}
    """
    error = refused(load_objects, objects)
    cycles = ("A -> B -> C -> A", "B -> C -> A -> B", "C -> A -> B -> C")
    assert any(f"the references {cycle} form a cycle" in str(error) for cycle in cycles)


def test_object_that_refers_to_itself(thing):
    assert "the references Thing -> Thing form a cycle" in str(refused(thing, "up: {type: Thing}"))


def test_parent_cycle(load_objects):
    objects = """
        A: {extends: BaseObject, api: {name: a, parent: B, parent_key: up}, attributes: {up: {type: B}}}
        B: {extends: BaseObject, api: {name: b, parent: A, parent_key: up}, attributes: {up: {type: A}}}
    """
    assert "form a cycle" in str(refused(load_objects, objects))


def test_extends_cycle(load_objects):
    error = refused(load_objects, "A: {extends: B}\nB: {extends: C}\nC: {extends: A}")
    assert "extends: cycle A -> B -> C -> A" in str(error)
    assert error.object_name == "A"


def test_mistake_in_a_base_object_is_reported_as_its_own(load_objects):
    error = refused(
        load_objects,
        "Common: {attributes: {a: {type: string, format: x}}}\nThing: {extends: Common, api: {name: thing}}",
    )
    assert (error.object_name, error.attribute) == ("Common", "a")


def test_mistake_in_an_unused_base_object_is_reported(load_objects):
    error = refused(load_objects, "Common: {attributes: {a: {type: Port}, b: {type: frob}}}")
    assert (error.object_name, error.attribute) == ("Common", "b")


FILES = [
    ("", "a model: expected a mapping, got null"),
    ("- a", "a model: expected a mapping, got a list"),
    ("a: [", "expected the node content"),
    ("a: b: c", "mapping values are not allowed here"),
    ("a: 2024-13-41", "not YAML: month must be in 1..12"),
    ("a: !!python/object:os.system x", "could not determine a constructor"),
    ("\0", "not YAML"),
    ("[" * 2_000, "nested too deeply"),
    ("1: x", "expected a string as key, got 1; put it in quotes"),
    ("yes: x", "expected a string as key, got True; put it in quotes"),
    ("{[a]: x}", "expected a string as key, got ['a']; put it in quotes"),
    ("policies: 1", 'unknown top-level key "policies"; expected file_version, imports, info, objects'),
    ("objects: {}", 'file_version: expected "1.0", quotes included, got null'),
    ("file_version: 1.0", 'file_version: expected "1.0", quotes included, got 1.0'),
    ('file_version: "2.0"', 'file_version: expected "1.0", quotes included, got "2.0"'),
    ('file_version: "1.0"', "info is missing; expected name and version"),
    ('file_version: "1.0"\nobjects: [a]', "objects: expected a mapping, got a list"),
    ('file_version: "1.0"\nimports: {a: b}', "imports: expected a file name such as base.yaml, or a list"),
    ('file_version: "1.0"\nimports: ../base.yaml', "imports: expected a file name such as base.yaml"),
    ('file_version: "1.0"\nimports: /etc/passwd', "imports: expected a file name such as base.yaml"),
    ('file_version: "1.0"\nimports: [base.yaml, 5]', "imports: expected a file name such as base.yaml"),
]


@pytest.mark.parametrize(("text", "message"), FILES)
def test_file_check(load, text, message):
    assert message in str(refused(load, text))


INFO = [
    ("5", "info: expected a mapping, got 5"),
    ('{version: "1.0"}', "info: name: expected a lower-case letter"),
    ('{name: A_b, version: "1.0"}', "info: name: expected a lower-case letter, then up to 62 lower-case letters"),
    ("{name: a}", 'info: version: expected digits and dots in quotes, such as "1.0", got null'),
    ("{name: a, version: 1.0}", 'info: version: expected digits and dots in quotes, such as "1.0", got 1.0'),
    ('{name: a, version: "1.x"}', "info: version: expected digits and dots"),
    (
        '{name: a, version: "1.0", licence: x}',
        'unknown property of info "licence"; expected name, version, description',
    ),
    ('{name: a, version: "1.0", author: {mail: x}}', 'unknown property of author "mail"; expected name, url, email'),
    ('{name: a, version: "1.0", author: {name: 5}}', "name: expected text, got 5"),
]


@pytest.mark.parametrize(("info", "message"), INFO)
def test_info_check(load, info, message):
    assert message in str(refused(load, f'file_version: "1.0"\ninfo: {info}\nobjects: {{}}'))


def test_what_a_proton_needs(load):
    head = 'file_version: "1.0"\nimports: base.yaml\ninfo: {name: a, version: "1.0"}\nobjects:\n'
    port = "  Port: {extends: BasePort, api: {name: port}}\n"
    interface = "  Interface: {extends: BaseInterface, api: {name: interface}}\n"
    service = "  Service: {extends: BaseService, api: {name: service}}\n"
    assert "expected at least one API object that extends BaseService, got none" in str(
        refused(load, head + port + interface)
    )
    assert list(load(head + port + interface + service).objects) == ["Port", "Interface", "Service"]


@pytest.mark.parametrize(
    ("declared", "objects"),
    [
        ("", {"Service": "", "Port": "", "Interface": "Port"}),
        ("  Socket: {extends: BasePort, api: {name: socket}}\n", {"Service": "", "Socket": "", "Interface": "Socket"}),
        (
            "  Stream: {extends: BaseInterface, api: {name: stream}, attributes: {port_id: {type: Port}}}\n",
            {"Service": "", "Port": "", "Stream": ""},
        ),
    ],
)
def test_a_port_or_an_interface_that_is_left_out_is_the_base_one(load, declared, objects):
    head = 'file_version: "1.0"\nimports: base.yaml\ninfo: {name: a, version: "1.0"}\nobjects:\n'
    service = "  Service: {extends: BaseService, api: {name: service}}\n"
    proton = load(head + service + declared)
    assert {name: item.api.parent for name, item in proton.objects.items()} == objects
    assert proton.interface.attributes["port_id"].reference == proton.port.name
    assert proton.interface.attributes["port_id"].required


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ("  Port: {extends: BaseObject}\n", "got none; the model would get one by itself, but Port is something else"),
        ("  Interface: {extends: BaseObject}\n", "but Interface is something else here: have it extend BaseInterface"),
        ("  Thing: {extends: BaseObject, api: {name: port}}\n", '"port" is already an API name of Thing'),
    ],
)
def test_a_port_or_an_interface_that_can_not_be_added(load, objects, message):
    head = 'file_version: "1.0"\nimports: base.yaml\ninfo: {name: a, version: "1.0"}\nobjects:\n'
    service = "  Service: {extends: BaseService, api: {name: service}}\n"
    assert message in str(refused(load, head + service + objects))


def test_without_the_base_objects_none_is_added(load):
    head = 'file_version: "1.0"\ninfo: {name: a, version: "1.0"}\nobjects: {}\n'
    assert "with `imports: base.yaml` the model gets Port by itself" in str(refused(load, head))


def test_base_without_what_the_programs_rely_on(load):
    text = """\
file_version: "1.0"
info: {name: a, version: "1.0"}
objects:
  BasePort: {attributes: {id: {type: uuid, primary: true}, tenant_id: {type: uuid}, name: {type: string}}}
  BaseInterface: {attributes: {id: {type: uuid, primary: true}}}
  BaseService: {attributes: {id: {type: uuid, primary: true}}}
  Port: {extends: BasePort, api: {name: port}}
  Interface: {extends: BaseInterface, api: {name: interface}}
  Service: {extends: BaseService, api: {name: service}}
"""
    error = refused(load, text)
    assert "every object that extends BasePort needs attribute admin_state_up of type boolean, got none" in str(error)
    assert error.object_name == "Port"


def test_below_a_port_bindings_are_the_servers_own(load_objects):
    other = """
        Other:
          extends: BaseObject
          api: {{name: binding, parent: {parent}, parent_key: other}}
          attributes: {{other: {{type: {parent}}}}}
        """
    assert "below a port, bindings are the port's own" in str(refused(load_objects, other.format(parent="Port")))
    assert load_objects(other.format(parent="Service")).objects["Other"].api.plural_name == "bindings"


def test_key_of_a_port_is_a_plain_uuid(load):
    text = (
        'file_version: "1.0"\nimports: base.yaml\ninfo: {name: a, version: "1.0"}\nobjects:\n'
        "  Port: {extends: BasePort, api: {name: port}, attributes: {id: {type: string}}}\n"
        "  Interface: {extends: BaseInterface, api: {name: interface}}\n"
        "  Service: {extends: BaseService, api: {name: service}}\n"
    )
    assert "the primary key of an object that extends BasePort is a plain uuid" in str(refused(load, text))


def test_attribute_given_twice(load_objects):
    error = refused(
        load_objects,
        """
        Thing:
          extends: BaseObject
          api: {name: thing}
          attributes:
            colour: {type: string}
            shape: {type: string}
            colour: {type: integer}
        """,
    )
    assert str(error) == "api.yaml:15: colour is given twice, first in line 13"


def test_line_of_a_property(load_objects):
    error = refused(
        load_objects,
        """
        Thing:
          extends: BaseObject
          api: {name: thing}
          attributes:
            colour:
              type: string
              length: long
        """,
    )
    assert str(error) == (
        'api.yaml:15: object Thing, attribute colour: length: expected an integer 1..65535, got "long"'
    )


HEAD = 'file_version: "1.0"\nimports: {}\ninfo: {{name: a, version: "1.0"}}\n'


def importing(files: dict[str, str], name: str = "a.yaml") -> ModelError:
    def read_import(imported: str) -> str:
        try:
            return files[imported]
        except KeyError as error:
            raise FileNotFoundError(f"{imported} is not there") from error

    with pytest.raises(ModelError) as caught:
        parse_proton("api.yaml", HEAD.format(name), read_import)
    return caught.value


def test_imports():
    assert str(importing({})) == 'api.yaml: imports: cannot read "a.yaml": a.yaml is not there'
    error = importing({"a.yaml": 'file_version: "1.0"\nobjects: {A: {api: {name: a}}}'})
    assert str(error) == "a.yaml:2: object A: an imported file holds base objects only; take api away"
    error = importing({"a.yaml": HEAD.format("b.yaml"), "b.yaml": HEAD.format("a.yaml")})
    assert str(error) == "b.yaml: imports: cycle a.yaml -> b.yaml -> a.yaml"
    base = 'file_version: "1.0"\nobjects: {A: {}}'
    error = importing({"a.yaml": base, "b.yaml": base}, "[a.yaml, b.yaml]")
    assert str(error) == "b.yaml:2: object A: already defined in a.yaml, line 2; choose another name"
    assert importing({"a.yaml": 'file_version: "1.0"\nfrob: 1'}).file == "a.yaml"
