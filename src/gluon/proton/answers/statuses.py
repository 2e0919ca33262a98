"""The controllers' statuses of objects, and which controllers are alive: `/status/`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from gluon.contract import keys
from gluon.contract.keys import MalformedKey, ObjectKey
from gluon.contract.records import MalformedRecord, Status, decode
from gluon.etcd import Event
from gluon.proton.service import apply_status
from gluon.proton.storage import SERVER_SOURCES, Transaction
from gluon.schema import Proton

log = logging.getLogger(__name__)

Said = tuple[str, ObjectKey]
"""A controller, and the object that it speaks of."""


class StatusBook:
    """The latest status of each object by controller, and which are to be written."""

    def __init__(self, protons: Mapping[str, Proton]) -> None:
        self.dirty: dict[Said, None] = {}
        self._protons = protons
        self._statuses: dict[Said, Status] = {}
        self._alive: set[str] = set()

    def begin(self) -> None:
        """See `Book`."""
        self._statuses.clear()
        self._alive.clear()

    def take(self, event: Event, *, listing: bool) -> None:
        """See `Book`."""
        del listing
        try:
            controller, key = keys.parse_status(event.key)
        except MalformedKey as error:
            log.warning("status dropped: %s", error)
            return
        if key is None:
            self._alive.discard(controller)
            if event.value is not None:
                self._alive.add(controller)
        elif key.proton in self._protons and key.object in self._protons[key.proton].objects:
            self._note(controller, key, event.value)

    def is_alive(self, controller: str) -> bool:
        """Whether a shim of this controller leads."""
        return controller in self._alive

    def statuses(self, said: Iterable[Said]) -> dict[Said, Status | None]:
        """The statuses now, for a transaction; None: there is none."""
        return {each: self._statuses.get(each) for each in said}

    def vanished(self, before: Iterable[Said]) -> list[Said]:
        """Those that were there before and are no more."""
        return [each for each in before if each not in self._statuses]

    def _note(self, controller: str, key: ObjectKey, value: bytes | None) -> None:
        said = controller, key
        self.dirty[said] = None
        self._statuses.pop(said, None)
        if value is None:
            return
        try:
            self._statuses[said] = decode(Status, value)
        except MalformedRecord as error:
            log.warning("status dropped: %s of controller %s: %s", key, controller, error)
            self._statuses[said] = Status(failure=f"its status was dropped: {error}")


def apply(tx: Transaction, protons: Mapping[str, Proton], statuses: Mapping[Said, Status | None]) -> None:
    """Keeps these statuses in the database."""
    for (controller, key), status in statuses.items():
        apply_status(tx, protons[key.proton], key, controller, status)


def stored(tx: Transaction, protons: Mapping[str, Proton]) -> list[Said]:
    """All that the database knows controllers to have said of objects that the models have."""
    return [
        (controller, key)
        for controller in tx.statuses.sources() - SERVER_SOURCES
        for key in tx.statuses.keys(controller)
        if key.proton in protons and key.object in protons[key.proton].objects
    ]
