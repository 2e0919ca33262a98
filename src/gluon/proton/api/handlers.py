"""The handlers of the routes: from a request to a call of the service, and back."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gluon.contract import rest
from gluon.proton.api import conditions
from gluon.proton.api.bodies import json_response, read_object, shown
from gluon.proton.service import Filters, NotFound, Objects, Parent, Stored, Target, parse_filters
from gluon.schema import AttributeType, InvalidAttributes, ObjectType, Problem, Proton, Value, validate_key

Handler = Callable[[Request], Awaitable[Response]]

MAX_LIMIT = 2**31 - 1
PAGING = ("limit", "marker")
"""The parameters of a list's query that are no filters."""


class ObjectHandlers:
    """The handlers of one object type, plain or below its parent."""

    def __init__(
        self, objects: Objects, proton: Proton, object_type: ObjectType, *, below: ObjectType | None, max_body: int
    ) -> None:
        """Prepares the handlers.

        Args:
            objects: the service.
            proton: the object type's proton.
            object_type: the type of the objects.
            below: the parent's type, for the routes below it.
            max_body: most bytes of a body.
        """
        self._objects = objects
        self._proton = proton
        self._type = object_type
        self._below = below
        self._max_body = max_body
        self._plain = Target(proton=proton, object_type=object_type)

    def collection(self) -> Mapping[str, Handler]:
        """By method."""
        return {"GET": self._list, "POST": self._create}

    def item(self) -> Mapping[str, Handler]:
        """By method."""
        return {"GET": self._show, "PUT": self._update, "DELETE": self._delete}

    async def _create(self, request: Request) -> Response:
        target = self._target(request)
        conditions.refuse(request)
        stored = await self._objects.create(target, await self._values(request))
        key = str(stored.attributes[target.primary_key])
        location = rest.object_path(self._proton, self._type, key)
        return json_response(shown(stored), 201, {"Location": location, "ETag": conditions.etag(stored)})

    async def _list(self, request: Request) -> Response:
        target = self._target(request)
        limit, marker, filters = self._query(request)
        found = await self._objects.list(target, filters, limit=limit, marker=marker)
        return json_response({self._type.api.plural_name: [shown(stored) for stored in found]})

    async def _show(self, request: Request) -> Response:
        stored = await self._objects.show(self._target(request), self._key(request))
        if conditions.is_known(request, stored):
            return Response(status_code=304, headers={"ETag": conditions.etag(stored)})
        return _object(stored)

    async def _update(self, request: Request) -> Response:
        target, key = self._target(request), self._key(request)
        condition = conditions.of(request)
        values = await self._values(request)
        return _object(await self._objects.update(target, key, values, condition))

    async def _delete(self, request: Request) -> Response:
        await self._objects.delete(self._target(request), self._key(request), conditions.of(request))
        return Response(status_code=204)

    async def _values(self, request: Request) -> dict[str, Value]:
        """The attributes in a body.  To JSON Schema 5.0 is an integer, and some clients have no other numbers."""
        values = await read_object(request, self._max_body)
        for name, value in values.items():
            attribute = self._type.attributes.get(name)
            if (
                attribute
                and attribute.type is AttributeType.INTEGER
                and isinstance(value, float)
                and value.is_integer()
            ):
                values[name] = int(value)
        return values

    def _target(self, request: Request) -> Target:
        if self._below is None:
            return self._plain
        parent = Parent(self._below, object_key(self._below, request.path_params["parent_key"]))
        return Target(proton=self._proton, object_type=self._type, parent=parent)

    def _key(self, request: Request) -> str:
        return object_key(self._type, request.path_params["key"])

    def _query(self, request: Request) -> tuple[int | None, str | None, Filters]:
        given = request.query_params.multi_items()
        filters = parse_filters(self._type, [(n, v) for n, v in given if n not in PAGING])
        twice = [Problem(name, "given twice; give one value") for name in PAGING if given_twice(name, given)]
        if twice:
            raise InvalidAttributes(twice)
        paging = dict(given)
        return _limit(paging.get("limit")), self._marker(paging.get("marker")), filters

    def _marker(self, text: str | None) -> str | None:
        if text is None:
            return None
        try:
            return validate_key(self._type, text)
        except InvalidAttributes as error:
            raise InvalidAttributes([Problem("marker", error.problems[0].message)]) from error


def _object(stored: Stored) -> Response:
    return json_response(shown(stored), headers={"ETag": conditions.etag(stored)})


_is_limit = re.compile("[1-9][0-9]{0,9}").fullmatch


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not (_is_limit(text) and int(text) <= MAX_LIMIT):
        raise InvalidAttributes([Problem("limit", f"expected an integer 1..{MAX_LIMIT}, got {text[:80]}")])
    return int(text)


def given_twice(name: str, query: Sequence[tuple[str, str]]) -> bool:
    """Whether a query has several values of that name; which one the client meant can't be told."""
    return [n for n, _ in query].count(name) > 1


def object_key(object_type: ObjectType, encoded: str) -> str:
    """The canonical key in a URL; one that no object can have is not found, like any other."""
    text = unquote(encoded, errors="replace")
    try:
        return validate_key(object_type, text)
    except InvalidAttributes as error:
        raise NotFound(object_type.name, text[:80]) from error


def api_versions(served: Mapping[str, Proton], public_url: str) -> Handler:
    """`GET /`: the versions of each proton, with addresses that lead there from anywhere.

    Args:
        served: the protons, by name.
        public_url: where clients reach the server; empty: where this client did.
    """

    async def handler(request: Request) -> Response:
        base = public_url or str(request.base_url).rstrip("/")
        found = [
            {
                "id": f"v{proton.info.version}",
                "status": "CURRENT",
                "proton_service": name,
                "links": [{"rel": "self", "href": f"{base}{rest.version_path(proton)}"}],
            }
            for name, proton in served.items()
        ]
        return json_response({"versions": found})

    return handler


def protons(served: Mapping[str, Proton]) -> Handler:
    """`GET /proton/`."""
    entries = tuple(
        rest.ProtonEntry(proton_service=name, links=(rest.Link(href=rest.proton_path(name)),)) for name in served
    )
    return _constant(rest.ProtonList(entries))


def versions(proton: Proton) -> Handler:
    """`GET /proton/<proton>/`."""
    version = rest.Version(id=f"v{proton.info.version}", links=(rest.Link(href=rest.version_path(proton)),))
    return _constant(rest.VersionList(default_version=version, versions=(version,)))


def resources(proton: Proton) -> Handler:
    """`GET /proton/<proton>/v<version>/`."""
    return _constant(rest.ResourceList(tuple(rest.resource(proton, each) for each in proton.objects.values())))


def _constant(content: msgspec.Struct) -> Handler:
    encoded = msgspec.json.encode(content)

    async def handler(_: Request) -> Response:
        return Response(encoded, media_type="application/json")

    return handler
