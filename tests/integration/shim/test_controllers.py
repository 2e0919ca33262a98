"""Several shims on one etcd: rivals for the same hosts, and active and standby."""

from __future__ import annotations

from typing import Any

import pytest

from gluon.contract import keys
from gluon.testing.waiting import auntil

from .ground import Ground, name, port

PORTS = range(1, 51)


def held(status: dict[str, Any]) -> dict[str, str]:
    return {k: v for k, v in status["protons"]["net-l3vpn"]["held_objects"].items() if v.startswith("is in use by")}


@pytest.mark.asyncio
async def test_of_two_controllers_exactly_one_binds_each_port(ground: Ground) -> None:
    shims = {label: await ground.active(label, controller=label) for label in ("one", "two")}
    await ground.want_ports(PORTS, "host-1")
    await auntil(lambda: ground.bound(PORTS), "all ports are bound")
    winners = {key.key: answer.controller for key, answer in (await ground.answers()).items() if answer}
    binds = [(line["key"], line["controller"]) for line in ground.journal() if line["callback"] == "bind_port"]
    assert sorted(binds) == sorted(winners.items())
    for label, other in (("one", "two"), ("two", "one")):
        lost = {f"net-l3vpn/Port/{key}": f"is in use by controller {other}" for key in winners if winners[key] == other}
        await auntil(lambda label=label, lost=lost: held(ground.status(shims[label])) == lost, f"{label} shows InUse")

    # The winner goes for good; what it held is released by an operator who deletes its answers.
    loser = "one" if winners[name("Port", 1).key] == "two" else "two"
    await ground.want(name("Port", 1), port(1))
    await auntil(lambda: ground.called()["unbind_port", name("Port", 1).key], "the winner unbinds")
    shims[winners[name("Port", 1).key]].freeze()
    await ground.want(name("Port", 1), port(1, "host-1", name="again"))
    await auntil(lambda: ground.bound(PORTS), "the port is bound again")
    answer = await ground.answer(name("Port", 1))
    assert answer is not None
    assert answer.controller == loser


@pytest.mark.asyncio
async def test_a_port_moves_between_the_hosts_of_two_controllers(ground: Ground) -> None:
    await ground.active("one", controller="one", host_list="host-1")
    await ground.active("two", controller="two", host_list="host-2")
    await ground.want_ports(PORTS, "host-1")
    await auntil(lambda: ground.bound(PORTS), "all ports are bound")
    await ground.want_ports(PORTS, "host-2")

    async def moved() -> bool:
        answers = (await ground.answers()).values()
        return all(a is not None and (a.controller, a.vif_type) == ("two", "ovs") for a in answers)

    await auntil(moved, "all ports have moved")

    async def nothing_left() -> bool:
        return await ground.records("one") == {}

    await auntil(nothing_left, "the first controller has deleted them")
    for number in PORTS:
        lines = [
            (line["callback"], line["controller"])
            for line in ground.journal()
            if line["key"] == name("Port", number).key
        ]
        steps = [step for step in lines if step != ("modify_port", "two")]
        assert steps[:2] == [("bind_port", "one"), ("unbind_port", "one")]
        assert sorted(steps[2:]) == [("bind_port", "two"), ("delete_port", "one")]


@pytest.mark.asyncio
async def test_the_standby_takes_over_and_calls_nothing_for_what_was_applied(ground: Ground) -> None:
    first = await ground.active("first")
    second = ground.shim("second")
    await auntil(lambda: ground.status(second).get("role") == "standby", "the second stands by")
    await ground.want_ports(PORTS, "host-1")
    await ground.convergence()
    called = ground.called()
    first.kill()
    changed, gone, new = name("Port", 1), name("Port", 2), name("Port", 99)
    await ground.want(changed, port(1, "host-1", mtu=9000))
    await ground.want(gone, None)
    await ground.want(new, port(99, "host-1"))
    await ground.in_sync(second)
    await ground.convergence()
    since = ground.called() - called
    assert dict(since) == {
        ("modify_port", changed.key): 1,
        ("unbind_port", gone.key): 1,
        ("delete_port", gone.key): 1,
        ("bind_port", new.key): 1,
    }


@pytest.mark.asyncio
async def test_a_frozen_shim_that_thaws_steps_down_and_writes_nothing(ground: Ground) -> None:
    first = await ground.active("first")
    second = ground.shim("second")
    await ground.want_ports(PORTS, "host-1")
    await ground.convergence()
    first.freeze()
    await ground.in_sync(second)
    await ground.want_ports(PORTS, "host-2")
    await ground.convergence()
    before = await ground.items(keys.CONTROLLER)
    first.thaw()
    await auntil(lambda: ground.status(first).get("role") == "standby", "the first steps down")
    await ground.want_ports(range(51, 61), "host-1")
    await ground.convergence()
    after = await ground.items(keys.CONTROLLER)
    assert {path: after[path] for path in before} == before
    for number in PORTS:
        calls = [line["callback"] for line in ground.journal() if line["key"] == name("Port", number).key]
        assert calls == ["bind_port", "unbind_port", "bind_port"]
    assert first.is_running


@pytest.mark.asyncio
async def test_a_shim_that_stops_hands_over_at_once(ground: Ground) -> None:
    first = await ground.active("first", leader_ttl=60)
    second = ground.shim("second", leader_ttl=60)
    await auntil(lambda: ground.status(second).get("role") == "standby", "the second stands by")
    assert first.stop(5) == 0
    await ground.in_sync(second)
