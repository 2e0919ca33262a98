"""RESTCONF in both flavours: what a request does to the data, and how it is answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from . import bodies
from .datastore import Datastore, Path, merged
from .paths import BadPath, NoSuchModule, NoSuchNode, NoSuchTop, Target, resolve_draft02, resolve_rfc8040
from .releases import DRAFT02, RFC8040, Release
from .yang import Container, List, Malformed, Node

_JSON = {
    DRAFT02: {"application/json", "application/yang.data+json"},
    RFC8040: {"application/json", "application/yang-data+json"},
}
_ROOTS = {
    "/restconf/config": DRAFT02,
    "/restconf/operational": DRAFT02,
    "/restconf/operations": DRAFT02,
    "/restconf/modules": DRAFT02,
    "/rests/data": RFC8040,
    "/rests/operations": RFC8040,
}


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    """As it was sent, percent-encoded."""
    parameters: Mapping[str, str]
    content_type: str = "application/json"
    body: bytes = b""

    @property
    def writes(self) -> bool:
        """Whether it may change anything."""
        return self.method != "GET"

    @property
    def flavour(self) -> str | None:
        """By the root of its path; None if it has none that there is."""
        return _ROOTS.get(self._root)

    @property
    def store(self) -> str:
        """`config`, `operational`, `operations`, `modules` or `data`."""
        return self._root.rpartition("/")[2]

    @property
    def rest(self) -> str:
        """The path below the root."""
        return self.path[len(self._root) + 1 :]

    @property
    def _root(self) -> str:
        return "/".join(self.path.split("/", 3)[:3])


@dataclass(frozen=True)
class Answer:
    """A status, and what goes with it."""

    status: HTTPStatus
    content: Any = None
    """None: no body."""
    location: str = ""


class Refusal(Exception):
    """A request is not done."""

    def __init__(self, status: HTTPStatus, tag: str = "", message: str = "", kind: str = "application") -> None:
        super().__init__(message)
        self.status, self.tag, self.message, self.kind = status, tag, message, kind


class Restconf:
    """Answers requests from a pair of datastores.  Whoever calls it holds their lock."""

    def __init__(
        self,
        release: Release,
        config: Datastore,
        operational: Datastore,
        call: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self._release, self._config, self._operational, self._call = release, config, operational, call
        self._in_the_way = False
        """A transaction that failed is not closed yet.  The real one may close it in time, or too late."""

    def answer(self, request: Request) -> Answer:
        """Does the request."""
        if request.flavour not in self._release.flavours:
            return Answer(HTTPStatus.NOT_FOUND)
        try:
            return self._done(request)
        except Refusal as refusal:
            return self.refused(request, refusal)

    def refused(self, request: Request, refusal: Refusal) -> Answer:
        """An error as this release writes it."""
        error = {"error-type": refusal.kind, "error-tag": refusal.tag, "error-message": refusal.message}
        rests = request.flavour == RFC8040
        if not refusal.tag or (rests and not self._release.rests_errors_have_bodies):
            return Answer(refusal.status)
        return Answer(refusal.status, {self._release.rests_errors_name if rests else "errors": {"error": [error]}})

    def _done(self, request: Request) -> Answer:
        if request.method == "PATCH":
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        if request.store == "modules":
            return self._modules(request)
        if request.store == "operations":
            return self._called(request)
        match request.method:
            case "GET":
                return self._got(request)
            case "PUT":
                return self._put(request)
            case "POST":
                return self._posted(request)
            case "DELETE":
                return self._deleted(request)
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "operation-not-supported", "Method not allowed", "protocol")

    # -- methods ---------------------------------------------------------------------------------

    def _modules(self, request: Request) -> Answer:
        _only(request, "GET")
        modules = self._release.schema.modules.items()
        listed = [{"name": name, "revision": revision, "namespace": f"urn:{name}"} for name, revision in modules]
        return Answer(HTTPStatus.OK, {"modules": {"module": listed}})

    def _got(self, request: Request) -> Answer:
        unknown = request.parameters.keys() - {"content", "depth"}
        if unknown and request.flavour == RFC8040:
            raise Refusal(HTTPStatus.BAD_REQUEST, "invalid-value", f"Bad parameter: {', '.join(unknown)}", "protocol")
        target = self._target(request)
        self._begin(request)
        value = self._value(request, target.path)
        if value is None:
            raise self._absent("application")
        name = target.name if request.flavour == DRAFT02 else f"{target.module}:{target.name}"
        return Answer(HTTPStatus.OK, {name: _rendered(target, value)})

    def _put(self, request: Request) -> Answer:
        self._writable(request)
        target = self._target(request)
        value = self._stored(target, _document(request))
        if target.keys is not None:
            value = _entry_of(value, target.keys)
        self._begin(request)
        present = self._config.read(target.path) is not None
        self._write(request, target, value)
        if not present:
            return Answer(HTTPStatus.CREATED)
        return Answer(HTTPStatus.OK if request.flavour == DRAFT02 else HTTPStatus.NO_CONTENT)

    def _posted(self, request: Request) -> Answer:
        self._writable(request)
        parent = self._target(request) if request.rest else None
        child, value = self._posted_child(parent, _document(request))
        self._begin(request)
        if self._config.read(child.path) is not None:
            raise Refusal(HTTPStatus.CONFLICT, "data-exists", "Data already exists for path", "protocol")
        self._write(request, child, value)
        status = HTTPStatus.NO_CONTENT if request.flavour == DRAFT02 else HTTPStatus.CREATED
        return Answer(status, location=request.path)  # the parent, not what was made

    def _deleted(self, request: Request) -> Answer:
        self._in_config(request)
        target = self._target(request)
        self._begin(request)
        if not self._config.delete(target.path):
            raise self._absent()
        return Answer(HTTPStatus.OK if request.flavour == DRAFT02 else HTTPStatus.NO_CONTENT)

    def _called(self, request: Request) -> Answer:
        _only(request, "POST")
        _require_json(request)
        node = self._release.schema.rpcs.get(request.rest)
        if node is None:
            raise self._bad_url(request, f"No RPC {request.rest}", "invalid-value")
        module = bodies.split(request.rest)[0]
        value = _member(_document(request), {"input", f"{module}:input"})
        arguments: Mapping[str, Any] = _parsed(node, module, value)
        if "destination-ip" not in arguments:
            raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "operation-failed", "The operation failed")
        self._call(request.rest, arguments)
        return Answer(HTTPStatus.OK)

    # -- parts -------------------------------------------------------------------------------------

    def _target(self, request: Request) -> Target:
        try:
            return self._resolved(request)
        except (NoSuchModule, NoSuchTop) as error:
            if request.flavour == RFC8040 and self._release.absent is not HTTPStatus.NOT_FOUND:
                raise self._absent() from error  # as if only the data were missing
            tag = "unknown-element" if isinstance(error, NoSuchModule) else "invalid-value"
            raise self._bad_url(request, f"No schema node {error}", tag) from error
        except NoSuchNode as error:
            if request.flavour == RFC8040:
                raise self._absent() from error
            raise self._bad_url(request, f"No schema node {error}", "unknown-element") from error
        except BadPath as error:
            if request.flavour == RFC8040:
                raise self._bad_url(request, str(error), "unknown-element") from error
            raise self._absent() from error

    def _resolved(self, request: Request) -> Target:
        if request.flavour == DRAFT02:
            return resolve_draft02(self._release.schema, request.rest.rstrip("/"))
        if request.rest.endswith("/"):
            raise BadPath("The path ends with a slash")
        return resolve_rfc8040(self._release.schema, request.rest)

    def _bad_url(self, request: Request, message: str, tag: str) -> Refusal:
        status = HTTPStatus.BAD_REQUEST if request.flavour == DRAFT02 else self._release.wrong_rests_url
        return Refusal(status, tag, message, "protocol")

    def _value(self, request: Request, path: Path) -> Any:
        if request.store == "config":
            return self._config.read(path)
        if request.store == "operational":
            return self._operational.read(path)
        match request.parameters.get("content", "all"):
            case "config":
                return self._config.read(path)
            case "nonconfig":
                return self._operational.read(path)
            case "all":
                return merged(self._config.read(path), self._operational.read(path))
        raise Refusal(HTTPStatus.BAD_REQUEST, "invalid-value", "Bad value of parameter content", "protocol")

    def _writable(self, request: Request) -> None:
        self._in_config(request)
        _require_json(request)
        if request.parameters:
            # Permanent, though a 500 sounds as if another attempt could help.
            raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "operation-failed", f"Bad parameter for {request.method}")

    def _in_config(self, request: Request) -> None:
        if request.store == "operational":
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "operation-not-supported", "Only GET", "protocol")

    def _posted_child(self, parent: Target | None, document: Mapping[str, Any]) -> tuple[Target, Any]:
        (name,) = document
        prefix, local = bodies.split(name)
        if parent is None:
            node = self._release.schema.top.get(name)
            path: Path = (name,)
        else:
            node = parent.node.children.get(local) if isinstance(parent.node, Container | List) else None
            path = (*parent.path, local)
        if node is None:
            raise _malformed(f"Schema node with name {name} was not found")
        module = node.module or (parent.module if parent else prefix)
        value = self._stored(Target(path, node, module, local, None), document)
        if not isinstance(node, List):
            return Target(path, node, module, local, None), value
        if len(value) != 1:
            raise _malformed("One entry is expected")
        ((keys, entry),) = value.items()
        return Target((*path, keys), node, module, local, keys), entry

    def _stored(self, target: Target, document: Mapping[str, Any]) -> Any:
        given = next(iter(document))
        names = {target.name, f"{target.module}:{target.name}"}
        if not self._release.looks_at_modules_of_bodies and bodies.split(given)[1] == target.name:
            names.add(given)
        return _parsed(target.node, target.module, _member(document, names))

    def _begin(self, request: Request) -> None:
        """The data are about to be touched."""
        if self._shares_a_chain(request) and self._in_the_way:
            self._in_the_way = False
            raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "operation-failed", "Previous transaction is not ready")

    def _shares_a_chain(self, request: Request) -> bool:
        return request.flavour == RFC8040 and self._release.rests_shares_a_transaction_chain

    def _write(self, request: Request, target: Target, value: Any) -> None:
        lacking = bodies.missing(target.node, {target.keys: value} if target.keys is not None else value)
        if lacking:
            # The datastore finds it, after RESTCONF has taken the body: hence no 400.
            self._in_the_way = self._shares_a_chain(request)
            raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "operation-failed", f"{lacking} is mandatory and missing")
        self._make_parents(target.path)
        self._config.write(target.path, value)

    def _make_parents(self, path: Path) -> None:
        """Entries on the way that are not there, with nothing but their keys."""
        for length in range(2, len(path)):
            part = path[length - 1]
            if isinstance(part, tuple) and self._config.read(path[:length]) is None:
                node = self._node(path[:length])
                self._config.write(path[:length], dict(zip(node.keys, part, strict=True)))

    def _node(self, path: Path) -> List:
        first, *rest = (part for part in path if isinstance(part, str))
        node: Node = self._release.schema.top[first]
        for name in rest:
            assert isinstance(node, Container | List)
            node = node.children[name]
        assert isinstance(node, List)
        return node

    def _absent(self, kind: str = "protocol") -> Refusal:
        message = "Request could not be completed because the relevant data model content does not exist"
        return Refusal(self._release.absent, "data-missing", message, kind)


def _only(request: Request, method: str) -> None:
    if request.method != method:
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "operation-not-supported", f"Only {method}", "protocol")


def _require_json(request: Request) -> None:
    known = _JSON[request.flavour or RFC8040]
    if request.content_type.partition(";")[0].strip() not in known:
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def _document(request: Request) -> Mapping[str, Any]:
    try:
        document = json.loads(request.body)
    except ValueError as error:
        raise _malformed(f"Error parsing input: {error}") from error
    if not isinstance(document, dict) or len(document) != 1:
        raise _malformed("Error parsing input: an object with one member is expected")
    return document


def _member(document: Mapping[str, Any], names: set[str]) -> Any:
    ((given, value),) = document.items()
    if given not in names:
        raise _malformed(f"Error parsing input: {max(names, key=len)} is expected, not {given}")
    return value


def _parsed(node: Node, module: str, value: Any) -> Any:
    try:
        return bodies.parse(node, module, value)
    except Malformed as error:
        raise _malformed(f"Error parsing input: {error}") from error


def _entry_of(value: Mapping[tuple[str, ...], Any], keys: tuple[str, ...]) -> Any:
    if not value:
        raise _malformed("Input is required.")
    if set(value) != {keys}:
        message = "The value of the key in the body does not correspond to the one in the URI"
        raise Refusal(HTTPStatus.BAD_REQUEST, "invalid-value", message, "protocol")
    return value[keys]


def _rendered(target: Target, value: Any) -> Any:
    if target.keys is not None and isinstance(target.node, List):
        return bodies.render_entry(target.node, target.module, value)
    return bodies.render(target.node, target.module, value)


def _malformed(message: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, "malformed-message", message, "protocol")
