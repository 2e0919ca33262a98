"""The stand-in as a server on a free loopback port."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

from . import bodies, foreign
from .datastore import Datastore, canonical
from .faults import Fault, Faults
from .netvirt import Netvirt
from .releases import RFC8040, release_of
from .restconf import Answer, Refusal, Request, Restconf
from .yang import Container, List, Node


class Exchange(NamedTuple):
    """A request, and its status; None if it was left without an answer."""

    method: str
    url: str
    status: int | None


class StandIn:
    """An OpenDaylight with netvirt as far as RESTCONF shows it.

    Runs from the start of its block to the end.  What it holds outlives everything but `empty`.

    Args:
        dialect: `A`, `B1`, `B2`, `C`, `D`, `E`, or `modern` for one without the models.
        flavours: of `draft02` and `rfc8040` those that it speaks; those of the dialect's releases if not given.
        associations: whether networks are associated by objects of their own, as from Aluminium SR1 on;
            so it is in dialect E if not given.
        delay: seconds after which netvirt follows a change.
        latency: seconds that each request takes.
        user: whom it lets in.
        password: with this password.
    """

    def __init__(
        self,
        dialect: str = "C",
        flavours: tuple[str, ...] | None = None,
        *,
        associations: bool | None = None,
        delay: float = 0.02,
        latency: float = 0.0,
        user: str = "admin",
        password: str = "admin",
    ) -> None:
        self.release = release_of(dialect, flavours, associations=associations)
        self.latency = latency
        self.requests: list[Exchange] = []
        """All so far, in the order of their ends."""
        self.tunnels: dict[str, str] = {}
        """The types of the external tunnel endpoints by their addresses."""
        self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._lock = threading.RLock()
        self._config, self._operational = Datastore(), Datastore()
        self._netvirt = Netvirt(self.release, self._config, self._operational, self._lock)
        self._netvirt.delay = delay
        self._restconf = self._new_restconf()
        self._faults = Faults()
        self._at_rests = 0
        self._crowded = 0
        self._server: ThreadingHTTPServer | None = None
        self._connections: set[_Handler] = set()
        self._tell_modules()
        self._listen(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._faults.end()
        self._close()
        self._netvirt.end()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    # -- what it holds -----------------------------------------------------------------------------

    def config(self, *, foreign_too: bool = True) -> dict[str, Any]:
        """The configuration in canonical form: no prefixes but at the top, entries by their keys, values sorted."""
        with self._lock:
            held: dict[str, Any] = canonical(self._config.tree)
        return held if foreign_too else foreign.without(held)

    def operational(self) -> dict[str, Any]:
        """The operational data in the same form, but for the list of modules."""
        with self._lock:
            held: dict[str, Any] = canonical(self._operational.tree)
        return {name: value for name, value in held.items() if name != "ietf-yang-library:modules-state"}

    def put(self, containers: tuple[str, ...], name: str, entry: Mapping[str, Any]) -> None:
        """Writes an entry of a list, checked as a request's would be, behind everybody's back."""
        node, module = self._list(containers, name)
        ((key, stored),) = bodies.parse(node, module, entry).items()
        with self._lock:
            self._config.write((*containers, name, key), stored)

    def remove(self, containers: tuple[str, ...], name: str, *key: str) -> bool:
        """Deletes an entry of a list, and says whether it was there."""
        with self._lock:
            return self._config.delete((*containers, name, key))

    def add_foreign(self) -> dict[str, Any]:
        """Puts in what others have, waits until netvirt has followed, and returns `foreign()`."""
        schema = self.release.schema
        placed = foreign.foreign_bodies(self.release.dialect, schema.l3vpn, associations=schema.associations)
        for containers, name, entry in placed:
            self.put(containers, name, entry)
        self.settle()
        return self.foreign()

    def foreign(self) -> dict[str, Any]:
        """Of the configuration what others have: equal to what `add_foreign` returned unless somebody touched it."""
        return foreign.only(self.config())

    # -- netvirt -----------------------------------------------------------------------------------

    @property
    def netvirt(self) -> str:
        """`alive`, or `dead`: nothing more becomes of what is written."""
        return "alive" if self._netvirt.alive else "dead"

    @netvirt.setter
    def netvirt(self, state: str) -> None:
        self._netvirt.alive = {"alive": True, "dead": False}[state]

    @property
    def delay(self) -> float:
        """Seconds after which netvirt follows a change."""
        return self._netvirt.delay

    @delay.setter
    def delay(self, seconds: float) -> None:
        self._netvirt.delay = seconds

    def settle(self, timeout: float = 10.0) -> None:
        """Waits until netvirt has followed everything so far.

        Raises:
            TimeoutError: it has not in that time.
        """
        if not self._netvirt.settle(timeout):
            raise TimeoutError(f"netvirt has not followed everything within {timeout} s")

    def plug(self, port: str) -> None:
        """A switch tells of an interface with this `iface-id`: operational data of it appear."""
        self._netvirt.plug(port, present=True)

    def unplug(self, port: str) -> None:
        """The switch has the interface no more."""
        self._netvirt.plug(port, present=False)

    # -- disturbances --------------------------------------------------------------------------------

    def break_down(self, fault: Fault, after: int = 0, times: int | None = None) -> None:
        """Can't be used once it has answered so many further requests, for so many, or until `mend`."""
        self._faults.begin(fault, after, times)
        if fault is Fault.REFUSED and after == 0:
            self._close()

    def mend(self) -> None:
        """Can be used again, with all that it held."""
        self._faults.end()
        if self._server is None:
            self._listen(self.port)

    def stop(self) -> None:
        """Ends, as by kill -9.  The configuration is kept."""
        self._close()

    def start(self) -> None:
        """Runs again, and netvirt makes its operational data again from the configuration."""
        if self._server is None:
            self._restart()
            self._listen(self.port)

    def empty(self) -> None:
        """Restarts with all its state lost."""
        self._close()
        with self._lock:
            self._config.clear()
            self.tunnels.clear()
            self._restart()
        self._listen(self.port)

    def _restart(self) -> None:
        with self._lock:
            self._restconf = self._new_restconf()
            self._netvirt.restart()
            self._tell_modules()

    # -- requests --------------------------------------------------------------------------------------

    def answer(self, request: Request, authorization: str) -> Answer | None:
        """None: the connection breaks off without an answer."""
        fault = self._faults.of_next_request()
        if fault is Fault.SILENT:
            self._faults.mended.wait(60)
            return None
        if fault is Fault.REFUSED:
            self._close_soon()
            return None
        if fault is Fault.UNAVAILABLE:
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE)
        if authorization != self._authorization:
            return Answer(HTTPStatus.UNAUTHORIZED)
        with self._alone_at_rests(request) as alone:
            time.sleep(self.latency)
            return self._done(request, fault, alone=alone)

    def _done(self, request: Request, fault: Fault | None, *, alone: bool) -> Answer:
        if fault is Fault.STARTING:
            return Answer(HTTPStatus.NOT_FOUND)
        if request.path == "/diagstatus" and self.release.schema.l3vpn:
            return Answer(HTTPStatus.OK)
        if fault is Fault.LOCK_DENIED and request.writes:
            denied = Refusal(HTTPStatus.CONFLICT, "lock-denied", "The candidate is locked by another", "protocol")
            return self._restconf.refused(request, denied)
        if fault is Fault.STORED_500 or not alone:
            return self._failed(request, stored=fault is Fault.STORED_500)
        with self._lock:
            return self._restconf.answer(request)

    def _failed(self, request: Request, *, stored: bool) -> Answer:
        """500; of the writes that failed for meeting another request, every other one was stored all the same."""
        with self._lock:
            self._crowded += not stored
            if request.writes and (stored or self._crowded % 2):
                self._restconf.answer(request)
            failed = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "operation-failed", "Error while processing")
            return self._restconf.refused(request, failed)

    @contextmanager
    def _alone_at_rests(self, request: Request) -> Iterator[bool]:
        """Whether no other request is there meanwhile, or that does not matter."""
        if request.flavour != RFC8040 or not self.release.rests_shares_a_transaction_chain:
            yield True
            return
        with self._lock:
            self._at_rests += 1
            alone = self._at_rests == 1
        try:
            yield alone
        finally:
            with self._lock:
                self._at_rests -= 1

    def _new_restconf(self) -> Restconf:
        return Restconf(self.release, self._config, self._operational, self._call)

    def _call(self, name: str, arguments: Mapping[str, Any]) -> None:
        if name == "itm-rpc:add-external-tunnel-endpoint":
            self.tunnels[arguments["destination-ip"]] = arguments.get("tunnel-type", "")
        else:
            self.tunnels.pop(arguments["destination-ip"], None)

    def _tell_modules(self) -> None:
        modules = {
            (name, revision): {
                "name": name,
                "revision": revision,
                "namespace": f"urn:{name}",
                "conformance-type": "implement",
            }
            for name, revision in self.release.schema.modules.items()
        }
        self._operational.write(("ietf-yang-library:modules-state",), {"module-set-id": "0", "module": modules})

    def _list(self, containers: tuple[str, ...], name: str) -> tuple[List, str]:
        node: Node = self.release.schema.top[containers[0]]
        for step in (*containers[1:], name):
            if not isinstance(node, Container):
                raise TypeError(f"{step} is not below a container")
            node = node.children[step]
        if not isinstance(node, List):
            raise TypeError(f"{name} is no list")
        return node, bodies.split(containers[0])[0]

    # -- the socket ------------------------------------------------------------------------------------

    def _listen(self, port: int) -> None:
        handler = type("Handler", (_Handler,), {"stand_in": self})
        self._server = _Server(("127.0.0.1", port), handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            with self._lock:
                connections = list(self._connections)
            for connection in connections:
                connection.hang_up()

    def opened(self, connection: _Handler) -> None:
        """There is one more."""
        with self._lock:
            self._connections.add(connection)

    def closed(self, connection: _Handler) -> None:
        """There is one less."""
        with self._lock:
            self._connections.discard(connection)

    def _close_soon(self) -> None:
        """Not from the thread of a connection, which would wait for itself."""
        closing = threading.Thread(target=self._close, daemon=True)
        closing.start()
        closing.join(1)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    stand_in: StandIn
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self.stand_in.opened(self)

    def finish(self) -> None:
        self.stand_in.closed(self)
        with suppress(OSError):
            super().finish()

    def hang_up(self) -> None:
        """Ends the connection, whatever it waits for."""
        with suppress(OSError):
            self.connection.shutdown(2)

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        parameters = dict(parse_qsl(url.query, keep_blank_values=True))
        content_type = self.headers.get("Content-Type", "")
        request = Request(self.command, url.path, parameters, content_type, body)
        answer = self.stand_in.answer(request, self.headers.get("Authorization", ""))
        status = None if answer is None else int(answer.status)
        self.stand_in.requests.append(Exchange(self.command, self.path, status))
        if answer is None:
            self.close_connection = True
            return
        with suppress(ConnectionError):  # whoever asked has gone
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        text = b"" if answer.content is None else json.dumps(answer.content).encode()
        self.send_response(answer.status)
        if answer.status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="application"')
        if answer.location:
            self.send_header("Location", f"{self.stand_in.url}{answer.location}")
        if text:
            self.send_header("Content-Type", "application/json")
        if answer.status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        self.wfile.flush()

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = _respond  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Says nothing."""
