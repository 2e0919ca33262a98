"""Objects that were deleted while etcd was lost, where etcd came back from before they were made.

Neither the database nor etcd has them any more.  A shim that lives still knows what it applied.  If it died
as well, the outbox is the last to tell of them, so each controller that may have one is left a note, and its
leader makes sure of the object as of any call that ended late (docs/adr/0011-late-calls.md).

Bindings of ports are followed by `gluon.proton.answers.releases`, and their ports with them.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from functools import partial

from msgspec import Struct

from gluon.contract import keys
from gluon.contract.keys import MalformedKey, ObjectKey
from gluon.contract.records import Attempt, ControllerStatus, MalformedRecord, decode, encode
from gluon.etcd import Client, Op, Put
from gluon.proton.storage import SERVER_SOURCES, Database, Transaction
from gluon.schema import Proton, Value

log = logging.getLogger(__name__)

MOST_NAMED = 100
"""So many are named in the log."""
AT_ONCE = 100
"""Notes of one transaction: etcd takes 128 operations."""
CALLBACK = "modify_object"
"""The call that a note speaks of; it stands for any that makes the object."""


class _Found(Struct, frozen=True):
    objects: list[ObjectKey]
    controllers: dict[str, set[str]]
    """By proton, those that the database knows to have had anything of it."""


class Forgotten:
    """The objects of one filling, and who has been told of them."""

    def __init__(self, database: Database, client: Client, protons: Mapping[str, Proton]) -> None:
        self._database = database
        self._client = client
        self._protons = protons
        self._objects: dict[ObjectKey, None] = {}
        self._known: dict[str, set[str]] = {}
        self._told: dict[str, set[str]] = {proton: set() for proton in protons}
        """By proton."""

    async def find(self, known: Collection[ObjectKey]) -> None:
        """Finds them, names them in the log, and leaves the notes.

        To be called before their outbox rows are published, since nothing tells of them after that.

        Args:
            known: all objects that the database or etcd has.

        Raises:
            EtcdError, DatabaseUnavailable: some notes may be left; one that is left twice does no harm.
        """
        found = await self._database.read(partial(_find, known=known, protons=self._protons))
        self._objects, self._known = dict.fromkeys(found.objects), found.controllers
        if not self._objects:
            return
        named = ", ".join(map(str, found.objects[:MOST_NAMED]))
        more = f" and {len(self._objects) - MOST_NAMED} more" if len(self._objects) > MOST_NAMED else ""
        log.warning(
            "deleted while etcd was lost, which no longer tells whether a controller has them: %d objects: %s%s",
            len(self._objects),
            named,
            more,
        )
        await self.tell()

    async def tell(self) -> None:
        """Leaves notes at the controllers that may have them, and were not told yet.

        Raises:
            EtcdError: as `find`.
        """
        if not self._objects:
            return
        controllers = await self._controllers()
        for proton in {key.proton for key in self._objects}:
            objects = [key for key in self._objects if key.proton == proton]
            for controller in sorted(controllers[proton] - self._told[proton]):
                await self._leave_notes(controller, objects)
                self._told[proton].add(controller)
                log.warning("controller %s is told to make sure that these are gone: %d", controller, len(objects))

    async def _leave_notes(self, controller: str, objects: Iterable[ObjectKey]) -> None:
        notes: list[Op] = [Put(keys.late(controller, key), encode(self._attempt(key))) for key in objects]
        for start in range(0, len(notes), AT_ONCE):
            await self._client.txn([], notes[start : start + AT_ONCE])

    def _attempt(self, key: ObjectKey) -> Attempt:
        proton = self._protons[key.proton]
        attributes: dict[str, Value] = {proton.objects[key.object].primary_key.name: key.key}
        port = ObjectKey(key.proton, proton.port.name, key.key)
        if key.object == proton.interface.name and port in self._objects:
            attributes["port_id"] = key.key  # The default interface, which has to go before its port.
        return Attempt(callback=CALLBACK, attributes=attributes)

    async def _controllers(self) -> dict[str, set[str]]:
        """By proton, the controllers that the database knows, that live, or that have records of it in etcd."""
        found = {proton: set(self._known.get(proton, ())) for proton in self._protons}
        async for page in self._client.pages(keys.STATUS):
            for item in page.items:
                controller = _controller(item.key)
                for proton in _handled(item.value, self._protons) if controller else ():
                    found[proton].add(controller)
        async for page in self._client.pages(keys.SHIM, keys_only=True):
            for item in page.items:
                controller, books, proton = _shim_key(item.key)
                if books == "applied" and proton in found:
                    found[proton].add(controller)
        return found


def _find(tx: Transaction, *, known: Collection[ObjectKey], protons: Mapping[str, Proton]) -> _Found:
    releases = tx.releases.all()
    followed = {(each.proton, each.port) for each in releases}
    objects: list[ObjectKey] = []
    for key in tx.outbox.keys(list(protons)):
        proton = protons[key.proton]
        of_port = key.object in (proton.port.name, proton.interface.name) and (key.proton, key.key) in followed
        if key.object in proton.objects and key not in known and not of_port:
            objects.append(key)
    controllers = {
        proton: tx.bindings(proton).controllers() | (tx.statuses.sources(proton) - SERVER_SOURCES) for proton in protons
    }
    for each in releases:
        if each.controller and each.proton in controllers:
            controllers[each.proton].add(each.controller)
    return _Found(objects, controllers)


def _controller(path: bytes) -> str:
    """The controller that a key below `/status/` is about as a whole; empty for any other key."""
    try:
        controller, key = keys.parse_status(path)
    except MalformedKey:
        return ""
    return "" if key is not None else controller


def _shim_key(path: bytes) -> tuple[str, str, str]:
    """Controller, kind and proton of a key below `/shim/`, as far as it has them."""
    controller, _, rest = path.removeprefix(keys.SHIM).decode(errors="replace").partition("/")
    books, _, rest = rest.partition("/")
    return controller, books, rest.partition("/")[0]


def _handled(value: bytes, protons: Iterable[str]) -> list[str]:
    """The protons that a controller handles; all where that can't be read."""
    try:
        handlers = decode(ControllerStatus, value).handlers
    except MalformedRecord:
        return list(protons)
    return [proton for proton in protons if proton in handlers]
