"""The OpenAPI document, made from the schema that the routes are made from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from gluon.contract import rest
from gluon.distribution import version
from gluon.proton.api import json_schema
from gluon.proton.api.paths import binding_templates, collection_template, families
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
_ETAG: Json = {
    "schema": {"type": "string"},
    "description": "Names this state of the object; it changes with each change.",
}
_CONDITION: Json = {
    "name": "If-Match",
    "in": "header",
    "schema": {"type": "string"},
    "description": "An ETag, `revision_number=<n>` or `*`: nothing is done if the object is another by now.",
}
_NEWS: Json = {
    "name": "If-None-Match",
    "in": "header",
    "schema": {"type": "string"},
    "description": "An ETag: the object is only sent if it is another by now.",
}
_ERRORS = {
    400: "The request can't be read, or an attribute has a bad value.",
    404: "There is no such object.",
    405: "The path doesn't have this method.",
    408: "The header or the body didn't come in time.",
    409: "The object's state, or another object, doesn't allow it.",
    412: "The object is not as the request's condition has it.",
    413: "The body is too long.",
    415: "The body is not JSON, or is encoded.",
    431: "The header is too long.",
    500: "A fault in the server; its log has it under the request's id.",
    503: "The database can't be reached or written, or changes wait for an operator.",
}


def document(protons: Mapping[str, Proton]) -> Json:
    """The whole document."""
    schemas: Json = {"Error": _ERROR_BODY}
    paths: Json = {
        "/": _listing("The versions of each proton's API.", "versions"),
        "/proton/": _listing("The protons that are served.", "protons"),
    }
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
        schemas[_binding_name(proton)] = json_schema.binding_shown(proton)
        paths |= _binding_paths(proton)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gluon",
            "version": version(),
            "description": "The REST API of all protons, made from their models.",
        },
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _name(proton: Proton, object_type: ObjectType) -> str:
    return f"{proton.name}.{object_type.name}"


def _binding_name(proton: Proton) -> str:
    return f"{_name(proton, proton.port)}.binding"


def _listing(summary: str, member: str) -> Json:
    entry = {"type": "object", "properties": {"links": {"type": "array", "items": _LINK}}}
    schema = _member(member, {"type": "array", "items": entry})
    return {"get": {"summary": summary, "tags": ["schema"], "responses": {"200": _content("The list.", schema)}}}


def _collection(proton: Proton, object_type: ObjectType, below: ObjectType | None) -> Json:
    plural = object_type.api.plural_name
    answer = _member(plural, {"type": "array", "items": _ref(_name(proton, object_type))})
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
                "201", _object(proton, object_type), 400, 404 if below else None, 409, 412, 413, 415
            ),
        },
    }
    return _with_parameters(made, _parent_parameters(below))


def _object(proton: Proton, object_type: ObjectType) -> Json:
    content = _content("The object.", _ref(_name(proton, object_type)))
    return {**content, "headers": {"ETag": _ETAG}}


def _update(proton: Proton, object_type: ObjectType, below: ObjectType | None) -> Json:
    if below is None:
        return _ref(_name(proton, object_type) + ".update")
    return json_schema.updated(object_type, parent_key=object_type.api.parent_key)


def _item(proton: Proton, object_type: ObjectType, below: ObjectType | None) -> Json:
    content = _object(proton, object_type)
    made: Json = {
        "get": {
            **_head("show", proton, object_type, below),
            "parameters": [_NEWS],
            "responses": {**_responses("200", content, 404, 412), "304": {"description": "It has not changed."}},
        },
        "put": {
            **_head("update", proton, object_type, below),
            "parameters": [_CONDITION],
            "requestBody": _request(_update(proton, object_type, below)),
            "responses": _responses("200", content, 400, 404, 409, 412, 413, 415),
        },
        "delete": {
            **_head("delete", proton, object_type, below),
            "parameters": [_CONDITION],
            "responses": _responses("204", {"description": "It is deleted."}, 404, 409, 412),
        },
    }
    return _with_parameters(made, [*_parent_parameters(below), _path_parameter("key", object_type)])


def _binding_paths(proton: Proton) -> Json:
    one = _content("The binding.", _member("binding", _ref(_binding_name(proton))))
    all_of_them = _member("bindings", {"type": "array", "items": _ref(_binding_name(proton))})
    several = _content("The bindings, the active one first.", all_of_them)
    gone: Json = {"description": "It is deleted."}
    made = partial(_binding_operation, proton)
    collection = {
        "get": {
            **made("list", "List the bindings", _responses("200", several, 400, 404)),
            "parameters": [_filter(name, {"type": "string"}) for name in rest.BINDING_FILTERS],
        },
        "post": {
            **made(
                "create", "Prepare a further, inactive binding", _responses("201", one, 400, 404, 409, 412, 413, 415)
            ),
            "requestBody": _request(json_schema.binding_created(proton)),
        },
    }
    item = {
        "get": made("show", "Show a binding", _responses("200", one, 404)),
        "delete": made("delete", "Delete a binding", _responses("204", gone, 404, 412)),
    }
    activate = {"put": made("activate", "Make a binding the active one", _responses("200", one, 404, 409, 412))}
    path, key, host = binding_templates(proton), _path_parameter("key", proton.port), _host_parameter(proton)
    return {
        path.collection: _with_parameters(collection, [key]),
        path.item: _with_parameters(item, [key, host]),
        path.activate: _with_parameters(activate, [key, host]),
    }


def _binding_operation(proton: Proton, operation: str, summary: str, responses: Json) -> Json:
    return {
        "summary": f"{summary} of a {proton.port.name}.",
        "operationId": f"{proton.name}_{proton.port.api.name}_binding_{operation}",
        "tags": [proton.name],
        "responses": responses,
    }


def _host_parameter(proton: Proton) -> Json:
    return {
        "name": "host",
        "in": "path",
        "required": True,
        "schema": json_schema.host_schema(proton),
        "description": "The host of the binding.",
    }


def _member(name: str, schema: Json) -> Json:
    return {"type": "object", "required": [name], "properties": {name: schema}}


def _one(object_type: ObjectType) -> str:
    return f"{'an' if object_type.name[0] in 'AEIOU' else 'a'} {object_type.name}"


def _head(operation: str, proton: Proton, object_type: ObjectType, below: ObjectType | None) -> Json:
    where = f" below {_one(below)}" if below else ""
    target = f"{object_type.name} objects" if operation == "list" else _one(object_type)
    return {
        "summary": f"{operation.capitalize()} {target}{where}.",
        "operationId": f"{proton.name}_{object_type.api.name}_{operation}"
        + (f"_below_{below.api.name}" if below else ""),
        "tags": [proton.name],
    }


def _filters(object_type: ObjectType) -> list[Json]:
    paging = [
        ("limit", {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}, "Most objects; all when left out."),
        ("marker", json_schema.key_schema(object_type), "Only objects whose key comes after this one."),
    ]
    attributes = [a for a in object_type.attributes.values() if a.name not in ("limit", "marker")]
    return [
        *({"name": n, "in": "query", "schema": schema, "description": text} for n, schema, text in paging),
        *(_filter(a.name, json_schema.filter_schema(a)) for a in attributes),
    ]


def _filter(name: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "schema": schema, "description": f"Only those with this {name}."}


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
