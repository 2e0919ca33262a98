"""etcd dies, comes back, or is replaced by an empty one."""

from __future__ import annotations

import asyncio
import random

import pytest

from gluon.etcd import ClusterReplaced
from gluon.testing.waiting import auntil

from .ground import Ground, name, port
from .test_restart import SEEDS, Load, one_of_each


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", SEEDS)
async def test_etcd_killed_under_load_loses_nothing(ground: Ground, seed: int) -> None:
    chance = random.Random(seed)
    shim = await ground.active()
    load = Load(ground, seed)
    running = asyncio.create_task(load.run(400))
    for how in (ground.etcd.kill, ground.etcd.stop):
        await asyncio.sleep(chance.uniform(0.1, 0.6))
        await asyncio.to_thread(how)
        await asyncio.sleep(chance.uniform(0.0, 0.5))
        await asyncio.to_thread(ground.etcd.start)
    await running
    await ground.in_sync(shim)
    await ground.convergence()
    assert shim.is_running
    assert "Traceback" not in shim.log, shim.log[-3000:]


@pytest.mark.asyncio
async def test_an_etcd_that_lost_everything_deletes_nothing_at_the_backend(ground: Ground) -> None:
    shim = await ground.active()
    await one_of_each(ground)
    await ground.convergence()
    ground.etcd.kill()
    ground.etcd.wipe()
    await asyncio.to_thread(ground.etcd.start)

    async def leads_again() -> bool:
        try:
            return await ground.client.get(b"/shim/SimServer/leader") is not None
        except ClusterReplaced:
            ground.client.forget_history()
            return False

    await auntil(leads_again, "a new term begins")
    await ground.in_sync(shim)
    calls = [line["callback"] for line in ground.journal()]
    assert not [callback for callback in calls if callback.startswith(("delete_", "unbind_"))]

    await one_of_each(ground)
    await ground.convergence()
    assert not [line for line in ground.journal() if line["callback"].startswith(("delete_", "unbind_"))]
    await ground.want(name("Port", 5), port(5, "host-1"))
    await ground.convergence()


@pytest.mark.asyncio
async def test_a_shim_that_starts_before_etcd_waits_for_it(ground: Ground) -> None:
    ground.etcd.stop()
    shim = ground.shim()
    await auntil(lambda: ground.status(shim), "the shim answers")
    await asyncio.to_thread(ground.etcd.start)
    await ground.in_sync(shim)
    await ground.want(name("Port", 1), port(1, "host-1"))
    await ground.convergence()
