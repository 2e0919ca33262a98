"""What the fault tests share: writers, followers, the truth to compare with, and a proxy that goes silent."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, Self

from gluon.etcd import Client, Event, Liveness, Mirror, Unavailable
from gluon.etcd.proto import etcd_pb2 as pb
from gluon.etcd.types import prefix_end
from gluon.etcd.watch import open_watch
from gluon.etcd.wire import event
from gluon.testing.waiting import auntil

PREFIX = b"/proton/"
QUICK = Liveness(ask_after=0.3, give_up_after=1.0)


class Follower:
    """A state fed by a mirror, and everything that fed it."""

    def __init__(self, mirror: Mirror, *, delay: float = 0.0) -> None:
        self.mirror = mirror
        self.state: dict[bytes, bytes] = {}
        self.events: list[Event] = []
        self.synced = asyncio.Event()
        self.delay = delay
        self._raised = False
        self._news = asyncio.Condition()
        self.task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        async with aclosing(self.mirror.batches()) as batches:
            async for batch in batches:
                for each in batch.events:
                    self.events.append(each)
                    if each.value is None:
                        del self.state[each.key]
                    else:
                        self.state[each.key] = each.value
                if batch.synced:
                    self.synced.set()
                async with self._news:
                    self._news.notify_all()
                if self.delay:
                    await asyncio.sleep(self.delay)

    async def reach(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Waits for the condition; raises what ended the mirror."""
        async with asyncio.timeout(seconds), self._news:
            waiter = asyncio.ensure_future(self._news.wait_for(condition))
            await asyncio.wait([waiter, self.task], return_when=asyncio.FIRST_COMPLETED)
            if not waiter.done():
                waiter.cancel()
                await asyncio.gather(waiter, return_exceptions=True)
                self._raised = True
                self.task.result()

    async def catch_up(self, client: Client, seconds: float = 30.0) -> None:
        """Waits for everything that was written until now."""
        end = b"%s~%d" % (PREFIX, time.monotonic_ns())
        await persistently(lambda: client.put(end, b""))
        await self.reach(lambda: end in self.state, seconds)

    async def stop(self) -> None:
        """Ends the mirror; raises what ended it before, unless `reach` has."""
        self.task.cancel()
        (result,) = await asyncio.gather(self.task, return_exceptions=True)
        if isinstance(result, Exception) and not self._raised:
            raise result


@asynccontextmanager
async def following(
    client: Client, *, delay: float = 0.0, liveness: Liveness = QUICK, wait: bool = True
) -> AsyncIterator[Follower]:
    follower = Follower(Mirror(client, PREFIX, liveness=liveness, longest_pause=1.0), delay=delay)
    try:
        if wait:
            await follower.reach(follower.synced.is_set)
            await auntil(lambda: follower.mirror.connected, "the mirror is connected")
        yield follower
    finally:
        await follower.stop()


async def persistently(write: Callable[[], Any], seconds: float = 40.0) -> Any:
    """Does it until it works."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await write()
            except Unavailable:
                await asyncio.sleep(0.05)


class Writers:
    """Puts and deletes at random keys, through outages."""

    def __init__(self, client: Client, count: int = 4, keys: int = 50, pause: float = 0.002) -> None:
        self.acknowledged: set[tuple[bytes, int]] = set()
        self._client = client
        self._keys = keys
        self._pause = pause
        self._stopping = False
        self._tasks = [asyncio.create_task(self._write(random.Random(seed))) for seed in range(count)]

    async def _write(self, rng: random.Random) -> None:
        number = 0
        while not self._stopping:
            key = b"%sk%d" % (PREFIX, rng.randrange(self._keys))
            number += 1
            try:
                if rng.random() < 0.25:
                    await self._client.delete(key)
                else:
                    self.acknowledged.add((key, await self._client.put(key, b"%d" % number)))
            except Unavailable:
                await asyncio.sleep(0.05)
            await asyncio.sleep(self._pause)

    async def progress(self, count: int = 20) -> None:
        """Waits until so many more writes are acknowledged."""
        goal = len(self.acknowledged) + count
        await auntil(lambda: len(self.acknowledged) >= goal, f"{count} more writes are acknowledged")

    async def stop(self) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)


async def history(client: Client) -> list[Event]:
    """Everything that etcd says happened until now, on a fresh watch."""
    end = b"%s~~%d" % (PREFIX, time.monotonic_ns())
    await persistently(lambda: client.put(end, b""))
    request = pb.WatchCreateRequest(key=PREFIX, range_end=prefix_end(PREFIX), start_revision=1, fragment=True)
    events: list[Event] = []
    async with asyncio.timeout(30), open_watch(client.transport, request, Liveness(), "history") as watch:
        while not events or events[-1].key != end:
            events += map(event, (await watch.receive()).events)
    return events


async def content(client: Client) -> tuple[dict[bytes, bytes], int]:
    """What etcd holds, and as of which revision."""
    pages = [page async for page in client.pages(PREFIX)]
    return {item.key: item.value for page in pages for item in page.items}, pages[0].revision


async def assert_exact(follower: Follower, client: Client, writers: Writers | None = None) -> None:
    """The follower saw all of etcd's history once, in order.

    A write that timed out may still land while this runs, so what is compared ends where the history does.
    """
    truth = await history(client)
    await follower.catch_up(client)
    assert follower.events[: len(truth)] == truth
    if writers:
        assert writers.acknowledged
        assert writers.acknowledged <= {(each.key, each.revision) for each in truth}


def follower_state(follower: Follower) -> dict[bytes, bytes]:
    """What the follower holds."""
    state: dict[bytes, bytes | None] = {}
    for each in follower.events:
        state[each.key] = each.value
    return {key: value for key, value in state.items() if value is not None}


async def assert_state(follower: Follower, client: Client) -> None:
    """The follower holds what etcd holds, and was told nothing twice."""
    await follower.catch_up(client)
    # A delete that only a list showed carries the list's revision, which is later than its own.

    async def agrees() -> bool:
        return follower_state(follower) == (await content(client))[0]

    await auntil(agrees, "the follower holds what etcd holds")
    latest: dict[bytes, int] = {}
    for each in follower.events:
        assert each.revision > latest.get(each.key, 0)
        latest[each.key] = each.revision


class Proxy:
    """Forwards TCP to one server; can drop everything silently, as a broken network does."""

    def __init__(self, target: str) -> None:
        self._host, _, self._port = target.rpartition(":")
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None
        self.endpoint = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.endpoint = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def silence(self) -> None:
        self._open.clear()

    def restore(self) -> None:
        """Lets new connections through; what was sent into the silence is lost, connections with it."""
        for task in self._tasks:
            task.cancel()
        self._open.set()

    def retarget(self, target: str) -> None:
        """Leads all connections to another server from now on."""
        self._host, _, self._port = target.rpartition(":")
        self.cut()

    def cut(self) -> None:
        """Breaks the connections that exist."""
        for task in self._tasks:
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            await self._open.wait()
            up_reader, up_writer = await asyncio.open_connection(self._host, int(self._port))
            try:
                await asyncio.gather(self._pump(reader, up_writer), self._pump(up_reader, writer))
            finally:
                up_writer.transport.abort()
        except (OSError, asyncio.CancelledError):
            return
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError
