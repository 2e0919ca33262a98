"""JSON schemas of objects, for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gluon.proton.api import patterns
from gluon.schema import Attribute, AttributeType, Different, ObjectType, Proton, Range, Rule, SameFamily

Schema = dict[str, Any]

META: Schema = {
    "created_at": {"type": "string", "format": "date-time", "description": "When it was created, UTC."},
    "updated_at": {"type": "string", "format": "date-time", "description": "When it last changed, UTC."},
    "status_reason": {
        "type": ["string", "null"],
        "description": "Why a controller has not applied the object; null while nothing is wrong.",
    },
    "revision_number": {"type": "integer", "minimum": 1, "description": "Grows with each change; see `If-Match`."},
}
BINDING_STATUS: Schema = {
    "type": "string",
    "enum": ["ACTIVE", "INACTIVE"],
    "description": "Whether it is the active one of the port's bindings.",
}
BINDING_REASON: Schema = {
    "type": ["string", "null"],
    "description": "Why the port is not bound to the host; null while nothing is wrong.",
}


def created(object_type: ObjectType, *, parent_key: str = "") -> Schema:
    """The body of a create; below a parent its key may be left out."""
    required = [a.name for a in object_type.writable if a.must_be_given and a.name != parent_key]
    return _body(object_type, required, create=True, but=(parent_key,))


def updated(object_type: ObjectType, *, parent_key: str = "") -> Schema:
    """The body of an update, without what never changes; below a parent, its key is that."""
    kept = [a.name for a in object_type.writable if a.primary or a.immutable]
    return _body(object_type, [], create=False, but=(*kept, parent_key))


def shown(object_type: ObjectType) -> Schema:
    """An object as it is answered."""
    properties = {a.name: _described(a, _value(a, answer=True), nullable=True) for a in object_type.attributes.values()}
    return {
        "description": _sentences(object_type.description, *object_type.sentences),
        **_strict({**properties, **META}, [*properties, *META]),
    }


def binding_created(proton: Proton) -> Schema:
    """The body of a new binding: as Neutron has it, or just the binding."""
    vnic_type, profile = (proton.port.attributes[name] for name in ("vnic_type", "profile"))
    binding = _strict(
        {
            "host": {**host_schema(proton), "description": "The host to prepare the port on."},
            "vnic_type": _described(vnic_type, _value(vnic_type, answer=False), nullable=True),
            "profile": {"type": ["object", "null"], "description": profile.description},
        },
        ["host"],
    )
    return {"oneOf": [_strict({"binding": binding}, ["binding"]), binding]}


def binding_shown(proton: Proton) -> Schema:
    """A binding as it is answered."""
    attributes = proton.port.attributes
    names = ("vnic_type", "profile", "vif_type", "vif_details")
    members = {n: _described(attributes[n], _value(attributes[n], answer=True), nullable=True) for n in names}
    properties = {
        "host": {"type": "string", "description": "The host."},
        **members,
        "status": BINDING_STATUS,
        "status_reason": BINDING_REASON,
    }
    return {
        "description": f"The binding of a {proton.port.name} to one host.",
        **_strict(properties, list(properties)),
    }


def host_schema(proton: Proton) -> Schema:
    """A host in a URL or a body."""
    return {**_value(proton.port.attributes["host_id"], answer=False), "minLength": 1}


def filter_schema(attribute: Attribute) -> Schema:
    """The values of a filter: alternatives, of which an empty one finds what is unset."""
    unset: Schema = {"type": "string", "maxLength": 0}
    value = _value(attribute, answer=False)
    if attribute.format == "json":
        value = {"type": "string", "enum": ["{}"]} if attribute.object_only else {"type": ["number", "boolean"]}
    text = value.get("type") == "string"
    item = _or_empty(value) if text else {"anyOf": [value, unset]}
    return {"type": "array", "items": item, "minItems": 1}


def key_schema(object_type: ObjectType) -> Schema:
    """A primary key in a URL."""
    return _value(object_type.primary_key, answer=False)


def _body(object_type: ObjectType, required: list[str], *, create: bool, but: Sequence[str]) -> Schema:
    properties: Schema = {}
    for attribute in object_type.writable:
        if attribute.name in but:
            continue
        value = _value(attribute, answer=False)
        nullable = not attribute.never_null or (create and attribute.is_generated)
        if nullable and value.get("type") == "string" and not attribute.primary:
            value = _or_empty(value)
        properties[attribute.name] = _described(attribute, value, nullable=nullable)
    # They begin with attributes' names, which are spelled as they are.
    rules = " ".join(f"{sentence.rstrip('.')}." for sentence in object_type.sentences)
    schema = {"description": rules, **_strict(properties, required)}
    for rule in object_type.rules:
        _add_rule(schema, rule, object_type, create=create)
    if object_type.subnet and object_type.subnet.gateway:
        _add_family(schema, (object_type.subnet.address, object_type.subnet.gateway))
    return schema


def _sentences(*texts: str) -> str:
    return " ".join(f"{text[0].upper()}{text[1:].rstrip('.')}." for text in texts if text)


def _add_rule(schema: Schema, rule: Rule, object_type: ObjectType, *, create: bool) -> None:
    """Has the schema show a rule between attributes, as far as JSON Schema can: equality and subnets are beyond it."""
    match rule:
        case Range(attribute=name, by=by, ranges=ranges):
            default = object_type.attributes[by].default
            integer = object_type.attributes[name]
            for value, bounds in ranges.items():
                only: Schema = {"properties": {by: {"enum": [value, None, ""] if value == default else [value]}}}
                if value != default:
                    only["required"] = [by]
                _at_the_end(schema, {"if": only, "then": _in_range(integer, bounds, create=create)})
        case SameFamily(same_family=names):
            _add_family(schema, names)
        case Different(different=names):
            for number, name in enumerate(names, 1):
                schema["properties"][name]["examples"] = [f"192.0.2.{number}"]


def _add_family(schema: Schema, names: Sequence[str]) -> None:
    families = [{"properties": {n: {"pattern": p} for n in names}} for p in ("^$|[.]", "^[^.]*$")]
    _at_the_end(schema, {"if": families[0], "then": {}, "else": families[1]})


def _in_range(attribute: Attribute, bounds: tuple[int, int], *, create: bool) -> Schema:
    low, high = bounds
    limits: Schema = {"minimum": low, "maximum": high}
    default = attribute.default
    if create and isinstance(default, int) and not low <= default <= high:  # So it has to be given.
        return {"properties": {attribute.name: {**limits, "type": "integer"}}, "required": [attribute.name]}
    return {"properties": {attribute.name: limits}}


def _at_the_end(schema: Schema, condition: Schema) -> None:
    """Adds a condition.  Not below `allOf`, which generators of clients take for inheritance."""
    while "if" in schema:
        schema = schema.setdefault("else", {})
    schema |= condition


def _or_empty(schema: Schema) -> Schema:
    """Text that may be empty as well, which means null."""
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], ""]}
    if "pattern" in schema:
        return {**schema, "pattern": f"^$|{schema['pattern']}"}
    if "format" in schema:
        return {"anyOf": [schema, {"type": "string", "maxLength": 0}]}
    return schema


def _strict(properties: Schema, required: list[str]) -> Schema:
    """An object with these members and no others."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def _described(attribute: Attribute, schema: Schema, *, nullable: bool) -> Schema:
    text = attribute.description or attribute.name
    described = {**schema, "description": f"{text.rstrip('.')}. Expected: {attribute.expected}."}
    if attribute.default is not None:
        described["default"] = attribute.default
    if attribute.read_only:
        described["readOnly"] = True
    if not nullable:
        return described
    if "enum" in described:
        described["enum"] = [*described["enum"], None]
    if isinstance(described.get("type"), str):
        described["type"] = [described["type"], "null"]
    elif "type" in described:
        described["type"] = [*described["type"], "null"]
    return described


