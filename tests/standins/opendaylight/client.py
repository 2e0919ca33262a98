"""A small client for tests of a stand-in, or of a real one."""

from __future__ import annotations

import base64
import http.client
import json
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from .releases import DRAFT02


class Reply(NamedTuple):
    """A status, and the JSON that came with it, or None."""

    status: int
    content: Any
    location: str = ""


class Client:
    """Speaks one flavour on one connection.  Paths are written as RFC 8040 has them: `module:list=key/leaf`."""

    def __init__(self, url: str, flavour: str = DRAFT02, user: str = "admin", password: str = "admin") -> None:
        self.flavour = flavour
        self._http = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        authorization = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Accept": "application/json", "Authorization": f"Basic {authorization}"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._http.close()

    def request(self, method: str, url: str, body: Any = None, content_type: str = "application/json") -> Reply:
        """Sends JSON of a body, or its bytes as they are."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = self._headers | ({} if data is None else {"Content-Type": content_type})
        self._http.request(method, url, data, headers)
        answer = self._http.getresponse()
        text = answer.read()
        return Reply(answer.status, json.loads(text) if text else None, answer.headers.get("Location", ""))

    def get(self, path: str, *, operational: bool = False) -> Reply:
        """Of the configuration, or of the operational data."""
        return self.request("GET", self.address(path, operational=operational))

    def put(self, path: str, body: Any) -> Reply:
        """Creates or replaces."""
        return self.request("PUT", self._below("config", path), body)

    def post(self, path: str, body: Any) -> Reply:
        """Creates below."""
        return self.request("POST", self._below("config", path), body)

    def delete(self, path: str) -> Reply:
        """Deletes."""
        return self.request("DELETE", self._below("config", path))

    def call(self, rpc: str, body: Any) -> Reply:
        """Calls an RPC."""
        return self.request("POST", self._below("operations", rpc), body)

    def address(self, path: str, *, operational: bool = False) -> str:
        """The URL to read a path."""
        url = self._below("operational" if operational else "config", path)
        content = "nonconfig" if operational else "config"
        return url if self.flavour == DRAFT02 else f"{url}?content={content}"

    def _below(self, store: str, path: str) -> str:
        if self.flavour == DRAFT02:
            return f"/restconf/{store}/{path.replace('=', '/').replace(',', '/')}"
        return f"/rests/{store if store == 'operations' else 'data'}/{path}"
