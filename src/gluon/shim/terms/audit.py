"""An audit: what the SDN controller holds is compared with what was applied, and mended.

Repairs go in small portions through the same queue as everything else, so that live changes are
not held up by them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby, islice

from msgspec import Struct
from msgspec.structs import replace

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import AppliedRecord, RequestResult
from gluon.shim import metrics
from gluon.shim.calls.calling import CallFailed
from gluon.shim.plan.inventory import Comparison, Findings, again
from gluon.shim.plan.outcome import Writes
from gluon.shim.reconcile.reconciler import Reconciler
from gluon.shim.reconcile.statuses import Statuses
from gluon.shim.state import subject
from gluon.shim.terms.brake import Brake

log = logging.getLogger(__name__)

PORTION = 16
"""Objects that are mended at once; the other workers are free for live changes."""

MANY = 64
"""The same when everything is lost: nothing else can be done for these objects anyway."""

NAMED = 1000
"""Objects of each kind that a result names."""

ROUNDS = 5
"""Inventories of one audit: what was worked on meanwhile is looked at again, so often at most."""

PAUSE = 1.0
"""Seconds between two rounds."""


class Audited(Struct, frozen=True, kw_only=True):
    """What an audit of one proton's backend has found."""

    findings: Findings
    sentence: str
    ok: bool = True


class NothingToCompare(Exception):
    """There is no inventory; the message is the sentence that says why."""


class Audit:
    """Audits one proton's backend, one audit at a time."""

    def __init__(self, reconciler: Reconciler, brake: Brake, statuses: Statuses) -> None:
        self._reconciler = reconciler
        self._brake = brake
        self._statuses = statuses
        self._refused: dict[ObjectKey, AppliedRecord] = {}
        """Orphans that wait for an operator's word."""
        self._turn = asyncio.Lock()

    def covers(self, only: str) -> bool:
        """Whether `<Object>/<key>` is of a type that this proton has; empty: everything is meant."""
        return not only or only.partition("/")[0] in self._reconciler.state.proton.objects

    async def run(self, *, only: str = "", dry_run: bool = False) -> Audited:
        """Compares, and mends unless `dry_run`.

        Args:
            only: `<Object>/<key>`, the one object to look at; empty: all.
            dry_run: say what differs, and change nothing.
        """
        async with self._turn:
            try:
                held, findings = await self._rounds(self._meant(only), dry_run=dry_run)
            except NothingToCompare as error:
                return Audited(findings=Findings(), sentence=str(error), ok=False)
        _count(self._reconciler.state.proton.name, findings)
        if only and not findings.all and not self._knows(only):
            sentence = f"nobody knows {only}, and the SDN controller does not hold it"
            return Audited(findings=findings, sentence=sentence, ok=False)
        return Audited(findings=findings, sentence=_sentence(held, findings, dry_run=dry_run))

    async def _rounds(self, meant: Collection[ObjectKey] | None, *, dry_run: bool) -> tuple[int, Findings]:
        """Compares and mends until nothing is left that was worked on meanwhile.

        Returns how many objects are held, and what was found.
        """
        held, comparison = await self._compare(meant)
        found = comparison.findings
        if dry_run:
            return held, found
        brake_holds = await self._mend(found, found, whole=meant is None)
        for _ in range(ROUNDS - 1):
            if brake_holds or not comparison.left_out:
                break
            await asyncio.sleep(PAUSE)
            _, comparison = await self._compare(comparison.left_out)
            found = found.with_more(comparison.findings)
            brake_holds = await self._mend(comparison.findings, found, whole=meant is None)
        return held, found

    def _meant(self, only: str) -> Collection[ObjectKey] | None:
        if not only:
            return None
        object_type, _, key = only.partition("/")
        return {ObjectKey(self._reconciler.state.proton.name, object_type, key)}

    async def _compare(self, among: Collection[ObjectKey] | None) -> tuple[int, Comparison]:
        """Asks for an inventory and compares it; also how many objects it lists.

        Args:
            among: the objects to look at; None: all.

        Raises:
            NothingToCompare: the backend has no inventory, or could not give it.
        """
        state, calls = self._reconciler.state, self._reconciler.calls
        with self._reconciler.touching() as touched:
            try:
                held = await calls.inventory()
            except CallFailed as error:
                raise NothingToCompare(f"the inventory failed: {error}") from error
            if held is None:
                raise NothingToCompare(
                    f"backend {calls.name} has no inventory; `--reapply` applies everything to it again"
                )
            comparison = Comparison(held, state, calls, self._reconciler.identity, touched, among)
            for _ in comparison.steps():
                await asyncio.sleep(0)
        return len(held), comparison

    def _knows(self, only: str) -> bool:
        state = self._reconciler.state
        return any(key in state.desired or key in state.records or state.hosts(key) for key in self._meant(only) or ())

    async def reapply(self, *, only: str = "") -> Audited:
        """Applies everything again, as it was applied."""
        meant = self._meant(only)
        records = [key for key in self._reconciler.state.records if meant is None or subject(key) in meant]
        if only and not records:
            return Audited(findings=Findings(), sentence=f"{only} is not applied", ok=False)
        await self._again(records, gone=False)
        sentence = f"{len(records)} objects are applied again"
        return Audited(findings=Findings(differing=tuple(records)), sentence=sentence)

    async def lost(self, reason: str) -> None:
        """The SDN controller came back empty: everything is missing."""
        records = list(self._reconciler.state.records)
        log.warning(
            "the SDN controller of backend %s came back empty%s; %d objects are applied again",
            self._reconciler.calls.name,
            f" ({reason})" if reason else "",
            len(records),
        )
        await self._again(records, gone=True, at_once=MANY)

    async def accept(self) -> int:
        """Deletes the orphans that an earlier audit found too many; returns how many."""
        refused, self._refused = self._refused, {}
        await self._remove(refused)
        return len(set(map(subject, refused)))

    async def _mend(self, findings: Findings, so_far: Findings, *, whole: bool) -> bool:
        """Mends what a round found, of what the audit found so far; whether the brake holds the orphans."""
        for key in findings.unknown:
            log.warning("the SDN controller holds %s, whose type the model does not have; it is left alone", key)
        await self._adopt(findings.unrecorded, MANY)
        await self._again(findings.missing, gone=True)
        await self._again(findings.differing, gone=False)
        # An operator who names one object has given the word; of the others that wait it says nothing.
        refused = whole and self._brake.refuses(self._reconciler.state.proton.name, len(_strangers(so_far)))
        if whole:
            self._refused = dict(findings.orphans) if refused else {}
        if not refused:
            await self._remove(findings.orphans)
        return refused

    async def _again(self, records: Iterable[ObjectKey], *, gone: bool, at_once: int = PORTION) -> None:
        for portion in _portions(self._ranked(records), at_once):
            for key in portion:
                self._doubt(key, gone=gone)
            await self._settled(set(map(subject, portion)))

    def _ranked(self, records: Iterable[ObjectKey]) -> list[ObjectKey]:
        """In the order of references: what an object needs comes before it."""
        order = list(self._reconciler.state.proton.objects)
        return sorted(records, key=lambda key: order.index(subject(key).object))

    def _doubt(self, key: ObjectKey, *, gone: bool) -> None:
        """Notes, in the record too, that what the SDN controller holds of an object is not known."""
        state = self._reconciler.state

        def make() -> Writes | None:
            record = state.records.get(key)
            if record is None:
                return None
            if gone:
                self._report_lost(key)
            doubted = replace(record, attempt=record.attempt or again(key, state), claimed=record.claimed or gone)
            return Writes(subject=subject(key), records={key: doubted})

        self._reconciler.write_in_turn(subject(key), make)

    def _report_lost(self, key: ObjectKey) -> None:
        """Of a port that will be bound again, which ends the report; in its turn, else the bind may be over."""
        port = self._reconciler.state.desired.find(subject(key))
        if keys.is_binding(key) and port is not None and port["host_id"] == keys.port_and_host(key)[1]:
            self._statuses.report(port.id, "DOWN", "the SDN controller has lost it; it is being bound again")

    async def _remove(self, orphans: Mapping[ObjectKey, AppliedRecord]) -> None:
        for key in orphans:
            log.warning("the SDN controller holds %s, which nobody wants; it is deleted", key)
        await self._adopt(orphans, PORTION)

    async def _adopt(self, held: Mapping[ObjectKey, AppliedRecord], at_once: int) -> None:
        """What is held gets a record of ours, and is then modified or deleted like any other object."""
        for portion in _portions(self._ranked(held)[::-1], at_once):
            for key in portion:
                self._reconciler.write_in_turn(subject(key), partial(self._adopted, key, held[key]))
            await self._settled(set(map(subject, portion)))

    def _adopted(self, key: ObjectKey, record: AppliedRecord) -> Writes | None:
        if key in self._reconciler.state.records:
            return None
        return Writes(subject=subject(key), records={key: record})

    async def _settled(self, subjects: set[ObjectKey]) -> None:
        self._reconciler.wake(subjects)
        await self._reconciler.queue.settled(subjects)


