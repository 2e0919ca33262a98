"""Whether this database and this etcd belong together, and which of them is older.

Both carry the id of the database, the id of the epoch (one filling of etcd), and a serial: the highest
outbox id that was ever published.  The database learns of a serial when it removes the published rows,
so while both are right, etcd's serial is the database's own or the id of a row that is still pending:

* etcd has less: it was wiped, or restored from a backup.  The database is the truth, so everything is
  published again; that takes nobody's word away.
* etcd has more: the database is the older one.  To publish it would undo changes that were answered,
  so that is an operator's decision.

Comparing serials alone would miss a database that was restored and then went on: its ids grow past
etcd's.  Each server therefore skips a random number of ids when it starts (`skip_ids`), so that two
histories of one database don't use the same ones.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from secrets import randbelow

from msgspec import Struct

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import Epoch, MalformedRecord, decode
from gluon.etcd import Client, Get, GetResult, KeyValue, Response
from gluon.proton.publish.serial import decode_serial
from gluon.proton.storage import Database, Deployment, Transaction
from gluon.schema import Proton

MOST_SKIPPED = 2**24
"""Ids have 63 bits: enough for 500 billion starts."""

ADVICE = "or make etcd follow this database: gluon-manage resync"


class Action(enum.Enum):
    """The choices of a publisher."""

    PUBLISH = enum.auto()
    """They are in step."""
    FILL = enum.auto()
    """Everything is to be published again; it is safe."""
    WAIT = enum.auto()
    """Another publisher of this database is filling etcd; changes may be published meanwhile."""
    REFUSE = enum.auto()
    """Nothing may be published before an operator has decided."""


class Verdict(Struct, frozen=True):
    """The conclusion from both sides."""

    action: Action
    sentence: str = ""
    """Why, unless they are in step."""
    adopt: bool = False
    """The fill goes on with the epoch that is in etcd, whose publisher is gone."""
    loss: bool = False
    """The fill makes good a loss; False: it is the first one."""


class EtcdSide(Struct, frozen=True, kw_only=True):
    """Etcd's marks, as they were read."""

    epoch: Epoch | None
    epoch_revision: int
    """mod_revision of the epoch's key; 0: there is none."""
    serial: int
    has_objects: bool
    """There is something below `/proton/`; only looked at while there is no epoch."""
    filled_by_other: bool = False
    """A living publisher is at work on the epoch; only looked at while that is not complete."""
    malformed: str = ""
    """Why epoch or serial can't be read; empty: they can."""


class DatabaseSide(Struct, frozen=True, kw_only=True):
    """The database's marks, as they were read."""

    deployment: Deployment
    """As it was before etcd was read."""
    epoch: str
    """The epoch after etcd was read."""
    highest: int
    """The highest outbox id ever, after etcd was read."""
    has_serial: bool
    """After etcd was read: etcd's serial is not beyond its own, or is the id of a pending row."""


def judge(etcd: EtcdSide, database: DatabaseSide) -> Verdict:
    """Compares the two sides; pure."""
    ours = database.deployment
    if etcd.malformed:
        return _refuse(f"{etcd.malformed}; see who writes there, {ADVICE}")
    if etcd.epoch is None:
        return _without_epoch(etcd, ours)
    if etcd.epoch.database != ours.id:
        return _refuse(
            f"etcd was filled by database {etcd.epoch.database}, and this is database {ours.id}: the configuration "
            f"names the wrong database or the wrong etcd; correct it, {ADVICE}"
        )
    return _by_age(etcd, etcd.epoch, database)


def _by_age(etcd: EtcdSide, epoch: Epoch, database: DatabaseSide) -> Verdict:
    ours = database.deployment
    if etcd.serial > database.highest or not database.has_serial:
        return _refuse(
            f"the database is older than etcd: etcd holds changes up to number {etcd.serial}, and this database knows "
            f"its own only up to {ours.serial}, as after a restore from a backup; put the newer database back, "
            f"{ADVICE}"
        )
    if etcd.serial < ours.serial or epoch.id not in {ours.epoch, database.epoch}:
        return _fill(
            f"etcd came back older than it was: it holds changes up to number {etcd.serial}, and {ours.serial} was "
            "published before"
        )
    if epoch.complete:
        return Verdict(Action.PUBLISH)
    if etcd.filled_by_other:
        return Verdict(Action.WAIT, "etcd is being filled by another publisher of this database")
    return Verdict(Action.FILL, "etcd was not filled to the end", adopt=True, loss=True)


