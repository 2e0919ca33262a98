"""A publisher session: the right to write, proven by a key in etcd on a lease.

Every transaction of the publisher compares that key, so a server that froze for longer than the
lease can't write late.  A session ends at the first doubt: when the lease is lost, and when the
outcome of a write is unknown, since that write may still be on its way.  The next session deletes
the key of the one before in the transaction that makes its own, which fences such a write off.

The key's value names the epoch that the session is filling, so that others know that somebody is.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import uuid4

from gluon.contract import keys
from gluon.etcd import Client, Compare, Delete, Lease, Put

TTL = 5
"""Seconds after which the session of a server that is gone ends.

Until then nobody publishes its pending changes, nor later changes of the same objects, so this is
shorter than the default `bind_timeout`: a bind that is asked for right after a kill must not fail
because of it."""


class Session:
    """One session; its id is never used again."""

    def __init__(self, session_id: str, created: int, lease: Lease) -> None:
        self.id = session_id
        self.fence = Compare.create_revision(keys.publisher(session_id), created)
        """Holds as long as the session lives."""
        self._lease = lease

    @property
    def lost(self) -> bool:
        """Whether the session may be over."""
        return not self._lease.alive

    def note_filling(self, epoch: str) -> Put:
        """The operation that tells others which epoch this session is filling; empty: none."""
        return Put(keys.publisher(self.id), epoch.encode(), lease=self._lease.id)


@asynccontextmanager
async def open_session(client: Client, previous: str | None) -> AsyncGenerator[Session]:
    """Opens a session; its key is there before its id is known to anybody.

    Args:
        client: etcd.
        previous: the session of this process that this one follows.

    Raises:
        EtcdError: etcd did not grant it.
    """
    session_id = str(uuid4())
    async with client.lease(TTL) as lease:
        operations = [Delete(keys.publisher(previous))] if previous else []
        result = await client.txn([], [*operations, Put(keys.publisher(session_id), b"", lease=lease.id)])
        yield Session(session_id, result.revision, lease)


async def living_sessions(client: Client) -> set[str]:
    """The ids of all sessions that live, as of now."""
    return {
        item.key.removeprefix(keys.PUBLISHER).decode()
        async for page in client.pages(keys.PUBLISHER, keys_only=True)
        for item in page.items
    }
