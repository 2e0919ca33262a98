"""Released bindings: kept by every way that a binding ends, until they are undone or their controller is told."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
import pytest_asyncio

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import Attempt, BindingAnswer, PortAnswer, decode
from gluon.etcd import Event
from gluon.proton.answers import releases
from gluon.proton.answers.ports import PortBook
from gluon.proton.answers.releases import Releases
from gluon.proton.service import Target, apply_answer
from gluon.proton.service.binding_changes import Given, activate
from gluon.proton.service.binding_changes import create as prepare
from gluon.proton.service.binding_changes import delete as remove_binding
from gluon.proton.service.changes import create, delete, new_attributes, update
from gluon.proton.storage import StoredRelease
from gluon.testing.waiting import auntil

KEY = "00000000-0000-4000-8000-000000000001"
PORT = ObjectKey("net-l3vpn", "Port", KEY)
VALUES = {"id": KEY, "tenant_id": KEY, "mac_address": "c8:2a:14:04:43:80", "name": "p"}
BOUND = {"host_id": "h1", "device_id": "d1", "profile": {"a": [1]}}


class Ports:
    """The changes of one port, each in a transaction; the test plays the controllers."""

    def __init__(self, database, proton):
        self.database, self.proton = database, proton
        self.target = Target(proton=proton, object_type=proton.port)

    async def create(self, **values):
        attributes = new_attributes(self.target, {**VALUES, **values})
        await self.database.write(lambda tx: create(tx, self.target, attributes, "t1"))

    async def update(self, token="t2", **values):
        await self.database.write(lambda tx: update(tx, self.target, KEY, values, token))

    async def delete(self):
        await self.database.write(lambda tx: delete(tx, self.target, KEY))

    async def prepare(self, host):
        given = Given(host=host, profile={"b": 2})
        await self.database.write(lambda tx: prepare(tx, self.target, KEY, given))

    async def activate(self, host):
        await self.database.write(lambda tx: activate(tx, self.target, KEY, host))

    async def remove_binding(self, host):
        await self.database.write(lambda tx: remove_binding(tx, self.target, KEY, host))

    async def answer(self, **members):
        """Answers every binding, with its own token."""

        def work(tx):
            rows = tx.bindings("net-l3vpn").of(KEY)
            entries = [
                BindingAnswer(
                    **{"controller": "c", "host_id": row.host, "token": row.token, "vif_type": "ovs"} | members
                )
                for row in rows
            ]
            apply_answer(tx, self.proton, PORT, PortAnswer.of(entries[0], entries[1:]))

        await self.database.write(work)

    async def released(self):
        found = await self.database.read(lambda tx: tx.releases.all())
        return {(each.port, each.host, each.controller) for each in found}

    async def attributes(self, host, controller="c"):
        named = StoredRelease(proton="net-l3vpn", port=KEY, host=host, controller=controller, released_at="")
        return await self.database.read(lambda tx: tx.releases.attributes(named))


@pytest_asyncio.fixture
async def ports(database, protons):
    return Ports(database, protons["net-l3vpn"])


@pytest_asyncio.fixture
async def bound(ports):
    await ports.create(**BOUND)
    await ports.answer()
    return ports


# -- each way that a binding ends ------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "change", [{"host_id": None}, {"device_id": None}, {"host_id": "h2"}, {"host_id": None, "profile": None}]
)
async def test_a_port_that_is_unbound_or_moved_is_kept_as_it_was_bound(bound, change):
    await bound.update(**change)
    assert await bound.released() == {(KEY, "h1", "c")}
    kept = await bound.attributes("h1")
    assert {name: kept[name] for name in BOUND} == BOUND
    assert (kept["id"], kept["name"], kept["vnic_type"]) == (KEY, "p", "normal")
    assert not kept.keys() & {"status", "vif_type", "vif_details"}, "a shim knows of no such attributes"


@pytest.mark.asyncio
async def test_a_port_that_is_deleted_is_kept_with_all_its_bindings(bound):
    await bound.prepare("h2")
    await bound.delete()
    assert await bound.released() == {(KEY, "h1", "c"), (KEY, "h2", "")}
    assert (await bound.attributes("h2", ""))["profile"] == {"b": 2}


@pytest.mark.asyncio
async def test_either_binding_of_a_live_migration_is_kept(bound):
    await bound.prepare("h2")
    await bound.answer()
    await bound.activate("h2")
    assert await bound.released() == set()
    await bound.remove_binding("h1")
    await bound.remove_binding("h2")
    assert await bound.released() == {(KEY, "h1", "c"), (KEY, "h2", "c")}
    assert (await bound.attributes("h1"))["host_id"] == "h1"
    assert (await bound.attributes("h2"))["profile"] == {"b": 2}


@pytest.mark.asyncio
async def test_a_bind_on_the_same_host_releases_nothing(bound):
    await bound.update(profile={"c": 3})
    await bound.update("t3", device_id="d2")
    assert await bound.released() == set()


@pytest.mark.asyncio
async def test_the_latest_release_of_a_binding_replaces_the_one_before(bound):
    await bound.update(host_id=None)
    await bound.update(host_id="h1", device_id="d3")
    await bound.answer()
    await bound.delete()
    assert await bound.released() == {(KEY, "h1", "c")}
    assert (await bound.attributes("h1"))["device_id"] == "d3"


@pytest.mark.asyncio
async def test_a_change_that_is_undone_releases_nothing(bound):
    with pytest.raises(ZeroDivisionError):
        await bound.database.write(lambda tx: (delete(tx, bound.target, KEY), 1 / 0))
    assert await bound.released() == set()


# -- until they are undone -------------------------------------------------------------------------


class Etcd:
    """Takes the notes."""

    def __init__(self):
        self.notes = {}

    async def txn(self, _compares, operations):
        for put in operations:
            self.notes[put.key] = decode(Attempt, put.value)


class World:
    """The answers as a watch would bring them, and whether they can be relied on."""

    def __init__(self, ports, protons):
        self.ports, self.book, self.etcd, self.certain = ports, PortBook(protons), Etcd(), True
        self.book.begin()
        self.work = Releases(ports.database, self.etcd, protons, self.book, lambda: self.certain, grace=releases.SETTLE)

    def hear(self, *entries, listing=False, key=KEY):
        answer = {**entries[0], "inactive": list(entries[1:])} if entries else {}
        path = keys.answer(ObjectKey("net-l3vpn", "Port", key))
        self.book.take(Event(path, json.dumps(answer).encode(), 1), listing=listing)

    def told(self):
        """The types of the objects that notes are about, by controller."""
        found = {}
        for path in self.etcd.notes:
            _, _, controller, _, _, name, _ = path.decode().split("/")
            found.setdefault(controller, set()).add(name)
        return found

    @contextlib.asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.work.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, expected):
        """Waits until just these are left, by host and controller."""

        async def left():
            return {(host, controller) for _, host, controller in await self.ports.released()} == expected

        await auntil(left, f"released bindings are {expected}")


def entry(host="h1", controller="c", **members):
    return {"controller": controller, "host_id": host, "token": "t1", **members}


@pytest.fixture
def world(bound, protons, monkeypatch):
    monkeypatch.setattr(releases, "LOOK", 0.01)
    monkeypatch.setattr(releases, "SETTLE", 0.05)
    return World(bound, protons)


@pytest.mark.asyncio
async def test_what_the_watch_has_seen_go_is_undone(world):
    world.hear(entry(vif_type="ovs"), listing=True)
    await world.ports.update(host_id="h2")
    async with world.running():
        world.hear(entry("h2"))
        await world.until(set())
    assert world.etcd.notes == {}


@pytest.mark.asyncio
async def test_what_was_not_seen_to_go_is_told_to_its_controller(world):
    world.hear(entry(vif_type="ovs"))
    await world.ports.delete()
    world.book.begin()  # Another etcd is listed.
    world.certain = False
    async with world.running():
        world.certain = True
        await world.until(set())
    assert world.told() == {"c": {"Port.binding", "Interface"}}, "the interface goes with its port, and before it"
    note = world.etcd.notes[b"/shim/c/late/net-l3vpn/Port.binding/" + KEY.encode() + b"@h1"]
    assert note.callback == "bind_port"
    assert {name: note.attributes[name] for name in BOUND} == BOUND
    interface = world.etcd.notes[b"/shim/c/late/net-l3vpn/Interface/" + KEY.encode()]
    assert (interface.callback, interface.attributes["port_id"]) == ("modify_interface", KEY)


@pytest.mark.asyncio
async def test_a_port_that_is_still_there_has_its_interface(world):
    await world.ports.update(host_id=None)
    async with world.running():
        await world.until(set())
    assert world.told() == {"c": {"Port.binding"}}


@pytest.mark.asyncio
async def test_what_its_controller_still_has_stays(world):
    await world.ports.prepare("h2")
    await world.ports.delete()
    world.hear(entry(), entry("h2", vif_type="ovs"))
    async with world.running():
        await world.until({("h1", "c"), ("h2", "c")})
        world.hear(entry())
        await world.until({("h1", "c")})
        world.hear()
        await world.until(set())
    assert world.etcd.notes == {}


@pytest.mark.asyncio
async def test_an_entry_of_another_controller_confirms_nothing(world):
    await world.ports.delete()
    world.hear(entry(controller="d"))
    async with world.running():
        world.hear()
        await world.until(set())
    assert world.told().keys() == {"c"}


@pytest.mark.asyncio
async def test_a_bind_under_way_is_known_by_its_claim(world):
    await world.ports.update(host_id="h3")
    await world.ports.delete()
    world.hear(entry("h3", "d"))
    async with world.running():
        await world.until({("h3", "d")})
        world.book.begin()
        await world.until(set())
    assert world.told().keys() == {"c", "d"}


@pytest.mark.asyncio
async def test_a_bind_that_nobody_began_is_forgotten(world):
    await world.ports.update(host_id="h3")
    await world.ports.delete()
    async with world.running():
        await world.until(set())
    assert world.told().keys() == {"c"}


@pytest.mark.asyncio
async def test_what_is_bound_again_is_not_to_be_undone(world):
    await world.ports.update(host_id=None)
    await world.ports.update("t3", host_id="h1", device_id="d1")
    await world.ports.answer()
    world.hear(entry(vif_type="ovs"))
    async with world.running():
        await world.until(set())
    assert world.etcd.notes == {}
