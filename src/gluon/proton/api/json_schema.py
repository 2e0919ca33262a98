"""JSON schemas of objects, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from gluon.schema import Attribute, AttributeType, ObjectType
from gluon.schema.values import expected, integer_range

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
}


def created(object_type: ObjectType, *, parent_key: str = "") -> Schema:
    """The body of a create; below a parent its key may be left out."""
    required = [a.name for a in _writable(object_type) if _must_be_given(a) and a.name != parent_key]
    return _body(object_type, required)


def updated(object_type: ObjectType) -> Schema:
    """The body of an update."""
    return _body(object_type, [])


def shown(object_type: ObjectType) -> Schema:
    """An object as it is answered."""
    properties = {a.name: _described(a, _value(a, answer=True), nullable=True) for a in object_type.attributes.values()}
    return {
        "type": "object",
        "description": object_type.description,
        "properties": {**properties, **META},
        "required": [*properties, *META],
        "additionalProperties": False,
    }


def filter_schema(attribute: Attribute) -> Schema:
    """The value of a filter."""
    return _value(attribute, answer=False)


def key_schema(object_type: ObjectType) -> Schema:
    """A primary key in a URL."""
    schema = _value(object_type.primary_key, answer=False)
    return schema if "pattern" in schema else {**schema, "minLength": 1}


def _body(object_type: ObjectType, required: list[str]) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": {
            a.name: _described(a, _value(a, answer=False), nullable=not _never_null(a)) for a in _writable(object_type)
        },
        "additionalProperties": False,
    }
    return {**schema, "required": required} if required else schema


def _writable(object_type: ObjectType) -> list[Attribute]:
    return [a for a in object_type.attributes.values() if not a.read_only]


def _must_be_given(attribute: Attribute) -> bool:
    generated = attribute.primary and attribute.type is AttributeType.UUID and not attribute.reference
    needed = attribute.required or (attribute.primary and not generated)
    return needed and attribute.default is None and not attribute.default_from


def _never_null(attribute: Attribute) -> bool:
    return (attribute.required or attribute.primary) and attribute.default is None and not attribute.default_from


def _described(attribute: Attribute, schema: Schema, *, nullable: bool) -> Schema:
    text = attribute.description or attribute.name
    described = {**schema, "description": f"{text.rstrip('.')}. Expected: {expected(attribute)}."}
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
            low, high = integer_range(attribute)
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
