"""HTTP towards one server: a request out, a decoded body back, or a ClientError."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import TypeVar

import httpx
import msgspec

from gluon.client.errors import (
    ClientError,
    NoAnswer,
    ServerUnreachable,
    UnexpectedAnswer,
    UsageError,
    error_answer,
)
from gluon.contract.rest import Error, ErrorBody

CONNECT_TIMEOUT = 5.0
"""Seconds to wait for a connection, when the request's own timeout isn't shorter."""

T = TypeVar("T")

_ERRNO = re.compile(r"^\[Errno -?\d+\] ")


class Connection:
    """One server's address, and the connections to it."""

    def __init__(self, url: str, timeout: float) -> None:
        """Connects nothing yet.

        Args:
            url: The server's, e.g. `http://127.0.0.1:2705`.
            timeout: Seconds that the server may stay silent before a request is given up.

        Raises:
            UsageError: not an http or https URL.
        """
        address = _parse_url(url)
        self._auth = (address.username, address.password) if address.username else None
        # Without the user and password: this text goes into messages.
        self.url = str(address.copy_with(username=None, password=None)).rstrip("/")
        self.timeout = timeout
        self._http = httpx.Client(
            base_url=self.url,
            auth=self._auth,
            timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
            # Proxies that the environment names may be the only way to a server, but never to this host.
            trust_env=not _is_loopback(address.host),
            # Loading the trusted authorities takes longer than a request; plain HTTP needs none.
            verify=address.scheme == "https",
        )

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, str | int] | None = None,
    ) -> bytes:
        """Sends one request and returns the body of its answer.

        Args:
            method: GET, POST, PUT or DELETE.
            path: Below the server's URL, percent-encoded.
            body: Sent as JSON unless None.
            query: Parameters of the URL.

        Raises:
            ClientError: whatever goes wrong; see `gluon.client.errors`.
        """
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            response = self._http.request(method, path, content=content, headers=headers, params=query)
        except httpx.RequestError as error:
            raise self._no_response(method, path, error) from error
        if response.is_success:
            return response.content
        if not response.is_error:
            raise UnexpectedAnswer(
                f"{self.url}{path} answered {response.status_code} {response.reason_phrase}, which a"
                " proton-server never does; check the address"
            )
        raise self._refusal(response)

    def decode(self, body: bytes, answer: type[T]) -> T:
        """Reads a body as `answer`.

        Raises:
            UnexpectedAnswer: it is something else.
        """
        try:
            return msgspec.json.decode(body, type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UnexpectedAnswer(
                f"{self.url} answered what this client can't read ({error}); check that it is a"
                " proton-server, and of the client's version"
            ) from error

    def _refusal(self, response: httpx.Response) -> ClientError:
        """The exception for a response from 400 on."""
        try:
            error = msgspec.json.decode(response.content, type=ErrorBody).error
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Not a proton-server's: a proxy or another program answered.
            message = (
                f"{self.url} answered {response.status_code} {response.reason_phrase} without a"
                " proton-server's explanation; check the address, and any proxy on the way"
            )
            code = "internal" if response.is_server_error else "bad_request"
            error = Error(status=response.status_code, code=code, message=message)
        return error_answer(error)

    def _no_response(self, method: str, path: str, error: httpx.RequestError) -> ClientError:
        """The exception for a request that got no response."""
        reason = _ERRNO.sub("", str(error)) or type(error).__name__
        if isinstance(error, httpx.ConnectTimeout):
            reason = f"no connection within {min(self.timeout, CONNECT_TIMEOUT):g} s"
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
            return ServerUnreachable(
                f"can't reach a proton-server at {self.url} ({reason}); check that it runs, and that host"
                " and port are right"
            )
        if isinstance(error, httpx.DecodingError):
            return UnexpectedAnswer(f"can't read what {self.url} answered: {reason}")
        if isinstance(error, httpx.TimeoutException):
            reason = f"within {self.timeout:g} s"
        else:
            reason = f"before the connection broke ({reason})"
        outcome = "" if method == "GET" else "; the server may have carried it out, so look before you repeat it"
        return NoAnswer(f"{method} {self.url}{path} got no answer {reason}{outcome}")


def _parse_url(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        # Not the URL itself: it may hold a password.
        raise UsageError(f"the server's URL is malformed: {error}") from None
    if address.scheme not in ("http", "https") or not address.host or "%" in address.host:
        raise UsageError("the server's URL must look like http://127.0.0.1:2705 or https://api.example.org")
    return address


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
