"""Who may work on a thing at the same time: many together, or one alone.

A wait is bounded by that of the callback (`[shim] callback_timeout`): each holder makes requests,
which are bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
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


class Together:
    """Work that many want done is done once for all who asked before it began.

    Args:
        turns: for the work to be alone.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._all: set[asyncio.Task[None]] = set()

    async def do(self, name: str, turn: str, work: Callable[[], Awaitable[None]]) -> None:
        """Returns when the work is done; what it read, it has read after this call.

        Args:
            name: of the work; whose name is the same does the same.
            turn: what it has to be alone with.
            work: what to do.
        """
        task = self._waiting.get(name)
        if task is None:
            task = self._waiting[name] = asyncio.create_task(self._begin(name, turn, work))
            self._all.add(task)
            task.add_done_callback(self._end)
        await asyncio.shield(task)

    async def stop(self) -> None:
        """Ends what is under way."""
        for task in self._all:
            task.cancel()
        await asyncio.gather(*self._all, return_exceptions=True)

    async def _begin(self, name: str, turn: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            async with self._turns.alone(turn):
                del self._waiting[name]
                await work()
        finally:
            if self._waiting.get(name) is asyncio.current_task():
                del self._waiting[name]

    def _end(self, task: asyncio.Task[None]) -> None:
        self._all.discard(task)
        if not task.cancelled():
            task.exception()  # who asked has it, or has been cancelled
