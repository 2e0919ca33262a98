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
    """Speaks one flavour on one connection."""

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
