"""The outbox publisher: every committed change goes to etcd, as the latest state of its object.

Several servers may share a database.  docs/adr/0003-outbox.md gives the rules by which at any time
at most one of them writes an object, and why nothing old is ever written over something new.  Before
it writes anything, and every second, it looks whether this etcd is the one that this database fills
(`deployment`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial

from gluon.etcd import (
    Client,
    ClusterReplaced,
    EtcdError,
    FenceBroken,
    FencedWriter,
    WriteRefused,
)
from gluon.proton.metrics import IN_STEP, OUTBOX_PENDING
from gluon.proton.publish import filling
from gluon.proton.publish.deployment import (
    Action,
    EtcdSide,
    Verdict,
    check_deployment,
    find_loss,
)
from gluon.proton.publish.filling import Filling
from gluon.proton.publish.item import operation, read_round
from gluon.proton.publish.refusals import Refusals
from gluon.proton.publish.serial import Serial
from gluon.proton.publish.session import Session, living_sessions, open_session
from gluon.proton.publish.settling import Settling
from gluon.proton.publish.standing import CONNECTED, STARTING, Standing, outage
from gluon.proton.storage import Changes, Database, DatabaseUnavailable
from gluon.schema import Proton

log = logging.getLogger(__name__)

SAFETY_NET = 1.0
"""Looks for rows at least this often, in seconds, whoever committed them."""
OTHERS_TURN = 0.1
"""Looks again after this time, in seconds, when an object waits for another server."""
CHECK_EVERY = 1.0
"""Seconds between two looks at the deployment, and at the rows of dead sessions."""
ROWS_AT_ONCE = 1000
"""Looks at so many rows at once."""
RETRY = 1.0
"""Pause before a new session after a failure, in seconds."""


class _CheckAgain(Exception):
    """Database and etcd are not as they were when the session began."""


class _Work:
    """Everything that lives as long as one session."""

    def __init__(self, session: Session, settling: Settling, refusals: Refusals, serial: Serial) -> None:
        self.session = session
        self.settling = settling
        self.refusals = refusals
        self.serial = serial
        self.filling: Filling | None = None
        self.checked = time.monotonic()


class Publisher:
    """One for each server; `run` ends when it is cancelled."""

    def __init__(
        self, database: Database, client: Client, protons: Mapping[str, Proton], *, url: str, refill: bool = False
    ) -> None:
        """Puts the publisher together.

        Args:
            database: holds the outbox.
            client: etcd.
            protons: whose objects are published.
            url: of this server, for the registration of ports, e.g. `http://127.0.0.1:2705`.
            refill: begin with filling etcd, whatever it holds and whosever it was.
        """
        self.looked = asyncio.Event()
        """Set once the deployment was looked at, or could not be: changes are refused from here on if they
        have to be."""
        self.filling: Filling | None = None
        """The filling that is going on."""
        self.filled: asyncio.Future[Filling] = asyncio.get_running_loop().create_future()
        """The first filling that this publisher completed."""
        self._database = database
        self._client = client
        self._protons = protons
        self._url = url
        self._ordered = refill
        self._suspicion = ""
        """Why etcd is to be filled although the deployment doesn't show it: a hint that it was replaced."""
        self._epoch = ""
        """The epoch that etcd had when last there was no suspicion."""
        self._standing = STARTING
        self._was_filled = False
        self._wake = asyncio.Event()
        self._previous: str | None = None
        self._pending = 0
        database.subscribe(self._committed)

    @property
    def standing(self) -> Standing:
        """How it stands now."""
        return self._standing

    def _stand(self, standing: Standing) -> None:
        self._standing = standing
        IN_STEP.set(standing.ok)
        self.looked.set()

    @property
    def in_step(self) -> bool:
        """Whether etcd is known to hold what the database has, but for changes that are on their way."""
        return self.standing.ok

    @property
    def was_filled(self) -> bool:
        """Whether this publisher has filled an etcd that had lost something."""
        return self._was_filled

    async def run(self) -> None:
        """Publishes without end; outages of etcd and of the database are waited for."""
        while True:
            try:
                await self._once()
            except (_CheckAgain, FenceBroken) as error:
                log.info("publisher session %s is over: %s", self._previous, error)
            except ClusterReplaced as error:
                log.warning("%s", error)
                self._client.forget_history()
                self._suspicion = str(error)
            except EtcdError as error:
                await self._note_outage(error)
            except DatabaseUnavailable:
                pass  # The database has said so itself.
            await asyncio.sleep(RETRY)

    def _committed(self, changes: Changes) -> None:
        if changes.published:
            self._wake.set()

    async def _once(self) -> None:
        verdict, etcd = await self._judge(None)
        if verdict.action is Action.REFUSE:
            self._refuse(verdict)
            return
        self._database.refuse_changes("")
        async with open_session(self._client, self._previous) as session:
            self._previous = session.id
            async with self._begun(session, etcd) as (work, writer):
                await self._begin(work, verdict, etcd)
                while not session.lost:
                    self._wake.clear()
                    again = await self._publish_pending(work, writer)
                    await self._tick(work, writer)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(again):
                            await self._wake.wait()

    async def _judge(self, session: str | None) -> tuple[Verdict, EtcdSide]:
        verdict, etcd = await check_deployment(self._database, self._client, session=session)
        if self._ordered:
            return Verdict(Action.FILL, "a resync was asked for", loss=True), etcd
        if verdict.action is not Action.PUBLISH or etcd.epoch is None:
            return verdict, etcd
        if session is None and not self._suspicion:
            lost = await find_loss(self._database, self._client, self._protons)
            self._suspicion = f"etcd lacks {lost}, which was published before" if lost is not None else ""
        if self._suspicion and self._epoch in ("", etcd.epoch.id):
            return Verdict(Action.FILL, self._suspicion, loss=True), etcd
        # Otherwise another server has had the same suspicion, and has filled it meanwhile.
        self._suspicion, self._epoch = "", etcd.epoch.id
        return verdict, etcd

    @asynccontextmanager
    async def _begun(self, session: Session, etcd: EtcdSide) -> AsyncGenerator[tuple[_Work, FencedWriter]]:
        """Has changes belong to this session, and the writer run, until the end of the session."""
        serial = Serial(etcd.serial)
        writer = FencedWriter(self._client, session.fence, retry=False, name="publisher", seal=serial.seal)
        running = asyncio.create_task(writer.run(), name="publisher writer")
        self._database.session = session.id
        try:
            async with Settling(self._database, session.id) as settling:
                yield _Work(session, settling, Refusals(self._database, self._protons), serial), writer
        finally:
            self._database.session = None
            self.filling = None
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _begin(self, work: _Work, verdict: Verdict, etcd: EtcdSide) -> None:
        if self.standing.kind:
            log.info("etcd is back; changes pending: %d", self._pending)
        if verdict.action is Action.FILL:
            log.log(logging.WARNING if verdict.loss else logging.INFO, "%s: publishing everything", verdict.sentence)
            self._stand(Standing("republishing", ready=False))
            self._was_filled = self._was_filled or verdict.loss
            begun = await filling.begin(self._database, self._client, self._protons, work.session, verdict, etcd)
            work.filling = self.filling = begun
        await self._adopt(work)
        self._stand(_standing(work, verdict))

    async def _publish_pending(self, work: _Work, writer: FencedWriter) -> float:
        """Publishes all that is pending now; returns the seconds after which to look again."""
        limit = ROWS_AT_ONCE + work.settling.rows + work.refusals.rows
        read = partial(read_round, session=work.session.id, limit=limit, url=self._url)
        found = await self._database.read(read)
        news = [item for item in found.items if work.settling.is_news(item) and work.refusals.is_due(item)]
        work.serial.newest = {item.key: item.ids[-1] for item in news}
        outcomes = await writer.write_all((item.key, operation(item)) for item in news)
        for item, outcome in zip(news, outcomes, strict=True):
            if isinstance(outcome, WriteRefused):
                await work.refusals.add(item, outcome)
            else:
                work.serial.known = max(work.serial.known, item.ids[-1])
                work.settling.add(item)
                await work.refusals.forget(item)
        if work.filling is not None:
            await self._go_on_filling(work, work.filling, idle=not news)
        if found.full:
            self._wake.set()
        return OTHERS_TURN if found.others or work.filling is not None else SAFETY_NET

    async def _go_on_filling(self, work: _Work, begun: Filling, *, idle: bool) -> None:
        done = await begun.is_published(work.refusals.rows) and idle
        self._stand(Standing(begun.words, ready=False))
        if not done:
            return
        await begun.complete()
        log.info(
            "etcd holds what the database has: %d objects; deleted, only etcd had them: %d",
            begun.objects,
            begun.vanished,
        )
        self._ordered, self._suspicion, self._epoch = False, "", begun.epoch
        work.filling = self.filling = None
        self._stand(CONNECTED)
        if not self.filled.done():
            self.filled.set_result(begun)

    async def _tick(self, work: _Work, writer: FencedWriter) -> None:
        """Once in a while: the deployment, the rows of dead sessions, and whether etcd takes writes."""
        if time.monotonic() - work.checked < CHECK_EVERY:
            return
        await writer.probe()
        await self._adopt(work)
        if work.filling is None:
            verdict, etcd = await self._judge(work.session.id)
            if verdict.action in (Action.REFUSE, Action.FILL):
                raise _CheckAgain(verdict.sentence)
            work.serial.known = max(work.serial.known, etcd.serial)
            self._stand(_standing(work, verdict))
        work.checked = time.monotonic()

    async def _adopt(self, work: _Work) -> None:
        """Takes over the rows that nobody else will publish.

        The owners are read before the living: an owner's key is in etcd before its first row is in
        the outbox, so an owner that is not among the living is gone for good.
        """
        protons = list(self._protons)
        owners = await self._database.read(lambda tx: tx.outbox.sessions(protons))
        strangers = owners - {work.session.id}
        if strangers:
            living = await living_sessions(self._client)
            dead = [owner for owner in strangers if owner is not None and owner not in living]
            await self._database.write(lambda tx: tx.outbox.adopt(dead, work.session.id, protons))
            work.refusals.look_again()
            self._wake.set()
        await self._count_pending()

    async def _count_pending(self) -> None:
        protons = list(self._protons)
        self._pending = await self._database.read(lambda tx: tx.outbox.size(protons))
        OUTBOX_PENDING.set(self._pending)

    def _refuse(self, verdict: Verdict) -> None:
        if self.standing.words != verdict.sentence:
            log.error("nothing is published, and changes are refused: %s", verdict.sentence)
        self._suspicion = ""
        self._database.refuse_changes(verdict.sentence)
        self._stand(Standing(verdict.sentence, ready=False))

    async def _note_outage(self, error: EtcdError) -> None:
        standing = outage(error)
        if standing.kind != self.standing.kind:
            log.warning("changes wait in the outbox until etcd takes them: %s", standing.words)
        self._stand(standing)
        with contextlib.suppress(DatabaseUnavailable):  # It only feeds a metric.
            await self._count_pending()


def _standing(work: _Work, verdict: Verdict) -> Standing:
    """How a session stands that can write."""
    if work.filling is not None:
        return Standing(work.filling.words, ready=False)
    if verdict.action is Action.WAIT:
        return Standing(f"republishing: {verdict.sentence}", ready=False)
    return CONNECTED
