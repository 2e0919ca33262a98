"""One filling of etcd: everything that the database has is published, and only that.

It begins an epoch.  Until the epoch is complete, shims know that what is absent may still come.
The publisher then decides by the rows as they are at that time, so objects that change meanwhile are
safe.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from uuid import uuid4

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import Epoch, encode
from gluon.etcd import Client, Compare, FenceBroken, Op, Put, Txn
from gluon.proton.publish.contents import all_keys, read_contents
from gluon.proton.publish.deployment import EtcdSide, Verdict
from gluon.proton.publish.forgotten import Forgotten
from gluon.proton.publish.serial import encode_serial
from gluon.proton.publish.session import Session
from gluon.proton.storage import Database, Transaction
from gluon.schema import Proton

log = logging.getLogger(__name__)

AT_ONCE = 2000
"""Most outbox rows of one transaction: other servers want to write as well."""
STALLED = 10.0
"""Time without progress, in seconds, after which the epoch is complete without the objects of others."""


class Filling:
    """A filling by one session; made by `begin`."""

    def __init__(
        self, database: Database, client: Client, protons: Mapping[str, Proton], session: Session, *, loss: bool
    ) -> None:
        self.objects = 0
        """Objects of the database."""
        self.vanished = 0
        """Objects that only etcd had."""
        self.malformed: tuple[str, ...] = ()
        """Keys below `/proton/` that name no object; they are left alone."""
        self.left = 0
        """How many of the outbox rows are still pending."""
        self._database = database
        self._client = client
        self._protons = protons
        self._session = session
        self._loss = loss
        self._forgotten = Forgotten(database, client, protons)
        self._epoch = b""
        """The value of the epoch's key while it is not complete."""
        self._record = Epoch(database="", id="", complete=False)
        self._last = 0
        self._progress = time.monotonic()

    @property
    def epoch(self) -> str:
        """The id of the epoch."""
        return self._record.id

    @property
    def total(self) -> int:
        """How many objects are to be published or deleted."""
        return self.objects + self.vanished

    @property
    def words(self) -> str:
        """How far it is."""
        return f"republishing {max(self.total - self.left, 0)} of {self.total}"

    async def announce(self, etcd: EtcdSide, *, adopt: bool) -> None:
        """Begins the epoch in the database, then in etcd.

        In this order a crash in between shows as an etcd that is older than the database, and is made
        good.  The new serial is above all that either has, so that no older state looks like this one.

        Args:
            etcd: as it was judged; if its epoch is another by now, this is not the one to fill it.
            adopt: go on with the epoch that is there.

        Raises:
            FenceBroken: the session is over, or somebody else began an epoch.
            EtcdError, DatabaseUnavailable.
        """
        if adopt and etcd.epoch is not None:
            self._record, serial = etcd.epoch, etcd.serial
        else:
            epoch_id = str(uuid4())
            database, serial = await self._database.write(partial(_new_epoch, epoch=epoch_id, above=etcd.serial))
            self._record = Epoch(database=database, id=epoch_id, complete=False)
        self._epoch = encode(self._record)
        number = encode_serial(serial)
        put: Op = Put(keys.SERIAL, number)
        if not etcd.malformed:  # Others may have published more since.
            put = Txn([Compare.value_greater(keys.SERIAL, number)], [], [put])
        result = await self._client.txn(
            [self._session.fence, Compare.mod_revision(keys.EPOCH, etcd.epoch_revision)],
            [Put(keys.EPOCH, self._epoch), put, self._session.note_filling(self._record.id)],
        )
        if not result.succeeded:
            raise FenceBroken("another publisher has begun to fill etcd")

    async def request(self) -> None:
        """Appends an outbox row for every object that the database or etcd has.

        Raises:
            EtcdError, DatabaseUnavailable: rows may be appended already.
        """
        contents = await read_contents(self._client, self._protons, keys_only=True)
        self.malformed = contents.malformed
        in_database = dict.fromkeys(await self._database.read(partial(all_keys, protons=self._protons)))
        vanished = [key for key in contents.objects() if key not in in_database]
        self.objects, self.vanished = len(in_database), len(vanished)
        wanted = [*in_database, *vanished]
        if self._loss:
            await self._forgotten.find(set(wanted))
        self.left = len(wanted)
        for start in range(0, len(wanted), AT_ONCE):
            part = wanted[start : start + AT_ONCE]
            ids = await self._database.write(partial(_append, wanted=part))
            self._last = max(self._last, *ids)

    async def is_published(self, refused: int) -> bool:
        """Whether nothing is left that can be published.

        Args:
            refused: rows that wait because etcd refuses their objects.

        Raises:
            DatabaseUnavailable.
        """
        protons = list(self._protons)
        left = await self._database.read(lambda tx: tx.outbox.size_up_to(self._last, protons))
        if left != self.left:
            self.left, self._progress = left, time.monotonic()
        if left <= refused:
            return True
        if time.monotonic() - self._progress < STALLED:
            return False
        log.warning("objects that another server has to publish, and has not: %d", left - refused)
        return True

    async def complete(self) -> None:
        """Says in etcd that nothing more is to come.

        Raises:
            FenceBroken: the session is over, or somebody else began an epoch.
            EtcdError.
        """
        done = Epoch(database=self._record.database, id=self._record.id, complete=True)
        result = await self._client.txn(
            [self._session.fence, Compare.value(keys.EPOCH, self._epoch)],
            [Put(keys.EPOCH, encode(done)), self._session.note_filling("")],
        )
        if not result.succeeded:
            raise FenceBroken("another publisher has begun to fill etcd")
        await self._forgotten.tell()  # More controllers may have come back meanwhile.


async def begin(
    database: Database,
    client: Client,
    protons: Mapping[str, Proton],
    session: Session,
    verdict: Verdict,
    etcd: EtcdSide,
) -> Filling:
    """Begins to fill etcd: the epoch, then the rows; the publisher does the rest.

    Raises:
        FenceBroken, EtcdError, DatabaseUnavailable.
    """
    filling = Filling(database, client, protons, session, loss=verdict.loss)
    await filling.announce(etcd, adopt=verdict.adopt)
    await filling.request()
    return filling


def _new_epoch(tx: Transaction, *, epoch: str, above: int) -> tuple[str, int]:
    serial = max(tx.outbox.highest(), above) + 1
    tx.outbox.raise_above(serial)
    tx.deployment.set(epoch=epoch, serial=serial, legacy=False)
    return tx.deployment.get().id, serial


def _append(tx: Transaction, *, wanted: Sequence[ObjectKey]) -> list[int]:
    return tx.outbox.append(wanted)
