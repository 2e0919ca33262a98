"""A stand-in for an SDN controller: keeps JSON documents, served over HTTP, and can be disturbed.

    GET    /v1/<kind>         all documents of a kind, by name
    PUT    /v1/<kind>/<name>  writes one
    DELETE /v1/<kind>/<name>  deletes one; 404 if it is not there
    GET    /v1/status         {"instance": id of this installation, "plugs": {name: why it is down, or ""}}

A request may carry a `Fence`: one that is smaller than the largest so far is refused with 412.  A
document that says `"vnic_type": "direct"` is refused with 422.
"""

from __future__ import annotations

import json
import threading
import uuid
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote

ERRORS, SILENT, UNREACHABLE = "answers 500", "does not answer", "can't be reached"
"""The ways to be broken."""

Answer = tuple[HTTPStatus, Any]


class FakeController:
    """Runs from the start of its block to the end.  Its documents outlive everything else."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        """By kind and name."""
        self.down: dict[str, str] = {}
        """Why a plug is down, by its name."""
        self.fence = 0
        """The largest so far."""
        self._lock = threading.Lock()
        self._instance = str(uuid.uuid4())
        self._fault = ""
        self._answers_left: int | None = None
        self._mended = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._listen(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._mended.set()
        self._close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    # -- disturbances --------------------------------------------------------------------------

    def break_down(self, fault: str, after: int = 0) -> None:
        """Can't be used any more, once it has answered so many further requests."""
        self._mended.clear()
        with self._lock:
            self._fault, self._answers_left = fault, after
        if fault == UNREACHABLE and after == 0:
            self._close()

    def mend(self) -> None:
        """Can be used again, with all that it held."""
        with self._lock:
            self._fault, self._answers_left = "", None
        self._mended.set()
        if self._server is None:
            self._listen(self._port)

    def empty(self) -> None:
        """Is installed again, and holds nothing."""
        with self._lock:
            self.documents.clear()
            self._instance = str(uuid.uuid4())

    def _listen(self, port: int) -> None:
        handler = type("Handler", (_Handler,), {"controller": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def _close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    # -- requests ------------------------------------------------------------------------------

    def answer(self, method: str, path: list[str], fence: int | None, document: Any) -> Answer | None:
        """None: the connection breaks off without an answer."""
        with self._lock:
            fault = self._fault_of_this_request()
            if not fault:
                return self._done(method, path, fence, document)
        if fault == SILENT:
            self._mended.wait(30)
        return (HTTPStatus.INTERNAL_SERVER_ERROR, "out of order") if fault == ERRORS else None

    def _fault_of_this_request(self) -> str:
        if self._answers_left:
            self._answers_left -= 1
            return ""
        return self._fault

    def _done(self, method: str, path: list[str], fence: int | None, document: Any) -> Answer:
        if fence is not None and fence < self.fence:
            return HTTPStatus.PRECONDITION_FAILED, f"fence {fence} is older than {self.fence}"
        self.fence = max(self.fence, fence or 0)
        if document and document.get("vnic_type") == "direct":
            return HTTPStatus.UNPROCESSABLE_ENTITY, "there is no vnic_type direct"
        match path:
            case ["v1", "status"]:
                plugs = {name: self.down.get(name, "") for name in self.documents.get("plugs", {})}
                return HTTPStatus.OK, {"instance": self._instance, "plugs": plugs}
            case ["v1", kind]:
                return HTTPStatus.OK, self.documents.get(kind, {})
            case ["v1", kind, name]:
                return self._written(method, self.documents.setdefault(kind, {}), name, document)
        return HTTPStatus.NOT_FOUND, "no such path"

    def _written(self, method: str, documents: dict[str, Any], name: str, document: Any) -> Answer:
        if method == "DELETE":
            known = documents.pop(name, None) is not None
            return (HTTPStatus.NO_CONTENT, None) if known else (HTTPStatus.NOT_FOUND, "no such document")
        documents[name] = document
        return HTTPStatus.NO_CONTENT, None


class _Handler(BaseHTTPRequestHandler):
    controller: FakeController
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = [unquote(part) for part in self.path.strip("/").split("/")]
        fence = self.headers.get("Fence")
        answer = self.controller.answer(
            self.command, path, None if fence is None else int(fence), json.loads(body or "null")
        )
        if answer is None:
            self.close_connection = True
            return
        status, content = answer
        text = b"" if status is HTTPStatus.NO_CONTENT else json.dumps(content).encode()
        with suppress(ConnectionError):  # Whoever asked has gone.
            self.send_response(status)
            if status is not HTTPStatus.NO_CONTENT:
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    do_GET = do_PUT = do_DELETE = _respond  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Says nothing."""
