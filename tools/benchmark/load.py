"""Clients that work side by side."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from gluon.testing.process import ProcessFailed

T = TypeVar("T")

PATIENCE = 120.0
"""Longest time for one load, in seconds."""


class RequestFailed(Exception):
    """One request did not do what was asked; the message says what came instead."""


@dataclass
class Load:
    """What came of one load."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """Seconds of each request that succeeded."""
    failures: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Requests that succeeded, per second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: float) -> float:
        """The latency, in seconds, that `percent` of the requests did not exceed; NaN when all failed."""
        ordered = sorted(self.latencies)
        if not ordered:
            return float("nan")
        return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)]


async def drive(items: Iterable[T], clients: Sequence[Callable[[T], Awaitable[None]]]) -> Load:
    """Has the clients take one item after the other until none is left.

    Args:
        items: what is worked on, each by one client.
        clients: each works on one item at a time; raises `RequestFailed` when it fails.

    Raises:
        ProcessFailed: not done within `PATIENCE`.
    """
    load, remaining = Load(), iter(items)

    async def work(client: Callable[[T], Awaitable[None]]) -> None:
        for item in remaining:
            began = time.perf_counter()
            try:
                await client(item)
            except RequestFailed as error:
                load.failures.append(str(error))
            else:
                load.latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
            for client in clients:
                tasks.create_task(work(client))
    except TimeoutError as error:
        done = len(load.latencies) + len(load.failures)
        raise ProcessFailed(f"requests are still open after {PATIENCE:g} s; {done} are done") from error
    load.seconds = time.perf_counter() - began
    return load
