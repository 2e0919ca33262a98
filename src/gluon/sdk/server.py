"""One proton-server as seen over HTTP: its address, and the meaning of its answers and failures."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
import msgspec
from msgspec import Struct

from gluon.contract.rest import Error, ErrorBody
from gluon.sdk.errors import (
    ClientError,
    NoAnswer,
    ServerUnreachable,
    UnexpectedAnswer,
    UsageError,
    error_answer,
)

CONNECT_TIMEOUT = 5.0
"""Seconds to wait for a connection, when the request's own timeout isn't shorter."""

T = TypeVar("T")

_ERRNO = re.compile(r"^\[Errno -?\d+\] ")


class Request(Struct, frozen=True, kw_only=True):
    """One request, however it is sent."""

    method: str
    path: str
    """Below the server's URL, percent-encoded."""
    body: Mapping[str, Any] | None = None
    """Sent as JSON unless None."""
    query: Mapping[str, str | int] | None = None
    """Parameters of the URL."""

    def options(self) -> dict[str, Any]:
        """The arguments of `httpx` that send it."""
        made: dict[str, Any] = {"method": self.method, "url": self.path, "params": self.query}
        if self.body is not None:
            made |= {"content": msgspec.json.encode(self.body), "headers": {"Content-Type": "application/json"}}
        return made


class Server:
    """The server's address, and how its answers are read."""

    def __init__(self, url: str, timeout: float, auth: httpx.Auth | None = None) -> None:
        """Connects nothing.

        Args:
            url: the server's, e.g. `http://127.0.0.1:2705`.
            timeout: seconds that the server may stay silent before a request is given up.
            auth: proves to the server who sends a request; None for the user and password of the
                URL, if it has them.

        Raises:
            UsageError: not an http or https URL.
        """
        self._address = _parse_url(url)
        self._auth = auth
        # Without the user and password: this text goes into messages.
        self.url = str(self._address.copy_with(username=None, password=None)).rstrip("/")
        self.timeout = timeout

    def options(self) -> dict[str, Any]:
        """The arguments of `httpx.Client` and `httpx.AsyncClient` for talking to it."""
        address = self._address
        return {
            "base_url": self.url,
            "auth": self._auth or ((address.username, address.password) if address.username else None),
            "timeout": httpx.Timeout(self.timeout, connect=min(self.timeout, CONNECT_TIMEOUT)),
            # Proxies that the environment names may be the only way to a server, but never to this host.
            "trust_env": not _is_loopback(address.host),
            # Loading the trusted authorities takes longer than a request; plain HTTP needs none.
            "verify": address.scheme == "https" or self._auth is not None,
        }

    def body(self, request: Request, response: httpx.Response) -> bytes:
        """The body of a success.

        Raises:
            ClientError: any other answer; see `gluon.sdk.errors`.
        """
        if response.is_success:
            return response.content
        if not response.is_error:
            raise UnexpectedAnswer(
                f"{self.url}{request.path} answered {response.status_code} {response.reason_phrase}, which a"
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

    def no_response(self, request: Request, error: httpx.RequestError) -> ClientError:
        """The exception for a request that got no response."""
        reason = _reason(error)
        if isinstance(error, httpx.ConnectTimeout):
            reason = f"no connection within {min(self.timeout, CONNECT_TIMEOUT):g} s"
        elsewhere = self._elsewhere(error)
        if elsewhere:
            return ServerUnreachable(f"no answer from {elsewhere}, which the authentication asks ({reason})")
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
        outcome = (
            "" if request.method == "GET" else "; the server may have carried it out, so look before you repeat it"
        )
        return NoAnswer(f"{request.method} {self.url}{request.path} got no answer {reason}{outcome}")

    def _elsewhere(self, error: httpx.RequestError) -> str:
        """Scheme, host and port that failed, where it isn't the server but one that an `httpx.Auth` asks."""
        try:
            asked = error.request.url
        except RuntimeError:  # httpx's way to say that it has none
            return ""
        ours = self._address
        if (asked.scheme, asked.host, asked.port) == (ours.scheme, ours.host, ours.port):
            return ""
        return f"{asked.scheme}://{asked.netloc.decode('ascii').rpartition('@')[2]}"

    def _refusal(self, response: httpx.Response) -> ClientError:
        """The exception for a response from 400 on."""
        try:
            error = msgspec.json.decode(response.content, type=ErrorBody).error
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Not a proton-server's: a proxy or another program answered.
            check = (
                "the credentials"
                if response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
                else "the address, and any proxy on the way"
            )
            message = (
                f"{self.url} answered {response.status_code} {response.reason_phrase} without a"
                f" proton-server's explanation; check {check}"
            )
            code = "internal" if response.is_server_error else "bad_request"
            error = Error(status=response.status_code, code=code, message=message)
        return error_answer(error)


def _reason(error: BaseException) -> str:
    """The operating system's words where it gave any: the libraries in between put theirs before them."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
            return os.strerror(cause.errno)
        cause = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__ or cause.__context__
    return _ERRNO.sub("", str(error)) or type(error).__name__


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
