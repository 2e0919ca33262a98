"""The use cases of ports, on a real database: what a request waits for, and what it gets."""

from __future__ import annotations

import asyncio
from functools import partial
from uuid import uuid4

import pytest

from gluon.contract.records import NOBODY, BindingAnswer, PortAnswer, Status
from gluon.models import catalog
from gluon.proton.service import (
    Binds,
    BindWaiters,
    ChangesRefused,
    Conflict,
    Duplicate,
    NotFound,
    Objects,
    PortBindings,
    Target,
    apply_answer,
    apply_status,
    binds,
    drop_answer,
    set_status,
)
from gluon.proton.service.control_plane import NoControlPlane
from gluon.proton.storage import PUBLISHER, BindingState, open_database
from gluon.schema import InvalidAttributes

TENANT = "5b1a2d3c-0000-4000-8000-000000000001"
PORT = {"tenant_id": TENANT, "mac_address": "c8:2a:14:04:43:80"}
WANTED = {"host_id": "h1", "device_id": "d1"}
SOON = 0.02
NEVER = 60.0


class World(NoControlPlane):
    """What a test says of the controllers."""

    def __init__(self):
        self.given = NOBODY

    def answer(self, _port):
        return self.given


class Server:
    """The use cases of one server, without API and etcd; the test plays the controllers."""

    def __init__(self, database, proton, bind_timeout):
        self.database, self.proton, self.world = database, proton, World()
        self.waiters = BindWaiters(database)
        self.binds = Binds(database, self.waiters, self.world, [proton], bind_timeout=bind_timeout)
        self.objects = Objects(database, self.binds, self.world)
        self.bindings = PortBindings(database, self.binds)
        self.ports = Target(proton=proton, object_type=proton.port)

    async def create(self, **values):
        return await self.objects.create(self.ports, {**PORT, **values})

    async def update(self, key, **values):
        return await self.objects.update(self.ports, key, values)

    async def port(self, key):
        return await self.objects.show(self.ports, key)

    async def rows(self, key):
        return await self.database.read(lambda tx: tx.bindings(self.proton.name).of(key))

    async def asked(self, key, number=1):
        """Waits until so many binds of the port are open."""
        async with asyncio.timeout(10):
            while True:
                rows = await self.rows(key)
                if sum(row.state is BindingState.PENDING for row in rows) == number:
                    return rows

    async def answer(self, key, answer):
        name = self.ports.key(key)
        await self.database.write(lambda tx: apply_answer(tx, self.proton, name, answer))

    async def bind_all(self, key, number=1, **members):
        """Answers all bindings of the port as its controllers would."""
        rows = await self.asked(key, number)

        def one(row):
            given = {"controller": "c", "vif_type": "ovs", **members}
            return BindingAnswer(host_id=row.host, token=row.token, **given)

        active = next((one(row) for row in rows if row.active), None)
        await self.answer(key, PortAnswer.of(active, [one(row) for row in rows if not row.active]))


@pytest.fixture
def make_server(database, protons):
    return lambda bind_timeout=NEVER: Server(database, protons["net-l3vpn"], bind_timeout)


@pytest.fixture
def server(make_server):
    return make_server()


async def bound(server, key=None, **values):
    key = key or str(uuid4())
    creating = asyncio.create_task(server.create(id=key, **{**WANTED, **values}))
    await server.bind_all(key)
    return await creating


def shown(port):
    return port.attributes["vif_type"], port.attributes["status"]


@pytest.mark.asyncio
async def test_a_create_that_asks_for_a_bind_returns_the_bound_port(server):
    port = await bound(server)
    assert shown(port) == ("ovs", "ACTIVE")
    assert port.created_at <= port.updated_at


@pytest.mark.asyncio
async def test_a_change_that_asks_for_nothing_returns_at_once(server):
    port = await server.create()
    assert shown(port) == ("unbound", "DOWN")
    key = port.attributes["id"]
    assert (await server.update(key, name="n")).attributes["name"] == "n"
    assert await server.update(key, name="n") == await server.port(key)
    port = await bound(server)
    before = await server.port(port.attributes["id"])
    assert await server.update(port.attributes["id"], **WANTED) == before


