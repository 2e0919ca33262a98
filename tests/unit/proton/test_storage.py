"""The database behind its own door, on SQLite files."""

from __future__ import annotations

import asyncio
import threading

import pytest
from msgspec.structs import replace
from sqlalchemy.exc import OperationalError

from gluon.contract.keys import ObjectKey
from gluon.proton.service import Target
from gluon.proton.service.changes import create, delete, new_attributes, update
from gluon.proton.storage import (
    BindingState,
    ChangesRefused,
    DatabaseUnavailable,
    Duplicate,
    InUse,
    ReferenceMissing,
    Stored,
    StoredBinding,
    StoredStatus,
    open_database,
)

TENANT = "5b1a2d3c-0000-4000-8000-000000000001"
A = ObjectKey("net-l3vpn", "Port", "a")
B = ObjectKey("net-l3vpn", "Port", "b")


@pytest.fixture
def served(protons):
    return list(protons)


def target(protons, name):
    return Target(proton=protons["net-l3vpn"], object_type=protons["net-l3vpn"].objects[name])


async def append(database, key, session):
    database.session = session
    (row_id,) = await database.write(lambda tx: tx.outbox.append([key]))
    return row_id


async def pending(database, session, limit=100):
    found, others = await database.read(lambda tx: tx.outbox.pending(session, limit))
    return [(each.key, each.ids) for each in found], others


# -- the outbox ----------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_session_gets_its_own_rows_merged_by_object(database):
    first, second, third = [await append(database, key, "s1") for key in (A, B, A)]
    assert await pending(database, "s1") == ([(A, (first, third)), (B, (second,))], False)


@pytest.mark.asyncio
async def test_an_object_belongs_to_the_owner_of_its_oldest_row(database):
    mine = await append(database, A, "s1")
    theirs = await append(database, A, "s2")
    again = await append(database, A, "s1")
    assert await pending(database, "s1") == ([(A, (mine, again))], False)
    assert await pending(database, "s2") == ([], True)
    await database.write(lambda tx: tx.outbox.remove([mine, again], "s1"))
    assert await pending(database, "s2") == ([(A, (theirs,))], False)


@pytest.mark.asyncio
async def test_a_row_without_an_owner_holds_its_object_back(database, served):
    first = await append(database, A, None)
    second = await append(database, A, "s1")
    assert await pending(database, "s1") == ([], True)
    assert await database.write(lambda tx: tx.outbox.adopt([], "s1", served)) == 1
    assert await pending(database, "s1") == ([(A, (first, second))], False)


@pytest.mark.asyncio
async def test_rows_that_were_adopted_are_not_removed_by_their_former_owner(database, served):
    row = await append(database, A, "dead")
    await database.write(lambda tx: tx.outbox.adopt(["dead"], "s1", served))
    await database.write(lambda tx: tx.outbox.remove([row], "dead"))
    assert await database.read(lambda tx: (tx.outbox.size(served), tx.outbox.has(row))) == (1, True)


@pytest.mark.asyncio
async def test_rows_of_protons_that_are_not_served_are_left_alone(database, served):
    await append(database, ObjectKey("another", "Port", "x"), None)
    assert await database.write(lambda tx: tx.outbox.adopt(["dead"], "s1", served)) == 0
    assert await database.read(lambda tx: tx.outbox.sessions(served)) == set()


@pytest.mark.asyncio
async def test_outbox_ids_never_come_back(database):
    assert await database.read(lambda tx: tx.outbox.highest()) == 0
    first = await append(database, A, "s1")
    await database.write(lambda tx: tx.outbox.remove([first], "s1"))
    assert await database.read(lambda tx: (tx.outbox.highest(), tx.outbox.has(first))) == (first, False)
    assert await append(database, A, "s1") > first


@pytest.mark.asyncio
@pytest.mark.parametrize("rows", [0, 1])
async def test_ids_go_on_above_a_serial_that_etcd_has(database, rows):
    for _ in range(rows):
        await append(database, A, "s1")
    await database.write(lambda tx: tx.outbox.raise_above(1000))
    assert await append(database, A, "s1") == 1001
    await database.write(lambda tx: tx.outbox.raise_above(10))
    assert await append(database, A, "s1") == 1002


@pytest.mark.asyncio
async def test_many_rows_get_their_ids_in_their_order(database):
    database.session = "s1"
    keys = [ObjectKey("net-l3vpn", "Port", str(number)) for number in range(2500)]
    ids = await database.write(lambda tx: tx.outbox.append(keys))
    assert ids == sorted(set(ids))
    assert [key for key, _ in (await pending(database, "s1", 5000))[0]] == keys


