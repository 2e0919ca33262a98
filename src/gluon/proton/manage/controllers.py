"""Which controllers are alive."""

from __future__ import annotations

from gluon.contract import keys
from gluon.contract.keys import MalformedKey
from gluon.contract.records import ControllerStatus, MalformedRecord, decode
from gluon.etcd import Client, Compare


async def living(client: Client) -> list[str]:
    """The names of all controllers that have a leader, sorted.

    Raises:
        EtcdError.
    """
    found: set[str] = set()
    async for page in client.pages(keys.STATUS, keys_only=True):
        for item in page.items:
            try:
                controller, key = keys.parse_status(item.key)
            except MalformedKey:
                continue
            if key is None:
                found.add(controller)
    return sorted(found)


async def is_alive(client: Client, controller: str) -> bool:
    """Whether a shim of this controller leads.

    Raises:
        EtcdError.
    """
    # Two reads: a transaction of comparisons alone is denied by etcd to every user but root.
    marks = (keys.controller_status(controller), keys.leader(controller))
    return any([await client.get(mark) is not None for mark in marks])


async def idle(client: Client, controller: str, proton: str) -> list[Compare]:
    """Conditions of a transaction: a shim of this controller leads, and has no handler for the proton.

    None where that is not so, or can't be told.

    Raises:
        EtcdError.
    """
    found = await client.get(keys.controller_status(controller))
    if found is None:
        return []
    try:
        serves = proton in decode(ControllerStatus, found.value).handlers
    except MalformedRecord:
        return []
    return [] if serves else [Compare.mod_revision(found.key, found.mod_revision)]


def gone(controller: str) -> list[Compare]:
    """Conditions of a transaction: no shim of this controller leads."""
    return [Compare.absent(keys.controller_status(controller)), Compare.absent(keys.leader(controller))]
