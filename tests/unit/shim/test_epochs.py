"""Deletions wait until etcd is full and the mirror has all of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from gluon.contract import keys
from gluon.contract.records import Epoch, encode
from gluon.etcd import Event
from gluon.etcd.types import KeyValue, Page
from gluon.shim.state import State
from gluon.shim.terms.brake import Brake, Limits
from gluon.shim.terms.epochs import PATIENCE, Epochs

from . import virtual_time
from .samples import L3VPN, OURS, applied, name, sample

SECOND = 1.0
FEW = Limits(few=2)


class Etcd:
    """Lists what is below `/proton/`."""

    def __init__(self) -> None:
        self.revision = 10
        self.objects: dict[bytes, int] = {}
        self.publishers: dict[bytes, int] = {}
        """Created at which revision."""

    async def pages(self, prefix: bytes, *, keys_only: bool = False) -> AsyncIterator[Page]:
        if prefix == keys.PUBLISHER:
            yield Page(tuple(KeyValue(key, b"", at, at, 1) for key, at in self.publishers.items()), self.revision)
            return
        assert keys_only
        assert prefix == b"/proton/net-l3vpn/"
        items = [KeyValue(path, b"", revision, revision, 1) for path, revision in sorted(self.objects.items())]
        half = len(items) // 2
        yield Page(tuple(items[:half]), self.revision)
        yield Page(tuple(items[half:]), self.revision)


class Shim:
    """Five services are applied; what of them etcd and the mirror have is up to the test."""

    def __init__(self) -> None:
        self.etcd = Etcd()
        self.state = State(L3VPN)
        self.brake = Brake({L3VPN.name: self.state}, OURS, FEW, lambda *_: None)
        self.epochs = Epochs(self.etcd, {L3VPN.name: self.state}, self.brake)  # type: ignore[arg-type]
        self.settled: list[str] = []
        for number in range(5):
            self.state.record(name("VpnService", number), applied(sample("VpnService", number)))

    async def settle(self, epoch: str) -> None:
        self.settled.append(epoch)

    def hear(self, epoch: str | None, *, complete: bool = True) -> None:
        value = None if epoch is None else encode(Epoch(database="d", id=epoch, complete=complete))
        self.epochs.hear(Event(keys.EPOCH, value, 1))

    def publish(self, *numbers: int, mirrored: bool = True) -> None:
        for number in numbers:
            self.etcd.revision += 1
            self.etcd.objects[keys.desired(name("VpnService", number))] = self.etcd.revision
            if mirrored:
                self.mirror(number)

    def mirror(self, *numbers: int) -> None:
        for number in numbers:
            revision = self.etcd.objects.get(keys.desired(name("VpnService", number)), 1)
            self.state.desire(sample("VpnService", number, revision=revision))

    @asynccontextmanager
    async def term(self, settled: str = "") -> AsyncIterator[None]:
        self.epochs.begin(settled, self.settle)
        task = asyncio.create_task(self.epochs.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def test(check: Callable[[Shim], Awaitable[None]]) -> None:
    async def run() -> None:
        await check(Shim())

    virtual_time.run(run())


test.__test__ = False  # type: ignore[attr-defined]


def test_deletions_wait_until_etcd_is_full() -> None:
    async def check(shim: Shim) -> None:
        async with shim.term("before"):
            shim.hear("new", complete=False)
            assert shim.state.hold_all_absent
            assert shim.brake.reason == "proton-server is filling etcd"
            await asyncio.sleep(1000)
            assert shim.state.hold_all_absent
            shim.publish(0, 1, 2)
            shim.hear("new")
            assert shim.state.hold_all_absent
            await asyncio.sleep(SECOND)
            assert not shim.state.hold_all_absent
            assert (shim.brake.reason, shim.settled) == ("", ["new"])
            assert shim.epochs.settled == "new"

    test(check)


def test_deletions_wait_until_the_mirror_has_what_etcd_has() -> None:
    """The epoch may be heard before the objects: they come by another watch."""

    async def check(shim: Shim) -> None:
        async with shim.term():
            shim.publish(*range(5), mirrored=False)
            shim.hear("new")
            shim.mirror(0, 1)
            await asyncio.sleep(10)
            assert shim.state.hold_all_absent
            shim.mirror(2, 3, 4)
            await asyncio.sleep(SECOND)
            assert not shim.state.hold_all_absent
            assert shim.settled == ["new"]

    test(check)


def test_deletions_wait_until_the_mirror_has_lost_what_etcd_has_lost() -> None:
    async def check(shim: Shim) -> None:
        async with shim.term():
            shim.publish(*range(5))
            del shim.etcd.objects[keys.desired(name("VpnService", 0))]
            shim.etcd.revision += 1
            shim.hear("new")
            await asyncio.sleep(10)
            assert shim.settled == []
            shim.state.forget(name("VpnService", 0))
            await asyncio.sleep(SECOND)
            assert shim.settled == ["new"]

    test(check)


def test_what_came_after_the_list_does_not_make_them_differ() -> None:
    async def check(shim: Shim) -> None:
        async with shim.term():
            shim.publish(*range(5))
            shim.state.desire(sample("VpnService", 9, revision=shim.etcd.revision + 100))
            shim.hear("new")
            await asyncio.sleep(SECOND)
            assert shim.settled == ["new"]

    test(check)


def test_what_can_not_be_read_and_what_is_unknown_does_not_make_them_differ() -> None:
    async def check(shim: Shim) -> None:
        async with shim.term():
            shim.publish(*range(4))
            shim.publish(4, mirrored=False)
            shim.state.unreadable.add(name("VpnService", 4))
            for path in (b"/proton/net-l3vpn/Unheard/of", b"/proton/net-l3vpn/garbage", b"/proton/net-l3vpn/a/b/c"):
                shim.etcd.objects[path] = 1
            shim.hear("new")
            await asyncio.sleep(SECOND)
            assert shim.settled == ["new"]

    test(check)


def test_an_etcd_that_changes_too_fast_is_not_waited_for_for_good(caplog: pytest.LogCaptureFixture) -> None:
    async def check(shim: Shim) -> None:
        async with shim.term():
            shim.publish(*range(5))
            shim.publish(7, mirrored=False)
            shim.hear("new")
            await asyncio.sleep(PATIENCE - SECOND)
            assert shim.settled == []
            await asyncio.sleep(2 * SECOND)
            assert shim.settled == ["new"]

    test(check)
    assert "etcd changes too fast to be compared as a whole" in caplog.text


def test_too_many_deletions_wait_for_an_operators_word() -> None:
    async def check(shim: Shim) -> None:
        async with shim.term():
            shim.publish(0)
            shim.hear("new")
            await asyncio.sleep(1000)
            assert shim.brake.asks
            assert shim.brake.reason.startswith("etcd was filled again: 4 of 5 applied objects would be deleted")
            assert shim.settled == []  # A later leader has to look at it again.
            shim.brake.accept()
            await asyncio.sleep(SECOND)
            assert shim.settled == ["new"]

    test(check)


def test_a_known_epoch_is_nothing_to_look_at() -> None:
    async def check(shim: Shim) -> None:
        async with shim.term("known"):
            shim.hear("known")
            await asyncio.sleep(10)
            assert not shim.state.hold_all_absent
            assert shim.settled == []

    test(check)


def test_an_epoch_that_begins_while_another_waits_is_dealt_with_in_its_turn() -> None:
    async def check(shim: Shim) -> None:
        async with shim.term():
            shim.hear("one")
            await asyncio.sleep(SECOND)
            assert shim.brake.asks
            shim.hear("two", complete=False)
            assert shim.state.hold_all_absent
            await asyncio.sleep(10)
            shim.publish(*range(5))
            shim.hear("two")
            await asyncio.sleep(SECOND)
            assert (shim.brake.reason, shim.settled) == ("", ["two"])

    test(check)


def test_an_epoch_that_changes_while_it_is_looked_at_is_not_judged() -> None:
    async def check(shim: Shim) -> None:
        async with shim.term():
            shim.publish(*range(5), mirrored=False)
            shim.hear("one")
            await asyncio.sleep(SECOND)
            shim.hear("two", complete=False)
            shim.mirror(*range(5))
            await asyncio.sleep(10)
            assert shim.settled == []
            assert shim.state.hold_all_absent

    test(check)


@pytest.mark.parametrize("shown", [None, "old"], ids=["no epoch", "an epoch from before the loss"])
def test_in_a_replaced_etcd_only_another_epoch_counts(shown: str | None) -> None:
    async def check(shim: Shim) -> None:
        async with shim.term("older still"):
            shim.epochs.expect_another(frozenset({"old"}), is_empty=False)
            if shown is not None:
                shim.hear(shown)
            await asyncio.sleep(1000)
            assert shim.state.hold_all_absent
            assert shim.brake.reason == "etcd was replaced, and proton-server has not filled it again yet"
            assert shim.settled == []
            shim.hear("new", complete=False)
            assert shim.brake.reason == "proton-server is filling etcd"
            shim.publish(*range(5))
            assert not shim.epochs.is_trusted
            shim.hear("new")
            await asyncio.sleep(SECOND)
            assert (shim.brake.reason, shim.settled) == ("", ["new"])
            assert shim.epochs.is_trusted

    test(check)


def test_an_epoch_from_before_the_loss_counts_once_a_publisher_has_left_it_as_it_is() -> None:
    """etcd and proton-server's view of it are of one moment: nothing was lost, and no new epoch comes."""

    async def check(shim: Shim) -> None:
        async with shim.term("old"):
            shim.epochs.expect_another(frozenset({"old"}), is_empty=False)
            shim.hear("old")
            shim.publish(*range(5))
            shim.etcd.publishers[keys.publisher("from the backup")] = 99
            await asyncio.sleep(7)
            del shim.etcd.publishers[keys.publisher("from the backup")]
            await asyncio.sleep(1000)
            assert shim.state.hold_all_absent
            assert not shim.epochs.is_trusted
            shim.etcd.publishers[keys.publisher("begun since")] = 101
            await asyncio.sleep(20)
            assert not shim.state.hold_all_absent
            assert shim.epochs.is_trusted
            assert (shim.brake.reason, shim.settled) == ("", ["old"])

    test(check)