# -- transactions --------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_transaction_that_fails_leaves_nothing_and_tells_nobody(database, served):
    told = []
    database.subscribe(told.append)

    def work(tx):
        tx.outbox.append([A])
        raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        await database.write(work)
    assert await database.read(lambda tx: tx.outbox.size(served)) == 0
    assert told == []


@pytest.mark.asyncio
async def test_failures_among_many_transactions_at_once_are_their_own(database, protons, served):
    configs = target(protons, "VpnAfConfig")

    async def make(number):
        attributes = new_attributes(
            configs, {"tenant_id": TENANT, "vrf_rt_value": f"64512:{number}", "vrf_rt_type": "both"}
        )
        try:
            await database.write(lambda tx: create(tx, configs, attributes))
        except Duplicate as error:
            assert error.key == f"64512:{number}"  # noqa: PT017 - most of them succeed
            return "refused"
        return "made"

    outcomes = await asyncio.gather(*(make(number % 20) for number in range(60)))
    assert sorted(outcomes) == ["made"] * 20 + ["refused"] * 40
    assert await database.read(lambda tx: len(tx.objects("net-l3vpn", "VpnAfConfig").all_keys())) == 20
    assert await database.read(lambda tx: tx.outbox.size(served)) == 20


@pytest.mark.asyncio
async def test_a_transaction_that_runs_again_tells_only_of_its_last_run(database):
    """A failure of one that the database undoes as a whole makes all others of that commit run again."""
    told, runs, held = [], [], threading.Event()
    database.subscribe(told.append)

    def broken(tx):
        tx.outbox.append([B])
        raise OperationalError("INSERT", {}, Exception("disk I/O error"))

    def good(tx):
        runs.append(tx.changed)
        tx.outbox.append([A])

    blocking = asyncio.create_task(database.write(lambda _: held.wait(10)))
    await asyncio.sleep(0)
    others = asyncio.gather(database.write(good), database.write(broken), return_exceptions=True)
    await asyncio.sleep(0)
    held.set()
    await blocking
    done, failed = await others
    assert done is None
    assert isinstance(failed, DatabaseUnavailable)
    assert len(runs) == 2
    assert told == [runs[-1]]


@pytest.mark.asyncio
async def test_subscribers_hear_of_a_commit_before_whoever_asked_and_though_nobody_waits(database, protons):
    order, begun, held = [], threading.Event(), threading.Event()
    database.subscribe(lambda changes: order.append(next(iter(changes.objects)).key))
    configs = target(protons, "VpnAfConfig")
    one, two = [
        new_attributes(configs, {"tenant_id": TENANT, "vrf_rt_value": key, "vrf_rt_type": "both"})
        for key in ("64512:1", "64512:2")
    ]

    def slow(tx):
        create(tx, configs, one)
        begun.set()
        held.wait(10)

    abandoned = asyncio.create_task(database.write(slow))
    await asyncio.to_thread(begun.wait, 10)
    waiting = asyncio.create_task(database.write(lambda tx: create(tx, configs, two)))
    await asyncio.sleep(0)
    abandoned.cancel()
    held.set()
    await waiting
    order.append("returned")
    assert order == ["64512:1", "64512:2", "returned"]
    with pytest.raises(asyncio.CancelledError):
        await abandoned


@pytest.mark.asyncio
async def test_changes_name_objects_bindings_and_whether_there_is_something_to_publish(database, protons):
    told = []
    database.subscribe(told.append)
    ports = target(protons, "Port")
    attributes = new_attributes(ports, {"tenant_id": TENANT, "mac_address": "c8:2a:14:04:43:80"})
    key = attributes["id"]
    await database.write(lambda tx: create(tx, ports, attributes))
    await database.write(lambda tx: update(tx, ports, key, {"host_id": "h", "device_id": "d"}, "t"))
    await database.write(lambda tx: delete(tx, ports, key))
    await database.write(lambda tx: tx.deployment.set(serial=1))
    made, bound, gone = told
    name, interface = ports.key(key), ObjectKey("net-l3vpn", "Interface", key)
    assert (made.objects.keys(), made.objects[name].attributes["status"]) == ({name, interface}, "DOWN")
    assert bound.objects[name].attributes["status"] == "BUILD"
    assert [(each.host, each.token) for each in bound.bindings[name]] == [("h", "t")]
    assert gone.objects == {name: None, interface: None}
    assert gone.bindings == {name: ()}
    assert all(changes.published for changes in told)


