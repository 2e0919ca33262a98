"""When a call is tried again, and when it is overdue: on a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from gluon.contract import keys
from gluon.shim.plan import Call, Callback
from gluon.shim.reconcile.attempts import Attempts

from .samples import port


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time stands still until it is moved."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds
        self.run_until_complete(asyncio.sleep(0))


CALL = Call(Callback.MODIFY_PORT, port())
KEY = CALL.object.id


@pytest.fixture
def clock() -> Iterator[Clock]:
    loop = Clock()
    asyncio.set_event_loop(loop)
    yield loop
    asyncio.set_event_loop(None)
    loop.close()


class Trial:
    """Attempts on the clock, and what was reported."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.reported: list[Call] = []
        self.attempts = Attempts(0.25, 60.0, 5.0, self.reported.append)

    def run(self, method: str, *arguments: object, **more: object) -> object:
        async def call() -> object:
            return getattr(self.attempts, method)(*arguments, **more)

        return self.clock.run_until_complete(call())

    def fail(self, call: Call = CALL, delay: float | None = None, *, refused: bool = False) -> float | None:
        self.run("begin", call)
        result = self.run("failed", call, "broken", delay=delay, refused=refused)
        assert result is None or isinstance(result, float)
        return result


@pytest.fixture
def trial(clock: Clock) -> Trial:
    return Trial(clock)


def test_pauses_double_with_jitter_up_to_the_longest(trial: Trial) -> None:
    longest = 0.25
    for _ in range(40):
        pause = trial.fail()
        assert pause is not None
        assert longest / 2 <= pause <= longest
        assert trial.run("pause", CALL) == pytest.approx(pause)
        trial.clock.move(pause)
        assert trial.run("pause", CALL) == 0.0
        longest = min(60.0, longest * 2)


def test_a_backend_that_names_a_pause_gets_it_but_no_busy_loop(trial: Trial) -> None:
    assert trial.fail(delay=7.0) == 7.0
    assert trial.fail(delay=0.0) == 0.25


def test_a_refused_call_waits_for_a_change_of_the_object(trial: Trial) -> None:
    assert trial.fail(refused=True) is None
    trial.clock.move(100_000)
    assert trial.run("pause", CALL) is None
    changed = replace(CALL, object=port(revision=2))
    assert trial.run("pause", changed) == 0.0


@pytest.mark.parametrize(
    "other",
    [
        Call(Callback.DELETE_PORT, port()),
        Call(Callback.MODIFY_PORT, port(revision=2)),
        Call(Callback.MODIFY_PORT, port(name="new")),
        Call(Callback.MODIFY_PORT, port(), None, {"VpnAfConfig/65000:1": "new"}),
        Call(Callback.MODIFY_PORT, port(), token="again"),
    ],
    ids=["another callback", "a new revision", "a changed object", "a changed list item", "asked for again"],
)
def test_another_call_forgets_count_pause_and_refusal(trial: Trial, other: Call) -> None:
    trial.fail(delay=50.0)
    assert trial.run("pause", other) == 0.0
    assert trial.run("reason", other) == ""
    pause = trial.fail(other)
    assert pause is not None
    assert pause <= 0.25


def test_a_call_is_overdue_once_however_often_it_is_tried(trial: Trial) -> None:
    trial.run("begin", CALL)
    trial.clock.move(4.9)
    assert (trial.reported, trial.attempts.is_overdue(CALL)) == ([], False)
    trial.fail()
    trial.clock.move(0.2)
    assert (trial.reported, trial.attempts.is_overdue(CALL)) == ([CALL], True)
    trial.fail()
    trial.clock.move(1000)
    assert trial.reported == [CALL]
    assert dict(trial.attempts.failing()) == {KEY: "broken"}


def test_a_call_that_succeeded_is_not_overdue(trial: Trial) -> None:
    trial.run("begin", CALL)
    trial.attempts.forget(CALL)
    trial.clock.move(1000)
    assert trial.reported == []
    assert dict(trial.attempts.failing()) == {}


def test_a_call_that_has_not_returned_is_named_as_failing(trial: Trial) -> None:
    trial.run("begin", CALL)
    trial.clock.move(6)
    assert dict(trial.attempts.failing()) == {KEY: "modify_port has not returned yet"}


def test_nothing_is_reported_after_the_end(trial: Trial) -> None:
    trial.run("begin", CALL)
    trial.attempts.close()
    trial.clock.move(1000)
    assert trial.reported == []


UNBIND = Call(Callback.UNBIND_PORT, port(), record=keys.binding(KEY, "host-1"))
BIND = Call(Callback.BIND_PORT, port(host="host-2"), record=keys.binding(KEY, "host-2"))


def test_each_binding_of_a_port_has_attempts_of_its_own(trial: Trial) -> None:
    trial.fail(UNBIND, delay=50.0)
    trial.fail(BIND, refused=True)
    trial.run("begin", CALL)
    assert trial.run("pause", UNBIND) == 50.0
    assert trial.run("pause", BIND) is None
    assert trial.run("pause", CALL) == 0.0
    assert list(trial.attempts.failing()) == [(KEY, "broken"), (KEY, "broken")]
    trial.clock.move(5.1)
    assert trial.reported == [UNBIND, BIND, CALL]


def test_what_is_no_longer_due_is_no_longer_tried(trial: Trial) -> None:
    trial.fail(UNBIND, delay=50.0)
    trial.fail(BIND, refused=True)
    assert trial.attempts.is_failing(KEY)
    trial.attempts.keep(KEY, [UNBIND])
    assert not trial.attempts.is_failing(KEY)
    assert trial.run("pause", BIND) == 0.0
    trial.clock.move(5.1)
    assert trial.reported == [UNBIND]
    assert trial.attempts.is_failing(KEY)
    trial.attempts.keep(KEY, [])
    assert not trial.attempts.is_failing(KEY)
    assert dict(trial.attempts.failing()) == {}


def test_a_refusal_counts_as_overdue_at_once(trial: Trial) -> None:
    trial.fail(refused=True)
    assert trial.attempts.is_overdue(CALL)
    assert trial.attempts.is_failing(KEY)
