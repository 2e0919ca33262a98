"""What is said of objects: gathered, by two who don't erase each other, and through the terms."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gluon.contract.keys import ObjectKey
from gluon.contract.records import Status
from gluon.shim.reconcile.statuses import GATHER, NOTHING, Statuses

from . import virtual_time
from .samples import name

A, B, C = (name("Port", number) for number in (1, 2, 3))
DOWN = Status(state="DOWN", reason="no carrier")


class Etcd:
    """Remembers what was written, and can refuse it."""

    def __init__(self) -> None:
        self.writes: list[tuple[ObjectKey, Status | None]] = []
        self.may_write = asyncio.Event()
        self.may_write.set()

    async def write(self, key: ObjectKey, status: Status | None) -> None:
        await self.may_write.wait()
        self.writes.append((key, status))

    def taken(self) -> list[tuple[ObjectKey, Status | None]]:
        taken, self.writes = self.writes, []
        return taken


def known(_: ObjectKey) -> bool:
    return True


def in_a_term(test: Callable[[Statuses, Etcd], Awaitable[None]]) -> None:
    """Runs a test beside the task that writes."""

    async def run() -> None:
        statuses, etcd = Statuses(), Etcd()
        statuses.begin({}, known)
        writing = asyncio.create_task(statuses.run(etcd.write))
        await test(statuses, etcd)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)

    virtual_time.run(run())


async def gathered() -> None:
    await asyncio.sleep(2 * GATHER)


def test_a_link_that_flaps_is_one_write() -> None:
    async def check(statuses: Statuses, etcd: Etcd) -> None:
        for _ in range(50):
            statuses.report(A, "DOWN", "no carrier")
            statuses.report(A, "ACTIVE", "")
        statuses.report(A, "DOWN", "no carrier")
        statuses.report(B, "ACTIVE", "")
        await gathered()
        assert sorted(etcd.taken()) == sorted([(A, DOWN), (B, Status(state="ACTIVE"))])

    in_a_term(check)


def test_what_is_as_it_was_is_not_written() -> None:
    async def check(statuses: Statuses, etcd: Etcd) -> None:
        statuses.report(A, "DOWN", "no carrier")
        await gathered()
        etcd.taken()
        statuses.report(A, "ACTIVE", "")
        statuses.report(A, "DOWN", "no carrier")
        statuses.applied(A)
        statuses.applied(B)
        statuses.forget(B)
        await gathered()
        assert etcd.taken() == []

    in_a_term(check)


def test_failure_and_report_do_not_erase_each_other() -> None:
    async def check(statuses: Statuses, etcd: Etcd) -> None:
        statuses.report(A, "DOWN", "no carrier")
        statuses.fails(A, "refused")
        await gathered()
        assert etcd.taken() == [(A, Status(state="DOWN", reason="no carrier", failure="refused"))]
        statuses.report(A, "ERROR", "no flow left")
        await gathered()
        assert etcd.taken() == [(A, Status(state="ERROR", reason="no flow left", failure="refused"))]
        statuses.applied(A)
        await gathered()
        assert etcd.taken() == [(A, Status(state="ERROR", reason="no flow left"))]
        statuses.fails(A, "refused")
        statuses.report(A, "", "")
        await gathered()
        assert etcd.taken() == [(A, Status(failure="refused"))]

    in_a_term(check)


def test_an_object_with_which_all_is_well_has_no_key() -> None:
    async def check(statuses: Statuses, etcd: Etcd) -> None:
        statuses.fails(A, "refused")
        await gathered()
        statuses.applied(A)
        await gathered()
        assert etcd.taken() == [(A, Status(failure="refused")), (A, None)]
        assert statuses.of(A) == NOTHING

    in_a_term(check)


def test_a_bind_that_succeeds_ends_what_was_reported_before() -> None:
    async def check(statuses: Statuses, etcd: Etcd) -> None:
        statuses.report(A, "DOWN", "the SDN controller has lost it")
        statuses.fails(A, "no route")
        statuses.outdated(A)
        assert statuses.of(A) == Status(failure="no route")
        statuses.outdated(B)
        await gathered()
        assert etcd.taken() == [(A, Status(failure="no route"))]

    in_a_term(check)


def test_a_forgotten_object_has_no_status() -> None:
    async def check(statuses: Statuses, etcd: Etcd) -> None:
        statuses.report(A, "DOWN", "no carrier")
        await gathered()
        statuses.forget(A)
        await gathered()
        assert etcd.taken() == [(A, DOWN), (A, None)]

    in_a_term(check)


def test_a_change_during_a_write_is_written_afterwards() -> None:
    async def check(statuses: Statuses, etcd: Etcd) -> None:
        etcd.may_write.clear()
        statuses.report(A, "DOWN", "no carrier")
        await gathered()
        statuses.report(A, "ACTIVE", "")
        etcd.may_write.set()
        await gathered()
        assert etcd.taken()[-1] == (A, Status(state="ACTIVE"))

    in_a_term(check)


def test_a_reason_is_made_fit_to_be_written() -> None:
    async def check(statuses: Statuses, etcd: Etcd) -> None:
        statuses.report(A, "DOWN", "broken \udcff name" + "x" * 5000)
        await gathered()
        [(_, status)] = etcd.taken()
        assert status is not None
        assert status.reason.startswith("broken \\udcff name")
        assert len(status.reason) == 1000

    in_a_term(check)


def test_a_report_that_could_not_be_written_is_written_in_the_next_term() -> None:
    async def check() -> None:
        statuses, etcd = Statuses(), Etcd()
        statuses.begin({}, known)
        etcd.may_write.clear()
        writing = asyncio.create_task(statuses.run(etcd.write))
        statuses.report(A, "DOWN", "no carrier")
        await gathered()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        statuses.report(B, "DOWN", "no carrier")
        etcd.may_write.set()
        statuses.begin({}, known)
        writing = asyncio.create_task(statuses.run(etcd.write))
        await gathered()
        assert sorted(etcd.taken()) == sorted([(A, DOWN), (B, DOWN)])
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)

    virtual_time.run(check())


@pytest.mark.parametrize("own", [None, Status(state="ACTIVE")], ids=["nothing heard", "a report of this process"])
def test_a_term_goes_on_from_what_etcd_holds(own: Status | None) -> None:
    """The backend's last report is still true after a restart; failures are found out again."""

    async def check() -> None:
        statuses, etcd = Statuses(), Etcd()
        if own is not None:
            statuses.report(A, "ACTIVE", "")
        found = {A: Status(state="DOWN", reason="no carrier", failure="refused"), B: Status(failure="refused"), C: DOWN}
        statuses.begin(found, lambda key: key != C)
        writing = asyncio.create_task(statuses.run(etcd.write))
        await gathered()
        assert sorted(etcd.taken(), key=str) == sorted([(A, own or DOWN), (B, None), (C, None)], key=str)
        assert statuses.of(C) == NOTHING
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)

    virtual_time.run(check())