@pytest.mark.asyncio
async def test_refused_changes_leave_reads_statuses_and_the_publishers_own_books(database, protons):
    row = await append(database, A, "s1")
    database.refuse_changes("the database is another one; run gluon-manage resync")
    configs = target(protons, "VpnAfConfig")
    attributes = new_attributes(configs, {"tenant_id": TENANT, "vrf_rt_value": "64512:1", "vrf_rt_type": "both"})
    with pytest.raises(ChangesRefused, match="run gluon-manage resync"):
        await database.write(lambda tx: create(tx, configs, attributes))
    await database.write(lambda tx: tx.outbox.remove([row], "s1"))
    await database.write(lambda tx: tx.statuses.set(A, "c", "DOWN", ""))
    assert await database.read(lambda tx: tx.objects("net-l3vpn", "VpnAfConfig").all_keys()) == []
    database.refuse_changes("")
    await database.write(lambda tx: create(tx, configs, attributes))


# -- why a constraint refuses --------------------------------------------------------------------


@pytest.mark.asyncio
async def test_the_reason_of_a_refusal_is_found_by_the_storage(database, protons):
    config, vpn = target(protons, "VpnAfConfig"), target(protons, "VpnService")
    values = new_attributes(config, {"tenant_id": TENANT, "vrf_rt_value": "64512:1", "vrf_rt_type": "both"})
    service = new_attributes(vpn, {"tenant_id": TENANT, "ipv4_family": "64512:1"})
    with pytest.raises(ReferenceMissing, match="ipv4_family names VpnAfConfig 64512:1"):
        await database.write(lambda tx: create(tx, vpn, service))
    await database.write(lambda tx: create(tx, config, values))
    await database.write(lambda tx: create(tx, vpn, service))
    with pytest.raises(ReferenceMissing, match="ipv6_family names VpnAfConfig 64512:9"):
        await database.write(lambda tx: update(tx, vpn, service["id"], {"ipv6_family": "64512:1,64512:9"}))
    with pytest.raises(Duplicate):
        await database.write(lambda tx: create(tx, config, values))
    with pytest.raises(InUse, match=f"in use by VpnService {service['id']} .ipv4_family"):
        await database.write(lambda tx: delete(tx, config, "64512:1"))
    await database.write(lambda tx: delete(tx, vpn, service["id"]))
    await database.write(lambda tx: delete(tx, config, "64512:1"))


@pytest.mark.asyncio
async def test_objects_of_the_same_transaction_are_not_blamed(database, protons):
    ports, interfaces = target(protons, "Port"), target(protons, "Interface")
    values = {"tenant_id": TENANT, "mac_address": "c8:2a:14:04:43:80"}
    one, two = new_attributes(ports, values), new_attributes(ports, values)
    await database.write(lambda tx: create(tx, ports, one))
    vlan = {"segmentation_type": "vlan", "segmentation_id": 5}
    taken = new_attributes(interfaces, {"tenant_id": TENANT, "port_id": one["id"], "id": two["id"], **vlan})
    await database.write(lambda tx: create(tx, interfaces, taken))
    with pytest.raises(Duplicate, match=f"Interface {two['id']}"):
        await database.write(lambda tx: create(tx, ports, two))
    with pytest.raises(InUse, match=f"in use by Interface {two['id']}"):
        await database.write(lambda tx: delete(tx, ports, one["id"]))
    await database.write(lambda tx: delete(tx, interfaces, two["id"]))
    await database.write(lambda tx: delete(tx, ports, one["id"]))


# -- rows ----------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_one_and_true_are_different_values_in_json(database, protons):
    ports = target(protons, "Port")
    values = {"tenant_id": TENANT, "mac_address": "c8:2a:14:04:43:80", "profile": {"a": 1}}
    attributes = new_attributes(ports, values)
    await database.write(lambda tx: create(tx, ports, attributes))
    await database.write(lambda tx: update(tx, ports, attributes["id"], {"profile": {"a": True}}))
    found = await database.read(lambda tx: tx.objects("net-l3vpn", "Port").get(attributes["id"]))
    assert found.attributes["profile"]["a"] is True


def binding(port, host, **members):
    return StoredBinding(port=port, host=host, token="t", created_at="1", updated_at="1", **members)


