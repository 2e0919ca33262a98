"""The same client for programs with an event loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self, TypeVar

import httpx

from gluon.contract import rest
from gluon.schema.types import Value
from gluon.sdk.errors import ClientError
from gluon.sdk.operations import DEFAULT_TIMEOUT, DEFAULT_URL, Attributes, Objects, Operations, Steps
from gluon.sdk.server import Request, Server

T = TypeVar("T")


class AsyncClient:
    """One proton of one server; its methods mean what those of `Client` mean.

    Any number of tasks of one event loop may use it at the same time.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api: str = "",
        timeout: float = DEFAULT_TIMEOUT,
        auth: httpx.Auth | None = None,
    ) -> None:
        """As `Client`."""
        self._server = Server(url, timeout, auth)
        self._operations = Operations(self._server, api)
        self._http = httpx.AsyncClient(**self._server.options())

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes it."""
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({self._server.url!r}, api={self._operations.api!r})"

    async def close(self) -> None:
        """Closes the connections to the server."""
        await self._http.aclose()

    async def protons(self) -> tuple[rest.ProtonEntry, ...]:
        """As `Client.protons`."""
        return await self._run(self._operations.protons())

    async def resources(self) -> Mapping[str, rest.Resource]:
        """As `Client.resources`."""
        return await self._run(self._operations.resources())

    async def resource(self, name: str) -> rest.Resource:
        """As `Client.resource`."""
        return await self._run(self._operations.resource(name))

    async def create(self, resource: str, attributes: Mapping[str, Value]) -> Attributes:
        """As `Client.create`."""
        return await self._run(self._operations.create(resource, attributes))

    async def list(
        self, resource: str, /, *, limit: int | None = None, marker: str | None = None, **filters: Value
    ) -> Objects:
        """As `Client.list`."""
        return await self._run(self._operations.list(resource, limit, marker, filters))

    async def show(self, resource: str, key: str) -> Attributes:
        """As `Client.show`."""
        return await self._run(self._operations.show(resource, key))

    async def update(self, resource: str, key: str, attributes: Mapping[str, Value]) -> Attributes:
        """As `Client.update`."""
        return await self._run(self._operations.update(resource, key, attributes))

    async def delete(self, resource: str, key: str) -> None:
        """As `Client.delete`."""
        await self._run(self._operations.delete(resource, key))

    async def create_port_binding(
        self, port: str, host: str, *, vnic_type: str | None = None, profile: Mapping[str, Value] | None = None
    ) -> Attributes:
        """As `Client.create_port_binding`."""
        return await self._run(self._operations.create_port_binding(port, host, vnic_type, profile))

    async def list_port_bindings(self, port: str) -> Objects:
        """As `Client.list_port_bindings`."""
        return await self._run(self._operations.list_port_bindings(port))

    async def show_port_binding(self, port: str, host: str) -> Attributes:
        """As `Client.show_port_binding`."""
        return await self._run(self._operations.show_port_binding(port, host))

    async def activate_port_binding(self, port: str, host: str) -> Attributes:
        """As `Client.activate_port_binding`."""
        return await self._run(self._operations.activate_port_binding(port, host))

    async def delete_port_binding(self, port: str, host: str) -> None:
        """As `Client.delete_port_binding`."""
        await self._run(self._operations.delete_port_binding(port, host))

    async def _run(self, steps: Steps[T]) -> T:
        try:
            request = next(steps)
            while True:
                try:
                    body = await self._send(request)
                except ClientError as error:
                    request = steps.throw(error)
                else:
                    request = steps.send(body)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _send(self, request: Request) -> bytes:
        try:
            response = await self._http.request(**request.options())
        except httpx.RequestError as error:
            raise self._server.no_response(request, error) from error
        return self._server.body(request, response)