@pytest.mark.asyncio
async def test_while_changes_are_refused_nothing_is_changed_and_all_that_is_shown_is_doubted(server):
    key = (await bound(server)).attributes["id"]
    lost = (await bound(server)).attributes["id"]
    await server.answer(lost, NOBODY)
    why = "the database is older than etcd"
    server.database.refuse_changes(why)
    for change in (
        server.create(),
        server.update(key, **WANTED),
        server.update(key),
        server.update(str(uuid4())),
        server.objects.delete(server.ports, key),
        server.bindings.create(server.ports, key, {"host": "h2"}),
        server.bindings.activate(server.ports, key, "h1"),
        server.bindings.delete(server.ports, key, "h1"),
    ):
        with pytest.raises(ChangesRefused, match=why):
            await change
    doubt = f"this may not be so: {why}"
    listed = await server.objects.list(server.ports, {})
    assert {each.status_reason.partition(";")[0] for each in listed} == {doubt}
    assert (await server.port(key)).status_reason == doubt
    assert f"{doubt}; controller c no longer has it" in (await server.port(lost)).status_reason
    (binding,) = await server.bindings.list(server.ports, key)
    assert binding.reason == (await server.bindings.show(server.ports, key, "h1")).reason == doubt
    server.database.refuse_changes("")
    assert (await server.update(key, **WANTED)).status_reason is None
    assert (await server.bindings.show(server.ports, key, "h1")).reason is None


@pytest.mark.asyncio
async def test_a_bind_that_nobody_answers_fails_with_the_reason(make_server):
    server = make_server(SOON)
    port = await server.create(**WANTED)
    assert shown(port) == ("binding_failed", "ERROR")
    assert "check that a shim runs and serves host h1" in port.status_reason


@pytest.mark.asyncio
async def test_the_known_cause_is_the_reason_of_a_bind_that_nobody_answers(make_server):
    server = make_server(SOON)
    key = str(uuid4())
    name = server.ports.key(key)
    why = "not published, etcd refuses it: too large"
    await server.database.write(lambda tx: set_status(tx, server.proton, name, PUBLISHER, reason=why))
    port = await server.create(id=key, **WANTED)
    assert f"within {SOON:g} s: {why}; then set" in port.status_reason
    await server.objects.delete(server.ports, key)
    assert await server.database.read(lambda tx: tx.statuses.of(name)) == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("left", "expected"),
    [
        ({}, ("DOWN", "c: no carrier")),
        ({"d": Status()}, ("DOWN", "c: no carrier")),
        ({"c": Status()}, ("ACTIVE", None)),
        ({"c": Status(failure="modify_port fails")}, ("ACTIVE", "c: modify_port fails")),
    ],
)
async def test_a_bind_that_succeeds_ends_the_reports_before_it(server, left, expected):
    key = (await bound(server)).attributes["id"]
    name = server.ports.key(key)
    down = Status(state="DOWN", reason="no carrier")
    await server.database.write(lambda tx: apply_status(tx, server.proton, name, "c", down))
    assert (await server.port(key)).attributes["status"] == "DOWN"
    asking = asyncio.create_task(server.update(key, **WANTED))
    (row,) = await server.asked(key)
    given = PortAnswer(controller="c", host_id="h1", token=row.token, vif_type="ovs")
    work = partial(apply_answer, proton=server.proton, port=name, answer=given, left=left)
    await server.database.write(work)
    port = await asking
    assert (port.attributes["status"], port.status_reason) == expected
    # A report after it is about the bind that there is.
    await server.database.write(lambda tx: apply_status(tx, server.proton, name, "c", down))
    await server.database.write(work)
    assert (await server.port(key)).attributes["status"] == "DOWN"


