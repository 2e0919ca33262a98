"""The use cases that the API offers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from gluon.contract.keys import ObjectKey
from gluon.contract.records import UNBOUND, Answer
from gluon.proton.metrics import BIND_SECONDS, BINDS
from gluon.proton.service import binding, changes, default_interface
from gluon.proton.service.bind_waiters import BindWaiter, BindWaiters
from gluon.proton.service.changes import Changed, Target
from gluon.proton.storage import (
    ConstraintViolated,
    Database,
    InUse,
    StorageError,
    Stored,
    Transaction,
    explain_delete,
    explain_insert,
    explain_update,
)
from gluon.schema import Proton, Value, validate_attributes

log = logging.getLogger(__name__)

STOPPED = "the server stopped before a controller answered; set host_id or device_id again to bind once more"


class PublisherPort(Protocol):
    """What the use cases need of the publisher."""

    @property
    def session(self) -> str | None:
        """The session that new outbox rows belong to; None while there is none."""

    def wake(self) -> None:
        """Says that rows were committed."""


class Objects:
    """Creates, shows, lists, updates, deletes and binds; each call is one transaction."""

    def __init__(
        self,
        database: Database,
        publisher: PublisherPort,
        waiters: BindWaiters,
        *,
        bind_timeout: float,
        holder: Callable[[ObjectKey], Answer | None] = lambda _: None,
    ) -> None:
        """Puts the use cases together.

        Args:
            database: where objects are kept.
            publisher: is told of every commit.
            waiters: is told of every port that changes here, and by the answers.
            bind_timeout: longest wait for a controller's answer, in seconds.
            holder: what a controller says of a port at this moment; it explains a bind that timed out.
        """
        self._database = database
        self._publisher = publisher
        self._waiters = waiters
        self._bind_timeout = bind_timeout
        self._holder = holder

    async def create(self, target: Target, values: Mapping[str, Value]) -> Stored:
        """Adds an object; of a port that is to be bound, after the bind has ended.

        Raises:
            InvalidAttributes, NotFound (the parent), Duplicate, ReferenceMissing,
            ChangedMeanwhile, DatabaseUnavailable.
        """
        attributes = changes.new_attributes(target, values)
        key = str(attributes[target.primary_key])

        def work(tx: Transaction) -> Changed:
            return changes.create(tx, target, attributes, self._publisher.session)

        def why(tx: Transaction) -> StorageError:
            proton = target.proton
            if target.object_type is proton.port and not tx.objects(proton.name, target.object_type.name).exists(key):
                interface = default_interface.attributes(proton, attributes)
                return explain_insert(tx, tx.objects(proton.name, proton.interface.name), interface)
            return explain_insert(tx, tx.objects(proton.name, target.object_type.name), attributes)

        return await self._change(target, key, work, why)

    async def update(self, target: Target, key: str, values: Mapping[str, Value]) -> Stored:
        """Changes the attributes that `values` names; after the bind has ended, if it asks for one.

        Raises:
            InvalidAttributes, NotFound, Conflict, ReferenceMissing, ChangedMeanwhile,
            DatabaseUnavailable.
        """

        def work(tx: Transaction) -> Changed:
            return changes.update(tx, target, key, values, self._publisher.session)

        def why(tx: Transaction) -> StorageError:
            rows = tx.objects(target.proton.name, target.object_type.name)
            existing = changes.show(tx, target, key).attributes
            return explain_update(tx, rows, validate_attributes(target.object_type, values, existing=existing))

        return await self._change(target, key, work, why)

    async def delete(self, target: Target, key: str) -> None:
        """Removes an object.

        Raises:
            NotFound, Conflict, InUse, ChangedMeanwhile, DatabaseUnavailable.
        """
        try:
            await self._database.write(lambda tx: changes.delete(tx, target, key, self._publisher.session))
        except ConstraintViolated as error:
            raise await self._database.read(partial(_why_not_deleted, target=target, key=key)) from error
        self._publisher.wake()
        self._waiters.see(target.key(key), None)

    async def show(self, target: Target, key: str) -> Stored:
        """Reads one object.

        Raises:
            NotFound, DatabaseUnavailable.
        """
        return await self._database.read(lambda tx: changes.show(tx, target, key))

    async def list(
        self, target: Target, filters: Mapping[str, Value], *, limit: int | None = None, marker: str | None = None
    ) -> list[Stored]:
        """Reads objects in the order of their keys.

        Args:
            target: their type, and the parent that they are below.
            filters: values that attributes must equal.
            limit: most objects; None for all.
            marker: only keys after this one.

        Raises:
            NotFound (the parent), DatabaseUnavailable.
        """
        return await self._database.read(lambda tx: changes.find(tx, target, filters, limit, marker))

    async def give_up_open_binds(self, protons: Mapping[str, Proton]) -> None:
        """Gives the binds that were open when the server started their timeout, from now."""

        def read(tx: Transaction) -> list[tuple[Target, str, int]]:
            return [
                (Target(proton=proton, object_type=proton.port), key, request)
                for proton in protons.values()
                for key, request in tx.objects(proton.name, proton.port.name).open_binds(UNBOUND)
            ]

        still_open = await self._database.read(read)
        if not still_open:
            return
        log.info(
            "binds that were open when the server started: %d; they have %g s", len(still_open), self._bind_timeout
        )
        await asyncio.sleep(self._bind_timeout)
        for target, key, request in still_open:
            await self._give_up(target, key, request, self._not_answered(target.key(key)))

    async def _change(
        self,
        target: Target,
        key: str,
        work: Callable[[Transaction], Changed],
        why: Callable[[Transaction], StorageError],
    ) -> Stored:
        name = target.key(key)
        with self._waiters.waiter(name) as waiter:
            try:
                changed = await self._database.write(work)
            except ConstraintViolated as error:
                raise await self._database.read(why) from error
            self._publisher.wake()
            self._waiters.see(name, changed.stored)
            if changed.bind_request is None:
                return changed.stored
            return await self._bind_ended(target, key, changed.bind_request, waiter)

    async def _bind_ended(self, target: Target, key: str, request: int, waiter: BindWaiter) -> Stored:
        begin = time.monotonic()
        given_up = ""
        port: Stored | None = None
        try:
            async with asyncio.timeout(self._bind_timeout):
                port = await waiter.ended(request)
        except TimeoutError:
            given_up = self._not_answered(target.key(key))
        if self._waiters.stopped:
            given_up = STOPPED
        if given_up:
            await self._give_up(target, key, request, given_up)
        if given_up or port is None:
            port = await self.show(target, key)
        BIND_SECONDS.observe(time.monotonic() - begin)
        BINDS.labels(_outcome(port, request, given_up)).inc()
        return port

    async def _give_up(self, target: Target, key: str, request: int, reason: str) -> None:
        values = {**binding.given_up(reason), "updated_at": changes.now()}

        def work(tx: Transaction) -> bool:
            rows = tx.objects(target.proton.name, target.object_type.name)
            return rows.update(key, values, bind_request=request, vif_type=UNBOUND)

        if await self._database.write(work):
            log.warning("bind of %s: %s", target.key(key), reason)

    def _not_answered(self, port: ObjectKey) -> str:
        answer = self._holder(port)
        if self._publisher.session is None:
            why = "etcd is unreachable, so no controller was asked; check etcd"
        elif answer is None or not answer.host_id:
            why = "check that a shim runs and serves this host"
        elif answer.vif_type:
            why = (
                f"controller {answer.controller} still has the port for host {answer.host_id}; check its shim, "
                f"or release the port: gluon-manage release {port.proton} {port.key}"
            )
        else:
            why = f"controller {answer.controller} has begun to bind it on {answer.host_id} and has not finished"
        return f"no controller answered within {self._bind_timeout:g} s: {why}; then set host_id or device_id again"


def _why_not_deleted(tx: Transaction, target: Target, key: str) -> StorageError:
    proton = target.proton
    rows = tx.objects(proton.name, target.object_type.name)
    if target.object_type is proton.port:
        interfaces = tx.objects(proton.name, proton.interface.name)
        found = explain_delete(tx, interfaces, key)
        if isinstance(found, InUse):
            return found
        return explain_delete(tx, rows, key, other_than=key)
    return explain_delete(tx, rows, key)


def _outcome(port: Stored, request: int, given_up: str) -> str:
    if port.bind_request != request:
        return "superseded"
    if binding.is_bound(port.attributes):
        return "bound"
    if given_up and port.status_reason == given_up:
        return "stopped" if given_up == STOPPED else "timeout"
    return "failed"