def _value(attribute: Attribute, *, answer: bool) -> Schema:
    match attribute.type:
        case AttributeType.INTEGER:
            low, high = attribute.integer_range
            excluded = {"not": {"enum": list(attribute.excluded)}} if attribute.excluded and not answer else {}
            return {"type": "integer", "minimum": low, "maximum": high, **excluded}
        case AttributeType.NUMBER:
            return {"type": "number"}
        case AttributeType.BOOLEAN:
            return {"type": "boolean"}
        case AttributeType.ENUM:
            return {"type": "string", "enum": list(attribute.values)}
        case AttributeType.UUID | AttributeType.STRING:
            return _text(attribute, answer=answer)


def _text(attribute: Attribute, *, answer: bool) -> Schema:
    if attribute.format == "json":
        # Generators of clients refuse an array that does not say of what.
        anything: Schema = {"type": ["object", "array", "number", "boolean"], "items": {}}
        return {"type": "object"} if attribute.object_only and not answer else anything
    if answer and attribute.type is AttributeType.UUID and not attribute.format:
        return {"type": "string", "format": "uuid"}
    length = {} if attribute.length is None else {"maxLength": attribute.length}
    pattern = "" if answer and attribute.format in patterns.UNBOUNDED else patterns.of(attribute)
    if pattern:
        # Generators of values can seldom satisfy both, and the pattern of a single value says it already.
        is_unbounded = attribute.is_list or attribute.format in patterns.UNBOUNDED
        return {"type": "string", "pattern": f"^(?:{pattern})$", **(length if is_unbounded else {})}
    if attribute.format:
        return {"type": "string", "format": attribute.format, **length}
    if attribute.primary:
        # Neither `.` nor `..`, which no URL can end in.
        return {"type": "string", "pattern": r"^(?!\.{1,2}$)[^\u0000]+$", **length}
    return {"type": "string", "pattern": r"^[^\u0000]*$", **length}
