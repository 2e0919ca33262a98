"""One callback: whatever a backend does ends in a Binding, in None, or in a CallFailed that says why."""

# ruff: noqa: ARG002 - callbacks take what the port promises

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gluon.schema.types import Base
from gluon.shim.backend import Backend, Binding, CallContext, Context, Held, Refused, RetryLater
from gluon.shim.calls.calling import BackendCalls, CallFailed
from gluon.shim.plan import Call, Callback
from gluon.shim.state import Model

from .samples import L3VPN, port, sample

BIND = Call(Callback.BIND_PORT, port())
DELETE = Call(Callback.DELETE_PORT, port())
BOUND = 10.0
FENCE = 7


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """What a hanging thread waits for; set at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


def calls(function: Callable[..., Any], timeout: float = 5.0) -> BackendCalls:
    """A backend whose every callback is `function(*arguments)`."""

    if asyncio.iscoroutinefunction(function):

        async def callback(_: Backend, *arguments: Any) -> Any:
            return await function(*arguments)
    else:

        def callback(_: Backend, *arguments: Any) -> Any:  # type: ignore[misc]
            return function(*arguments)

    members = dict.fromkeys(Callback, callback)
    vendor: type[Backend] = type("Vendor", (Backend,), {str(name): value for name, value in members.items()})
    return BackendCalls("acme", vendor(Context(controller="ours", proton=L3VPN, conf=None)), timeout)


async def make(function: Callable[..., Any], call: Call = BIND, limit: float = 5.0) -> Binding | None:
    async with asyncio.timeout(BOUND):
        return await calls(function, limit).make(call, Model(L3VPN), FENCE)


async def failure(function: Callable[..., Any], call: Call = BIND, limit: float = 5.0) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        await make(function, call, limit)
    return caught.value


def both(answer: Callable[[], Any]) -> list[Callable[..., Any]]:
    """The same behaviour, as a plain function and as a coroutine function."""

    def plain(*_: Any) -> Any:
        return answer()

    async def coroutine(*_: Any) -> Any:
        return answer()

    return [plain, coroutine]


def raising(error: BaseException) -> Callable[..., Any]:
    def answer(*_: Any) -> Any:
        raise error

    return answer


@pytest.mark.asyncio
async def test_a_binding_comes_back_from_either_kind_of_callback() -> None:
    for function in both(lambda: Binding("ovs", {"bridge": "b"})):
        assert await make(function) == Binding("ovs", {"bridge": "b"})
        assert await make(function, DELETE) is None


@pytest.mark.asyncio
async def test_a_plain_callback_that_returns_a_coroutine_is_awaited() -> None:
    async def later() -> Binding:
        return Binding("tap")

    assert await make(lambda *_: later()) == Binding("tap")


@pytest.mark.asyncio
async def test_modify_is_given_what_was_applied_before() -> None:
    seen: list[Any] = []
    await make(lambda *arguments: seen.append(arguments), Call(Callback.MODIFY_PORT, port(2), port()))
    [(obj, previous, model)] = seen
    assert (obj, previous, len(model)) == (port(2), port(), 0)


@pytest.mark.asyncio
async def test_refusing_and_putting_off() -> None:
    for function in both(raising(Refused("no such host"))):
        error = await failure(function)
        assert (error.reason, error.refused) == ("no such host", True)
    for function in both(raising(RetryLater("busy", 3))):
        error = await failure(function)
        assert (error.reason, error.refused, error.delay) == ("busy", False, 3.0)


class Careless(Refused):
    """A subclass that forgets its base."""

    def __init__(self) -> None:
        pass


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Refused(ValueError("full")), "ValueError: full"),  # type: ignore[arg-type]
        (Refused(""), "Refused"),
        (Careless(), "Careless"),
        (Refused("broken \udcff name"), "broken \\udcff name"),
        (Refused("x" * 5000), "x" * 997 + "..."),
    ],
)
async def test_a_careless_reason_is_made_fit_to_be_written(error: Refused, reason: str) -> None:
    failed = await failure(raising(error))
    assert failed.reason == reason
    assert failed.refused


@pytest.mark.asyncio
@pytest.mark.parametrize("delay", ["5", -1, float("nan"), float("inf"), None, [1]])
async def test_a_careless_delay_counts_as_none_given(delay: Any) -> None:
    assert (await failure(raising(RetryLater("busy", delay)))).delay is None


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("boom"), "ValueError: boom"),
        (KeyError("k"), "KeyError: 'k'"),
        (TimeoutError(), "TimeoutError"),
        (StopIteration(), "StopIteration"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (asyncio.CancelledError(), "CancelledError"),
        (ExceptionGroup("many", [ValueError()]), "ExceptionGroup: many"),
        (Unprintable(), "Unprintable: its message can't be shown"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("kind", [0, 1], ids=["plain", "coroutine"])
async def test_any_exception_is_told_and_ends_no_more_than_the_call(error: BaseException, told: str, kind: int) -> None:
    failed = await failure(both(raising(error))[kind])
    assert failed.reason.startswith("bind_port of backend acme raised ")
    assert told in failed.reason
    assert (failed.refused, failed.delay) == (False, None)


class Evil:
    def __repr__(self) -> str:
        raise ValueError("no")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, "returned None, expected gluon.shim.backend.Binding"),
        ({"vif_type": "ovs"}, "expected gluon.shim.backend.Binding"),
        (Evil(), "returned an unprintable Evil"),
        (Binding(""), "vif_type ''"),
        (Binding("x" * 65), "expected a name of 1..64 printable characters"),
        (Binding(5), "vif_type 5"),  # type: ignore[arg-type]
        (Binding("o\udcffs"), "expected a name of 1..64 printable characters"),
        (Binding("unbound"), "to refuse a port raise gluon.shim.backend.Refused"),
        (Binding("binding_failed"), "to refuse a port raise"),
        (Binding("ovs", [1]), "vif_details [1], expected a dict"),  # type: ignore[arg-type]
        (Binding("ovs", {"a": object()}), "vif_details that are not JSON"),  # type: ignore[dict-item]
        (Binding("ovs", {"a": "\udcff"}), "vif_details that are not JSON"),
        (Binding("ovs", {(1, 2): 3}), "vif_details that are not JSON"),  # type: ignore[dict-item]
        (Binding("ovs", {"a": "x" * 5000}), "expected at most 4095"),
    ],
)
async def test_nonsense_is_told(answer: Any, told: str) -> None:
    assert told in (await failure(lambda *_: answer)).reason


@pytest.mark.asyncio
async def test_endless_details_are_told() -> None:
    details: dict[str, Any] = {}
    details["self"] = details
    assert "not JSON" in (await failure(lambda *_: Binding("ovs", details))).reason


@pytest.mark.asyncio
async def test_details_are_as_they_come_back_from_etcd() -> None:
    """Else the answer would never be what the shim expects, and be written again and again."""
    key = uuid.UUID(int=1)
    given: dict[Any, Any] = {1: (2, 3), "key": key, "when": dt.date(2017, 1, 1), "nan": float("nan")}
    binding = await make(lambda *_: Binding("ovs", given))
    assert binding == Binding("ovs", {"1": [2, 3], "key": str(key), "when": "2017-01-01", "nan": None})
    given["later"] = 1
    assert "later" not in binding.vif_details


@pytest.mark.asyncio
async def test_a_coroutine_that_hangs_is_cancelled() -> None:
    ended: list[bool] = []

    async def hang(*_: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    failed = await failure(hang, limit=0.05)
    assert "did not return within 0.05 s and was cancelled" in failed.reason
    assert ended == [True]


@pytest.mark.asyncio
async def test_a_coroutine_from_a_plain_callback_is_bounded_as_well() -> None:
    failed = await failure(lambda *_: asyncio.sleep(1000), limit=0.05)
    assert "did not return within 0.05 s" in failed.reason


@pytest.mark.asyncio
async def test_a_timeout_of_the_backends_own_is_its_error() -> None:
    async def own(*_: Any) -> None:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()

    assert "raised TimeoutError" in (await failure(own)).reason


@pytest.mark.asyncio
async def test_a_cancelled_call_stays_cancelled_even_if_the_backend_swallows_it() -> None:
    entered = asyncio.Event()

    async def swallow(*_: Any) -> Binding:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Binding("ovs")
        raise AssertionError

    task = asyncio.create_task(make(swallow))
    await asyncio.wait_for(entered.wait(), BOUND)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.asyncio
async def test_a_thread_that_hangs_is_waited_for_and_holds_up_no_other(released: threading.Event) -> None:
    backend = calls(lambda obj, *_: released.wait(BOUND) if obj.id == port(1).id else None, timeout=0.05)
    hanging = asyncio.create_task(backend.make(DELETE, Model(L3VPN), FENCE))
    async with asyncio.timeout(BOUND):
        for number in range(2, 50):
            await backend.make(Call(Callback.DELETE_PORT, port(number)), Model(L3VPN), FENCE)
    assert not hanging.done()
    released.set()
    async with asyncio.timeout(BOUND):
        await hanging


@pytest.mark.asyncio
async def test_a_thread_left_by_an_earlier_term_is_not_joined_by_a_second_call(released: threading.Event) -> None:
    running: list[int] = []
    entered = threading.Event()

    def slow(*_: Any) -> None:
        running.append(1)
        entered.set()
        released.wait(BOUND)
        running.pop()

    backend = calls(slow)
    left = asyncio.create_task(backend.make(DELETE, Model(L3VPN), FENCE))
    assert await asyncio.to_thread(entered.wait, BOUND)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    with pytest.raises(CallFailed, match=r"an earlier call for .* has not returned yet"):
        await backend.make(DELETE, Model(L3VPN), FENCE)
    assert running == [1]
    released.set()
    async with asyncio.timeout(BOUND):
        while True:
            try:
                await backend.make(DELETE, Model(L3VPN), FENCE)
                break
            except CallFailed:
                await asyncio.sleep(0.001)


@pytest.mark.asyncio
async def test_sys_exit_in_a_thread_is_an_error_like_any_other() -> None:
    assert "SystemExit: 7" in (await failure(lambda *_: sys.exit(7))).reason


# -- cancelled while a callback is under way -----------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "error", [Refused("no"), RetryLater("busy"), ConnectionError("reset")], ids=lambda e: type(e).__name__
)
async def test_a_cancelled_call_stays_cancelled_even_if_its_cleaning_up_fails(error: Exception) -> None:
    """Else whoever cancelled it would be told of a failure, and the task would stay half cancelled."""
    entered = asyncio.Event()

    async def clean_up(*_: Any) -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise error from None

    task = asyncio.create_task(make(clean_up))
    await asyncio.wait_for(entered.wait(), BOUND)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# -- what a callback is told of its call -----------------------------------------------------------------


class Fenced(Backend):
    """Asks for the CallContext in each way that there is."""

    def __init__(self) -> None:
        super().__init__(Context(controller="ours", proton=L3VPN, conf=None))
        self.seen: list[Any] = []

    async def bind_port(self, port: Any, model: Any, call: CallContext) -> Binding:
        self.seen.append(call)
        return Binding("ovs")

    def modify_port(self, port: Any, previous: Any, model: Any, *, call: CallContext | None = None) -> None:
        self.seen.append(call)

    async def delete_port(self, port: Any, model: Any) -> None:
        self.seen.append("did not ask")


@pytest.mark.asyncio
async def test_a_callback_that_asks_for_it_is_told_the_fence() -> None:
    backend = Fenced()
    fenced = BackendCalls("acme", backend, 5.0)
    async with asyncio.timeout(BOUND):
        for call in (BIND, Call(Callback.MODIFY_PORT, port()), DELETE):
            await fenced.make(call, Model(L3VPN), FENCE)
    assert backend.seen == [CallContext(FENCE), CallContext(FENCE), "did not ask"]


def test_what_a_backend_writes_is_expected_in_its_inventory() -> None:
    fenced = BackendCalls("acme", Fenced(), 5.0)
    assert [base for base in Base if fenced.expects(base)] == [Base.PORT, Base.PORT_BINDING]
    assert fenced.writes(Callback.DELETE_PORT)
    assert not fenced.writes(Callback.DELETE_SERVICE)


def test_a_coroutine_can_be_cancelled_and_a_thread_not() -> None:
    fenced = BackendCalls("acme", Fenced(), 5.0)
    assert fenced.cancels(Callback.BIND_PORT)
    assert not fenced.cancels(Callback.MODIFY_PORT)


# -- questions -------------------------------------------------------------------------------------------


def asked(**methods: Callable[..., Any]) -> BackendCalls:
    """A backend with these methods beside `bind_port`."""
    members = {"bind_port": lambda *_: Binding("ovs"), **methods}
    vendor: type[Backend] = type("Vendor", (Backend,), members)
    return BackendCalls("acme", vendor(Context(controller="ours", proton=L3VPN, conf=None)), 5.0)


@pytest.mark.asyncio
async def test_an_inventory_comes_back_from_either_kind_of_method() -> None:
    listed = [Held("Port", "p", "f", {"host_id": "host-1"}), ("VpnService", "s"), ["VpnService", "t", None]]
    for function in both(lambda: iter(listed)):
        assert await asked(inventory=function).inventory() == [
            Held("Port", "p", "f", {"host_id": "host-1"}),
            Held("VpnService", "s"),
            Held("VpnService", "t"),
        ]


@pytest.mark.asyncio
async def test_a_backend_without_an_inventory_has_none() -> None:
    assert await asked().inventory() is None


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (7, "inventory of backend acme returned 7"),
        ([7], "inventory of backend acme returned"),
        ([()], "inventory of backend acme returned"),
        ([("Port", 7)], "is no (type, key, fingerprint, attributes)"),
        ([("Port", "p", 7)], "is no (type, key, fingerprint, attributes)"),
        ([("Port", "p", None, None)], "is no (type, key, fingerprint, attributes)"),
        ([("Port", "p", None, {}, "more")], "inventory of backend acme returned"),
        ("text", "inventory of backend acme returned"),
    ],
)
async def test_a_careless_inventory_is_told(answer: Any, told: str) -> None:
    with pytest.raises(CallFailed) as caught:
        await asked(inventory=lambda _: answer).inventory()
    assert told in caught.value.reason


@pytest.mark.asyncio
async def test_an_inventory_that_fails_half_way_is_told() -> None:
    def half(_: Backend) -> Iterator[Held]:
        yield Held("Port", "p")
        raise ConnectionError("reset")

    with pytest.raises(CallFailed, match="reset"):
        await asked(inventory=half).inventory()


@pytest.mark.asyncio
async def test_a_generator_lists_in_its_thread_where_it_may_block() -> None:
    threads: list[threading.Thread] = []

    def listing(_: Backend) -> Iterator[Held]:
        threads.append(threading.current_thread())
        yield Held("Port", "p")

    assert await asked(inventory=listing).inventory() == [Held("Port", "p")]
    assert threads != [threading.current_thread()]


@pytest.mark.asyncio
async def test_an_inventory_that_can_not_be_taken_now_is_told() -> None:
    for function in both(raising(RetryLater("busy", 3))):
        with pytest.raises(CallFailed, match="busy") as caught:
            await asked(inventory=function).inventory()
        assert caught.value.delay == 3.0


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, None),
        (True, None),
        ("", None),
        ("connection refused", "connection refused"),
        ("broken \udcff name", "broken \\udcff name"),
        (False, "the SDN controller can't be reached"),
    ],
)
async def test_health_is_a_reason_or_none(answer: Any, told: str | None) -> None:
    for function in both(lambda: answer):
        assert await asked(health=function).health() == told


@pytest.mark.asyncio
async def test_a_health_that_raises_is_a_reason() -> None:
    for function in both(raising(ConnectionError("refused"))):
        assert await asked(health=function).health() == "health of backend acme raised ConnectionError: refused"
    assert await asked().health() is None


@pytest.mark.asyncio
async def test_a_health_that_hangs_in_its_thread_is_not_asked_again(released: threading.Event) -> None:
    entered = threading.Event()
    asked_for: list[int] = []

    def hang(_: Backend) -> None:
        asked_for.append(1)
        entered.set()
        released.wait(BOUND)

    backend = asked(health=hang)
    first = asyncio.create_task(backend.health())
    assert await asyncio.to_thread(entered.wait, BOUND)
    assert await backend.health() == "health of backend acme has not returned yet"
    assert asked_for == [1]
    released.set()
    async with asyncio.timeout(BOUND):
        assert await first is None
        assert await backend.health() is None


def test_a_fingerprint_that_raises_is_none(caplog: pytest.LogCaptureFixture) -> None:
    obj, model = sample("VpnService", 1), Model(L3VPN)
    assert asked().fingerprint(obj, model) == model.fingerprint(obj)
    assert asked(fingerprint=lambda *_: "own").fingerprint(obj, model) == "own"
    assert asked(fingerprint=raising(KeyError("x"))).fingerprint(obj, model) is None
    assert "only its presence is compared" in caplog.text
