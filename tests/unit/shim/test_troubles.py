"""Failures in the log: one line when a trouble begins, one when it ends."""

from __future__ import annotations

import logging

import pytest

from gluon.shim.reconcile.troubles import MAX_TROUBLES, Troubles

from .samples import name

A, B, C = (name("Port", number) for number in (1, 2, 3))


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "gluon.shim.reconcile.troubles")
    return caplog


def said(log: pytest.LogCaptureFixture) -> list[str]:
    messages = list(log.messages)
    log.clear()
    return messages


def test_a_controller_that_is_away_is_one_line_for_all_objects(log: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()
    for number in range(100):
        troubles.failed("bind_port", name("Port", number), "connection refused", "trying again in 1 s")
        troubles.failed("bind_port", name("Port", number), "connection refused", "trying again in 2 s")
    assert said(log) == ["bind_port failed: connection refused; trying again in 1 s"]
    assert len(troubles) == 1
    for number in range(99):
        troubles.over(name("Port", number))
    assert said(log) == []
    troubles.over(name("Port", 99))
    assert said(log) == ["over, after 200 failures: connection refused"]
    assert len(troubles) == 0


def test_a_reason_that_changes_is_said_and_ends_the_one_before(log: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()
    troubles.failed("bind_port", A, "connection refused", "then")
    troubles.failed("bind_port", B, "connection refused", "then")
    troubles.failed("bind_port", A, "no such switch", "then")
    assert said(log) == ["bind_port failed: connection refused; then", "bind_port failed: no such switch; then"]
    troubles.failed("bind_port", B, "no such switch", "then")
    assert said(log) == ["over, after 2 failures: connection refused"]
    troubles.over(A)
    troubles.over(B)
    assert said(log) == ["over, after 2 failures: no such switch"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"no port {A.key}", f"no port {B.key}"),
        ("timeout after 1.5 s", "timeout after 2 s"),
        ("HTTP 500 of request 17", "HTTP 500 of request 18"),
    ],
)
def test_identifiers_and_numbers_make_no_other_trouble(one: str, other: str, log: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()
    troubles.failed("bind_port", A, one, "then")
    troubles.failed("bind_port", B, other, "then")
    assert said(log) == [f"bind_port failed: {one}; then"]
    assert len(troubles) == 1


def test_a_trouble_that_comes_back_is_said_again(log: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()
    for _ in range(2):
        troubles.failed("bind_port", A, "connection refused", "then")
        troubles.over(A)
        assert said(log) == ["bind_port failed: connection refused; then", "over, after 1 failures: connection refused"]


def test_an_object_without_trouble_has_none_to_end(log: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()
    troubles.failed("bind_port", A, "connection refused", "then")
    said(log)
    troubles.over(C)
    troubles.over(A)
    troubles.over(A)
    assert said(log) == ["over, after 1 failures: connection refused"]


def test_a_backend_that_never_says_the_same_twice_is_bounded(log: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()
    for number in range(MAX_TROUBLES + 50):
        troubles.failed("bind_port", name("Port", number), "x" * number, "then")
    assert len(troubles) == MAX_TROUBLES + 1
    assert len(said(log)) == MAX_TROUBLES + 1
    for number in range(MAX_TROUBLES + 50):
        troubles.over(name("Port", number))
    assert len(troubles) == 0
    assert "over, after 50 failures: many different reasons" in said(log)
