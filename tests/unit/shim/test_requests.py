"""What operators ask of a controller: each request has its result, and is gone then."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gluon.contract import keys
from gluon.contract.records import Epoch, Request, RequestResult, decode, encode
from gluon.etcd import Event
from gluon.shim.backend import Held
from gluon.shim.terms.brake import Limits
from gluon.shim.terms.epochs import Epochs
from gluon.shim.terms.requests import Requests

from . import virtual_time
from .bench import Bench
from .samples import L3VPN, name, sample

S = name("VpnService", 1)


class Recorder:
    """Remembers what was written, in its order."""

    def __init__(self) -> None:
        self.puts: list[tuple[bytes, bytes | None]] = []

    async def put(self, key: bytes, value: bytes | None, *, of: object = None) -> None:  # noqa: ARG002 - the order
        self.puts.append((key, value))


class Office:
    """Takes requests for one proton's bench."""

    def __init__(self) -> None:
        self.bench = Bench(limits=Limits(few=2))
        self.recorder = Recorder()
        self.epochs = Epochs(None, {L3VPN.name: self.bench.state}, self.bench.brake)  # type: ignore[arg-type]
        audits = {L3VPN.name: self.bench.audit}
        self.requests = Requests(self.recorder, "ours", audits, self.bench.brake, self.epochs)  # type: ignore[arg-type]

    def hear_epoch(self, *, complete: bool) -> None:
        value = encode(Epoch(database="d", id="new", complete=complete))
        self.epochs.hear(Event(keys.EPOCH, value, 1))

    async def ask(self, value: bytes | None = None, **members: Any) -> RequestResult:
        """Makes a request and waits for its result."""
        self.recorder.puts.clear()
        path = keys.request("ours", "r")
        self.requests.hear(Event(path, encode(Request(**members)) if value is None else value, 1))
        self.requests.hear(Event(path, None, 2))
        serving = asyncio.create_task(self.requests.run())
        async with asyncio.timeout(1000):
            while len(self.recorder.puts) < 2:
                await asyncio.sleep(0.1)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        [(result, written), gone] = self.recorder.puts
        assert result == keys.result("ours", "r")
        assert written is not None
        assert gone == (path, None)
        return decode(RequestResult, written)


def strangers(bench: Bench, *keys_: str) -> None:
    for key in keys_:
        bench.vendor.objects["VpnService", key] = Held("VpnService", key)


@pytest.mark.parametrize("dry_run", [True, False])
def test_an_audit_is_made_and_told(*, dry_run: bool) -> None:
    async def check() -> None:
        office = Office()
        office.bench.has_applied(sample("VpnService", 1))
        office.bench.vendor.objects.clear()
        strangers(office.bench, "a")
        async with office.bench.running():
            told = await office.ask(kind="audit", dry_run=dry_run)
            assert told.ok
            assert told.message.startswith("net-l3vpn: 1 objects held, 1 missing, 0 differ, 1 known to nobody")
            assert (told.missing, told.orphans) == ((str(S),), ("net-l3vpn/VpnService/a",))
            assert bool(office.bench.vendor.made) == (not dry_run)

    virtual_time.run(check())


def test_everything_is_applied_again_without_an_inventory() -> None:
    async def check() -> None:
        office = Office()
        office.bench.has_applied(sample("VpnService", 1), sample("VpnService", 2))
        office.bench.vendor.without_inventory = True
        async with office.bench.running():
            assert not (await office.ask(kind="audit")).ok
            told = await office.ask(kind="audit", reapply=True, object=f"VpnService/{S.key}")
            assert (told.ok, told.message) == (True, "net-l3vpn: 1 objects are applied again")
            assert office.bench.vendor.made == [f"modify_service {S.key}"]

    virtual_time.run(check())


def test_a_word_that_nobody_waits_for_changes_nothing() -> None:
    async def check() -> None:
        assert await Office().ask(kind="accept") == RequestResult(ok=True, message="nothing is held back")

    virtual_time.run(check())


def test_an_operators_word_releases_orphans() -> None:
    async def check() -> None:
        office = Office()
        office.bench.has_applied(sample("VpnService", 1))
        strangers(office.bench, "a", "b", "c")
        async with office.bench.running():
            await office.ask(kind="audit")
            assert office.bench.vendor.made == []
            told = await office.ask(kind="accept")
            assert told == RequestResult(ok=True, message="accepted; 3 objects are deleted")
            await office.bench.settle()
            assert sorted(office.bench.vendor.made) == [f"delete_service {key}" for key in "abc"]

    virtual_time.run(check())


def test_an_operators_word_does_not_delete_what_is_still_to_come() -> None:
    """proton-server is filling etcd: whatever it has not published again yet looks as if nobody wanted it."""

    async def check() -> None:
        office = Office()
        office.bench.has_applied(*(sample("VpnService", number) for number in range(5)), wanted=False)
        office.hear_epoch(complete=False)
        async with office.bench.running():
            told = await office.ask(kind="accept")
            assert not told.ok
            assert "proton-server is filling etcd" in told.message
            await office.bench.settle()
            assert office.bench.vendor.made == []
            office.hear_epoch(complete=True)
            assert (await office.ask(kind="accept")).message == "accepted; 5 objects are deleted"
            await office.bench.settle()
            assert len(office.bench.vendor.made) == 5

    virtual_time.run(check())


@pytest.mark.parametrize("value", [b"{", b"{}", b'{"kind": "dance"}'])
def test_a_request_that_can_not_be_read_has_a_result_too(value: bytes) -> None:
    async def check() -> None:
        told = await Office().ask(value)
        assert not told.ok
        assert told.message.startswith("the request can't be read: ")

    virtual_time.run(check())
