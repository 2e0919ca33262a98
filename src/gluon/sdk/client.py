"""The blocking client: the objects of one proton as dictionaries."""

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


class Client:
    """One proton of one server.

    Not for use by several threads at once.  Every method that talks to the server raises
    `ClientError`; `gluon.sdk.errors` draws its kinds.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api: str = "",
        timeout: float = DEFAULT_TIMEOUT,
        auth: httpx.Auth | None = None,
    ) -> None:
        """Connects nothing yet.

        Args:
            url: the server's.
            api: the proton's name; left out, the one proton that the server serves.
            timeout: seconds that the server may stay silent before a request is given up.
            auth: proves to the server who sends a request, for example with a token; None for the
                user and password of the URL, if it has them.

        Raises:
            UsageError: not an http or https URL.
        """
        self._server = Server(url, timeout, auth)
        self._operations = Operations(self._server, api)
        self._http = httpx.Client(**self._server.options())

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes it."""
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._server.url!r}, api={self._operations.api!r})"

    def close(self) -> None:
        """Closes the connections to the server."""
        self._http.close()

    def protons(self) -> tuple[rest.ProtonEntry, ...]:
        """The protons that the server serves."""
        return self._run(self._operations.protons())

    def resources(self) -> Mapping[str, rest.Resource]:
        """The schema that the server serves: its resources by name, such as `port`.

        Asked for once, then remembered.

        Raises:
            UsageError: no such proton; or none was chosen and the server serves several.
        """
        return self._run(self._operations.resources())

    def resource(self, name: str) -> rest.Resource:
        """The resource of this name.

        Raises:
            UsageError: the proton has none; the message lists those it has.
        """
        return self._run(self._operations.resource(name))

    def create(self, resource: str, attributes: Mapping[str, Value]) -> Attributes:
        """Creates an object and returns it with all its attributes.

        Args:
            resource: its resource's name, such as `port`.
            attributes: by name.  An attribute left out gets the server's default.
        """
        return self._run(self._operations.create(resource, attributes))

    def list(
        self, resource: str, /, *, limit: int | None = None, marker: str | None = None, **filters: Value
    ) -> Objects:
        """The objects of a resource, sorted by key.

        Args:
            resource: its name, such as `port`.
            limit: at most so many; None for all.
            marker: only those after this key.
            **filters: only those whose attributes have these values.
        """
        return self._run(self._operations.list(resource, limit, marker, filters))

    def show(self, resource: str, key: str) -> Attributes:
        """One object.

        Raises:
            NotFound: there is none with this key.
        """
        return self._run(self._operations.show(resource, key))

    def update(self, resource: str, key: str, attributes: Mapping[str, Value]) -> Attributes:
        """Changes the named attributes, leaves the others, and returns the object.

        Args:
            resource: its resource's name.
            key: the object's.
            attributes: by name; None sets an attribute to null.

        Raises:
            NotFound: there is none with this key.
        """
        return self._run(self._operations.update(resource, key, attributes))

    def delete(self, resource: str, key: str) -> None:
        """Deletes one object.

        Raises:
            NotFound: there is none with this key.
            Conflict: another object still refers to it.
        """
        self._run(self._operations.delete(resource, key))

    def create_port_binding(
        self, port: str, host: str, *, vnic_type: str | None = None, profile: Mapping[str, Value] | None = None
    ) -> Attributes:
        """Prepares a port on a further host, for a live migration, and returns the binding.

        It is INACTIVE until `activate_port_binding`; the port's active binding stays as it is.  The
        call returns once a controller has answered; if none could bind it, `vif_type` is
        `binding_failed`.

        Args:
            port: the port's key.
            host: the host to prepare it on.
            vnic_type: None for the server's default.
            profile: None for an empty one.

        Raises:
            NotFound: there is no such port.
            Conflict: the port has a binding to this host already.
        """
        return self._run(self._operations.create_port_binding(port, host, vnic_type, profile))

    def list_port_bindings(self, port: str) -> Objects:
        """All bindings of a port, the active one and the inactive ones.

        Raises:
            NotFound: there is no such port.
        """
        return self._run(self._operations.list_port_bindings(port))

    def show_port_binding(self, port: str, host: str) -> Attributes:
        """One binding.

        Raises:
            NotFound: there is no such port, or it has no binding to this host.
        """
        return self._run(self._operations.show_port_binding(port, host))

    def activate_port_binding(self, port: str, host: str) -> Attributes:
        """Makes this binding the active one, and the one that was active inactive.

        Raises:
            NotFound: there is no such port, or it has no binding to this host.
            Conflict: the binding is active already, or no controller has bound it.
        """
        return self._run(self._operations.activate_port_binding(port, host))

    def delete_port_binding(self, port: str, host: str) -> None:
        """Removes a binding, active or not.

        Raises:
            NotFound: there is no such port, or it has no binding to this host.
        """
        self._run(self._operations.delete_port_binding(port, host))

    def _run(self, steps: Steps[T]) -> T:
        try:
            request = next(steps)
            while True:
                try:
                    body = self._send(request)
                except ClientError as error:
                    request = steps.throw(error)
                else:
                    request = steps.send(body)
        except StopIteration as end:
            result: T = end.value
            return result

    def _send(self, request: Request) -> bytes:
        try:
            response = self._http.request(**request.options())
        except httpx.RequestError as error:
            raise self._server.no_response(request, error) from error
        return self._server.body(request, response)