@pytest.mark.asyncio
async def test_a_late_answer_counts_as_long_as_nobody_asked_again(make_server):
    server = make_server(SOON)
    key = (await server.create(**WANTED)).attributes["id"]
    (row,) = await server.rows(key)
    late = PortAnswer(controller="c", host_id="h1", token=row.token, vif_type="ovs")
    await server.answer(key, late)
    assert shown(await server.port(key)) == ("ovs", "ACTIVE")
    assert (await server.port(key)).status_reason is None
    await server.answer(key, NOBODY)
    await server.update(key, **WANTED)
    await server.answer(key, late)
    assert shown(await server.port(key)) == ("binding_failed", "ERROR")


@pytest.mark.asyncio
async def test_a_port_that_its_controller_dropped_is_not_active_and_asking_again_asks(server):
    key = (await bound(server)).attributes["id"]
    await server.answer(key, NOBODY)
    port = await server.port(key)
    assert shown(port) == ("unbound", "DOWN")
    assert "controller c no longer has it on h1" in port.status_reason
    asking = asyncio.create_task(server.update(key, **WANTED))
    await server.bind_all(key)
    assert shown(await asking) == ("ovs", "ACTIVE")


@pytest.mark.asyncio
async def test_a_repeated_request_waits_for_the_bind_that_is_under_way(server):
    key = str(uuid4())
    requests = [asyncio.create_task(server.create(id=key, **WANTED))]
    (row,) = await server.asked(key)
    requests.append(asyncio.create_task(server.update(key, **WANTED)))
    await server.update(key, name="n")
    assert [each.token for each in await server.rows(key)] == [row.token]
    await server.bind_all(key)
    assert {shown(port) for port in await asyncio.gather(*requests)} == {("ovs", "ACTIVE")}


@pytest.mark.asyncio
async def test_a_wait_ends_when_the_port_is_wanted_elsewhere_or_deleted(server):
    key = str(uuid4())
    first = asyncio.create_task(server.create(id=key, **WANTED))
    await server.asked(key)
    second = asyncio.create_task(server.update(key, host_id="h2"))
    assert (await first).attributes["host_id"] == "h2"
    await server.asked(key)
    await server.objects.delete(server.ports, key)
    with pytest.raises(NotFound):
        await second


@pytest.mark.asyncio
async def test_a_stop_ends_the_wait_with_its_own_reason(server):
    key = str(uuid4())
    waiting = asyncio.create_task(server.create(id=key, **WANTED))
    await server.asked(key)
    server.waiters.stop()
    assert "the server stopped" in (await waiting).status_reason


@pytest.mark.asyncio
async def test_a_bind_that_another_server_settled_ends_the_wait_here(server, file, protons):
    key = str(uuid4())
    waiting = asyncio.create_task(server.create(id=key, **WANTED))
    await server.asked(key)
    other = await open_database(f"sqlite:///{file}", protons, create=False)
    try:
        await Server(other, server.proton, NEVER).bind_all(key)
    finally:
        await other.close()
    (row,) = await server.rows(key)
    assert not waiting.done()
    await server.answer(key, PortAnswer(controller="c", host_id="h1", token=row.token, vif_type="ovs"))
    assert shown(await waiting) == ("ovs", "ACTIVE")


@pytest.mark.asyncio
async def test_a_bind_that_nobody_waits_for_is_given_up(server, make_server, monkeypatch):
    monkeypatch.setattr(binds, "LOOK", 0.01)
    monkeypatch.setattr(binds, "OTHERS_FIRST", 0.0)
    key = str(uuid4())
    abandoned = asyncio.create_task(server.create(id=key, **WANTED))
    await server.asked(key)
    abandoned.cancel()
    giving_up = asyncio.create_task(make_server(SOON).binds.give_up_open())
    await server.asked(key, 0)
    giving_up.cancel()
    assert shown(await server.port(key)) == ("binding_failed", "ERROR")


@pytest.mark.asyncio
async def test_a_new_profile_leaves_the_port_plugged_while_it_is_bound_again(server):
    key = (await bound(server)).attributes["id"]
    asking = asyncio.create_task(server.update(key, profile={"migrating_to": "h2"}))
    await server.asked(key)
    assert shown(await server.port(key)) == ("ovs", "ACTIVE")
    await server.bind_all(key, vif_type="tap")
    assert shown(await asking) == ("tap", "ACTIVE")


