"""Many changes at once reach the backend, and the last state wins."""

from __future__ import annotations

import asyncio
import random

import pytest

from gluon.testing.waiting import auntil

from .ground import Ground, name, port

WRITERS, WRITES, KEYS = 8, 5000, 2000


@pytest.mark.asyncio
async def test_a_burst_of_writes_reaches_the_backend_and_the_last_state_wins(ground: Ground) -> None:
    await ground.active()
    numbers = [n % KEYS for n in range(WRITES)]
    random.Random(1).shuffle(numbers)

    async def write(own: list[int]) -> None:
        for turn, number in enumerate(own):
            await ground.want(name("Port", number), port(number, mtu=1000 + turn))

    # A key belongs to one writer, so that the last of its states is known.
    shares = [[n for n in numbers if n % WRITERS == writer] for writer in range(WRITERS)]
    await asyncio.gather(*map(write, shares))
    await ground.convergence()
    objects, _ = ground.account()
    last = {name("Port", number): 1000 + turn for own in shares for turn, number in enumerate(own)}
    assert {key: values["mtu"] for key, values in objects.items()} == last


@pytest.mark.asyncio
async def test_delete_port_is_called_once_with_what_the_port_promises(ground: Ground) -> None:
    await ground.active()
    key = name("Port", 1)
    await ground.want(key, port(1, "host-1", mtu=1400))
    await ground.convergence()
    await ground.want(key, None)
    await ground.convergence()
    lines = [(line["callback"], line["key"], line["attributes"]["mtu"]) for line in ground.journal()]
    assert lines == [("bind_port", key.key, 1400), ("unbind_port", key.key, 1400), ("delete_port", key.key, 1400)]
    assert await ground.answers() == {}


@pytest.mark.asyncio
async def test_odd_details_of_a_bind_come_to_rest(ground: Ground) -> None:
    """An answer that never equals what the shim expects would be written again and again."""
    await ground.active()
    await ground.want(name("Port", 1), port(1, "host-1", name="odd details"))
    await auntil(lambda: ground.bound(range(1, 2)), "the port is bound")
    answer = await ground.answer(name("Port", 1))
    assert answer is not None
    assert answer.vif_details == {"1": ["a", "b"]}
    revision = (await ground.client.status()).revision
    await ground.want(name("Port", 2), port(2, "host-1"))
    await auntil(lambda: ground.bound(range(1, 3)), "another port is bound")
    # The wish, its claim with its answer, its result.
    assert (await ground.client.status()).revision <= revision + 3
