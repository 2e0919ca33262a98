"""The controllers' statuses of objects, and which controllers are alive: `/status/`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from gluon.contract import keys
from gluon.contract.keys import MalformedKey, ObjectKey
from gluon.contract.records import ControllerStatus, MalformedRecord, Status, decode
from gluon.etcd import Event
from gluon.proton.service import apply_status
from gluon.proton.storage import SERVER_SOURCES, Transaction
from gluon.schema import Proton

log = logging.getLogger(__name__)

NOTHING = Status()

Said = tuple[str, ObjectKey]
"""A controller, and the object that it speaks of."""


class StatusBook:
    """The latest status of each object by controller, and which are to be written."""

    def __init__(self, protons: Mapping[str, Proton]) -> None:
        self.dirty: dict[Said, None] = {}
        self._protons = protons
        self._statuses: dict[Said, Status] = {}
        self._revisions: dict[Said, int] = {}
        """When each of them was written."""
        self._alive: dict[str, ControllerStatus | None] = {}
        """By controller; None: what it says of itself can't be read."""

    def begin(self) -> None:
        """See `Book`."""
        self._statuses.clear()
        self._revisions.clear()
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
            self._note_controller(controller, event.value)
        elif key.proton in self._protons and key.object in self._protons[key.proton].objects:
            self._note(controller, key, event)

    def is_alive(self, controller: str) -> bool:
        """Whether a shim of this controller leads."""
        return controller in self._alive

    def serves(self, controller: str, proton: str) -> bool:
        """Whether a shim of this controller leads and has a handler for the proton; it has unless it says otherwise."""
        status = self._alive.get(controller)
        return controller in self._alive and (status is None or proton in status.handlers)

    def statuses(self, said: Iterable[Said]) -> dict[Said, Status | None]:
        """The statuses now, for a transaction; None: there is none."""
        return {each: self._statuses.get(each) for each in said}

    def left(self, controller: str, port: ObjectKey, revision: int) -> Status | None:
        """The rest of a status once the controller has bound the port: reports from before are over then.

        The controller ends them as well, but status and answer come by two watches.  A failure is its own to end.

        Args:
            controller: who has bound it.
            port: the port.
            revision: that of the answer.

        Returns:
            None: the status is newer than the bind, and stays.
        """
        said = controller, port
        if self._revisions.get(said, 0) > revision:
            return None
        return Status(failure=self._statuses.get(said, NOTHING).failure)

    def vanished(self, before: Iterable[Said]) -> list[Said]:
        """Those that were there before and are no more."""
        return [each for each in before if each not in self._statuses]

    def _note_controller(self, controller: str, value: bytes | None) -> None:
        self._alive.pop(controller, None)
        if value is None:
            return
        try:
            self._alive[controller] = decode(ControllerStatus, value)
        except MalformedRecord as error:
            log.warning("status dropped: controller %s: %s", controller, error)
            self._alive[controller] = None

    def _note(self, controller: str, key: ObjectKey, event: Event) -> None:
        said = controller, key
        self.dirty[said] = None
        self._statuses.pop(said, None)
        self._revisions.pop(said, None)
        if event.value is None:
            return
        self._revisions[said] = event.revision
        try:
            self._statuses[said] = decode(Status, event.value)
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
