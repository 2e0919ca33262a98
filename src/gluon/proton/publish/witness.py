"""Whether etcd still holds what was published to it.

etcd may have lost its data, or been restored from a backup, while nobody looked.  The newest object
that has nothing pending bears witness: it is what a backup most likely lacks.
"""

from __future__ import annotations

from collections.abc import Mapping

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.etcd import Client
from gluon.proton.storage import Database, Transaction
from gluon.schema import Proton


async def find_loss(database: Database, client: Client, protons: Mapping[str, Proton]) -> ObjectKey | None:
    """An object that was published and is not in etcd; None when there is no such sign.

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


def _witnesses(tx: Transaction, protons: Mapping[str, Proton]) -> list[ObjectKey]:
    newest = [
        (proton.name, name, tx.newest_published(proton.name, name))
        for proton in protons.values()
        for name in proton.objects
    ]
    return [ObjectKey(proton, name, key) for proton, name, key in newest if key is not None]
