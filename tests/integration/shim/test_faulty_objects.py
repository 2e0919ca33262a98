"""A backend that misbehaves for one object leaves the others alone, and the API hears what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from gluon.contract import keys
from gluon.testing.waiting import auntil

from .ground import TENANT, Ground, name, port

OTHERS = range(100, 200)
FAULTY = name("Port", 1)

REASONS = {
    "raise": "bind_port of backend faulty raised ValueError: cannot reach host-1",
    "exit": "SystemExit: 3",
    "nonsense": "bind_port of backend faulty returned {'vif': 'ovs'}, expected gluon.shim.backend.Binding",
    "hang": "bind_port has not returned for 0.4 s",
    "refuse": "no bridge on this host",
    "refuse carelessly": "KeyError: 'bridge \\udcff'",
    "later": "still booting",
}


async def failed(ground: Ground, reason: str) -> bool:
    answer = await ground.answer(FAULTY)
    return answer is not None and answer.vif_type == "binding_failed" and reason in answer.reason


@pytest.mark.asyncio
@pytest.mark.parametrize("backend", ["faulty", "plain"], ids=["coroutines", "threads"])
async def test_faults_of_a_bind_are_told_and_pass(ground: Ground, backend: str) -> None:
    """One port of each fault at once, with one worker: nothing is left to be lucky with."""
    shim = await ground.active(handlers=f"net-l3vpn:{backend}", workers=1)
    for number, fault in enumerate(REASONS, 1):
        await ground.want(name("Port", number), port(number, "host-1", name=fault))
    await ground.want_ports(OTHERS, "host-1")
    await auntil(lambda: ground.bound(OTHERS), "all others are bound")

    for number, (fault, reason) in enumerate(REASONS.items(), 1):
        key, expected = name("Port", number), reason.replace("backend faulty", f"backend {backend}")

        async def told(key: Any = key, expected: str = expected) -> bool:
            answer = await ground.answer(key)
            return answer is not None and answer.vif_type == "binding_failed" and expected in answer.reason

        await auntil(told, f"the answer of port {fault!r} says {expected!r}")
        if not fault.startswith("refuse"):
            failing = ground.status(shim)["protons"]["net-l3vpn"]["failing_objects"]
            assert f"net-l3vpn/Port/{key.key}" in failing
    ground.cured.touch()
    healed = [n for n, fault in enumerate(REASONS, 1) if not fault.startswith("refuse")]
    for number in healed:
        await auntil(lambda number=number: ground.bound(range(number, number + 1)), f"port {number} is bound")
    for number, fault in enumerate(REASONS, 1):
        if fault.startswith("refuse"):
            assert not await ground.bound(range(number, number + 1))
            await ground.want(name("Port", number), port(number, "host-1", name="changed"))
    await ground.convergence()
    assert ground.status(shim)["protons"]["net-l3vpn"]["failing_objects"] == {}
    assert shim.is_running


@pytest.mark.asyncio
@pytest.mark.parametrize("backend", ["faulty", "plain"], ids=["coroutines", "threads"])
async def test_many_calls_that_hang_again_and_again_hold_up_no_other(ground: Ground, backend: str) -> None:
    """More of them than workers, over several timeouts."""
    await ground.active(handlers=f"net-l3vpn:{backend}", workers=2, callback_timeout=0.6, report_after=0.2)
    hanging = range(1, 21)
    await ground.want_ports(hanging, "host-1", name="hang")
    for start in range(100, 160, 20):
        await ground.want_ports(range(start, start + 20), "host-1")
        await auntil(lambda start=start: ground.bound(range(start, start + 20)), "the others are bound")
        await auntil(lambda: ground.client.get(b"/controller/" + FAULTY.path), "the hang is reported")
    ground.cured.touch()
    await ground.convergence()


@pytest.mark.asyncio
async def test_a_service_that_fails_is_told_and_heals(ground: Ground) -> None:
    shim = await ground.active()
    key = name("VpnService", 1)
    await ground.want(key, {"id": key.key, "tenant_id": TENANT, "name": "raise"})

    async def told() -> bool:
        failure = (await ground.said(key)).failure
        return failure == "modify_service of backend faulty raised ValueError: broken"

    await auntil(told, "the status says what is wrong")
    ground.cured.touch()
    await ground.convergence()

    async def nothing_said() -> bool:
        return await ground.items(keys.status_prefix("SimServer")) == {}

    await auntil(nothing_said, "nothing is said any more")
    assert ground.status(shim)["protons"]["net-l3vpn"]["failing"] == 0


@pytest.mark.asyncio
async def test_a_delete_that_fails_is_never_given_up(ground: Ground) -> None:
    shim = await ground.active()
    key = name("VpnService", 1)
    await ground.want(key, {"id": key.key, "tenant_id": TENANT, "name": "raise"})
    await auntil(lambda: ground.client.get(keys.status("SimServer", key)), "the change fails")
    await ground.want(key, None)

    async def told() -> bool:
        failure = (await ground.said(key)).failure
        return failure == "delete_service of backend faulty raised ValueError: broken"

    await auntil(told, "the status says that the delete fails")
    shim.kill()
    shim.start()
    await ground.in_sync(shim)
    ground.cured.touch()
    await ground.convergence()
    assert ground.called()["delete_service", key.key] == 1
    assert await ground.answers() == {}


@pytest.mark.asyncio
async def test_a_refused_bind_is_not_tried_again_until_the_port_changes(ground: Ground) -> None:
    shim = await ground.active()
    await ground.want(FAULTY, port(1, "host-1", name="refuse"))
    await auntil(lambda: failed(ground, "no bridge"), "the bind is refused")
    refused = shim.log.count("refused: no bridge")
    shim.kill()
    shim.start()
    await ground.in_sync(shim)
    await ground.want_ports(OTHERS, "host-1")
    await auntil(lambda: ground.bound(OTHERS), "others are bound")
    assert shim.log.count("refused: no bridge") == refused == 1
    await ground.want(FAULTY, port(1, "host-1", name="well"))
    await ground.convergence()


@pytest.mark.asyncio
async def test_a_port_that_was_refused_can_be_unbound_and_deleted(ground: Ground) -> None:
    await ground.active()
    await ground.want(FAULTY, port(1, name="plain"))
    await ground.convergence()
    await ground.want(FAULTY, port(1, "host-1", name="refuse"))
    await auntil(lambda: failed(ground, "no bridge"), "the bind is refused")
    await ground.want(FAULTY, port(1, name="refuse"))
    await ground.convergence()
    await ground.want(FAULTY, None)
    await ground.convergence()
    assert await ground.answers() == {}
