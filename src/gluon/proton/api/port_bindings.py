"""The routes of a port's bindings, as Neutron's extension has them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from gluon.contract import rest
from gluon.proton.api import conditions
from gluon.proton.api.bodies import json_response, read_object
from gluon.proton.api.handlers import Handler, given_twice, object_key
from gluon.proton.api.paths import binding_templates
from gluon.proton.service import PortBinding, PortBindings, Target
from gluon.schema import InvalidAttributes, Problem, Proton, Value


class PortBindingHandlers:
    """The handlers of one proton's bindings."""

    def __init__(self, bindings: PortBindings, proton: Proton, *, max_body: int) -> None:
        """Prepares the handlers.

        Args:
            bindings: the service.
            proton: whose ports they are.
            max_body: most bytes of a body.
        """
        self._bindings = bindings
        self._proton = proton
        self._target = Target(proton=proton, object_type=proton.port)
        self._max_body = max_body

    def by_path(self) -> Mapping[str, Mapping[str, Handler]]:
        """By path, then by method."""
        path = binding_templates(self._proton)
        return {
            path.collection: {"GET": self._list, "POST": self._create},
            path.item: {"GET": self._show, "DELETE": self._delete},
            path.activate: {"PUT": self._activate},
        }

    async def _create(self, request: Request) -> Response:
        conditions.refuse(request)
        values = _unwrapped(await read_object(request, self._max_body))
        return _answer(await self._bindings.create(self._target, self._key(request), values), 201)

    async def _list(self, request: Request) -> Response:
        wanted = _filters(request)
        found = map(_shown, await self._bindings.list(self._target, self._key(request)))
        matching = (each for each in found if all(getattr(each, name) == value for name, value in wanted.items()))
        return json_response(rest.PortBindingList(tuple(matching)))

    async def _show(self, request: Request) -> Response:
        return _answer(await self._bindings.show(self._target, self._key(request), _host(request)))

    async def _activate(self, request: Request) -> Response:
        conditions.refuse(request)
        return _answer(await self._bindings.activate(self._target, self._key(request), _host(request)))

    async def _delete(self, request: Request) -> Response:
        conditions.refuse(request)
        await self._bindings.delete(self._target, self._key(request), _host(request))
        return Response(status_code=204)

    def _key(self, request: Request) -> str:
        return object_key(self._target.object_type, request.path_params["key"])


def _answer(binding: PortBinding, status: int = 200) -> Response:
    return json_response(rest.PortBindingBody(_shown(binding)), status)


def _shown(binding: PortBinding) -> rest.PortBinding:
    return rest.PortBinding(
        host=binding.host,
        vnic_type=binding.vnic_type,
        profile=binding.profile,
        vif_type=binding.vif_type,
        vif_details=binding.vif_details,
        status=binding.status,
        status_reason=binding.reason,
    )


def _filters(request: Request) -> dict[str, str]:
    """The values that members must equal, by name."""
    given = request.query_params.multi_items()
    filters = dict(given)
    known = ", ".join(rest.BINDING_FILTERS)
    problems = [Problem(n[:64], f"unknown filter; use {known}") for n in filters if n not in rest.BINDING_FILTERS]
    problems += [Problem(n, "given twice; give one value") for n in rest.BINDING_FILTERS if given_twice(n, given)]
    if problems:
        raise InvalidAttributes(problems)
    return filters


def _host(request: Request) -> str:
    return unquote(request.path_params["host"], errors="replace")


def _unwrapped(body: dict[str, Value]) -> dict[str, Value]:
    """The binding inside `{"binding": {...}}`, as Neutron's clients send it, or the body itself."""
    binding = body.get("binding")
    return binding if len(body) == 1 and isinstance(binding, dict) else body
