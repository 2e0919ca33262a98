"""The use cases that the API offers for every object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from gluon.process.unique import unique_id
from gluon.proton.service import changes
from gluon.proton.service.binding import Asked
from gluon.proton.service.binds import Binds
from gluon.proton.service.changes import Condition, Target
from gluon.proton.service.control_plane import ControlPlane
from gluon.proton.service.doubt import unpublished, with_doubt
from gluon.proton.service.filters import Filters
from gluon.proton.storage import Database, Stored, Transaction
from gluon.schema import Value

Found: TypeAlias = list[Stored]


class Objects:
    """Creates, shows, lists, updates and deletes; each call is one transaction."""

    def __init__(self, database: Database, binds: Binds, control_plane: ControlPlane) -> None:
        """Puts the use cases together.

        Args:
            database: where objects are kept.
            binds: waits for the binds that a change asks for.
            control_plane: knows whether changes reach the controllers.
        """
        self._database = database
        self._binds = binds
        self._control_plane = control_plane

    async def create(self, target: Target, values: Mapping[str, Value]) -> Stored:
        """Adds an object.  If it is a port that is to be bound, waits for the bind to end.

        Raises:
            InvalidAttributes, NotFound (the parent), Duplicate, Taken, ReferenceMissing,
            ChangedMeanwhile, DatabaseUnavailable, ChangesRefused.
        """
        attributes = changes.new_attributes(target, values)
        token = unique_id().hex

        def work(tx: Transaction) -> tuple[Stored, Asked | None]:
            return changes.create(tx, target, attributes, token)

        return await self._change(target, str(attributes[target.primary_key]), work)

    async def update(
        self, target: Target, key: str, values: Mapping[str, Value], condition: Condition | None = None
    ) -> Stored:
        """Changes the attributes that `values` names.  If that asks for a bind, waits for it to end.

        Args:
            target: the object's type.
            key: the object's.
            values: new values.
            condition: holds for the object, or nothing is changed; None: there is none.

        Raises:
            InvalidAttributes, NotFound, PreconditionFailed, Conflict, Taken, ReferenceMissing, ChangedMeanwhile,
            DatabaseUnavailable, ChangesRefused.
        """
        token = unique_id().hex

        def work(tx: Transaction) -> tuple[Stored, Asked | None]:
            changes.require(tx, target, key, condition)
            return changes.update(tx, target, key, values, token)

        return await self._change(target, key, work)

    async def delete(self, target: Target, key: str, condition: Condition | None = None) -> None:
        """Removes an object, if the condition holds for it.

        Raises:
            NotFound, PreconditionFailed, Conflict, InUse, ChangedMeanwhile, DatabaseUnavailable,
            ChangesRefused.
        """

        def work(tx: Transaction) -> None:
            changes.require(tx, target, key, condition)
            changes.delete(tx, target, key)

        await self._database.change(work)

    async def show(self, target: Target, key: str) -> Stored:
        """Reads one object.

        Raises:
            NotFound, DatabaseUnavailable.
        """
        (found,) = await self._read(target, lambda tx: [changes.show(tx, target, key)])
        return found

    async def list(
        self, target: Target, filters: Filters, *, limit: int | None = None, marker: str | None = None
    ) -> list[Stored]:
        """Reads objects in the order of their keys.

        Args:
            target: their type, and the parent that they are below.
            filters: by attribute, the values of which it has one.
            limit: most objects; None for all.
            marker: only keys after this one.

        Raises:
            NotFound (the parent), DatabaseUnavailable.
        """
        return await self._read(target, lambda tx: changes.find(tx, target, filters, limit, marker))

    async def _read(self, target: Target, read: Callable[[Transaction], Found]) -> Found:
        """Reads objects, and what there is to doubt of them."""
        trouble = self._control_plane.trouble

        def work(tx: Transaction) -> tuple[Found, set[str]]:
            found = read(tx)
            if not trouble:
                return found, set()
            keys = [_key(target, each) for each in found]
            return found, tx.outbox.among(target.proton.name, target.object_type.name, keys)

        found, pending = await self._database.read(work)
        told = [unpublished(each, trouble) if _key(target, each) in pending else each for each in found]
        return [with_doubt(each, self._database.refusal) for each in told]

    async def _change(self, target: Target, key: str, work: changes.Work) -> Stored:
        stored, waited = await self._binds.ask(target.key(key), work)
        return await self.show(target, key) if waited or self._control_plane.trouble else stored


def _key(target: Target, stored: Stored) -> str:
    return str(stored.attributes[target.primary_key])
