"""A coroutine that keeps the event loop to itself is named."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from gluon.contract import keys
from gluon.shim.backend import Backend, Binding, Context
from gluon.shim.calls import blocking
from gluon.shim.calls.blocking import Observed
from gluon.shim.calls.calling import BackendCalls, CallFailed
from gluon.shim.plan import Call, Callback
from gluon.shim.state import Model
from gluon.shim.watchers import KEPT, Blocking

from .samples import L3VPN, port

BIND = Call(Callback.BIND_PORT, port(), record=keys.binding(port().id, "host-1"))
DELETE = Call(Callback.DELETE_PORT, port(2))


class Clock:
    """Stands still until a coroutine blocks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(blocking, "time", self)

    def monotonic(self) -> float:
        return self.now

    def block(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Steps:
    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.begun = 0

    def begins(self) -> None:
        self.begun += 1

    def ends(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.mark.asyncio
async def test_each_step_of_a_coroutine_is_timed_and_waiting_is_not(clock: Clock) -> None:
    async def work() -> str:
        clock.block(1)
        await asyncio.sleep(0)
        clock.block(2)
        await asyncio.sleep(0)
        return "done"

    steps = Steps()
    assert await Observed(work(), steps) == "done"
    assert (steps.seconds, steps.begun) == ([1, 2, 0], 3)


@pytest.mark.asyncio
async def test_what_the_coroutine_waits_for_reaches_it() -> None:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, "found")

    async def work() -> Any:
        return await future

    assert await Observed(work(), Steps()) == "found"
    failed = asyncio.get_running_loop().create_future()
    failed.set_exception(ValueError("broken"))

    async def catch() -> str:
        try:
            await failed
        except ValueError as error:
            return str(error)
        raise AssertionError

    assert await Observed(catch(), Steps()) == "broken"


@pytest.mark.asyncio
async def test_an_error_of_the_coroutine_ends_its_step(clock: Clock) -> None:
    async def work() -> None:
        clock.block(3)
        raise ValueError("broken")

    steps = Steps()
    with pytest.raises(ValueError, match="broken"):
        await Observed(work(), steps)
    assert steps.seconds == [3]


@pytest.mark.asyncio
async def test_a_cancellation_reaches_the_coroutine() -> None:
    ended: list[str] = []
    entered = asyncio.Event()

    async def work() -> None:
        try:
            entered.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def observed() -> None:
        await Observed(work(), Steps())

    task = asyncio.create_task(observed())
    await entered.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert ended == ["cancelled"]


def test_a_coroutine_that_is_dropped_is_closed() -> None:
    ended: list[str] = []

    class Pause:
        def __await__(self) -> Any:
            yield

    async def work() -> None:
        try:
            await Pause()
        finally:
            ended.append("closed")

    steps = Observed(work(), Steps()).__await__()
    next(steps)
    steps.close()
    assert ended == ["closed"]


# -- the callbacks of a backend --------------------------------------------------------------------------------


def calls(callback: Callable[[BackendCalls], None], stepped: Any = None) -> BackendCalls:
    """A backend whose `bind_port` does this, on the event loop, between two turns of it."""

    class Vendor(Backend):
        async def bind_port(self, port: Any, model: Any) -> Binding:  # noqa: ARG002 - the port's
            await asyncio.sleep(0)
            callback(made)
            await asyncio.sleep(0)
            return Binding("ovs")

        def delete_port(self, port: Any, model: Any) -> None:  # noqa: ARG002 - the port's
            callback(made)

    made = BackendCalls("acme", Vendor(Context(controller="ours", proton=L3VPN, conf=None)), 5.0, stepped)
    return made


@pytest.mark.asyncio
async def test_the_call_that_has_the_event_loop_is_known(clock: Clock) -> None:
    seen: list[Any] = []
    stepped: list[tuple[Call, float]] = []

    def block(made: BackendCalls) -> None:
        seen.append(made.running)
        clock.block(2)

    backend = calls(block, lambda call, seconds: stepped.append((call, seconds)))
    await backend.make(BIND, Model(L3VPN), 1)
    assert seen == [BIND]
    assert backend.running is None
    assert stepped == [(BIND, 0), (BIND, 2), (BIND, 0)]


@pytest.mark.asyncio
async def test_a_thread_does_not_have_the_event_loop() -> None:
    seen: list[Any] = []
    backend = calls(lambda made: seen.append(made.running))
    async with asyncio.timeout(10):
        await backend.make(DELETE, Model(L3VPN), 1)
    assert seen == [None]


@pytest.mark.asyncio
async def test_a_call_that_failed_does_not_have_the_event_loop() -> None:
    def fail(_: BackendCalls) -> None:
        raise ValueError("broken")

    backend = calls(fail)
    with pytest.raises(CallFailed):
        await backend.make(BIND, Model(L3VPN), 1)
    assert backend.running is None


# -- who is named ----------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_the_callback_that_blocks_is_named(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    watched: list[Blocking] = []
    backend = calls(lambda _: watched[0].stalled(1.5, over=False))
    watched.append(Blocking({L3VPN.name: backend}))
    await backend.make(BIND, Model(L3VPN), 1)
    watched[0].stalled(4.25, over=True)
    culprit = f"{BIND} of backend acme"
    assert watched[0].blocked == {culprit: 4.2}
    assert caplog.messages == [
        f"{culprit} has blocked the event loop for 1.5 s; an `async def` must not block, make it a plain `def`",
        f"the event loop turns again, after 4.2 s; it was blocked by {culprit}",
    ]


def test_what_is_no_callback_is_not_blamed_on_one(caplog: pytest.LogCaptureFixture) -> None:
    backend = calls(lambda _: None)
    watched = Blocking({L3VPN.name: backend})
    watched.stalled(1.5, over=False)
    watched.stalled(2.0, over=True)
    assert watched.blocked == {"no callback": 2.0}
    backend.running = BIND
    watched.stalled(1.5, over=False)
    backend.running = None
    watched.stalled(2.0, over=True)
    watched.stalled(3.0, over=True)
    assert watched.blocked == {f"{BIND} of backend acme": 2.0, "no callback": 3.0}
    assert "no callback is to blame" in caplog.text


def test_the_latest_are_kept() -> None:
    backend = calls(lambda _: None)
    watched = Blocking({L3VPN.name: backend})
    for number in range(KEPT + 5):
        backend.running = Call(Callback.DELETE_PORT, port(number))
        watched.stalled(1.0, over=False)
        watched.stalled(float(number), over=True)
    assert list(watched.blocked.values()) == [float(number) for number in range(5, KEPT + 5)]
