"""The client: keys, transactions, and the way to leases."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Self

from gluon.etcd import wire
from gluon.etcd.endpoints import Endpoints
from gluon.etcd.errors import ClusterReplaced, Compacted, EtcdError, PermissionDenied, TimedOut
from gluon.etcd.history import History
from gluon.etcd.lease import Lease
from gluon.etcd.lease_keeper import OnStall
from gluon.etcd.proto import etcd_pb2 as pb
from gluon.etcd.transport import Transport
from gluon.etcd.types import Compare, Get, KeyValue, Op, Page, Status, TxnResult

_SMALLEST_PAGE = 1_000


SAME_OUTAGE = 1.0
"""Seconds within which failures of one kind are one outage, whoever of a client's users meets it."""


class Client:
    """One connection to one etcd cluster, for one event loop.

    Use it as `async with Client(endpoints) as etcd`.  It connects when first used.  Every method
    may raise any `EtcdError`; of a write after `Unavailable` the outcome is unknown.

    Once another etcd answers than the one known so far, every call that reads or writes keys raises
    `ClusterReplaced`, until `forget_history`.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints
        self.transport = Transport(endpoints)
        self.history = History()
        """What this client knows of the etcd it speaks to."""
        self._told: dict[type[EtcdError], float] = {}

    async def __aenter__(self) -> Self:
        """Opens the client without connecting.

        Raises:
            InvalidRequest: a TLS file can't be read.
        """
        self.transport.channels.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Closes the connections."""
        await self.transport.channels.close()

    def is_news(self, error: EtcdError) -> bool:
        """Whether to tell of an outage; not if another user of this client has told of the same a moment ago."""
        now = time.monotonic()
        before = self._told.get(type(error))
        self._told[type(error)] = now
        return before is None or now - before > SAME_OUTAGE

    def forget_history(self) -> None:
        """Takes the etcd that answers now for the one to speak to, if the one known so far was replaced.

        Called by the part of a program that deals with the replacement.  Mirrors and writers of the
        old history still end with `ClusterReplaced`.
        """
        if self.history.ended:
            self.history = History()

    async def verify(self) -> None:
        """Makes sure, after an outage, that etcd still knows the last thing that this client wrote.

        The revision alone would not do: others may have written into a restored etcd meanwhile.  What
        has been compacted or may not be read tells nothing.

        Raises:
            ClusterReplaced: it doesn't; as if the revision had told.
        """
        history = self.history
        if history.landmark is None:
            return
        key, revision = history.landmark
        request = pb.RangeRequest(key=key, revision=revision, keys_only=True)
        try:
            answer = await self.range(request, f"verify {_show(key)}")
            known = bool(answer.kvs) and answer.kvs[0].mod_revision == revision
        except (Compacted, PermissionDenied):
            return
        except ClusterReplaced:  # It has not come to that revision yet.
            known = False
        if not known:
            history.end(
                f"etcd {self.endpoints} doesn't know that {_show(key)} was written at revision {revision}: its data was"
                " lost or restored from a backup"
            )
            history.check()

    async def get(self, key: bytes) -> KeyValue | None:
        """Reads a key, as of now; None when it does not exist."""
        return wire.first(await self.range(pb.RangeRequest(key=key), f"get {_show(key)}"))

    async def put(self, key: bytes, value: bytes, *, lease: int = 0) -> int:
        """Writes a key and returns the store's revision after it.

        Raises:
            LeaseLost: the lease is gone.
        """
        request = pb.PutRequest(key=key, value=value, lease=lease)
        history = self.history
        response = await self._kv("Put", request, pb.PutResponse, f"put {_show(key)}")
        history.wrote(key, response.header.revision)
        return int(response.header.revision)

    async def delete(self, key: bytes) -> bool:
        """Deletes a key; False when it did not exist."""
        request = pb.DeleteRangeRequest(key=key)
        response = await self._kv("DeleteRange", request, pb.DeleteRangeResponse, f"delete {_show(key)}")
        return bool(response.deleted)

    async def delete_prefix(self, prefix: bytes) -> int:
        """Deletes every key that begins with the prefix, at once, and returns how many."""
        key, end = wire.prefix_range(prefix)
        request = pb.DeleteRangeRequest(key=key, range_end=end)
        what = f"delete everything below {_show(prefix)}"
        response = await self._kv("DeleteRange", request, pb.DeleteRangeResponse, what)
        return int(response.deleted)

    async def txn(self, compare: Sequence[Compare], success: Sequence[Op], failure: Sequence[Op] = ()) -> TxnResult:
        """Does `success` if every comparison holds, else `failure`; all of it or nothing, at one revision.

        Raises:
            InvalidRequest: more than `MAX_TXN_OPERATIONS`, or one key written twice.
        """
        what = f"transaction of {len(compare)} comparisons, {len(success)} + {len(failure)} operations"
        if not success and not failure:
            # etcd lets any server answer one without operations from what it happens to know.  What is
            # read is a key that the user may read, if anything is compared at all.
            read = Get(compare[0].key if compare else b"\0")
            request = wire.txn(compare, [read], [read])
            result = wire.txn_result(await self._kv("Txn", request, pb.TxnResponse, what))
            return TxnResult(result.succeeded, result.revision, ())
        history = self.history
        request = wire.txn(compare, success, failure)
        result = wire.txn_result(await self._kv("Txn", request, pb.TxnResponse, what))
        if key := wire.written(success if result.succeeded else failure, result.responses):
            history.wrote(key, result.revision)
        return result

    async def pages(self, prefix: bytes, *, keys_only: bool = False, limit: int = 50_000) -> AsyncGenerator[Page, None]:
        """Lists all keys that begin with the prefix, as of one revision; at least one page.

        Small pages are slow: etcd counts all keys of the range for each.

        Args:
            prefix: what the keys begin with; empty: all keys.
            keys_only: leave the values out.
            limit: most keys of a page.  It shrinks when a page does not arrive within the timeout.

        Raises:
            Compacted: the revision of the list was compacted before the last page; start again.
        """
        key, end = wire.prefix_range(prefix)
        revision = 0
        async for page in self.raw_pages(key, end, keys_only=keys_only, limit=limit):
            revision = revision or page.header.revision
            yield Page(tuple(map(wire.key_value, page.kvs)), revision)

    async def raw_pages(
        self, key: bytes, end: bytes, *, keys_only: bool = False, limit: int = 50_000
    ) -> AsyncGenerator[pb.RangeResponse, None]:
        """As `pages`, in etcd's messages, of the range from `key` to `end`."""
        request = pb.RangeRequest(key=key, range_end=end, keys_only=keys_only, limit=limit)
        while True:
            try:
                page = await self.range(request, f"list {_show(key)}")
            except TimedOut:
                if request.limit <= _SMALLEST_PAGE:
                    raise
                request.limit = max(request.limit // 4, _SMALLEST_PAGE)
                continue
            request.revision = request.revision or page.header.revision
            yield page
            if not page.more:
                return
            request.key = page.kvs[-1].key + b"\0"

    async def range(self, request: pb.RangeRequest, what: str) -> pb.RangeResponse:
        """Reads in etcd's messages; `what` names the call in errors."""
        response: pb.RangeResponse = await self._kv("Range", request, pb.RangeResponse, what, idempotent=True)
        return response

    async def compact(self, revision: int) -> None:
        """Forgets all that was overwritten or deleted before `revision`.

        Raises:
            Compacted: it already has.
        """
        request = pb.CompactionRequest(revision=revision)
        await self._kv("Compact", request, pb.CompactionResponse, f"compact to revision {revision}")

    async def status(self) -> Status:
        """What the server in use says of itself."""
        response = await self.transport.unary(
            "/etcdserverpb.Maintenance/Status",
            pb.StatusRequest(),
            pb.StatusResponse.FromString,
            "status",
            idempotent=True,
        )
        return wire.status(response)

    def lease(self, ttl: int, *, max_stall: float | None = None, on_stall: OnStall | None = None) -> Lease:
        """A lease of `ttl` seconds: `async with client.lease(10) as lease`; arguments as in `Lease`."""
        return Lease(self.transport, ttl, max_stall=max_stall, on_stall=on_stall)

    async def _kv(self, method: str, request: Any, answer: Any, what: str, *, idempotent: bool = False) -> Any:
        history = self.history
        history.check()
        sent_at = history.revision
        path = f"/etcdserverpb.KV/{method}"
        response = await self.transport.unary(path, request, answer.FromString, what, idempotent=idempotent)
        header = response.header
        history.answered(
            header.cluster_id,
            header.revision,
            sent_at=sent_at,
            changed=wire.changed(response),
            host=str(self.endpoints),
        )
        return response


def _show(key: bytes) -> str:
    return key.decode(errors="backslashreplace")
