"""The controllers' answers for ports: `/controller/`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from msgspec import Struct

from gluon.contract import keys
from gluon.contract.keys import MalformedKey, ObjectKey
from gluon.contract.records import NOBODY, BindingAnswer, MalformedRecord, PortAnswer, Status, decode
from gluon.etcd import Event
from gluon.proton.service import apply_answer, checked_answer, drop_answer
from gluon.proton.service.binding import answered
from gluon.proton.storage import StoredBinding, Transaction
from gluon.schema import Proton

log = logging.getLogger(__name__)


Left = Mapping[str, Status]
"""By controller, the rest of its status of a port."""


class Level(Struct, frozen=True, kw_only=True):
    """All that is known of one port's bindings at a moment."""

    port: ObjectKey
    answer: PortAnswer
    problem: str
    """Why the latest answer can't be used; empty: it can, or there is none."""
    certain: bool
    """A host that is not in the answer is bound by nobody; False: that is not known."""
    gone: str = ""
    """Why such a binding is lost; empty: its controller has dropped it."""
    revision: int = 0
    """When the answer was written; 0: there is none."""


class PortBook:
    """The latest answer of each port, and which ports are to be looked at because of it.

    That a port has no answer is certain where the watch has shown it go.  In a list it may only mean
    that etcd came back older, or empty, and the controllers have not written yet; so a binding that a
    list does not confirm stays as it is until `confirmed`.
    """

    def __init__(self, protons: Mapping[str, Proton]) -> None:
        self.dirty: dict[ObjectKey, str] = {}
        """Ports to look at, with the reason for which a binding without an answer is lost; empty: its
        controller has dropped it."""
        self.dropped: set[tuple[ObjectKey, str, str]] = set()
        """Port, host and controller of the entries that the watch has shown go; for `releases` to take."""
        self.listed = 0
        """How many lists were begun."""
        self._protons = protons
        self._answers: dict[ObjectKey, PortAnswer] = {}
        self._revisions: dict[ObjectKey, int] = {}
        """Of the answers."""
        self._problems: dict[ObjectKey, str] = {}
        """Of answers that can't be used."""
        self._certain: set[ObjectKey] | None = set()
        """Ports of which an absent answer is certain; None: all."""

    def begin(self) -> None:
        """See `Book`."""
        self.listed += 1
        self._answers.clear()
        self._revisions.clear()
        self._problems.clear()
        self.dropped.clear()
        self._certain = set()

    def take(self, event: Event, *, listing: bool) -> None:
        """See `Book`."""
        key = self._key(event)
        if key is None:
            return
        before, problem_before = self._answers.pop(key, NOBODY), self._problems.pop(key, "")
        self._revisions.pop(key, None)
        after = NOBODY
        try:
            after = self._answer(key, event.value)
        except (MalformedRecord, ValueError) as error:
            log.warning("answer dropped: %s: %s", key, error)
            self._problems[key] = str(error)
        if after != NOBODY:
            self._answers[key], self._revisions[key] = after, event.revision
        if listing:
            return
        if self._certain is not None:
            self._certain.add(key)
        if key not in self._problems:
            self.dropped.update((key, *entry) for entry in _entries(before) - _entries(after))
        if problem_before or key in self._problems or _is_news(before, after):
            self.dirty[key] = ""

    def answer(self, port: ObjectKey) -> PortAnswer:
        """The latest answer for a port; `NOBODY` for none."""
        return self._answers.get(port, NOBODY)

    def known(self) -> list[ObjectKey]:
        """The ports that have an answer, usable or not."""
        return [*self._answers, *self._problems]

    def confirmed(self) -> None:
        """From now on an absent answer is certain for every port."""
        self._certain = None

    def levels(self, ports: Mapping[ObjectKey, str]) -> list[Level]:
        """All that is known of these ports, for a transaction; with the reasons of `dirty`."""
        return [self._level(port, gone) for port, gone in ports.items()]

    def _level(self, port: ObjectKey, gone: str = "") -> Level:
        return Level(
            port=port,
            answer=self.answer(port),
            problem=self._problems.get(port, ""),
            certain=self._certain is None or port in self._certain,
            gone=gone,
            revision=self._revisions.get(port, 0),
        )

    def _key(self, event: Event) -> ObjectKey | None:
        """The port that an event is about; None when it isn't ours to read."""
        try:
            key = keys.parse(event.key, keys.CONTROLLER)
        except MalformedKey as error:
            log.warning("answer dropped: %s", error)
            return None
        proton = self._protons.get(key.proton)
        if proton is None:
            return None
        if key.object != proton.port.name:
            # The version before left reasons of other objects there.
            log.info("answer dropped: %s: only ports are answered there", key)
            return None
        return key

    def _answer(self, key: ObjectKey, value: bytes | None) -> PortAnswer:
        if value is None:
            return NOBODY
        answer = decode(PortAnswer, value)
        if answer.active is None and (answer.controller or answer.host_id or answer.vif_type):
            raise ValueError(f"{'host_id' if answer.controller else 'controller'}: missing")
        return checked_answer(self._protons[key.proton], answer)


def _entries(answer: PortAnswer) -> set[tuple[str, str]]:
    return {(host, each.controller) for host, each in answer.bindings.items()}


def _is_news(before: PortAnswer, after: PortAnswer) -> bool:
    """Whether a row may change: a claim says nothing to it, results and losses do."""
    known, now = before.bindings, after.bindings
    return any(host not in now for host in known) or any(
        each.vif_type and each != known.get(host) for host, each in now.items()
    )


def apply(
    tx: Transaction, protons: Mapping[str, Proton], levels: Iterable[Level], left: Mapping[ObjectKey, Left]
) -> None:
    """Has the rows of these ports follow their answers.

    Args:
        tx: the transaction.
        protons: the ports'.
        levels: the ports.
        left: by port and controller, the rest of a status once the controller has bound it.
    """
    for level in levels:
        proton = protons[level.port.proton]
        if level.problem:
            drop_answer(tx, proton, level.port, level.problem)
        else:
            apply_answer(tx, proton, level.port, _with_doubt(tx, level), gone=level.gone, left=left.get(level.port, {}))


def differing(tx: Transaction, levels: Iterable[Level]) -> list[ObjectKey]:
    """Those of the ports whose rows are not as their answers say; much cheaper than to apply all."""
    by_proton: dict[str, list[Level]] = {}
    for level in levels:
        by_proton.setdefault(level.port.proton, []).append(level)
    found: list[ObjectKey] = []
    for proton, group in by_proton.items():
        rows = tx.bindings(proton).of_many([level.port.key for level in group])
        found += [level.port for level in group if level.problem or _differs(level, rows[level.port.key])]
    return found


def _differs(level: Level, rows: Iterable[StoredBinding]) -> bool:
    answers = level.answer.bindings
    return any(
        (row.host in answers or level.certain) and answered(row, answers.get(row.host), moment="") is not row
        for row in rows
    )


def _with_doubt(tx: Transaction, level: Level) -> PortAnswer:
    """The answer; where an absent one is not certain, a claim stands for it, which says nothing to a row."""
    answer = level.answer
    if level.certain:
        return answer
    known = answer.bindings
    unknown = [
        BindingAnswer(controller=row.controller, host_id=row.host, token=row.token)
        for row in tx.bindings(level.port.proton).of(level.port.key)
        if row.host not in known
    ]
    return PortAnswer.of(answer.active, (*answer.inactive, *unknown))
