"""A mirror: list once, then watch without end, and lose nothing in between."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing, contextmanager
from itertools import islice

from msgspec import Struct

from gluon.etcd import wire
from gluon.etcd.backoff import LONGEST, Backoff
from gluon.etcd.client import Client
from gluon.etcd.errors import OUTAGES, WAIT_FOR_OPERATOR, ClusterReplaced, Compacted, EtcdError
from gluon.etcd.proto import etcd_pb2 as pb
from gluon.etcd.replica import Replica
from gluon.etcd.types import Event
from gluon.etcd.watch import Liveness, Watch, open_watch

logger = logging.getLogger(__name__)

_BATCH = 500
"""Most events of a batch; the event loop gets its turn after each."""


class Batch(Struct, frozen=True):
    """Changes, in the order to apply them."""

    events: tuple[Event, ...]
    """May be empty in a list's last batch."""
    revision: int
    """The revision of the last event; in a list, the list's."""
    synced: bool
    """False while the first list is still being handed out."""


class Mirror:
    """Follows all keys that begin with a prefix: first what exists, then every change.

    Each change is handed out once, in the order of revisions.  Only when etcd has compacted what
    happened during an outage do changes of a key fall together: then the keys are listed again and
    their differences handed out, deletes included.

    Outages don't end it: it tries again until it works, and says so in the log.
    """

    def __init__(
        self,
        client: Client,
        prefix: bytes,
        *,
        exact: bool = False,
        liveness: Liveness | None = None,
        longest_pause: float = LONGEST,
    ) -> None:
        """Prepares a mirror.

        Args:
            client: reads etcd; it stays the caller's.
            prefix: what the keys begin with.
            exact: follow the one key `prefix` instead of all that begin with it.
            liveness: how long etcd may be silent; the default asks after 5 s and gives up after 15 s.
            longest_pause: seconds between two tries, at most.
        """
        self.connected = False
        """The watch stands.  False before, and during an outage."""
        self.outage: EtcdError | None = None
        """What keeps the watch from standing; None: nothing does, or it has not been tried yet."""
        self._client = client
        self._history = client.history
        self._what = f"watch {prefix.decode(errors='backslashreplace')}"
        self._liveness = liveness or Liveness()
        self._key, self._end = (prefix, b"") if exact else wire.prefix_range(prefix)
        self._replica = Replica(prefix)
        self._backoff = Backoff(longest_pause)
        self._list_needed = True

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """Hands out the list, then the changes, without end; for one consumer.

        While the consumer works on a batch nothing is read, and etcd keeps what is pending.

        Raises:
            ClusterReplaced: the etcd that is there now is not the one that the client knew when the
                mirror was made.  What was handed out is worth nothing; begin with a new mirror, after
                `Client.forget_history`.
            InvalidRequest: etcd can't make sense of the request.
        """
        try:
            while True:
                try:
                    async with aclosing(self._session()) as session:
                        async for batch in session:
                            yield batch
                except (*OUTAGES, Compacted) as error:
                    await asyncio.sleep(self._pause(error))
        except ClusterReplaced as error:
            # Others that use the client must not go on as if it were the same etcd.
            self._history.end(str(error))
            raise
        finally:
            self.connected = False

    async def _session(self) -> AsyncGenerator[Batch, None]:
        """From one connection to its end."""
        self._history.check()
        await self._client.verify()
        if not self._list_needed:
            await self._verify()
        if self._list_needed:
            async with aclosing(self._list()) as batches:
                async for batch in batches:
                    yield batch
        request = pb.WatchCreateRequest(
            key=self._key, range_end=self._end, start_revision=self._replica.resume + 1, fragment=True
        )
        async with open_watch(self._client.transport, request, self._liveness, self._what) as watch:
            self._established(watch)
            while True:
                response = await watch.receive()
                self._backoff.reset()
                self._saw(response.header)
                events = self._replica.watched(map(wire.event, response.events), complete=not response.fragment)
                for chunk in _chunks(events):
                    yield Batch(chunk, chunk[-1].revision, synced=True)
                    if len(chunk) == _BATCH:
                        await asyncio.sleep(0)

    async def _list(self) -> AsyncGenerator[Batch, None]:
        """Hands out what the list shows and is not known yet, then the deletes."""
        synced = self._replica.resume > 0
        revision = 0
        with _collector_paused(wanted=not synced):
            async with aclosing(self._client.raw_pages(self._key, self._end)) as pages:
                async for page in pages:
                    self._saw(page.header)
                    if not revision:
                        revision = page.header.revision
                        self._replica.begin_list(revision)
                    for chunk in _chunks(self._replica.listed(map(_listed, page.kvs))):
                        yield Batch(chunk, revision, synced)
                        await asyncio.sleep(0)
            for chunk in _chunks(self._replica.end_list()):
                yield Batch(chunk, revision, synced)
                await asyncio.sleep(0)
        self._list_needed = False
        if not synced:
            yield Batch((), revision, synced=True)

    async def _verify(self) -> None:
        """Makes sure, by a fact of the past, that this is the etcd known so far.

        The revision alone would not do: another store may have grown beyond ours meanwhile.
        """
        landmark = self._replica.landmark
        request = pb.RangeRequest(key=landmark.key, revision=landmark.revision, keys_only=True)
        try:
            response = await self._client.range(request, f"resume {self._what}")
        except Compacted as error:
            logger.info("%s; listing again", error)
            self._list_needed = True
            return
        self._saw(response.header)
        found = response.kvs[0].mod_revision if response.kvs else 0
        if found != landmark.mod_revision:
            raise ClusterReplaced(
                f"{self._what}: key {landmark.key!r} was as of revision {landmark.mod_revision or 'absent'} at"
                f" revision {landmark.revision}, now it is {found or 'absent'} there: etcd's data was replaced"
            )

    def _saw(self, header: pb.ResponseHeader) -> None:
        self._history.saw(header.cluster_id, header.revision, str(self._client.endpoints))

    def _established(self, watch: Watch) -> None:
        self.connected = True
        if self.outage:
            logger.info(
                "%s: connected to etcd %s again, from revision %d",
                self._what,
                watch.host,
                self._replica.resume,
            )
        self.outage = None

    def _pause(self, error: EtcdError) -> float:
        """Notes an outage, logs it when it is news, and says how long to wait."""
        repeated = type(self.outage) is type(error)
        if not repeated:
            level = logging.WARNING if self._client.is_news(error) else logging.DEBUG
            logger.log(level, "%s; trying again until it works", error)
        self.connected = False
        self.outage = error
        if isinstance(error, Compacted):
            self._list_needed = True
        # The first refusal may be that of an old token; a second needs an operator.
        if repeated and isinstance(error, WAIT_FOR_OPERATOR):
            return self._backoff.longest()
        return self._backoff.delay()


def _listed(message: pb.KeyValue) -> Event:
    return Event(message.key, message.value, message.mod_revision)


def _chunks(events: Iterable[Event]) -> Iterator[tuple[Event, ...]]:
    iterator = iter(events)
    while chunk := tuple(islice(iterator, _BATCH)):
        yield chunk


@contextmanager
def _collector_paused(*, wanted: bool) -> Iterator[None]:
    """Stops Python's cyclic garbage collector, which triples the time of a large load."""
    if not wanted or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
