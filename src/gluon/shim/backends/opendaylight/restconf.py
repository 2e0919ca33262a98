"""Requests to OpenDaylight's RESTCONF, and what its answers mean."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import httpx
import msgspec

from gluon.shim.backend import BackendError
from gluon.shim.backends.opendaylight import errors, paths
from gluon.shim.backends.opendaylight.errors import Busy, Reply, Unreachable
from gluon.shim.backends.opendaylight.options import Flavour, Settings
from gluon.shim.backends.opendaylight.paths import Path, Store
from gluon.shim.backends.opendaylight.resources import Resource, differs

log = logging.getLogger(__name__)

_PAUSE = 0.2
"""Seconds before the first retry, about; each further one doubles it."""
_CONNECTIONS = 8
"""Requests at the same time, at most."""
_QUEUE_TIMEOUTS = 6
"""A request waits for its turn as long as so many others may take."""

Body = dict[str, Any]


class Connection:
    """Makes requests, whatever the flavour.

    Args:
        settings: where OpenDaylight is, and how patient to be.
        password: the user's.
    """

    def __init__(self, settings: Settings, password: str) -> None:
        self._settings = settings
        verify = _tls(settings) if settings.url.startswith("https:") else False
        self._http = httpx.AsyncClient(
            base_url=settings.url,
            auth=(settings.user, password),
            timeout=settings.timeout,
            verify=verify,
            limits=httpx.Limits(max_connections=_CONNECTIONS),
            headers={"Accept": "application/json"},
            trust_env=False,  # neither a proxy nor a netrc of the shim's user has a say in where the password goes
        )
        self._turns = asyncio.Semaphore(_CONNECTIONS)
        self._single = asyncio.Lock()

    async def close(self) -> None:
        """Ends all connections."""
        await self._http.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        document: Any = None,
        alone: bool = False,
    ) -> Any | Reply:
        """One request, made again while its error may pass.

        Args:
            method: GET, PUT, POST or DELETE.
            path: percent-encoded.
            query: the parameters.
            document: the body, to be encoded.
            alone: no other request meanwhile.

        Returns:
            What the body says, None if there is none; a Reply where that is no success.

        Raises:
            Unreachable: there was no answer.
        """
        content = None if document is None else msgspec.json.encode(document)
        for attempt in range(self._settings.retries + 1):
            answer = await self._in_turn(alone, lambda: self._once(method, path, query, content))
            if not (isinstance(answer, Reply) and answer.is_passing) or attempt == self._settings.retries:
                return answer
            await asyncio.sleep(_PAUSE * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        raise AssertionError("the last attempt returns")

    async def _in_turn(self, alone: bool, once: Callable[[], Awaitable[Any]]) -> Any:  # noqa: FBT001
        """Waits for its turn, for as long as a few silent requests would take, and no longer."""
        turn = self._single if alone else self._turns
        try:
            async with asyncio.timeout(self._settings.timeout * _QUEUE_TIMEOUTS):
                await turn.acquire()
        except TimeoutError:
            raise Unreachable(f"OpenDaylight at {self._settings.url} answers too slowly") from None
        try:
            return await once()
        finally:
            turn.release()

    async def _once(self, method: str, path: str, query: Mapping[str, str] | None, content: bytes | None) -> Any:
        headers = {} if content is None else {"Content-Type": "application/json"}
        began = time.monotonic()
        try:
            async with asyncio.timeout(2 * self._settings.timeout):  # httpx's own is for each read
                answer = await self._http.request(method, path, params=query, content=content, headers=headers)
        except (httpx.TransportError, TimeoutError) as error:
            said = str(error) or type(error).__name__
            raise Unreachable(f"OpenDaylight at {self._settings.url} can't be reached: {said}") from error
        log.debug("%s %s: %d in %.0f ms", method, path, answer.status_code, 1000 * (time.monotonic() - began))
        if answer.is_success:
            return _decoded(answer) if answer.content else None
        reply = Reply(answer.status_code, errors.parse(answer.content))
        if answer.status_code == HTTPStatus.NOT_FOUND and answer.content and not reply.said:
            raise Unreachable(f"{self._settings.url} answers, but has no RESTCONF: is OpenDaylight starting?")
        return reply


class Restconf:
    """Reads and writes single items, in one flavour.

    Args:
        connection: makes the requests.
        flavour: how they are written.
        user: who asks, for messages.
        one_at_a_time: `/rests` of releases before Aluminium fails when two are made at once.
    """

    def __init__(self, connection: Connection, flavour: Flavour, user: str, *, one_at_a_time: bool) -> None:
        self._connection, self._flavour, self._user = connection, flavour, user
        self._alone = one_at_a_time

    async def get(self, path: Path, store: Store = Store.CONFIG) -> Body | None:
        """An entry or a container; None: it is absent."""
        answer = await self._request("GET", path, store)
        if isinstance(answer, Reply):
            if answer.is_absent:
                return None
            raise self._failed("GET", path, answer)
        content = next(iter(answer.values()), None) if isinstance(answer, dict) else None
        if isinstance(content, list):
            content = content[0] if content else None
        return content if isinstance(content, dict) else None

    async def entries(self, path: Path, store: Store = Store.CONFIG) -> list[Body]:
        """The entries of the one list that a container has."""
        container = await self.get(path, store) or {}
        return [each for value in container.values() if isinstance(value, list) for each in value]

    async def put(self, resource: Resource) -> None:
        """Writes it, whole.

        A PUT that is answered with an error may have been stored (seen in Neon), so that is looked at.
        """
        answer = await self._request("PUT", resource.path, document=resource.document)
        if not isinstance(answer, Reply):
            return
        error = self._failed("PUT", resource.path, answer)
        if answer.is_passing:
            with contextlib.suppress(BackendError):
                if not differs(await self.get(resource.path), resource):
                    return
        raise error

    async def delete(self, path: Path) -> bool:
        """Deletes it; says whether it was there."""
        answer = await self._request("DELETE", path)
        if isinstance(answer, Reply):
            if answer.is_absent:
                return False
            raise self._failed("DELETE", path, answer)
        return True

    async def call(self, rpc: str, arguments: Mapping[str, Any]) -> None:
        """Calls an RPC."""
        url = paths.operation(rpc, self._flavour)
        document = {f"{rpc.partition(':')[0]}:input": arguments}
        answer = await self._connection.request("POST", url, document=document, alone=self._alone)
        if isinstance(answer, Reply):
            raise errors.failure(answer, f"POST {rpc}", self._user)

    async def _request(self, method: str, path: Path, store: Store = Store.CONFIG, document: Any = None) -> Any | Reply:
        url = paths.render(path, self._flavour, store)
        query = paths.query(self._flavour, store) if method == "GET" else None
        return await self._connection.request(method, url, query=query, document=document, alone=self._alone)

    def _failed(self, method: str, path: Path, reply: Reply) -> BackendError:
        return errors.failure(reply, f"{method} {path}", self._user)


def _decoded(answer: httpx.Response) -> Any:
    try:
        return msgspec.json.decode(answer.content)
    except msgspec.DecodeError as error:
        raise Busy(f"{answer.request.url} answered what is no JSON: {error}") from error


def _tls(settings: Settings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.cafile or None)
    except OSError as error:
        raise BackendError(f"odl_cafile {settings.cafile}: {error}") from error
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