def _without_epoch(etcd: EtcdSide, ours: Deployment) -> Verdict:
    if not etcd.has_objects:
        if ours.epoch:
            return _fill("etcd is empty, and was filled before: its data was lost, or it is another etcd")
        return Verdict(Action.FILL, "etcd is empty")
    if ours.legacy:
        return Verdict(Action.FILL, "database and etcd are those of the version before")
    return _refuse(
        f"etcd holds objects and does not say which database they come from, and this is database {ours.id}; see "
        f"that the configuration names the right database and etcd, {ADVICE}"
    )


def _fill(sentence: str) -> Verdict:
    return Verdict(Action.FILL, sentence, loss=True)


def _refuse(sentence: str) -> Verdict:
    return Verdict(Action.REFUSE, sentence)


async def read_etcd(client: Client, *, session: str | None = None) -> EtcdSide:
    """Reads etcd's side.

    Args:
        client: etcd.
        session: the publisher session that asks: it is no other.

    Raises:
        EtcdError: as any call.
    """
    result = await client.txn([], [Get(keys.EPOCH), Get(keys.SERIAL)])
    epoch_key, serial_key = (_item(response) for response in result.responses)
    epoch: Epoch | None = None
    malformed, serial = "", 0
    try:
        if epoch_key is not None:
            epoch = decode(Epoch, epoch_key.value)
        if serial_key is not None:
            serial = decode_serial(serial_key.value)
    except MalformedRecord as error:
        malformed = f"{(keys.EPOCH if epoch is None else keys.SERIAL).decode()} in etcd can't be read ({error})"
    filling = epoch is not None and not epoch.complete
    return EtcdSide(
        epoch=epoch,
        epoch_revision=epoch_key.mod_revision if epoch_key is not None else 0,
        serial=serial,
        has_objects=epoch_key is None and await _has_objects(client),
        filled_by_other=filling and epoch is not None and await _filled_by_other(client, epoch.id, session),
        malformed=malformed,
    )


async def check_deployment(
    database: Database, client: Client, *, session: str | None = None
) -> tuple[Verdict, EtcdSide]:
    """Compares the database with etcd.

    Both go on while they are read.  The database's serial is read before etcd's, its highest id after
    it, so that neither can look older than it is.

    Args:
        database: the one side.
        client: the other.
        session: the publisher session that asks; None: none does.

    Raises:
        EtcdError, DatabaseUnavailable.
    """
    before = await database.read(lambda tx: tx.deployment.get())
    etcd = await read_etcd(client, session=session)

    def read(tx: Transaction) -> DatabaseSide:
        after = tx.deployment.get()
        return DatabaseSide(
            deployment=before,
            epoch=after.epoch,
            highest=tx.outbox.highest(),
            has_serial=etcd.serial <= after.serial or tx.outbox.has(etcd.serial),
        )

    return judge(etcd, await database.read(read)), etcd


async def find_loss(database: Database, client: Client, protons: Mapping[str, Proton]) -> ObjectKey | None:
    """An object that was published and is not in etcd; None when there is no such sign.

    Servers of one database may serve different protons: the epoch then says only that one of them has
    published its own.  An object of each type bears witness, where nothing of its proton is pending.

    Raises:
        EtcdError, DatabaseUnavailable.
    """
    for key in await database.read(lambda tx: _witnesses(tx, protons)):
        if await client.get(keys.desired(key)) is not None:
            continue
        # It may have been deleted between the two looks.
        if key in await database.read(lambda tx: _witnesses(tx, protons)):
            return key
    return None


def skip_ids(tx: Transaction) -> None:
    """Leaves out a random number of outbox ids; once for each start of a server."""
    tx.outbox.raise_above(tx.outbox.highest() + randbelow(MOST_SKIPPED))


def _item(response: Response) -> KeyValue | None:
    return response.item if isinstance(response, GetResult) else None


async def _has_objects(client: Client) -> bool:
    async for page in client.pages(keys.PROTON, keys_only=True, limit=1):
        return bool(page.items)
    return False


async def _filled_by_other(client: Client, epoch: str, session: str | None) -> bool:
    own = keys.publisher(session) if session else b""
    async for page in client.pages(keys.PUBLISHER):
        if any(item.value == epoch.encode() and item.key != own for item in page.items):
            return True
    return False


def _witnesses(tx: Transaction, protons: Mapping[str, Proton]) -> list[ObjectKey]:
    found: list[ObjectKey] = []
    for proton in protons.values():
        if tx.outbox.size([proton.name]):
            continue
        for name, object_type in proton.objects.items():
            first = tx.objects(proton.name, name).find({}, limit=1)
            found += [
                ObjectKey(proton.name, name, str(each.attributes[object_type.primary_key.name])) for each in first
            ]
    return found
