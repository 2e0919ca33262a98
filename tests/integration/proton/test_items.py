"""Objects as they are written into a real etcd: nothing twice, and the serial with each transaction."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
import pytest_asyncio

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.etcd import Client, Endpoints, FenceBroken, FencedWriter, WriteRefused
from gluon.proton.publish.item import MOST_COMPARED, Item, operation
from gluon.proton.publish.serial import Serial, encode_serial
from gluon.proton.publish.session import living_sessions, open_session

PORT = ObjectKey("net-l3vpn", "Port", "p")


@pytest_asyncio.fixture
async def client(etcd):
    async with Client(Endpoints(hosts=(etcd.etcd.endpoint,))) as opened:
        yield opened


@contextlib.asynccontextmanager
async def writer(client, session, serial: Serial | None = None):
    made = FencedWriter(client, session.fence, retry=False, seal=serial.seal if serial else None)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def write(client, items, serial: Serial | None = None):
    async with open_session(client, None) as session, writer(client, session, serial) as made:
        if serial is not None:
            serial.newest = {each.key: each.ids[-1] for each in items}
        return await made.write_all((each.key, operation(each)) for each in items)


def item(value: bytes | None = b"{}", key: ObjectKey = PORT, **members) -> Item:
    return Item(key=key, ids=members.pop("ids", (1,)), value=value, **members)


async def revision(client, key: bytes) -> int:
    found = await client.get(key)
    return found.mod_revision if found else 0


@pytest.mark.asyncio
async def test_an_object_that_is_there_already_is_not_written_again(client):
    first, port = item(b"1"), item(b"2", ObjectKey("p", "Port", "x"), is_port=True, registration=b"r")
    await write(client, [first, port])
    where = [keys.desired(first.key), keys.desired(port.key), keys.port_registration("x")]
    written = [await revision(client, key) for key in where]
    assert all(written)
    await write(client, [first, port])
    assert [await revision(client, key) for key in where] == written
    await write(client, [item(b"3"), port])
    changed = [await revision(client, key) for key in where]
    assert changed[0] > written[0]
    assert changed[1:] == written[1:]


@pytest.mark.asyncio
async def test_a_deleted_port_takes_its_registration_along(client):
    await write(client, [item(b"1", is_port=True, registration=b"r")])
    await write(client, [item(None, is_port=True)])
    assert await client.get(keys.desired(PORT)) is None
    assert await client.get(keys.port_registration("p")) is None


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [MOST_COMPARED, MOST_COMPARED + 1, 1_400_000])
async def test_large_values_are_written_as_long_as_etcd_takes_them(client, size):
    await write(client, [item(b"x" * size)])
    assert len((await client.get(keys.desired(PORT))).value) == size


@pytest.mark.asyncio
async def test_of_many_only_the_one_that_etcd_refuses_is_left(client):
    items = [item(b"%d" % number, ObjectKey("p", "O", str(number)), ids=(number + 1,)) for number in range(10)]
    items[3] = item(b"x" * 2_000_000, ObjectKey("p", "O", "large"), ids=(99,))
    await client.put(keys.SERIAL, encode_serial(0))
    outcomes = await write(client, items, Serial(0))
    assert [isinstance(outcome, WriteRefused) for outcome in outcomes] == [number == 3 for number in range(10)]
    for each in items:
        assert (await revision(client, keys.desired(each.key)) > 0) == (each.key.key != "large")
    assert (await client.get(keys.SERIAL)).value == encode_serial(10), "a change that etcd lacks does not count"


@pytest.mark.asyncio
async def test_the_serial_only_grows(client):
    await client.put(keys.SERIAL, encode_serial(5))
    for ids, expected in (((7,), 7), ((6,), 7), ((12,), 12)):
        await write(client, [item(b"%d" % ids[0], ids=ids)], Serial(5))
        assert (await client.get(keys.SERIAL)).value == encode_serial(expected)


@pytest.mark.asyncio
@pytest.mark.parametrize("held", [None, 4])
async def test_an_etcd_that_came_back_older_is_not_made_to_look_filled(client, held):
    if held is not None:
        await client.put(keys.SERIAL, encode_serial(held))
    await write(client, [item(b"1", ids=(9,))], Serial(5))
    found = await client.get(keys.SERIAL)
    assert (found and found.value) == (None if held is None else encode_serial(held))


@pytest.mark.asyncio
async def test_a_session_that_is_over_writes_nothing(client):
    async with open_session(client, None) as session, writer(client, session) as made:
        assert session.id in await living_sessions(client)
        async with open_session(client, session.id) as next_session:
            assert await living_sessions(client) == {next_session.id}
            with pytest.raises(FenceBroken):
                await made.write(PORT, operation(item()))
        assert await client.get(keys.desired(PORT)) is None
    assert await living_sessions(client) == set()


@pytest.mark.asyncio
async def test_a_session_says_what_it_fills(client):
    async with open_session(client, None) as session:
        await client.txn([session.fence], [session.note_filling("e1")])
        assert (await client.get(keys.publisher(session.id))).value == b"e1"
        assert session.id in await living_sessions(client)
    assert await living_sessions(client) == set()
