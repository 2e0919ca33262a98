"""JSON schemas of objects, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from gluon.schema import Attribute, AttributeType, ObjectType, Proton

Schema = dict[str, Any]

_UUID_IN = "^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$"
_MAC_IN = "^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}$"
_STANDARD = {"ipv4": "ipv4", "ipv6": "ipv6", "email": "email", "uri": "uri", "date-time": "date-time"}
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
    return _body(object_type, required)


def updated(object_type: ObjectType) -> Schema:
    """The body of an update."""
    return _body(object_type, [])


def shown(object_type: ObjectType) -> Schema:
    """An object as it is answered."""
    properties = {a.name: _described(a, _value(a, answer=True), nullable=True) for a in object_type.attributes.values()}
    return {
        "description": object_type.description,
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
    """The value of a filter."""
    return _value(attribute, answer=False)


def key_schema(object_type: ObjectType) -> Schema:
    """A primary key in a URL."""
    schema = _value(object_type.primary_key, answer=False)
    return schema if "pattern" in schema else {**schema, "minLength": 1}


def _body(object_type: ObjectType, required: list[str]) -> Schema:
    properties = {
        a.name: _described(a, _value(a, answer=False), nullable=not a.never_null) for a in object_type.writable
    }
    return _strict(properties, required)


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


def _value(attribute: Attribute, *, answer: bool) -> Schema:  # noqa: PLR0911 - one line a type
    match attribute.type:
        case AttributeType.INTEGER:
            low, high = attribute.integer_range
            return {"type": "integer", "minimum": low, "maximum": high}
        case AttributeType.NUMBER:
            return {"type": "number"}
        case AttributeType.BOOLEAN:
            return {"type": "boolean"}
        case AttributeType.ENUM:
            return {"type": "string", "enum": list(attribute.values)}
        case AttributeType.UUID:
            return {"type": "string", "format": "uuid"} if answer else {"type": "string", "pattern": _UUID_IN}
        case AttributeType.STRING if attribute.format == "json":
            return {"type": ["object", "array", "number", "boolean"]}
        case AttributeType.STRING if attribute.format == "mac":
            return {"type": "string", "pattern": _MAC_IN}
        case AttributeType.STRING if attribute.format:
            standard = _STANDARD.get(attribute.format)
            return {"type": "string", "format": standard or attribute.format}
        case AttributeType.STRING:
            return {"type": "string", "maxLength": attribute.length}