@pytest.mark.asyncio
async def test_bindings_by_port_and_host(database):
    rows = [
        binding("p", "h2", active=False, profile={"a": [1, True]}, vif_details={"b": None}, reason="r"),
        binding("p", "h1", state=BindingState.BOUND, vif_type="ovs", vnic_type="direct", device_id="d"),
        binding("q", "h1"),
    ]

    def put(tx):
        for each in rows:
            tx.bindings("net-l3vpn").put(each)

    await database.write(put)
    found = await database.read(lambda tx: tx.bindings("net-l3vpn").of_many(["p", "q", "r"]))
    assert found == {"p": [rows[1], rows[0]], "q": [rows[2]], "r": []}
    assert await database.read(lambda tx: tx.bindings("net-l3vpn").get("p", "h3")) is None
    assert {each.port for each in await database.read(lambda tx: tx.bindings("net-l3vpn").pending())} == {"p", "q"}
    changed = replace(rows[1], state=BindingState.LOST, vif_type="")
    await database.write(lambda tx: tx.bindings("net-l3vpn").put(changed))
    await database.write(lambda tx: tx.bindings("net-l3vpn").delete("p", "h2"))
    await database.write(lambda tx: tx.bindings("net-l3vpn").delete("q", rows[2].host))
    found = await database.read(lambda tx: tx.bindings("net-l3vpn").of_many(["p", "q"]))
    assert found == {"p": [changed], "q": []}


@pytest.mark.asyncio
async def test_a_transaction_can_tell_of_bindings_that_it_leaves_alone(database):
    await database.write(lambda tx: tx.bindings("net-l3vpn").put(binding("a", "h1")))
    told = []
    database.subscribe(told.append)
    await database.write(lambda tx: tx.bindings("net-l3vpn").tell("a"))
    await database.write(lambda tx: tx.bindings("net-l3vpn").tell("b"))
    assert [changes.bindings for changes in told] == [{A: (binding("a", "h1"),)}, {B: ()}]


@pytest.mark.asyncio
async def test_statuses_by_object_and_source(database):
    def say(tx):
        return [
            tx.statuses.set(A, "c", "DOWN", "no link"),
            tx.statuses.set(A, "d", "", "slow"),
            tx.statuses.set(B, "c", "ACTIVE", ""),
            tx.statuses.set(A, "c", "DOWN", "no link"),
            tx.statuses.set(A, "d", "", ""),
            tx.statuses.set(A, "d", "", ""),
        ]

    assert await database.write(say) == [True, True, True, False, True, False]
    said = await database.read(lambda tx: tx.statuses.of(A))
    assert said == [StoredStatus(source="c", state="DOWN", reason="no link")]
    assert await database.read(lambda tx: (set(tx.statuses.keys("c")), tx.statuses.sources())) == ({A, B}, {"c"})
    assert await database.write(lambda tx: tx.statuses.clear(A, "c")) is True
    assert await database.read(lambda tx: tx.statuses.keys("c")) == [B]
    assert await database.write(lambda tx: (tx.statuses.clear(B, "c"), tx.statuses.clear(B, "c"))) == (True, False)


@pytest.mark.asyncio
async def test_the_deployment_keeps_its_id(database):
    before = await database.read(lambda tx: tx.deployment.get())
    assert (before.epoch, before.serial, before.legacy) == ("", 0, False)
    await database.write(lambda tx: tx.deployment.set(epoch="e", serial=7))
    await database.write(lambda tx: tx.deployment.set(legacy=True))
    await database.write(lambda tx: tx.deployment.set(legacy=False))
    assert await database.read(lambda tx: tx.deployment.get()) == replace(before, epoch="e", serial=7)


# -- time ----------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_clock_that_goes_back_takes_no_object_along(file, protons):
    times = ["2030-01-01T00:00:00.000000Z"]
    database = await open_database(f"sqlite:///{file}", protons, create=True, clock=lambda: times[-1])
    configs = target(protons, "VpnAfConfig")
    attributes = new_attributes(configs, {"tenant_id": TENANT, "vrf_rt_value": "64512:1", "vrf_rt_type": "both"})
    await database.write(lambda tx: create(tx, configs, attributes))
    times.append("2020-01-01T00:00:00.000000Z")
    await database.write(lambda tx: update(tx, configs, "64512:1", {"import_route_policy": "p"}))
    found = await database.read(lambda tx: tx.objects("net-l3vpn", "VpnAfConfig").get("64512:1"))
    moments = await database.read(lambda tx: (tx.moment(), tx.moment(times[0])))
    await database.close()
    assert isinstance(found, Stored)
    assert found.attributes["import_route_policy"] == "p"
    assert found.updated_at == found.created_at == times[0]
    assert moments == (times[1], times[0])
