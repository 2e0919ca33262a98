"""Writing objects into a real etcd: one transaction for many, fenced, and nothing written twice."""

from __future__ import annotations

import pytest
import pytest_asyncio

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.etcd import Client, Compare, Endpoints
from gluon.proton.publish.session import living_sessions, open_session
from gluon.proton.publish.writer import MAX_BYTES, MAX_KEYS, FenceBroken, Item, Refused, Written, batches, write

PORT = ObjectKey("net-l3vpn", "Port", "p")
ALWAYS = Compare.absent(b"/gluon/no-such-key")


@pytest_asyncio.fixture
async def client(etcd):
    async with Client(Endpoints(hosts=(etcd.etcd.endpoint,))) as opened:
        yield opened


def item(value: bytes | None = b"{}", key: ObjectKey = PORT, **members) -> Item:
    return Item(key=key, ids=(1,), value=value, **members)


async def revision(client, key: ObjectKey) -> int:
    found = await client.get(keys.desired(key))
    return found.mod_revision if found else 0


@pytest.mark.asyncio
async def test_what_is_there_already_is_not_written_again(client):
    first, port = item(b"1"), item(b"2", ObjectKey("p", "Port", "x"), is_port=True, registration=b"r")
    written = [each.revision for each in await write(client, ALWAYS, [first, port])]
    assert written == [await revision(client, first.key), await revision(client, port.key)]
    again = await write(client, ALWAYS, [first, port])
    assert [each.revision for each in again] == written
    assert (await client.get(keys.port_registration("x"))).mod_revision == written[1]
    (rewritten,) = await write(client, ALWAYS, [item(b"1", rewrite=True)])
    assert rewritten.revision == await revision(client, first.key) > written[0]


@pytest.mark.asyncio
async def test_a_deleted_port_takes_its_registration_along(client):
    await write(client, ALWAYS, [item(is_port=True, registration=b"r")])
    await write(client, ALWAYS, [item(None, is_port=True)])
    assert await client.get(keys.desired(PORT)) is None
    assert await client.get(keys.port_registration("p")) is None
    assert isinstance((await write(client, ALWAYS, [item(None, is_port=True)]))[0], Written)


@pytest.mark.asyncio
async def test_nothing_is_written_past_a_broken_fence(client):
    with pytest.raises(FenceBroken):
        await write(client, Compare.exists(b"/gluon/no-such-key"), [item()])
    assert await client.get(keys.desired(PORT)) is None


@pytest.mark.asyncio
async def test_a_new_session_fences_the_one_before_off(client):
    async with open_session(client, None) as before:
        await write(client, before.fence, [item(b"1")])
        async with open_session(client, before.id) as after:
            assert await living_sessions(client) == {after.id}
            with pytest.raises(FenceBroken):
                await write(client, before.fence, [item(b"2")])
            await write(client, after.fence, [item(b"3")])
    assert await living_sessions(client) == set()
    assert (await client.get(keys.desired(PORT))).value == b"3"


@pytest.mark.asyncio
async def test_one_that_is_too_large_is_found_and_the_others_are_written(client):
    items = [item(b"%d" % number, ObjectKey("p", "O", str(number))) for number in range(10)]
    items[3] = item(b"x" * 2_000_000, ObjectKey("p", "O", "large"))
    results = await write(client, ALWAYS, items)
    assert [isinstance(result, Refused) for result in results] == [number == 3 for number in range(10)]
    for each in items:
        assert (await revision(client, each.key) > 0) == (each.key.key != "large")


@pytest.mark.asyncio
async def test_a_full_batch_of_ports_fits_into_one_transaction(client):
    ports = [
        item(b"x" * (MAX_BYTES // MAX_KEYS - 1), ObjectKey("p", "Port", str(n)), is_port=True, registration=b"r")
        for n in range(MAX_KEYS)
    ]
    (batch,) = batches(ports)
    assert len({each.revision for each in await write(client, ALWAYS, batch)}) == 1


def test_batches_keep_order_and_limits():
    items = [
        item(b"x" * size, ObjectKey("p", "O", str(n)))
        for n, size in enumerate([1, MAX_BYTES, 2 * MAX_BYTES, *[1] * 150])
    ]
    cut = list(batches(items))
    assert [each for batch in cut for each in batch] == items
    assert all(len(batch) <= MAX_KEYS for batch in cut)
    assert all(sum(each.size for each in batch) <= MAX_BYTES for batch in cut if len(batch) > 1)
