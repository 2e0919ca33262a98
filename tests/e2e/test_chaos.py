"""Disasters under many concurrent clients: whatever was answered holds, and all parties agree in the end.

GLUON_SEEDS=20 runs that many seeds for each disaster.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gluon.testing.process import ServerProcess
from gluon.testing.stack import LocalStack

from .agreement import wait_for_agreement
from .chaos import Load
from .disasters import DISASTERS, Scene
from .observing import api, create, manage, status
from .recording import Recording

pytestmark = pytest.mark.disaster

SEEDS = range(int(os.environ.get("GLUON_SEEDS", "1")))
OWNERS = 200 if "GLUON_SEEDS" in os.environ else 100
QUIET_TIMEOUT = 60.0

PROTON = {"api": {"bind_timeout": 3, "answer_grace": 3, "etcd_timeout": 2}}
SHIM: dict[str, Any] = {"leader_ttl": 2, "report_after": 2, "retry_max": 1, "etcd_timeout": 2}


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("what", DISASTERS)
async def test_all_agree_in_the_end_after(tmp_path: Path, recording: Recording, what: str, seed: int) -> None:
    disaster, rng = DISASTERS[what], random.Random(f"{what}/{seed}")
    options = recording.options(pause=0.01, **SHIM, **disaster.shim)
    stack = LocalStack(tmp_path, proton=PROTON, shim=options, environment=recording.environment)
    with stack, ExitStack() as running:
        with api(stack) as client:
            vpns = [create(client, "vpns", name=f"shared-{number}")["id"] for number in range(3)]
        load = Load(stack.url, vpns, OWNERS)
        scene = Scene(stack, recording, load, rng, options, [stack.shim], running)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(load.run(seed))
            tasks.create_task(disaster.happens(scene))  # type: ignore[arg-type]
        told = f"{what}, seed {seed}, {load.answers} answers, broken connections: {load.broken}"
        assert tracebacks([stack.proton, *scene.shims]) == [], told
        assert load.problems == [], told
        assert disaster.breaks_connections or load.broken == [], told
        owned = load.owned if disaster.keeps_what_was_answered else None
        shared = [f"VpnService/{vpn}" for vpn in vpns]
        operator = asyncio.create_task(_operate(scene))
        await asyncio.to_thread(
            wait_for_agreement, stack, recording, owned, shared, shims=scene.shims, timeout=QUIET_TIMEOUT
        )
        operator.cancel()
    violations = recording.account().violations
    assert not disaster.keeps_the_order or violations == [], f"{told}: {violations}"


async def _operate(scene: Scene) -> None:
    """An operator lets go what a brake holds back."""
    while True:
        await asyncio.sleep(0.5)
        if any("gluon-manage accept" in status(shim)["brake"] for shim in scene.shims):
            await asyncio.to_thread(manage, scene.stack, "accept")


def tracebacks(servers: Iterable[ServerProcess]) -> list[str]:
    """The first mistake that each server has logged."""
    return [server.log[server.log.index("Traceback") :][:4000] for server in servers if "Traceback" in server.log]
