"""What the shim missed, it makes up for; what was applied, it leaves alone; and it can be killed at any moment."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

import pytest

from gluon.contract.keys import ObjectKey
from gluon.testing.waiting import auntil

from .ground import TENANT, Ground, name, port

pytestmark = pytest.mark.disaster

SEEDS = range(int(os.environ.get("GLUON_SEEDS", "1")))


def interface(number: int, port_number: int, **attributes: Any) -> dict[str, Any]:
    key = name("Interface", number).key
    return {"id": key, "tenant_id": TENANT, "port_id": name("Port", port_number).key, **attributes}


def service(number: int, **attributes: Any) -> dict[str, Any]:
    return {"id": name("VpnService", number).key, "tenant_id": TENANT, **attributes}


def binding(number: int, vpn: int, **attributes: Any) -> dict[str, Any]:
    key, vpn_key = name("VpnBinding", number).key, name("VpnService", vpn).key
    return {"interface_id": key, "service_id": vpn_key, "tenant_id": TENANT, **attributes}


def target(number: int, **attributes: Any) -> dict[str, Any]:
    return {"vrf_rt_value": f"65000:{number}", "vrf_rt_type": "both", "tenant_id": TENANT, **attributes}


async def one_of_each(ground: Ground) -> None:
    await ground.want(name("VpnAfConfig", 1), target(1))
    await ground.want(name("VpnService", 1), service(1, ipv4_family="65000:1"))
    for number in range(1, 5):
        await ground.want(name("Port", number), port(number, "host-1"))
        await ground.want(name("Interface", number), interface(number, number))
        await ground.want(name("VpnBinding", number), binding(number, 1))


@pytest.mark.asyncio
async def test_a_restart_calls_the_backend_just_for_what_has_changed(ground: Ground) -> None:
    shim = await ground.active()
    await one_of_each(ground)
    await ground.convergence()
    called = ground.called()
    shim.kill()
    shim.start()
    await ground.in_sync(shim)
    await ground.convergence()
    assert ground.called() == called

    assert shim.stop(5) == 0
    await ground.want(name("Port", 1), port(1, "host-2"))
    await ground.want(name("VpnBinding", 2), None)
    await ground.want(name("VpnBinding", 3), binding(3, 1, ipaddress="10.0.0.3"))
    for object_type in ("VpnBinding", "Interface", "Port"):
        await ground.want(name(object_type, 4), None)
    shim.start()
    await ground.in_sync(shim)
    await ground.convergence()
    (p1, _), (_, b2), (_, b3) = ((name("Port", n).key, name("VpnBinding", n).key) for n in (1, 2, 3))
    b1, (p4, b4) = name("VpnBinding", 1).key, (name("Port", 4).key, name("VpnBinding", 4).key)
    assert dict(ground.called() - called) == {
        ("delete_service_binding", b1): 1,
        ("unbind_port", p1): 1,
        ("bind_port", p1): 1,
        ("modify_service_binding", b1): 1,
        ("delete_service_binding", b2): 1,
        ("modify_service_binding", b3): 1,
        ("delete_service_binding", b4): 1,
        ("unbind_port", p4): 1,
        ("delete_interface", b4): 1,
        ("delete_port", p4): 1,
    }


@pytest.mark.asyncio
async def test_a_wish_that_went_back_during_a_crash_is_made_sure_of(ground: Ground) -> None:
    """The backend heard of the change, the record did not: alone, the record would look right."""
    ground.environment["FAULTY_DELAY"] = "1.0"
    shim = await ground.active(callback_timeout=20, report_after=10)
    key = name("Port", 1)
    await ground.want(key, port(1, mtu=1000))
    await ground.convergence()
    lines = len(ground.journal())
    await ground.want(key, port(1, mtu=2000))
    await auntil(lambda: len(ground.journal()) > lines, "the backend has heard of the change")
    shim.kill()
    await ground.want(key, port(1, mtu=1000))
    shim.start()
    await ground.in_sync(shim)
    await ground.convergence()
    assert [line["attributes"]["mtu"] for line in ground.journal()] in ([1000, 2000, 1000], [1000, 2000, 2000, 1000])


class Load:
    """Random wishes for a small world, so that creates, binds, updates and deletes meet."""

    def __init__(self, ground: Ground, seed: int) -> None:
        self.ground = ground
        self.random = random.Random(seed)
        self.numbers = range(1, 21)

    async def writer(self, changes: int, first: int, step: int) -> None:
        """Changes the objects first, first + step, ...: an object has one writer, as in proton-server."""
        own = self.numbers[first::step]
        for _ in range(changes):
            key, attributes = self.change(self.random.choice(own))
            while True:
                try:
                    await self.ground.want(key, attributes)
                    break
                except Exception:  # noqa: BLE001 - etcd is away
                    await asyncio.sleep(0.05)
            await asyncio.sleep(self.random.uniform(0, 0.02))

    def change(self, number: int) -> tuple[ObjectKey, dict[str, Any] | None]:
        chance = self.random
        object_type = chance.choice(["Port", "Port", "Port", "Interface", "VpnBinding", "VpnBinding", "VpnService"])
        if chance.random() < 0.15:
            return name(object_type, number), None
        host = chance.choice([None, "host-1", "host-2"])
        attributes = {
            "Port": port(number, host, mtu=chance.choice([1400, 1500])),
            "Interface": interface(
                number,
                chance.choice([number, number, number % 20 + 1]),
                segmentation_type="vlan",
                segmentation_id=number + 1,
            ),
            "VpnBinding": binding(
                number, chance.choice(self.numbers), ipaddress=f"10.0.{number}.{chance.choice([1, 2])}"
            ),
            "VpnService": service(number, name=chance.choice("ab")),
        }
        return name(object_type, number), attributes[object_type]

    async def run(self, changes: int, writers: int = 10) -> None:
        await asyncio.gather(*(self.writer(changes // writers, first, writers) for first in range(writers)))


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", SEEDS)
async def test_killed_at_random_under_load_everything_agrees_in_the_end(ground: Ground, seed: int) -> None:
    ground.environment["FAULTY_DELAY"] = "0.02"
    chance = random.Random(seed)
    shim = await ground.active()
    load = Load(ground, seed)
    running = asyncio.create_task(load.run(600))
    for _ in range(2):
        await asyncio.sleep(chance.uniform(0.1, 0.8))
        shim.kill()
        shim.start()
        await ground.in_sync(shim)
    await running
    await ground.convergence()
    assert "Traceback" not in shim.log, shim.log[-3000:]

    for key in await ground.items(b"/proton/"):
        await ground.want(key, None)
    await ground.convergence()
    assert ground.account() == ({}, {})
    assert await ground.answers() == {}
