"""Makes etcd hold what the database holds, whatever happened to either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import unquote

from msgspec import Struct

from gluon.contract import keys
from gluon.contract.keys import MalformedKey, ObjectKey
from gluon.contract.records import MalformedRecord, PortRegistration, decode
from gluon.etcd import Client, KeyValue
from gluon.proton.service.changes import now
from gluon.proton.storage import Database, OutboxRow, Transaction
from gluon.schema import Proton

AT_ONCE = 2000
"""Most outbox rows of one transaction: other servers want to write as well."""


class Resync(Struct, frozen=True, kw_only=True):
    """What a resync is to publish."""

    objects: int
    """Objects of the database, to be written where etcd lacks them or holds something else."""
    vanished: int
    """Objects that only etcd has, to be deleted there."""
    malformed: tuple[str, ...]
    """Keys below `/proton/` that name no object; they are left alone."""
    last: int
    """The newest outbox id; the resync is complete when no row up to it is pending."""


async def request_resync(database: Database, client: Client, protons: Mapping[str, Proton]) -> Resync:
    """Appends an outbox row for every object that the database or etcd has.

    The publisher then decides by the rows as they are at that time, so objects that change
    meanwhile are safe.

    Raises:
        EtcdError: etcd could not be read; nothing was appended.
        DatabaseUnavailable: rows may be appended already; run it again.
    """
    in_etcd: dict[ObjectKey, None] = {}
    malformed: list[str] = []
    for proton in protons.values():
        await _published(client, proton, in_etcd, malformed)
    await _registered(client, protons, in_etcd)
    in_database = dict.fromkeys(await database.read(lambda tx: _all_keys(tx, protons)))
    vanished = [key for key in in_etcd if key not in in_database]
    last = 0
    rows = [OutboxRow(key) for key in (*in_database, *vanished)]
    for start in range(0, len(rows), AT_ONCE):
        ids = await database.write(partial(_append, rows=rows[start : start + AT_ONCE]))
        last = max(last, *ids)
    return Resync(objects=len(in_database), vanished=len(vanished), malformed=tuple(malformed), last=last)


async def _published(client: Client, proton: Proton, found: dict[ObjectKey, None], malformed: list[str]) -> None:
    async for page in client.pages(keys.desired_prefix(proton.name), keys_only=True):
        for item in page.items:
            try:
                found[keys.parse(item.key, keys.PROTON)] = None
            except MalformedKey as error:
                malformed.append(str(error))


async def _registered(client: Client, protons: Mapping[str, Proton], found: dict[ObjectKey, None]) -> None:
    """Ports that only their registration is left of."""
    async for page in client.pages(keys.PORT_REGISTRATION):
        for item in page.items:
            key = _registered_port(protons, item)
            if key is not None:
                found[key] = None


def _registered_port(protons: Mapping[str, Proton], item: KeyValue) -> ObjectKey | None:
    """The port that a registration is of; None when it is not one of our protons'."""
    try:
        proton = protons.get(decode(PortRegistration, item.value).service)
        key = unquote(item.key.removeprefix(keys.PORT_REGISTRATION), errors="strict")
    except (MalformedRecord, UnicodeDecodeError):
        return None  # Whose it is can't be told, so it stays.
    return None if proton is None else ObjectKey(proton.name, proton.port.name, key)


def _append(tx: Transaction, rows: Sequence[OutboxRow]) -> list[int]:
    return tx.outbox.append(rows, None, now())


def _all_keys(tx: Transaction, protons: Mapping[str, Proton]) -> list[ObjectKey]:
    return [
        ObjectKey(proton.name, name, key)
        for proton in protons.values()
        for name in proton.objects
        for key in tx.objects(proton.name, name).all_keys()
    ]
