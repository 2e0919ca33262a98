"""The OpenAPI document, made from the schema that the routes are made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gluon.contract import VERSION, rest
from gluon.proton.api import json_schema
from gluon.proton.api.paths import collection_template, families
from gluon.schema import ObjectType, Proton

Json = dict[str, Any]

_LINK: Json = {
    "type": "object",
    "properties": {"href": {"type": "string"}, "rel": {"type": "string"}},
    "required": ["href", "rel"],
}
_ERROR_BODY: Json = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["status", "code", "message"],
            "properties": {
                "status": {"type": "integer", "description": "The HTTP status."},
                "code": {"type": "string", "description": "One word for programs."},
                "message": {"type": "string", "description": "What happened, to what, and what to do."},
                "details": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["attribute", "message"],
                        "properties": {"attribute": {"type": "string"}, "message": {"type": "string"}},
                    },
                },
            },
        }
    },
}
_ERRORS = {
    400: "The request can't be read, or an attribute has a bad value.",
    404: "There is no such object.",
    409: "The object's state, or another object, doesn't allow it.",
    413: "The body is too long.",
    503: "The database can't be reached.",
}


def document(protons: Mapping[str, Proton]) -> Json:
    """The whole document."""
    schemas: Json = {"Error": _ERROR_BODY}
    paths: Json = {"/proton/": _listing("The protons that are served.", "protons")}
    for proton in protons.values():
        paths[rest.proton_path(proton.name)] = _listing(f"The versions of {proton.name}.", "versions")
        paths[rest.version_path(proton)] = _listing(f"The objects of {proton.name} and their attributes.", "resources")
        for object_type in proton.objects.values():
            schemas[_name(proton, object_type)] = json_schema.shown(object_type)
            schemas[_name(proton, object_type) + ".update"] = json_schema.updated(object_type)
            for below in families(proton, object_type):
                path = collection_template(proton, object_type, below)
                paths[path] = _collection(proton, object_type, below)
                paths[path + "/{key}"] = _item(proton, object_type, below)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gluon",
            "version": f"{VERSION}.0",
            "description": "The REST API of all protons, made from their models.",
        },
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _name(proton: Proton, object_type: ObjectType) -> str:
    return f"{proton.name}.{object_type.name}"


def _listing(summary: str, member: str) -> Json:
    schema = {
        "type": "object",
        "required": [member],
        "properties": {
            member: {
                "type": "array",
                "items": {"type": "object", "properties": {"links": {"type": "array", "items": _LINK}}},
            }
        },
    }
    return {"get": {"summary": summary, "tags": ["schema"], "responses": {"200": _content("The list.", schema)}}}


def _collection(proton: Proton, object_type: ObjectType, below: ObjectType | None) -> Json:
    plural = object_type.api.plural_name
    answer = {
        "type": "object",
        "required": [plural],
        "properties": {plural: {"type": "array", "items": _ref(_name(proton, object_type))}},
    }
    parent_key = object_type.api.parent_key if below else ""
    made: Json = {
        "get": {
            **_head("list", proton, object_type, below),
            "parameters": _filters(object_type),
            "responses": _responses(
                "200", _content("The objects, in the order of their keys.", answer), 400, 404 if below else None
            ),
        },
        "post": {
            **_head("create", proton, object_type, below),
            "requestBody": _request(json_schema.created(object_type, parent_key=parent_key)),
            "responses": _responses(
                "201", _content("The object.", _ref(_name(proton, object_type))), 400, 404 if below else None, 409, 413
            ),
        },
    }
    return _with_parameters(made, _parent_parameters(below))


def _item(proton: Proton, object_type: ObjectType, below: ObjectType | None) -> Json:
    content = _content("The object.", _ref(_name(proton, object_type)))
    made: Json = {
        "get": {**_head("show", proton, object_type, below), "responses": _responses("200", content, 404)},
        "put": {
            **_head("update", proton, object_type, below),
            "requestBody": _request(_ref(_name(proton, object_type) + ".update")),
            "responses": _responses("200", content, 400, 404, 409, 413),
        },
        "delete": {
            **_head("delete", proton, object_type, below),
            "responses": _responses("204", {"description": "It is deleted."}, 404, 409),
        },
    }
    return _with_parameters(made, [*_parent_parameters(below), _path_parameter("key", object_type)])


def _head(operation: str, proton: Proton, object_type: ObjectType, below: ObjectType | None) -> Json:
    where = f" below a {below.name}" if below else ""
    what = f"{object_type.name} objects" if operation == "list" else f"{object_type.name}"
    return {
        "summary": f"{operation.capitalize()} {what}{where}.",
        "operationId": f"{proton.name}_{object_type.api.name}_{operation}"
        + (f"_below_{below.api.name}" if below else ""),
        "tags": [proton.name],
    }


def _filters(object_type: ObjectType) -> list[Json]:
    paging = [
        ("limit", {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}, "Most objects; all when left out."),
        ("marker", json_schema.key_schema(object_type), "Only objects whose key comes after this one."),
    ]
    attributes = [
        (a.name, json_schema.filter_schema(a), f"Only objects with this {a.name}.")
        for a in object_type.attributes.values()
        if a.name not in ("limit", "marker")
    ]
    return [
        {"name": n, "in": "query", "schema": schema, "description": text} for n, schema, text in paging + attributes
    ]


def _parent_parameters(below: ObjectType | None) -> list[Json]:
    return [] if below is None else [_path_parameter("parent_key", below)]


def _path_parameter(name: str, object_type: ObjectType) -> Json:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": json_schema.key_schema(object_type),
        "description": f"The {object_type.primary_key.name} of a {object_type.name}.",
    }


def _with_parameters(operations: Json, parameters: list[Json]) -> Json:
    return {**operations, "parameters": parameters} if parameters else operations


def _request(schema: Json) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _responses(status: str, success: Json, *errors: int | None) -> Json:
    made = {status: success}
    for error in (*errors, 503):
        if error is not None:
            made[str(error)] = _content(_ERRORS[error], _ref("Error"))
    return made


def _content(description: str, schema: Json) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