def test_an_operator_may_accept_a_replaced_etcd_as_it_is() -> None:
    async def check(shim: Shim) -> None:
        async with shim.term("old"):
            shim.epochs.expect_another(frozenset({"old"}), is_empty=False)
            shim.hear("old")
            shim.brake.accept()
            await shim.epochs.accept()
            assert shim.settled == ["old"]
            assert shim.epochs.is_trusted
            shim.hear("old")
            await asyncio.sleep(SECOND)
            assert shim.brake.reason == ""

    test(check)


def test_an_epoch_that_can_not_be_read_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    async def check(shim: Shim) -> None:
        async with shim.term("known"):
            shim.hear("known")
            shim.epochs.hear(Event(keys.EPOCH, b"{", 2))
            await asyncio.sleep(SECOND)
            assert not shim.state.hold_all_absent

    test(check)
    assert "skipped /gluon/epoch" in caplog.text


def test_what_an_empty_etcd_is_filled_with_is_new() -> None:
    """Nothing in it is from before its loss, so what comes may be applied at once."""

    async def check(shim: Shim) -> None:
        async with shim.term():
            shim.epochs.expect_another(frozenset({"old"}), is_empty=True)
            assert shim.epochs.is_trusted
            assert shim.state.hold_all_absent

    test(check)
