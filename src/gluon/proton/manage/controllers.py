"""Which controllers are alive."""

from __future__ import annotations

from gluon.contract import keys
from gluon.contract.keys import MalformedKey
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


def gone(controller: str) -> list[Compare]:
    """Conditions of a transaction: no shim of this controller leads."""
    return [Compare.absent(keys.controller_status(controller)), Compare.absent(keys.leader(controller))]