def result(audited: Sequence[tuple[str, Audited]]) -> RequestResult:
    """What the audits of all protons come to, for whoever asked."""
    return RequestResult(
        ok=all(each.ok for _, each in audited),
        message="; ".join(f"{proton}: {each.sentence}" for proton, each in audited) or "nothing to audit",
        missing=_named(key for _, each in audited for key in each.findings.missing),
        differing=_named(key for _, each in audited for key in each.findings.differing),
        orphans=_named(key for _, each in audited for key in (*_strangers(each.findings), *each.findings.unknown)),
    )


def _strangers(findings: Findings) -> list[ObjectKey]:
    """The orphans as they are listed: a port that is bound is one, though it has two records."""
    ports = {subject(key) for key in findings.orphans if keys.is_binding(key)}
    return [key for key in findings.orphans if key not in ports]


def _named(found: Iterable[object]) -> tuple[str, ...]:
    return tuple(sorted(map(str, islice(found, NAMED))))


def _sentence(held: int, findings: Findings, *, dry_run: bool) -> str:
    numbers = (
        f"{held} objects held, {len(findings.missing)} missing, {len(findings.differing)} differ, "
        f"{len(_strangers(findings)) + len(findings.unknown)} known to nobody"
    )
    return numbers + ("; nothing was changed" if dry_run else "")


def _count(proton: str, findings: Findings) -> None:
    found = {"missing": findings.missing, "differing": findings.differing, "orphans": _strangers(findings)}
    for kind, items in found.items():
        metrics.AUDIT.labels(proton, kind).set(len(items))


def _portions(records: Sequence[ObjectKey], at_once: int = PORTION) -> Iterator[Sequence[ObjectKey]]:
    """Never of two types: an object that is doubted a moment before what it needs would not wait for that."""
    for _, group in groupby(records, key=lambda key: subject(key).object):
        ranked = list(group)
        for start in range(0, len(ranked), at_once):
            yield ranked[start : start + at_once]
