"""The ASGI application: one route for each path of the schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from gluon.contract import rest
from gluon.proton.api import documentation, handlers
from gluon.proton.api.boundary import Boundary
from gluon.proton.api.errors import error_response, routing_response
from gluon.proton.api.handlers import Handler, ObjectHandlers
from gluon.proton.api.paths import collection_template, families
from gluon.proton.api.port_bindings import PortBindingHandlers
from gluon.proton.service import Objects, PortBindings
from gluon.schema import Proton

CLIENT_CLOSED_REQUEST = 499
"""nginx's number for it, for the metrics."""


def build_application(
    objects: Objects,
    bindings: PortBindings,
    protons: Mapping[str, Proton],
    *,
    max_body_size: int,
    public_url: str = "",
    extra_routes: Sequence[BaseRoute] = (),
) -> ASGIApp:
    """Builds the API of all protons.

    Args:
        objects: the use cases of objects.
        bindings: the use cases of ports' bindings.
        protons: the protons to serve, by name.
        max_body_size: most bytes of a request's body.
        public_url: where clients reach the server; empty: where each one did.
        extra_routes: such as `/healthz`.
    """
    paths = [
        ("/", {"GET": handlers.api_versions(protons, public_url)}),
        *_paths(objects, bindings, protons, max_body_size),
    ]
    application = Starlette(
        routes=[*extra_routes, *documentation.routes(protons), *(_route(path, methods) for path, methods in paths)],
        exception_handlers={HTTPException: _routing_error},
    )
    application.router.redirect_slashes = False
    return Boundary(application)


def _paths(
    objects: Objects, bindings: PortBindings, protons: Mapping[str, Proton], max_body: int
) -> Sequence[tuple[str, Mapping[str, Handler]]]:
    paths: list[tuple[str, Mapping[str, Handler]]] = [(rest.ROOT, {"GET": handlers.protons(protons)})]
    for proton in protons.values():
        paths.append((rest.proton_path(proton.name), {"GET": handlers.versions(proton)}))
        paths.append((rest.version_path(proton), {"GET": handlers.resources(proton)}))
        for object_type in proton.objects.values():
            for below in families(proton, object_type):
                made = ObjectHandlers(objects, proton, object_type, below=below, max_body=max_body)
                path = collection_template(proton, object_type, below)
                paths += [(path, made.collection()), (f"{path}/{{key}}", made.item())]
        paths += PortBindingHandlers(bindings, proton, max_body=max_body).by_path().items()
    return paths


def _route(path: str, methods: Mapping[str, Handler]) -> Route:
    """One route for all methods of a path, so that a 405 can name them all."""
    path = path.rstrip("/") or "/"

    async def endpoint(request: Request) -> Response:
        request.scope["gluon.route"] = path
        handler = methods["GET" if request.method == "HEAD" else request.method]
        try:
            return await handler(request)
        except ClientDisconnect:
            # Nobody gets this answer, but an exception would be logged as the server's fault.
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        except Exception as error:  # noqa: BLE001 - every error has one place where it becomes an answer
            return error_response(error)

    return Route(path, endpoint, methods=list(methods))


async def _routing_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.NOT_FOUND:
        return routing_response(404, f"nothing is served at {request.url.path}; see {rest.ROOT}", headers)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = headers.get("Allow", "")
        return routing_response(405, f"{request.method} is not possible here; use {allowed}", headers)
    return routing_response(error.status_code, str(error.detail), headers)
