"""The outbox publisher: what the transactions committed goes to etcd, the latest state of each object.

Several servers may share a database.  docs/adr/0003-outbox.md gives the rules by which at any time
at most one of them writes an object, and why nothing old is ever written over something new.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial

from gluon.contract.keys import ObjectKey
from gluon.etcd import Client, EtcdError
from gluon.proton.metrics import OUTBOX_PENDING
from gluon.proton.publish.refusals import Refusals
from gluon.proton.publish.round import read_round
from gluon.proton.publish.session import Session, living_sessions, open_session
from gluon.proton.publish.settling import Settling
from gluon.proton.publish.witness import find_loss
from gluon.proton.publish.writer import FenceBroken, Refused, Written, batches, write
from gluon.proton.storage import Database, DatabaseUnavailable
from gluon.schema import Proton

log = logging.getLogger(__name__)

SAFETY_NET = 1.0
"""Looks for rows at least this often, in seconds, whoever committed them."""
OTHERS_TURN = 0.1
"""Looks again after this time, in seconds, when an object waits for another server."""
ADOPT_EVERY = 1.0
"""Takes over the rows of dead sessions this often, in seconds."""
ROWS_AT_ONCE = 1000
"""Looks at so many rows at once."""
RETRY = 1.0
"""Pause before a new session after a failure, in seconds."""

PublishedBind = Callable[[ObjectKey, int, int], None]
"""Told of a port's key, its bind_request, and the revision that published it."""


class Publisher:
    """One for each server; `run` ends when it is cancelled."""

    def __init__(
        self,
        database: Database,
        client: Client,
        protons: Mapping[str, Proton],
        *,
        url: str,
        published_bind: PublishedBind | None = None,
    ) -> None:
        """Puts the publisher together.

        Args:
            database: holds the outbox.
            client: etcd.
            protons: whose objects are published.
            url: of this server, for the registration of ports, e.g. `http://127.0.0.1:2705`.
            published_bind: told as soon as etcd has a request for a bind.
        """
        self.session: str | None = None
        """The session that new outbox rows belong to; None while there is none."""
        self._database = database
        self._client = client
        self._protons = protons
        self._url = url
        self._published_bind = published_bind
        self._wake = asyncio.Event()
        self._previous: str | None = None
        self._reachable = True
        self._pending = 0

    def wake(self) -> None:
        """Says that rows were committed."""
        self._wake.set()

    @property
    def state(self) -> tuple[bool, str]:
        """Whether changes go to etcd at this moment, and a word about it."""
        if self.session is not None:
            return True, "connected"
        return False, "unreachable: changes wait in the outbox"

    async def run(self) -> None:
        """Publishes, for ever; outages of etcd and of the database are waited for."""
        while True:
            try:
                async with open_session(self._client, self._previous) as session:
                    await self._run_session(session)
            except FenceBroken:
                log.info("publisher session %s is over in etcd", self._previous)
            except EtcdError as error:
                await self._note_outage(error)
            except DatabaseUnavailable as error:
                log.warning("publisher: %s; trying again until it works", error)
            await asyncio.sleep(RETRY)

    async def _run_session(self, session: Session) -> None:
        self._previous = session.id
        self.session = session.id
        try:
            await self._adopt(session)
            self._note_connected()
            await self._look_for_loss()
            async with Settling(self._database, session.id) as settling:
                await self._publish_until_lost(session, settling, Refusals(self._database))
        finally:
            self.session = None

    async def _publish_until_lost(self, session: Session, settling: Settling, refusals: Refusals) -> None:
        adopted = time.monotonic()
        while not session.lost:
            self._wake.clear()
            others = await self._publish_pending(session, settling, refusals)
            if time.monotonic() - adopted > ADOPT_EVERY:
                await self._adopt(session)
                adopted = time.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(OTHERS_TURN if others else SAFETY_NET):
                    await self._wake.wait()

    async def _publish_pending(self, session: Session, settling: Settling, refusals: Refusals) -> bool:
        """Publishes what is pending now; returns whether objects wait for another server."""
        limit = ROWS_AT_ONCE + settling.rows + refusals.rows
        read = partial(read_round, session=session.id, limit=limit, protons=self._protons, url=self._url)
        found = await self._database.read(read)
        news = [item for item in found.items if settling.is_news(item) and refusals.is_due(item)]
        for batch in batches(news):
            for result in await write(self._client, session.fence, batch):
                if isinstance(result, Refused):
                    await refusals.add(result)
                    continue
                self._tell(result)
                settling.add(result)
                await refusals.forget(result)
        if found.full:
            self.wake()
        return found.others

    def _tell(self, written: Written) -> None:
        item = written.item
        if item.bind_request is not None and self._published_bind is not None:
            self._published_bind(item.key, item.bind_request, written.revision)

    async def _adopt(self, session: Session) -> None:
        """Takes over the rows that nobody else will publish.

        The owners are read before the living: an owner's key is in etcd before its first row is in
        the outbox, so an owner that is not among the living is gone for good.
        """
        protons = list(self._protons)
        owners = await self._database.read(lambda tx: tx.outbox.sessions(protons))
        strangers = owners - {session.id}
        if strangers:
            living = await living_sessions(self._client)
            dead = [owner for owner in strangers if owner is not None and owner not in living]
            await self._database.write(lambda tx: tx.outbox.adopt(dead, session.id, protons))
            self.wake()
        await self._count_pending()

    async def _look_for_loss(self) -> None:
        lost = await find_loss(self._database, self._client, self._protons)
        if lost is not None:
            log.error(
                "etcd lacks %s, which was published before: its data was lost or replaced; run `gluon-manage resync` "
                "with this server's configuration file",
                lost,
            )

    async def _count_pending(self) -> None:
        protons = list(self._protons)
        self._pending = await self._database.read(lambda tx: tx.outbox.size(protons))
        OUTBOX_PENDING.set(self._pending)

    async def _note_outage(self, error: EtcdError) -> None:
        if self._reachable:
            log.warning("etcd is lost: changes wait in the outbox until it is back (%s)", error)
        self._reachable = False
        with contextlib.suppress(DatabaseUnavailable):  # It only feeds a metric.
            await self._count_pending()

    def _note_connected(self) -> None:
        if not self._reachable:
            log.info("etcd is back; changes pending: %d", self._pending)
        self._reachable = True
