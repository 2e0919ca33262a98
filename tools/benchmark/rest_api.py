"""Create and bind through the REST API, beside their floor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx

from benchmark import samples
from benchmark.bare_server import BareServer
from benchmark.load import Load, RequestFailed, drive
from benchmark.measured_shim import settled
from benchmark.processor import Processors, Used
from benchmark.report import Aim, Line, Section, latency_lines, rate_line
from gluon.testing.stack import LocalStack

REQUEST_TIMEOUT = 30.0
CREATED, OK = 201, 200
WARM_UP = 20
"""Ports that are made and bound before anything is measured."""

Work = Callable[[str], Awaitable[None]]


async def measure(
    stack: LocalStack, bare: BareServer, amounts: Mapping[int, int], say: Callable[[str], None]
) -> Sequence[Section]:
    """Creates ports, then binds each of them.

    Args:
        stack: three servers that run.
        bare: the floor.
        amounts: how many ports, by the number of clients.
        say: is told what goes on.
    """
    creates, binds = _Sections(), _Sections()
    processors = Processors.of(stack)
    already = await settled(stack.shim.health)
    async with api_clients(stack.url, max(amounts)) as clients:
        warm = samples.new_keys(WARM_UP)
        for make in (clients.create, clients.bind):
            await drive(warm, make(1))
        for work in (bare.create, bare.bind):
            await drive(warm, [work])
        already += 2 * WARM_UP
        for number, amount in amounts.items():
            keys = samples.new_keys(amount)
            say(f"create, {_clients(number)}")
            with processors.used() as creating:
                measured = await drive(keys, clients.create(number))
                # Shim and publisher have work left; it is not the floor's to wait for.
                already = await settled(stack.shim.health, already + 2 * len(measured.latencies))
            creates.add(measured, await drive(keys, [bare.create] * number))
            await bare.published()
            say(f"bind, {_clients(number)}")
            with processors.used() as binding:
                measured = await drive(keys, clients.bind(number))
            binds.add(measured, await drive(keys, [bare.bind] * number))
            creates.lines.append(creates.rate(f"create, {_clients(number)}", creating))
            binds.lines += _bind_lines(number, binds, binding)
    return creates.section("Create a port, POST to reply"), binds.section("Bind a port, PUT to reply")


class _Sections:
    """Collects the lines and failures of one kind of request."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.failures: list[str] = []
        self.measured = self.floor = Load()

    def add(self, measured: Load, floor: Load) -> None:
        self.measured, self.floor = measured, floor
        self.failures += measured.failures + floor.failures

    def rate(self, what: str, used: Used) -> Line:
        processor = used.each(len(self.measured.latencies))
        return rate_line(what, self.measured.rate, self.floor.rate, processor=processor)

    def section(self, title: str) -> Section:
        return Section(title, self.lines, self.failures)


def _bind_lines(number: int, binds: _Sections, used: Used) -> list[Line]:
    what = f"bind, {_clients(number)}"
    aim = Aim(most=3.0) if number == 1 else None
    return [
        *latency_lines(what, binds.measured, binds.floor, p50=aim),
        binds.rate(f"{what}, binds/s", used),
    ]


def _clients(number: int) -> str:
    return "1 client" if number == 1 else f"{number} clients"


class ApiClients:
    """Clients of the REST API, each with a connection of its own that stays open."""

    def __init__(self, connections: Sequence[httpx.AsyncClient]) -> None:
        self._connections = connections

    def create(self, number: int) -> Sequence[Work]:
        """The first `number` clients, to create ports."""
        return [_creating(connection) for connection in self._connections[:number]]

    def bind(self, number: int) -> Sequence[Work]:
        """The first `number` clients, to bind ports."""
        return [_binding(connection) for connection in self._connections[:number]]


@asynccontextmanager
async def api_clients(url: str, number: int) -> AsyncIterator[ApiClients]:
    """Opens so many clients."""
    async with AsyncExitStack() as stack:
        # One client for all would search its pool of 50 connections for each request.
        yield ApiClients(
            [
                await stack.enter_async_context(
                    httpx.AsyncClient(
                        base_url=f"{url}/proton/net-l3vpn/v1.0/", verify=False, trust_env=False, timeout=REQUEST_TIMEOUT
                    )
                )
                for _ in range(number)
            ]
        )


def _creating(connection: httpx.AsyncClient) -> Work:
    async def create(key: str) -> None:
        await _request(connection, "POST", "ports", samples.port_body(key), CREATED)

    return create


def _binding(connection: httpx.AsyncClient) -> Work:
    async def bind(key: str) -> None:
        port = await _request(connection, "PUT", f"ports/{key}", samples.bind_body(key), OK)
        if port.get("vif_type") != "ovs":
            raise RequestFailed(f"PUT ports: vif_type {port.get('vif_type')}: {port.get('status_reason')}")

    return bind


async def _request(
    connection: httpx.AsyncClient, method: str, path: str, body: Mapping[str, Any], expected: int
) -> dict[str, Any]:
    try:
        reply = await connection.request(method, path, json=body)
    except httpx.HTTPError as error:
        raise RequestFailed(f"{method} {path.partition('/')[0]}: {type(error).__name__} {error}") from error
    if reply.status_code != expected:
        raise RequestFailed(f"{method} {path.partition('/')[0]}: {reply.status_code} {reply.text[:200]}")
    answer: dict[str, Any] = reply.json()
    return answer
