from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gluon.shim.backends.opendaylight.turns import Turns


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(0, 1000))
def test_who_is_alone_is_alone(kinds, seed):
    chance = random.Random(seed)

    async def run() -> int:
        turns, inside, done = Turns(), [], 0

        async def work(alone):
            nonlocal done
            async with turns.alone("x") if alone else turns.shared("x"):
                inside.append(alone)
                for _ in range(chance.randrange(3)):
                    await asyncio.sleep(0)
                    assert not any(inside) or len(inside) == 1
                inside.remove(alone)
                done += 1

        await asyncio.gather(*(work(alone) for alone in kinds))
        assert not turns._turns  # noqa: SLF001 - nothing is kept of who has gone
        return done

    assert asyncio.run(run()) == len(kinds)


@pytest.mark.asyncio
async def test_one_who_gives_up_waiting_holds_nobody_up():
    turns = Turns()
    async with turns.shared("x"):
        waiting = asyncio.create_task(turns.alone("x").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(1), turns.shared("x"):
            pass
    async with asyncio.timeout(1), turns.alone("x"):
        pass
