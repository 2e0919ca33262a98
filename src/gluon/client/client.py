"""The Python SDK: the objects of one proton as dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Self, TypeAlias, TypeVar
from urllib.parse import quote

from gluon.client.connection import Connection
from gluon.client.errors import NotFound, UnexpectedAnswer, UsageError
from gluon.contract import rest
from gluon.schema.types import Value

DEFAULT_URL = "http://127.0.0.1:2705"
"""Where proton-server listens unless configured otherwise."""

DEFAULT_TIMEOUT = 30.0
"""Seconds; longer than the 8 s that the server waits for the controller's answer to a bind."""

USUAL_VERSION = "v1.0"
"""Asked for first; a proton of another version costs one more request."""

Attributes: TypeAlias = dict[str, Value]
Objects: TypeAlias = list[Attributes]

T = TypeVar("T")


class Client:
    """One proton of one server.

    Not for use by several threads at once.  Every method that talks to the server raises
    `ClientError`; `gluon.client.errors` draws its kinds.
    """

    def __init__(self, url: str = DEFAULT_URL, *, api: str = "", timeout: float = DEFAULT_TIMEOUT) -> None:
        """Connects nothing yet.

        Args:
            url: The server's.
            api: The proton's name; left out, the one proton that the server serves.
            timeout: Seconds that the server may stay silent before a request is given up.

        Raises:
            UsageError: not an http or https URL.
        """
        self._connection = Connection(url, timeout)
        self._api = api
        self._collections = ""
        self._resources: Mapping[str, rest.Resource] = {}

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes it."""
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._connection.url!r}, api={self._api!r})"

    def close(self) -> None:
        """Closes the connections to the server."""
        self._connection.close()

    def protons(self) -> tuple[rest.ProtonEntry, ...]:
        """The protons that the server serves."""
        return self._get(rest.ROOT, rest.ProtonList).protons

    def resources(self) -> Mapping[str, rest.Resource]:
        """The schema that the server serves: its resources by name, such as `port`.

        Asked for once, then remembered.

        Raises:
            UsageError: no such proton; or none was chosen and the server serves several.
        """
        if not self._collections:
            self._load_schema()
        return self._resources

    def create(self, resource: str, attributes: Mapping[str, Value]) -> Attributes:
        """Creates an object and returns it with all its attributes.

        Args:
            resource: Its resource's name, such as `port`.
            attributes: By name.  What is left out gets the server's default.
        """
        return self._object("POST", self._collection(resource), attributes)

    def list(
        self, resource: str, /, *, limit: int | None = None, marker: str | None = None, **filters: Value
    ) -> Objects:
        """The objects of a resource, sorted by key.

        Args:
            resource: Its name, such as `port`.
            limit: At most so many; None for all.
            marker: Only those after this key.
            **filters: Only those whose attributes have these values.
        """
        query: dict[str, str | int] = {name: _query_text(name, value) for name, value in filters.items()}
        if limit is not None:
            query["limit"] = limit
        if marker is not None:
            query["marker"] = marker
        body = self._connection.request("GET", self._collection(resource), query=query)
        plural = self.resource(resource).plural_name
        collection = self._connection.decode(body, dict[str, Objects])
        if plural not in collection:
            raise UnexpectedAnswer(f"{self._connection.url} answered a list of {plural} without `{plural}`")
        return collection[plural]

    def show(self, resource: str, key: str) -> Attributes:
        """One object.

        Raises:
            NotFound: there is none with this key.
        """
        return self._object("GET", self._path(resource, key))

    def update(self, resource: str, key: str, attributes: Mapping[str, Value]) -> Attributes:
        """Changes the named attributes, leaves the others, and returns the object.

        Args:
            resource: Its resource's name.
            key: The object's.
            attributes: By name; None sets an attribute to null.

        Raises:
            NotFound: there is none with this key.
        """
        return self._object("PUT", self._path(resource, key), attributes)

    def delete(self, resource: str, key: str) -> None:
        """Deletes one object.

        Raises:
            NotFound: there is none with this key.
            Conflict: another object still refers to it.
        """
        self._connection.request("DELETE", self._path(resource, key))

    def resource(self, name: str) -> rest.Resource:
        """The resource of this name.

        Raises:
            UsageError: the proton has none; the message lists those it has.
        """
        resources = self.resources()
        if name not in resources:
            raise UsageError(f"{self._api} has no resource {name!r}; it has {', '.join(sorted(resources))}")
        return resources[name]

    def _object(self, method: str, path: str, body: Mapping[str, Value] | None = None) -> Attributes:
        answer = self._connection.request(method, path, body=None if body is None else dict(body))
        return self._connection.decode(answer, Attributes)

    def _get(self, path: str, answer: type[T]) -> T:
        return self._connection.decode(self._connection.request("GET", path), answer)

    def _collection(self, resource: str) -> str:
        plural = self.resource(resource).plural_name  # first: it loads where the collections are
        return self._collections + _segment(plural, "collection")

    def _path(self, resource: str, key: str) -> str:
        return f"{self._collection(resource)}/{_segment(key, f'key of a {resource}')}"

    def _load_schema(self) -> None:
        """Asks for the resources, in the usual version first."""
        api = self._api or self._only_proton()
        root = rest.ROOT + _segment(api, "proton") + "/"
        collections = f"{root}{USUAL_VERSION}/"
        try:
            answer = self._get(collections, rest.ResourceList)
        except NotFound:
            collections = f"{root}{_segment(self._default_version(api, root), 'version')}/"
            answer = self._get(collections, rest.ResourceList)
        self._api = api
        self._collections = collections
        self._resources = MappingProxyType({r.resource_name: r for r in answer.resources})

    def _default_version(self, api: str, root: str) -> str:
        try:
            return self._get(root, rest.VersionList).default_version.id
        except NotFound:
            served = ", ".join(sorted(p.proton_service for p in self.protons())) or "none"
            raise UsageError(f"no proton {api!r} at {self._connection.url}; it serves {served}") from None

    def _only_proton(self) -> str:
        served = sorted(p.proton_service for p in self.protons())
        if not served:
            raise UsageError(f"{self._connection.url} serves no proton; check the server's service_list")
        if len(served) > 1:
            raise UsageError(
                f"{self._connection.url} serves several protons, {', '.join(served)}: choose one"
                " (api in Python; --api or OS_PROTON_API of protonclient)"
            )
        return served[0]


def _segment(text: str, what: str) -> str:
    """One segment of a path, percent-encoded.

    Raises:
        UsageError: the text would name another path: empty, `.` or `..`; or it isn't Unicode.
    """
    if text in ("", ".", ".."):
        raise UsageError(f"{text!r} can't be the {what}")
    try:
        return quote(text, safe=":")
    except UnicodeEncodeError:
        raise UsageError(f"{text!r} can't be the {what}: it is not Unicode text") from None


def _query_text(name: str, value: Value) -> str:
    """A filter's value as it stands in a URL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise UsageError(f"can't filter by {name}: expected a text, a number or a boolean, got {value!r}")
