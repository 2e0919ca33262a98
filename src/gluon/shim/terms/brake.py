"""The brake: what came back from a loss deletes nothing in bulk without an operator's word.

An etcd that was wiped, restored from a backup, or filled by another database looks like an etcd
from which much was deleted.  So does an SDN controller whose inventory lists what nobody knows.
While etcd is being filled nothing that is merely absent is deleted; once it is full, what would be
deleted is counted.  Deletes that users make pass freely.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from gluon.contract.keys import ObjectKey
from gluon.shim.plan import Identity
from gluon.shim.plan.facts import is_record_wanted
from gluon.shim.state import State, subject

log = logging.getLogger(__name__)

Wake = Callable[[str, Iterable[ObjectKey]], None]
"""Told which objects of a proton to look at again."""


class Limits(Struct, frozen=True, kw_only=True):
    """How much may be deleted without being asked."""

    percent: float = 25.0
    """Of what is applied."""
    few: int = 10
    """So many are never too many."""

    def exceeded(self, doomed: int, applied: int) -> bool:
        """Whether so many deletes of so many applied objects need an operator's word."""
        return doomed > self.few and doomed * 100 > self.percent * applied


class Brake:
    """Holds deletions back, for all protons of one term."""

    def __init__(self, states: Mapping[str, State], identity: Identity, limits: Limits, wake: Wake) -> None:
        self._etcd = ""
        self._orphans: dict[str, str] = {}
        self._states = states
        self._identity = identity
        self._limits = limits
        self._wake = wake

    @property
    def reason(self) -> str:
        """Why deletions are held back, a sentence; empty: they are not."""
        return "; ".join(filter(None, (self._etcd, *self._orphans.values())))

    @property
    def asks(self) -> bool:
        """Whether it waits for an operator, not only for etcd to be filled."""
        return any(state.held_back for state in self._states.values())

    def hold_absent(self, reason: str) -> None:
        """Nothing that is merely absent is deleted until `judge`."""
        if self._etcd != reason:
            log.log(self._weight, "deletions are held back: %s", reason)
        self._etcd = reason
        for state in self._states.values():
            state.hold_all_absent = True

    def judge(self, what: str) -> None:
        """Everything is there that will come: lets deletions go, unless they are too many.

        Args:
            what: what came back, e.g. `etcd was filled again`.
        """
        doomed = {name: self._doomed(state) for name, state in self._states.items()}
        number = sum(map(len, doomed.values()))
        applied = sum(len(state.records) for state in self._states.values())
        if not self._limits.exceeded(number, applied):
            self._release("")
            return
        self._etcd = (
            f"{what}: {number} of {applied} applied objects would be deleted, more than {self._limits.percent:g} %; "
            "look whether that is right, then `gluon-manage accept`"
        )
        log.error("nothing is deleted: %s", self._etcd)
        for name, state in self._states.items():
            state.hold_all_absent = False
            state.held_back = frozenset(doomed[name])
            self._wake(name, set(map(subject, doomed[name])))

    def refuses(self, proton: str, orphans: int) -> bool:
        """Whether an inventory has more orphans than may be deleted; says so where it is so."""
        applied = len(self._states[proton].records)
        if not self._limits.exceeded(orphans, applied + orphans):
            self._orphans.pop(proton, None)
            return False
        self._orphans[proton] = (
            f"an audit of {proton}: the SDN controller holds {orphans} objects that nobody knows, beside {applied} "
            "that are applied; look whether they may go, then `gluon-manage accept`"
        )
        log.error("nothing is deleted: %s", self._orphans[proton])
        return True

    def recheck(self) -> None:
        """Lets go by itself once what is held back is no longer too much."""
        if not self.asks:
            return
        doomed = sum(len(self._doomed(state) & set(state.held_back)) for state in self._states.values())
        applied = sum(len(state.records) for state in self._states.values())
        if not self._limits.exceeded(doomed, applied):
            self._release("what is held back is no longer much")

    def accept(self) -> int:
        """An operator's word: everything may be deleted.  Returns how many deletions it lets go."""
        number = sum(len(set(map(subject, self._doomed(state)))) for state in self._states.values())
        self._orphans.clear()
        self._release("an operator has accepted it")
        return number

    def _release(self, why: str) -> None:
        if self._etcd:
            log.log(self._weight, "deletions are no longer held back%s", f": {why}" if why else "")
        self._etcd = ""
        for name, state in self._states.items():
            freed = self._doomed(state)
            state.hold_all_absent = False
            state.held_back = frozenset()
            self._wake(name, set(map(subject, freed)))

    @property
    def _weight(self) -> int:
        """Where nothing is applied yet there is nothing to warn of."""
        return logging.WARNING if any(state.records for state in self._states.values()) else logging.DEBUG

    def _doomed(self, state: State) -> set[ObjectKey]:
        return {key for key in state.records if not is_record_wanted(key, state, self._identity)}
