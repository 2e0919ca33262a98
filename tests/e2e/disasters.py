"""What befalls a stack under load in the chaos tests."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from gluon.testing.process import ServerProcess
from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

from .chaos import Load
from .observing import manage, status
from .recording import Recording

DOWN = (0.0, 1.5)
"""Seconds that something stays down, at random."""
FROZEN = (2.5, 4.0)
"""Seconds that a leader is frozen, at random: longer than its lease lasts."""


class Scene(NamedTuple):
    """Where it happens."""

    stack: LocalStack
    recording: Recording
    load: Load
    rng: random.Random
    options: dict[str, dict[str, object]]
    """Of the shims."""
    shims: list[ServerProcess]
    """All of them, at the end one leads."""
    running: ExitStack
    """Ends what was started beside the stack."""

    async def at_some_time(self) -> None:
        """Waits until the clients have had a number of answers, at random."""
        await self.load.reached(self.load.answers + self.rng.randint(20, self.load.owners))

    def pause(self, limits: tuple[float, float] = DOWN) -> None:
        """Some time goes by."""
        time.sleep(self.rng.uniform(*limits))


async def _killed(scene: Scene, server: ServerProcess) -> None:
    await scene.at_some_time()
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(scene.pause)
    server.start()
    await asyncio.to_thread(server.wait_ready)


async def shim_killed(scene: Scene) -> None:
    await _killed(scene, scene.stack.shim)


async def proton_killed(scene: Scene) -> None:
    await _killed(scene, scene.stack.proton)


async def etcd_killed(scene: Scene) -> None:
    await scene.at_some_time()
    await asyncio.to_thread(_lose_etcd, scene, lambda: None)


async def etcd_wiped(scene: Scene) -> None:
    await scene.at_some_time()
    await asyncio.to_thread(_lose_etcd, scene, scene.stack.etcd.wipe)


async def etcd_restored(scene: Scene) -> None:
    """It comes back as it was some time ago."""
    backup = scene.stack.directory / "backup"
    await scene.at_some_time()
    await asyncio.to_thread(scene.stack.etcd.backup, backup)
    await scene.at_some_time()
    await asyncio.to_thread(_lose_etcd, scene, lambda: scene.stack.etcd.restore(backup))


async def all_but_the_database_lost(scene: Scene) -> None:
    """etcd comes back as it was some time ago, and so nobody knows what the dead shim had done since."""
    backup = scene.stack.directory / "backup"
    await scene.at_some_time()
    await asyncio.to_thread(scene.stack.etcd.backup, backup)
    await scene.at_some_time()
    scene.stack.shim.kill()
    await asyncio.to_thread(_lose_etcd, scene, lambda: scene.stack.etcd.restore(backup))
    scene.stack.shim.start()
    await asyncio.to_thread(scene.stack.shim.wait_ready)


def _lose_etcd(scene: Scene, then: Callable[[], object]) -> None:
    scene.stack.etcd.kill()
    scene.pause()
    then()
    scene.stack.etcd.start()


async def leader_frozen(scene: Scene) -> None:
    """For longer than its lease lasts, twice, with another shim that takes over."""
    standby = scene.stack.shim_server("standby", scene.options)
    scene.running.callback(standby.stop)
    scene.shims.append(standby)
    standby.start()
    await asyncio.to_thread(standby.wait_ready)
    for _ in range(2):
        await scene.at_some_time()
        leader = await asyncio.to_thread(until, lambda: _leader(scene), "one leads")
        leader.freeze()
        await asyncio.to_thread(scene.pause, FROZEN)
        leader.thaw()


def _leader(scene: Scene) -> ServerProcess | None:
    return next((shim for shim in scene.shims if status(shim)["role"] == "active"), None)


async def controller_renamed(scene: Scene) -> None:
    """The shim dies, and one of another name drives the same SDN controller from then on."""
    await scene.at_some_time()
    scene.stack.shim.kill()
    await asyncio.to_thread(scene.pause)
    options = {**scene.options, "shim": {**scene.options["shim"], "controller": "renamed"}}
    renamed = scene.stack.shim_server("renamed", options)
    scene.running.callback(renamed.stop)
    scene.shims[:] = [renamed]
    renamed.start()
    await asyncio.to_thread(renamed.wait_ready)

    def released() -> bool:
        return manage(scene.stack, "release", "--controller", "SimServer").returncode == 0

    await asyncio.to_thread(until, released, "the old name is released, once its lease is over")
    await scene.at_some_time()
    done = await asyncio.to_thread(manage, scene.stack, "audit")
    assert done.returncode == 0, done.stdout + done.stderr


async def database_restored(scene: Scene) -> None:
    """It comes back as it was some time ago, and an operator has etcd follow it."""
    await scene.at_some_time()
    file, backup = scene.stack.directory / "gluon.db", scene.stack.directory / "backup.db"
    await asyncio.to_thread(_copy, file, backup)
    await scene.load.ended.wait()
    proton = scene.stack.proton
    proton.kill()
    await asyncio.to_thread(_put_back, backup, file)
    proton.start()
    await asyncio.to_thread(until, lambda: "the database is older than etcd" in proton.log, "the server says so")
    done = await asyncio.to_thread(manage, scene.stack, "resync", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    await asyncio.to_thread(proton.wait_ready)


def _copy(file: Path, backup: Path) -> None:
    """As an operator does, while the server runs."""
    source, target = sqlite3.connect(file), sqlite3.connect(backup)
    source.backup(target)
    target.close()
    source.close()


def _put_back(backup: Path, file: Path) -> None:
    for suffix in ("-wal", "-shm"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)
    shutil.copy(backup, file)


class Disaster(NamedTuple):
    """One kind of it, and what may be expected all the same."""

    happens: Callable[[Scene], Awaitable[None]]
    shim: dict[str, Any] = {}  # noqa: RUF012 - a namedtuple has no other way
    """Options of the shims."""
    breaks_connections: bool = False
    keeps_what_was_answered: bool = True
    keeps_the_order: bool = True
    """The SDN controller hears nothing that it should not.  Who wakes up late, or knows nothing, can't promise that."""


LISTED = {"handlers": "net-l3vpn:listed"}

DISASTERS = {
    "shim killed": Disaster(shim_killed),
    "proton killed": Disaster(proton_killed, breaks_connections=True),
    "etcd killed": Disaster(etcd_killed),
    "etcd wiped": Disaster(etcd_wiped),
    "etcd restored": Disaster(etcd_restored),
    "etcd restored, shim dead": Disaster(all_but_the_database_lost, shim=LISTED, keeps_the_order=False),
    "leader frozen": Disaster(leader_frozen, keeps_the_order=False),
    "controller renamed": Disaster(controller_renamed, shim={**LISTED, "one_sdn": True}, keeps_the_order=False),
    "database restored": Disaster(database_restored, breaks_connections=True, keeps_what_was_answered=False),
}
