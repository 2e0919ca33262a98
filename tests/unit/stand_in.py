"""A stand-in for proton-server: serves a schema, keeps objects, writes down the requests."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
import pytest

from gluon.contract import rest
from gluon.schema import Attribute, AttributeType

UUID, STRING, INTEGER = AttributeType.UUID, AttributeType.STRING, AttributeType.INTEGER

TENANT = Attribute(name="tenant_id", type=UUID, required=True, description="Keystone's project")
NAME = Attribute(name="name", type=STRING, length=64)
ID = Attribute(name="id", type=UUID, primary=True, description="Key of the object")

PORT = rest.Resource(
    resource_name="port",
    plural_name="ports",
    object="Port",
    primary_key="id",
    attributes=(
        ID,
        TENANT,
        NAME,
        Attribute(name="mac_address", type=STRING, format="mac", required=True, description="100 % unique"),
        Attribute(name="admin_state_up", type=AttributeType.BOOLEAN, default=True),
        Attribute(name="status", type=AttributeType.ENUM, values=("ACTIVE", "DOWN"), default="DOWN", read_only=True),
        Attribute(name="vnic_type", type=AttributeType.ENUM, values=("normal", "direct"), default="normal"),
        Attribute(name="mtu", type=INTEGER, minimum=68, maximum=65535, default=1500),
        Attribute(name="profile", type=STRING, format="json"),
        Attribute(name="device_id", type=STRING),
        Attribute(name="host_id", type=STRING),
        Attribute(name="vif_type", type=STRING, read_only=True),
        Attribute(name="vif_details", type=STRING, format="json", read_only=True),
    ),
)
INTERFACE = rest.Resource(
    resource_name="interface",
    plural_name="interfaces",
    object="Interface",
    primary_key="id",
    parent="port",
    parent_key="port_id",
    attributes=(ID, TENANT, NAME, Attribute(name="port_id", type=UUID, reference="Port", required=True)),
)
# Everything that could meet an option of cliff or of the program.
ROUTE = rest.Resource(
    resource_name="static-route",
    plural_name="static-routes",
    object="StaticRoute",
    primary_key="destination",
    attributes=(
        Attribute(name="destination", type=STRING, format="cidr", primary=True),
        *(Attribute(name=n, type=STRING) for n in ("host", "port", "format", "prefix", "unset", "limit", "help")),
        Attribute(name="peers", type=STRING, format="ip-list"),
        Attribute(name="weight", type=AttributeType.NUMBER),
        Attribute(name="local_as", type=INTEGER),
        Attribute(name="peer_as", type=INTEGER, required=True, default_from="local_as"),
    ),
)


class Request(NamedTuple):
    """A request as the stand-in read it."""

    method: str
    path: str
    query: dict[str, str]
    body: dict[str, object] | None
    headers: dict[str, str]


class Canned(NamedTuple):
    """An answer in place of its own; status 0 closes the connection."""

    status: int
    body: bytes = b""
    silent: bool = False
    """No answer before the test has ended."""


@dataclass
class StandIn:
    """The server's state, which a test may set and read."""

    protons: dict[str, tuple[rest.Resource, ...]]
    version: str = "v1.0"
    objects: dict[str, dict[str, dict[str, object]]] = field(default_factory=dict)
    bindings: dict[str, dict[str, dict[str, object]]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    canned: Callable[[Request], Canned | None] = lambda _: None
    url: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def answer(self, request: Request) -> Canned:
        self.requests.append(request)
        return self.canned(request) or self._serve(request)

    def _serve(self, request: Request) -> Canned:
        match request.path.strip("/").split("/"):
            case ["proton"]:
                entries = tuple(
                    rest.ProtonEntry(proton_service=p, links=(rest.Link(href=rest.proton_path(p)),))
                    for p in self.protons
                )
                return _json(200, rest.ProtonList(entries))
            case ["proton", proton] if proton in self.protons:
                version = rest.Version(id=self.version)
                return _json(200, rest.VersionList(default_version=version, versions=(version,)))
            case ["proton", proton, self.version] if proton in self.protons:
                return _json(200, rest.ResourceList(self.protons[proton]))
            case ["proton", proton, self.version, plural, *key] if proton in self.protons:
                resource = next(r for r in self.protons[proton] if r.plural_name == plural)
                if key[1:2] == ["bindings"]:
                    return self._serve_bindings(request, unquote(key[0]), *map(unquote, key[2:]))
                return self._serve_resource(request, resource, unquote(key[0]) if key else "")
        return _error(404, "not_found", f"There is nothing at {request.path}.")

    def _serve_bindings(self, request: Request, port: str, host: str = "", activate: str = "") -> Canned:
        bindings = self.bindings.setdefault(port, {})
        if request.method == "POST":
            given = request.body["binding"]
            bindings[given["host"]] = {"vnic_type": "normal", "profile": {}, **given, "vif_type": "ovs",
                                       "vif_details": {}, "status": "INACTIVE", "status_reason": None}  # fmt: skip
            return _json(201, {"binding": bindings[given["host"]]})
        if not host:
            return _json(200, {"bindings": list(bindings.values())})
        if host not in bindings:
            return _error(404, "not_found", f"Port {port} has no binding to {host}.")
        if request.method == "DELETE":
            del bindings[host]
            return Canned(204)
        if activate:
            for each in bindings.values():
                each["status"] = "ACTIVE" if each["host"] == host else "INACTIVE"
        return _json(200, {"binding": bindings[host]})

    def _serve_resource(self, request: Request, resource: rest.Resource, key: str) -> Canned:
        objects = self.objects.setdefault(resource.plural_name, {})
        attributes = request.body or {}
        if request.method == "POST":
            unset = {a.name: a.default for a in resource.attributes}
            key = str(attributes.get(resource.primary_key) or f"{resource.resource_name}-{len(objects) + 1}")
            objects[key] = {**unset, **attributes, resource.primary_key: key, "created_at": "2024-05-01T00:00:00Z"}
            return _json(201, objects[key])
        if not key:
            found = [
                o for o in objects.values()
                if all(_text(o.get(n)) == v for n, v in request.query.items() if n not in ("limit", "marker"))
            ]  # fmt: skip
            return _json(200, {resource.plural_name: found})
        if key not in objects:
            return _error(404, "not_found", f"There is no {resource.object} {key}.")
        if request.method == "DELETE":
            del objects[key]
            return Canned(204)
        objects[key].update(attributes)
        return _json(200, objects[key])


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _json(status: int, body: object) -> Canned:
    return Canned(status, msgspec.json.encode(body))


def _error(status: int, code: str, message: str, **details: str) -> Canned:
    listed = tuple(rest.ErrorDetail(attribute=a, message=m) for a, m in details.items())
    return _json(status, rest.ErrorBody(rest.Error(status=status, code=code, message=message, details=listed)))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stand_in: StandIn

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, url.path, query, json.loads(body) if body else None, headers)
        answer = self.stand_in.answer(request)
        if answer.silent:
            self.stand_in.ended.wait(60)
        self.close_connection = True
        if not answer.status:
            return
        with contextlib.suppress(ConnectionError):  # a client that gave up
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - http.server looks for these

    def log_message(self, *_: object) -> None:
        """stderr belongs to the client under test."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the caller's environment counts; help is as wide as it needs."""
    for name in ("OS_PROTON_HOST", "OS_PROTON_PORT", "OS_PROTON_API", "http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def server() -> Iterator[StandIn]:
    """Serves one proton, net-l3vpn."""
    stand_in = StandIn(protons={"net-l3vpn": (PORT, INTERFACE, ROUTE)})
    handler = type("Handler", (_Handler,), {"stand_in": stand_in})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http.daemon_threads = False  # so that closing waits for them
    stand_in.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield stand_in
    stand_in.ended.set()
    http.shutdown()
    http.server_close()
    thread.join(timeout=10)
    assert not thread.is_alive()


@pytest.fixture
def answer_error() -> Callable[..., Canned]:
    """Makes an answer with a proton-server's error body."""
    return _error


@pytest.fixture
def answer_raw() -> Callable[..., Canned]:
    """Makes an answer with any status and body."""
    return Canned


@pytest.fixture
def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
