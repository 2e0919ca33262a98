"""How far a shim is, as it says itself, and the memory that it needs."""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path
from typing import Any

import httpx

from benchmark import samples
from gluon.testing.process import ProcessFailed

POLL = 0.02
"""Shortest pause between two questions, in seconds."""
SHARE = 20
"""The pause is so many times what the last answer took: asking must not slow down what is measured."""
LONGEST = 0.5
"""Longest pause, in seconds."""
PATIENCE = 120.0
"""Longest wait for a shim to settle, in seconds."""


async def settled(health: str, applied: int | None = None, *, patience: float = PATIENCE) -> int:
    """Waits until a shim is in sync and has nothing left to do; returns how many objects are applied.

    Args:
        health: its health address; nothing has to answer there yet.
        applied: objects that it must have applied; None: all that it knows of.
        patience: longest wait, in seconds.

    Raises:
        ProcessFailed: not settled in time, or objects fail.
    """
    last: dict[str, Any] = {}
    try:
        async with asyncio.timeout(patience), httpx.AsyncClient(verify=False, trust_env=False, timeout=30) as client:
            while True:
                asked = time.monotonic()
                last = await _status(client, health)
                if last and last["queue"] == 0 and last["applied"] == (last["desired"] if applied is None else applied):
                    return int(last["applied"])
                await asyncio.sleep(min(max(POLL, SHARE * (time.monotonic() - asked)), LONGEST))
    except TimeoutError as error:
        wanted = "" if applied is None else f", {applied} expected"
        numbers = {name: value for name, value in last.items() if isinstance(value, int)}
        raise ProcessFailed(f"the shim did not settle within {patience:g} s{wanted}: {numbers}") from error


async def _status(client: httpx.AsyncClient, health: str) -> dict[str, Any]:
    """What it says of its one proton; empty until it is in sync."""
    try:
        answer = (await client.get(f"{health}/status")).json()
    except httpx.TransportError:
        return {}
    if not answer["in_sync"]:
        return {}
    found: dict[str, Any] = answer["protons"][samples.PROTON.name]
    return found


def peak_memory(pid: int) -> float:
    """The most memory that a process had so far, in MiB; NaN where the system does not say."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return math.nan
    for line in text.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return math.nan