@pytest.mark.asyncio
@pytest.mark.parametrize(("held", "expected"), [(True, ("ovs", "ACTIVE")), (False, ("binding_failed", "ERROR"))])
async def test_a_bound_port_that_nobody_binds_again_stays_only_if_a_controller_has_it(make_server, held, expected):
    key = (await bound(make_server())).attributes["id"]
    server = make_server(SOON)
    server.world.given = PortAnswer(controller="c", host_id="h1", token="old", vif_type="ovs") if held else NOBODY
    port = await server.update(key, profile={"a": 1})
    assert shown(port) == expected
    assert "no controller answered" in port.status_reason


@pytest.mark.asyncio
async def test_mac_address_of_a_bound_port_changes_only_with_an_unbind(server):
    key = (await bound(server)).attributes["id"]
    with pytest.raises(Conflict, match="mac_address of a port that is bound, to h1"):
        await server.update(key, mac_address="c8:2a:14:04:43:81")
    port = await server.update(key, mac_address="c8:2a:14:04:43:81", host_id=None)
    assert shown(port) == ("unbound", "DOWN")
    assert await server.rows(key) == []


@pytest.mark.asyncio
async def test_a_port_made_again_under_its_key_is_bound_again(server):
    key = (await bound(server)).attributes["id"]
    (before,) = await server.rows(key)
    await server.objects.delete(server.ports, key)
    creating = asyncio.create_task(server.create(id=key, **WANTED))
    (row,) = await server.asked(key)
    await server.answer(key, PortAnswer(controller="c", host_id="h1", token=before.token, vif_type="ovs"))
    assert (await server.rows(key))[0].state is BindingState.PENDING
    await server.bind_all(key)
    assert shown(await creating) == ("ovs", "ACTIVE")
    assert row.token != before.token


@pytest.mark.asyncio
async def test_a_dropped_answer_is_named_until_a_good_one_comes(server):
    key = (await bound(server)).attributes["id"]
    name = server.ports.key(key)
    await server.database.write(lambda tx: drop_answer(tx, server.proton, name, "vif_type: expected text"))
    port = await server.port(key)
    assert (shown(port), port.status_reason) == (
        ("ovs", "ACTIVE"),
        "an answer of a controller was dropped: vif_type: expected text",
    )
    (row,) = await server.rows(key)
    await server.answer(key, PortAnswer(controller="c", host_id="h1", token=row.token, vif_type="ovs"))
    assert (await server.port(key)).status_reason is None


# -- bindings ------------------------------------------------------------------------------------


async def prepared(server, key, host="h2"):
    creating = asyncio.create_task(server.bindings.create(server.ports, key, {"host": host}))
    await server.bind_all(key)
    return await creating


@pytest.mark.asyncio
async def test_a_live_migration(server):
    key = (await bound(server)).attributes["id"]
    made = await prepared(server, key)
    assert (made.host, made.status, made.vif_type, made.vnic_type, made.profile) == (
        "h2",
        "INACTIVE",
        "ovs",
        "normal",
        {},
    )
    assert shown(await server.port(key)) == ("ovs", "ACTIVE")
    activating = asyncio.create_task(server.bindings.activate(server.ports, key, "h2"))
    await server.asked(key)
    port = await server.port(key)
    assert (port.attributes["host_id"], shown(port)) == ("h2", ("ovs", "ACTIVE"))
    await server.bind_all(key)
    assert (await activating).status == "ACTIVE"
    found = await server.bindings.list(server.ports, key)
    assert [(each.host, each.status, each.vif_type) for each in found] == [
        ("h2", "ACTIVE", "ovs"),
        ("h1", "INACTIVE", "ovs"),
    ]
    await server.bindings.delete(server.ports, key, "h1")
    assert [each.host for each in await server.rows(key)] == ["h2"]


