"""Who may work on a thing at the same time: many together, or one alone.

A wait is bounded by that of the callback (`[shim] callback_timeout`): each holder makes requests,
which are bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager


class _Turn:
    def __init__(self) -> None:
        self.sharing = 0
        self.is_alone = False
        self.waiting_alone = 0
        self.interested = 0
        self._changed = asyncio.Event()

    def tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for(self, is_met: Callable[[], bool]) -> None:
        while not is_met():
            await self._changed.wait()


class Turns:
    """Turns by the names of things.  Who wants to be alone goes before who comes later to share."""

    def __init__(self) -> None:
        self._turns: dict[str, _Turn] = {}

    @asynccontextmanager
    async def shared(self, name: str) -> AsyncIterator[None]:
        """Together with others that share."""
        with self._turn(name) as turn:
            await turn.wait_for(lambda: not turn.is_alone and not turn.waiting_alone)
            turn.sharing += 1
            try:
                yield
            finally:
                turn.sharing -= 1
                turn.tell()

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[None]:
        """With nobody else."""
        with self._turn(name) as turn:
            turn.waiting_alone += 1
            try:
                await turn.wait_for(lambda: not turn.is_alone and not turn.sharing)
                turn.is_alone = True
            finally:
                turn.waiting_alone -= 1
                turn.tell()
            try:
                yield
            finally:
                turn.is_alone = False
                turn.tell()

    @contextmanager
    def _turn(self, name: str) -> Iterator[_Turn]:
        turn = self._turns.setdefault(name, _Turn())
        turn.interested += 1
        try:
            yield turn
        finally:
            turn.interested -= 1
            if not turn.interested:
                del self._turns[name]
