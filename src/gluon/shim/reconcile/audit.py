"""An audit: what the SDN controller holds is compared with what was applied, and mended.

Repairs go in small portions through the same queue as everything else, so that live changes are
not held up by them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import AppliedRecord, RequestResult
from gluon.shim import metrics
from gluon.shim.plan.inventory import Comparison, Findings, again
from gluon.shim.plan.outcome import Writes
from gluon.shim.reconcile.brake import Brake
from gluon.shim.reconcile.calls import CallFailed
from gluon.shim.reconcile.reconciler import Reconciler
from gluon.shim.reconcile.statuses import Statuses
from gluon.shim.state import subject

log = logging.getLogger(__name__)

PORTION = 16
"""Objects that are mended at once; the other workers are free for live changes."""

MANY = 64
"""The same when everything is lost: nothing else can be done for these objects anyway."""

NAMED = 1000
"""Objects of each kind that a result names."""


class Audited(Struct, frozen=True, kw_only=True):
    """What an audit of one proton's backend has found."""

    findings: Findings
    sentence: str
    ok: bool = True


class Audit:
    """Audits one proton's backend, one audit at a time."""

    def __init__(self, reconciler: Reconciler, brake: Brake, statuses: Statuses) -> None:
        self._reconciler = reconciler
        self._brake = brake
        self._statuses = statuses
        self._refused: dict[ObjectKey, AppliedRecord] = {}
        """Orphans that wait for an operator's word."""

    async def run(self, *, only: str = "", dry_run: bool = False) -> Audited:
        """Compares, and mends unless `dry_run`.

        Args:
            only: `<Object>/<key>`, the one object to look at; empty: all.
            dry_run: say what differs, and change nothing.
        """
        state, calls = self._reconciler.state, self._reconciler.calls
        with self._reconciler.touching() as touched:
            try:
                held = await calls.inventory()
            except CallFailed as error:
                return Audited(findings=Findings(), sentence=f"the inventory failed: {error}", ok=False)
            if held is None:
                sentence = f"backend {calls.name} has no inventory; `--reapply` applies everything to it again"
                return Audited(findings=Findings(), sentence=sentence, ok=False)
            comparison = Comparison(held, state, calls, touched)
            for _ in comparison.steps():
                await asyncio.sleep(0)
            findings = _only(comparison.findings, only)
        _count(state.proton.name, findings)
        if not dry_run:
            await self._mend(findings, whole=not only)
        return Audited(findings=findings, sentence=_sentence(len(held), findings, dry_run=dry_run))

    async def reapply(self, *, only: str = "") -> Audited:
        """Applies everything again, as it was applied."""
        found = Findings(differing=tuple(self._reconciler.state.records))
        findings = _only(found, only)
        await self._again(findings.differing, gone=False)
        return Audited(findings=findings, sentence=f"{len(findings.differing)} objects are applied again")

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
        return len(refused)

    async def _mend(self, findings: Findings, *, whole: bool) -> None:
        for key in findings.unknown:
            log.warning("the SDN controller holds %s, whose type the model does not have; it is left alone", key)
        await self._again(findings.missing, gone=True)
        await self._again(findings.differing, gone=False)
        # An operator who names one object has given the word; of the others that wait it says nothing.
        refused = whole and self._brake.refuses(self._reconciler.state.proton.name, len(_strangers(findings)))
        if whole:
            self._refused = dict(findings.orphans) if refused else {}
        if not refused:
            await self._remove(findings.orphans)

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
            doubted = replace(record, attempt=record.attempt or again(key, state), claimed=record.claimed or gone)
            return Writes(subject=subject(key), records={key: doubted})

        self._reconciler.write_in_turn(subject(key), make)
        if gone and keys.is_binding(key):
            port, _ = keys.port_and_host(key)
            self._statuses.report(port, "DOWN", "the SDN controller has lost it; it is being bound again")

    async def _remove(self, orphans: Mapping[ObjectKey, AppliedRecord]) -> None:
        for portion in _portions(self._ranked(orphans)[::-1]):
            for key in portion:
                log.warning("the SDN controller holds %s, which nobody wants; it is deleted", key)
                self._reconciler.write_in_turn(subject(key), partial(self._adopted, key, orphans[key]))
            await self._settled(set(map(subject, portion)))

    def _adopted(self, key: ObjectKey, orphan: AppliedRecord) -> Writes | None:
        """An orphan becomes a record of ours, and is then deleted like any other object."""
        if key in self._reconciler.state.records:
            return None
        return Writes(subject=subject(key), records={key: orphan})

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


def _only(findings: Findings, only: str) -> Findings:
    if not only:
        return findings

    def is_it(key: ObjectKey) -> bool:
        of = subject(key)
        return f"{of.object}/{of.key}" == only

    return Findings(
        missing=tuple(filter(is_it, findings.missing)),
        differing=tuple(filter(is_it, findings.differing)),
        orphans={key: record for key, record in findings.orphans.items() if is_it(key)},
        unknown=tuple(key for key in findings.unknown if key == only),
    )


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
    for start in range(0, len(records), at_once):
        yield records[start : start + at_once]