@pytest.mark.asyncio
async def test_the_ports_attributes_follow_the_activated_binding(server):
    key = (await bound(server)).attributes["id"]
    given = {"host": "h2", "vnic_type": "direct", "profile": {"a": 1}}
    creating = asyncio.create_task(server.bindings.create(server.ports, key, given))
    await server.bind_all(key)
    made = await creating
    assert (made.vnic_type, made.profile) == ("direct", {"a": 1})
    activating = asyncio.create_task(server.bindings.activate(server.ports, key, "h2"))
    await server.bind_all(key)
    await activating
    attributes = (await server.port(key)).attributes
    assert (attributes["vnic_type"], attributes["profile"]) == ("direct", {"a": 1})


@pytest.mark.asyncio
async def test_a_prepared_binding_that_fails_is_there_and_cannot_be_activated(make_server):
    key = (await bound(make_server())).attributes["id"]
    server = make_server(SOON)
    made = await server.bindings.create(server.ports, key, {"host": "h2"})
    assert (made.status, made.vif_type) == ("INACTIVE", "binding_failed")
    assert "check that a shim runs and serves host h2" in made.reason
    with pytest.raises(Conflict, match="is not bound: no controller answered"):
        await server.bindings.activate(server.ports, key, "h2")
    assert shown(await server.port(key)) == ("ovs", "ACTIVE")


@pytest.mark.asyncio
async def test_either_binding_may_be_removed(server):
    key = (await bound(server)).attributes["id"]
    await prepared(server, key)
    await server.bindings.delete(server.ports, key, "h1")
    port = await server.port(key)
    assert (port.attributes["host_id"], shown(port)) == (None, ("unbound", "DOWN"))
    activating = asyncio.create_task(server.bindings.activate(server.ports, key, "h2"))
    await server.bind_all(key)
    assert (await activating).status == "ACTIVE"
    assert shown(await server.port(key)) == ("ovs", "ACTIVE")
    await server.bindings.delete(server.ports, key, "h2")
    assert await server.bindings.list(server.ports, key) == []


@pytest.mark.asyncio
async def test_bindings_that_are_refused(server):
    key = (await bound(server)).attributes["id"]
    other = (await server.create()).attributes["id"]
    await prepared(server, key)
    for values, words in (
        ({}, "host: missing"),
        ({"host": ""}, "host: missing"),
        ({"host": 7}, "host: expected text"),
        ({"host": "h", "vnic_type": "x"}, "vnic_type: expected one of"),
        ({"host": "h", "profile": []}, "profile: expected a JSON object"),
        ({"host": "h", "colour": 1}, "colour: unknown member"),
    ):
        with pytest.raises(InvalidAttributes, match=words):
            await server.bindings.create(server.ports, key, values)
    for target, host, words in ((key, "h1", "already"), (key, "h2", "already"), (other, "h2", "not bound to a host")):
        with pytest.raises(Conflict, match=words):
            await server.bindings.create(server.ports, target, {"host": host})
    with pytest.raises(Conflict, match="is active already"):
        await server.bindings.activate(server.ports, key, "h1")
    unknown = str(uuid4())
    for call in (server.bindings.show, server.bindings.activate, server.bindings.delete):
        with pytest.raises(NotFound, match="binding to host h9 does not exist below Port"):
            await call(server.ports, key, "h9")
        with pytest.raises(NotFound, match="Port"):
            await call(server.ports, unknown, "h1")
    with pytest.raises(NotFound):
        await server.bindings.list(server.ports, unknown)


@pytest.mark.asyncio
async def test_a_port_of_another_proton_keeps_its_key(tmp_path):
    both = catalog.load(["net-l3vpn", "test"])
    database = await open_database(f"sqlite:///{tmp_path / 'two.db'}", both, create=True)
    try:
        one, two = (Server(database, both[name], NEVER) for name in both)
        key = (await one.create()).attributes["id"]
        with pytest.raises(Duplicate, match="net-l3vpn Port"):
            await two.create(id=key)
    finally:
        await database.close()
