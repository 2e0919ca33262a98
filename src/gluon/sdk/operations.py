"""The operations of a client, whichever way its requests travel.

Each operation is a generator: it yields the requests that it needs, is sent the body of each
answer, and returns its result.  `Client` sends them with a blocking transport, `AsyncClient` awaits
them.  An awaited core with a blocking wrapper would need an event loop in every script; two copies
would drift apart.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

from gluon.contract import rest
from gluon.schema.types import Value
from gluon.sdk.errors import NotFound, UnexpectedAnswer, UsageError
from gluon.sdk.server import Request, Server

DEFAULT_URL = "http://127.0.0.1:2705"
"""Where proton-server listens unless configured otherwise."""

DEFAULT_TIMEOUT = 30.0
"""Seconds; longer than the 8 s that the server waits for the controller's answer to a bind."""

USUAL_VERSION = "v1.0"
"""Asked for first; a proton of another version costs one more request."""

Attributes: TypeAlias = dict[str, Value]
Objects: TypeAlias = list[Attributes]

T = TypeVar("T")
Steps: TypeAlias = Generator[Request, bytes, T]


class Operations:
    """The operations on one proton of one server, and the schema once it is known."""

    def __init__(self, server: Server, api: str) -> None:
        self.server = server
        self.api = api
        self._collections = ""
        self._resources: Mapping[str, rest.Resource] = {}

    def protons(self) -> Steps[tuple[rest.ProtonEntry, ...]]:
        """As `Client.protons`."""
        return (yield from self._get(rest.ROOT, rest.ProtonList)).protons

    def resources(self) -> Steps[Mapping[str, rest.Resource]]:
        """As `Client.resources`."""
        if not self._collections:
            yield from self._load_schema()
        return self._resources

    def resource(self, name: str) -> Steps[rest.Resource]:
        """As `Client.resource`."""
        resources = yield from self.resources()
        if name not in resources:
            raise UsageError(f"{self.api} has no resource {name!r}; it has {', '.join(sorted(resources))}")
        return resources[name]

    def create(self, resource: str, attributes: Mapping[str, Value]) -> Steps[Attributes]:
        """As `Client.create`."""
        return (yield from self._object("POST", (yield from self._collection(resource)), attributes))

    def list(
        self, resource: str, limit: int | None, marker: str | None, filters: Mapping[str, Value]
    ) -> Steps[Objects]:
        """As `Client.list`."""
        query: dict[str, str | int] = {name: _query_text(name, value) for name, value in filters.items()}
        if limit is not None:
            query["limit"] = limit
        if marker is not None:
            query["marker"] = marker
        plural = (yield from self.resource(resource)).plural_name
        body = yield Request(method="GET", path=(yield from self._collection(resource)), query=query)
        return self._member(body, plural, dict[str, Objects])

    def show(self, resource: str, key: str) -> Steps[Attributes]:
        """As `Client.show`."""
        return (yield from self._object("GET", (yield from self._path(resource, key))))

    def update(self, resource: str, key: str, attributes: Mapping[str, Value]) -> Steps[Attributes]:
        """As `Client.update`."""
        return (yield from self._object("PUT", (yield from self._path(resource, key)), attributes))

    def delete(self, resource: str, key: str) -> Steps[None]:
        """As `Client.delete`."""
        yield Request(method="DELETE", path=(yield from self._path(resource, key)))

    def create_port_binding(
        self, port: str, host: str, vnic_type: str | None, profile: Mapping[str, Value] | None
    ) -> Steps[Attributes]:
        """As `Client.create_port_binding`."""
        given = {"host": host, "vnic_type": vnic_type, "profile": profile}
        body = {"binding": {name: value for name, value in given.items() if value is not None}}
        return (yield from self._binding("POST", (yield from self._bindings(port)), body))

    def list_port_bindings(self, port: str) -> Steps[Objects]:
        """As `Client.list_port_bindings`."""
        body = yield Request(method="GET", path=(yield from self._bindings(port)))
        return self._member(body, "bindings", dict[str, Objects])

    def show_port_binding(self, port: str, host: str) -> Steps[Attributes]:
        """As `Client.show_port_binding`."""
        return (yield from self._binding("GET", (yield from self._bindings(port, host))))

    def activate_port_binding(self, port: str, host: str) -> Steps[Attributes]:
        """As `Client.activate_port_binding`."""
        return (yield from self._binding("PUT", (yield from self._bindings(port, host)) + "/activate"))

    def delete_port_binding(self, port: str, host: str) -> Steps[None]:
        """As `Client.delete_port_binding`."""
        yield Request(method="DELETE", path=(yield from self._bindings(port, host)))

    def _object(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Steps[Attributes]:
        return self.server.decode((yield Request(method=method, path=path, body=body)), Attributes)

    def _binding(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Steps[Attributes]:
        answer = yield Request(method=method, path=path, body=body)
        return self._member(answer, "binding", dict[str, Attributes])

    def _member(self, body: bytes, name: str, answer: type[dict[str, T]]) -> T:
        members = self.server.decode(body, answer)
        if name not in members:
            raise UnexpectedAnswer(f"{self.server.url} answered without the member `{name}`")
        return members[name]

    def _get(self, path: str, answer: type[T]) -> Steps[T]:
        return self.server.decode((yield Request(method="GET", path=path)), answer)

    def _collection(self, resource: str) -> Steps[str]:
        plural = (yield from self.resource(resource)).plural_name  # first: it loads where the collections are
        return self._collections + _segment(plural, "collection")

    def _path(self, resource: str, key: str) -> Steps[str]:
        return f"{yield from self._collection(resource)}/{_segment(key, f'key of a {resource}')}"

    def _bindings(self, port: str, host: str | None = None) -> Steps[str]:
        resources = yield from self.resources()
        ports = next((r.resource_name for r in resources.values() if r.is_port), None)
        if ports is None:
            raise UsageError(
                f"{self.api} has no ports, so there are no bindings; it has {', '.join(sorted(resources))}"
            )
        path = (yield from self._path(ports, port)) + "/" + rest.BINDINGS
        return path if host is None else f"{path}/{_segment(host, 'host of a binding')}"

    def _load_schema(self) -> Steps[None]:
        """Asks for the resources, in the usual version first."""
        api = self.api or (yield from self._only_proton())
        root = rest.ROOT + _segment(api, "proton") + "/"
        collections = f"{root}{USUAL_VERSION}/"
        try:
            answer = yield from self._get(collections, rest.ResourceList)
        except NotFound:
            version = yield from self._default_version(api, root)
            collections = f"{root}{_segment(version, 'version')}/"
            answer = yield from self._get(collections, rest.ResourceList)
        self.api = api
        self._collections = collections
        self._resources = MappingProxyType({r.resource_name: r for r in answer.resources})

    def _default_version(self, api: str, root: str) -> Steps[str]:
        try:
            return (yield from self._get(root, rest.VersionList)).default_version.id
        except NotFound:
            served = ", ".join(sorted(p.proton_service for p in (yield from self.protons()))) or "none"
            raise UsageError(f"no proton {api!r} at {self.server.url}; it serves {served}") from None

    def _only_proton(self) -> Steps[str]:
        served = sorted(p.proton_service for p in (yield from self.protons()))
        if not served:
            raise UsageError(f"{self.server.url} serves no proton; check the server's service_list")
        if len(served) > 1:
            raise UsageError(
                f"{self.server.url} serves several protons, {', '.join(served)}: choose one"
                " (api in Python; --api or OS_PROTON_API of protonclient)"
            )
        return served[0]


def _segment(text: str, name: str) -> str:
    """One segment of a path, percent-encoded.

    Raises:
        UsageError: the text would name another path: empty, `.` or `..`; or it isn't Unicode.
    """
    if text in ("", ".", ".."):
        raise UsageError(f"{text!r} can't be the {name}")
    try:
        return quote(text, safe=":")
    except UnicodeEncodeError:
        raise UsageError(f"{text!r} can't be the {name}: it is not Unicode text") from None


def _query_text(name: str, value: Value) -> str:
    """A filter's value as it stands in a URL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise UsageError(f"can't filter by {name}: expected a text, a number or a boolean, got {value!r}")
