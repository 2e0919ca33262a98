"""The load of the chaos tests: many clients, each the only owner of a few objects.

An owner knows what its objects must be: a change that was answered 2xx holds, a change whose
connection broke may or may not.  It then looks which, once the server is back, and goes on.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from itertools import cycle
from typing import Any

import httpx

from .observing import CLIENT_TIMEOUT, MAC, TENANT

OWNERS = 200
CLIENTS = 4
HOSTS = [f"compute-{number}" for number in range(5)]
RETURN_TIMEOUT = 60.0
"""Longest time in seconds until a killed server answers again."""


class Load:
    """What all owners share: the clients, the count of answers, and what went wrong."""

    def __init__(self, url: str, vpns: Sequence[str], owners: int = OWNERS) -> None:
        self.owners = owners
        self.url = f"{url}/proton/net-l3vpn/v1.0"
        self.vpns = vpns
        self.problems: list[str] = []
        self.owned: list[Owned] = []
        self.answers = 0
        self.broken: list[str] = []
        self.ended = asyncio.Event()
        self._reached: list[tuple[int, asyncio.Event]] = []

    async def run(self, seed: int) -> None:
        """Lets all owners work at once, to their end."""
        async with AsyncExitStack() as stack:
            limits = httpx.Limits(max_connections=self.owners // CLIENTS)
            timeout = httpx.Timeout(CLIENT_TIMEOUT, pool=RETURN_TIMEOUT)
            clients: Iterator[httpx.AsyncClient] = cycle(
                [
                    await stack.enter_async_context(
                        httpx.AsyncClient(base_url=self.url, limits=limits, timeout=timeout, trust_env=False)
                    )
                    for _ in range(CLIENTS)
                ]
            )
            works: list[Awaitable[None]] = []
            for number in range(self.owners):
                owner = VpnOwner if number % 8 == 0 else PortOwner
                works.append(owner(self, next(clients), random.Random(f"{seed}/{number}")).work())
            await asyncio.gather(*works)
        self.ended.set()
        for _, event in self._reached:
            event.set()

    async def reached(self, answers: int) -> None:
        """Waits until so many requests have been answered, or all are."""
        event = asyncio.Event()
        self._reached.append((answers, event))
        if not self.ended.is_set():
            await asyncio.wait_for(event.wait(), RETURN_TIMEOUT)

    def count(self) -> None:
        """A request was answered."""
        self.answers += 1
        for answers, event in self._reached:
            if self.answers >= answers:
                event.set()


class Owned:
    """One object, as its only owner knows it."""

    def __init__(self, load: Load, client: httpx.AsyncClient, plural: str, object_type: str, key: str) -> None:
        self.load = load
        self.plural = plural
        self.object_type = object_type
        self.key = key
        self.state: dict[str, Any] | None = None
        """Its attributes as far as the owner has set them; None while it does not exist."""
        self._client = client
        self._given_up = False
        load.owned.append(self)

    def __str__(self) -> str:
        return f"{self.object_type}/{self.key}"

    async def create(self, **attributes: Any) -> None:
        """Creates it, again if need be."""
        body = {"tenant_id": TENANT, **attributes}
        while self.state is None and not self._given_up:
            await self._change([("POST", f"/{self.plural}", body)], [attributes])

    async def update(self, **attributes: Any) -> None:
        await self.race(attributes)

    async def race(self, *updates: dict[str, Any]) -> None:
        """Several updates at once; any of them may be the last."""
        path = f"/{self.plural}/{self.key}"
        await self._change([("PUT", path, each) for each in updates], [{**(self.state or {}), **u} for u in updates])

    async def delete(self) -> None:
        """Deletes it, again if need be."""
        while self.state is not None and not self._given_up:
            await self._change([("DELETE", f"/{self.plural}/{self.key}", None)], [None])

    async def _change(self, requests: Sequence[tuple[str, str, Any]], after: list[dict[str, Any] | None]) -> None:
        answered = await asyncio.gather(*(self._send(*request) for request in requests))
        if len(requests) == 1 and answered[0]:
            self.state = after[0]
            return
        possible = after if all(answered) else [self.state, *after]
        found = await self._look()
        for state in possible:
            if _agree(state, found):
                self.state = state
                return
        self._problem(f"{self} is {found}, expected one of {possible}")

    def _problem(self, what: str) -> None:
        self._given_up = True
        self.load.problems.append(what)

    async def _send(self, method: str, path: str, body: Any) -> bool:
        """Whether the change was answered 2xx; False when its outcome is not known."""
        try:
            answer = await self._client.request(method, path, json=body)
        except httpx.TimeoutException as error:
            self._problem(f"{method} {path}: no answer: {error!r}")
            return False
        except httpx.TransportError as error:
            self.load.broken.append(f"{method} {path}: {error!r}")
            return False
        self.load.count()
        if not answer.is_success:
            self._problem(f"{method} {path} {body}: {answer.status_code} {answer.text}")
        return answer.is_success

    async def _look(self) -> dict[str, Any] | None:
        async with asyncio.timeout(RETURN_TIMEOUT):
            while True:
                try:
                    answer = await self._client.get(f"/{self.plural}/{self.key}")
                except httpx.TransportError:
                    await asyncio.sleep(0.2)
                    continue
                return dict(answer.json()) if answer.is_success else None


def _agree(state: dict[str, Any] | None, found: dict[str, Any] | None) -> bool:
    if state is None or found is None:
        return state is found
    return all(found[name] == value for name, value in state.items())


class PortOwner:
    """Owns one port, and puts it into VPNs."""

    def __init__(self, load: Load, client: httpx.AsyncClient, rng: random.Random) -> None:
        self._rng = rng
        self._vpns = load.vpns
        key = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        self._port = Owned(load, client, "ports", "Port", key)
        self._member = Owned(load, client, "vpnbindings", "VpnBinding", key)

    async def work(self) -> None:
        """Creates the port, changes it a few times, and sometimes deletes it."""
        await self._port.create(id=self._port.key, mac_address=MAC, name="new", **self._place())
        changes: list[Callable[[], Awaitable[None]]] = [self._bind, self._bind, self._race, self._rename, self._unbind]
        for _ in range(self._rng.randint(1, 2)):
            await self._rng.choice([*changes, self._join_or_leave])()
        if self._rng.random() < 0.4:
            await self._member.delete()
            await self._port.delete()

    def _place(self) -> dict[str, Any]:
        if self._rng.random() < 0.3:
            return {"host_id": None, "device_id": None}
        return {"host_id": self._rng.choice(HOSTS), "device_id": self._rng.choice(["vm-1", "vm-2"])}

    async def _bind(self) -> None:
        await self._port.update(host_id=self._rng.choice(HOSTS), device_id="vm-1")

    async def _race(self) -> None:
        first, second = self._rng.sample(HOSTS, 2)
        await self._port.race({"host_id": first, "device_id": "vm-1"}, {"host_id": second, "device_id": "vm-1"})

    async def _rename(self) -> None:
        await self._port.update(name=f"name-{self._rng.random()}")

    async def _unbind(self) -> None:
        await self._port.update(host_id=None, device_id=None)

    async def _join_or_leave(self) -> None:
        if self._member.state is None:
            await self._member.create(interface_id=self._port.key, service_id=self._rng.choice(self._vpns))
        else:
            await self._member.delete()


class VpnOwner:
    """Owns one VPN and its route target."""

    def __init__(self, load: Load, client: httpx.AsyncClient, rng: random.Random) -> None:
        self._rng = rng
        target = f"65000:{rng.getrandbits(31)}"
        self._config = Owned(load, client, "vpnafconfigs", "VpnAfConfig", target)
        self._vpn = Owned(load, client, "vpns", "VpnService", str(uuid.UUID(int=rng.getrandbits(128), version=4)))

    async def work(self) -> None:
        """Creates both, changes them a few times, and sometimes deletes them."""
        await self._config.create(vrf_rt_value=self._config.key, vrf_rt_type="both")
        await self._vpn.create(id=self._vpn.key, name="new", ipv4_family=self._config.key)
        await self._vpn.update(name="changed")
        await self._config.update(vrf_rt_type=self._rng.choice(["both", "import_extcommunity"]))
        if self._rng.random() < 0.4:
            await self._vpn.delete()
            await self._config.delete()
