"""`kill -9` at a random moment under 200 concurrent clients: whatever was answered holds, and all parties agree.

GLUON_SEEDS=20 runs that many seeds for each victim.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from gluon.testing.stack import LocalStack

from .agreement import wait_for_agreement
from .chaos import Load
from .observing import api, create
from .recording import Recording

SEEDS = range(int(os.environ.get("GLUON_SEEDS", "1")))
ANSWERS = (20, 400)
"""The victim is killed after so many answers, at random."""
DOWN = (0.0, 1.5)
"""Seconds that it stays down, at random."""
QUIET_TIMEOUT = 45.0

PROTON = {"api": {"bind_timeout": 3}}
SHIM: dict[str, Any] = {"leader_ttl": 2, "report_after": 2, "retry_max": 1}


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("victim", ["shim", "proton", "etcd"])
async def test_all_agree_after_a_kill_under_load(tmp_path: Path, recording: Recording, victim: str, seed: int) -> None:
    rng = random.Random(f"{victim}/{seed}")
    options = recording.options(pause=0.01, **SHIM)
    with LocalStack(tmp_path, proton=PROTON, shim=options, environment=recording.environment) as stack:
        with api(stack) as client:
            vpns = [create(client, "vpns", name=f"shared-{number}")["id"] for number in range(3)]
        load = Load(stack.url, vpns)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(load.run(seed))
            await load.reached(rng.randint(*ANSWERS))
            await asyncio.to_thread(_kill_and_restart, stack, victim, rng.uniform(*DOWN))
        shared = [f"VpnService/{vpn}" for vpn in vpns]
        told = f"victim {victim}, seed {seed}, {load.answers} answers, broken connections: {load.broken}"
        assert load.problems == [], told
        assert victim == "proton" or load.broken == [], told
        await asyncio.to_thread(wait_for_agreement, stack, recording, load.owned, shared, timeout=QUIET_TIMEOUT)
    assert recording.account().violations == [], told


def _kill_and_restart(stack: LocalStack, victim: str, down: float) -> None:
    if victim == "etcd":
        stack.etcd.kill()
        time.sleep(down)
        stack.etcd.start()
        return
    server = {"shim": stack.shim, "proton": stack.proton}[victim]
    server.kill()
    time.sleep(down)
    server.start()
    server.wait_ready()
