"""What an inventory of the SDN controller means for the applied records.

Only what is certain is compared: an object whose call is under way, failing or unsure is left to
the reconciler, which deals with it anyway.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol

from msgspec import Struct

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import AppliedRecord, Attempt
from gluon.schema.types import Base, Value
from gluon.shim.plan.facts import SOLE, Identity, has_failed, is_certain
from gluon.shim.plan.steps import MODIFY, Callback
from gluon.shim.state import Model, Object, State, subject


class Found(Protocol):
    """One object that the SDN controller holds (`gluon.shim.backend.Held`)."""

    @property
    def type(self) -> str: ...  # noqa: D102 - as in Held
    @property
    def key(self) -> str: ...  # noqa: D102 - as in Held
    @property
    def fingerprint(self) -> str | None: ...  # noqa: D102 - as in Held
    @property
    def attributes(self) -> Mapping[str, Value]: ...  # noqa: D102 - as in Held


class Judge(Protocol):
    """What is to be known of the backend (`gluon.shim.calls.calling.BackendCalls`)."""

    def writes(self, callback: Callback) -> bool:
        """Whether the backend has this callback."""

    def lists(self, object_type: str) -> bool:
        """Whether the inventory has objects of this type."""

    def fingerprint(self, obj: Object, model: Model) -> str | None:
        """What the inventory gives for the object where it is held as wanted."""


class Findings(Struct, frozen=True, kw_only=True):
    """Where the inventory and the records disagree."""

    missing: tuple[ObjectKey, ...] = ()
    """Records of objects that the controller lacks."""
    differing: tuple[ObjectKey, ...] = ()
    """Records of objects that it has otherwise than they were applied."""
    orphans: Mapping[ObjectKey, AppliedRecord] = {}
    """What it has and nobody wants, as records of calls that may have been made."""
    unrecorded: Mapping[ObjectKey, AppliedRecord] = {}
    """What it has and is wanted, but no record tells of: also as records of calls that may have been made.

    Else it would stay for good if it is no longer wanted before it could be applied.
    """
    unknown: tuple[str, ...] = ()
    """Objects of a type that the model does not have: they can only be named."""

    @property
    def all(self) -> tuple[ObjectKey | str, ...]:
        """Whatever was found."""
        return (*self.missing, *self.differing, *self.orphans, *self.unknown)

    def with_more(self, more: Findings) -> Findings:
        """These, and what a later look found."""
        return Findings(
            missing=tuple(dict.fromkeys((*self.missing, *more.missing))),
            differing=tuple(dict.fromkeys((*self.differing, *more.differing))),
            orphans={**self.orphans, **more.orphans},
            unrecorded={**self.unrecorded, **more.unrecorded},
            unknown=tuple(dict.fromkeys((*self.unknown, *more.unknown))),
        )


def compare(
    found: Iterable[Found],
    state: State,
    judge: Judge,
    skipped: Collection[ObjectKey] = (),
    identity: Identity = SOLE,
) -> Findings:
    """Compares an inventory with the records, in one go; see `Comparison`."""
    comparison = Comparison(found, state, judge, identity, skipped)
    for _ in comparison.steps():
        pass
    return comparison.findings


Name = tuple[str, str]
"""Type and key of an object."""

Expected = dict[Name, dict[ObjectKey, Object]]
"""By what an inventory calls it: the records that say it is held, each with the object as told."""

PORTION = 200
"""Objects that are compared in one step."""


class Comparison:
    """Compares an inventory with the records, step by step: a large one must not stop all else.

    Several shims may drive one SDN controller, after a rename or host by host.  What another one has, or would
    have to have, is none of ours: a port on a host that we do not serve, or with another controller's claim.

    Args:
        found: the inventory.
        state: holds the records; it may change between two steps.
        judge: the backend.
        identity: who we are.
        skipped: objects that changed since the inventory was asked for; they say nothing.  May grow.
        among: the objects to compare; None: all.
    """

    def __init__(
        self,
        found: Iterable[Found],
        state: State,
        judge: Judge,
        identity: Identity,
        skipped: Collection[ObjectKey],
        among: Collection[ObjectKey] | None = None,
    ) -> None:
        self.left_out: set[ObjectKey] = set()
        """Objects that were not compared, because they were worked on."""
        self._state = state
        self._judge = judge
        self._identity = identity
        self._skipped = skipped
        self._among = among
        self._held: dict[Name, list[Found]] = {}
        for each in found:
            self._held.setdefault((each.type, each.key), []).append(each)
        self._covered: set[Name] = set()
        """What some record tells of."""
        self._missing: list[ObjectKey] = []
        self._differing: list[ObjectKey] = []
        self._orphans: dict[ObjectKey, AppliedRecord] = {}
        self._unrecorded: dict[ObjectKey, AppliedRecord] = {}
        self._unknown: list[str] = []

    @property
    def findings(self) -> Findings:
        """What was found; complete after the last step."""
        return Findings(
            missing=tuple(self._missing),
            differing=tuple(self._differing),
            orphans=self._orphans,
            unrecorded=self._unrecorded,
            unknown=tuple(self._unknown),
        )

    def steps(self) -> Iterator[None]:
        """Does the work, a portion for each step."""
        subjects = list(filter(self._is_meant, {subject(key): None for key in self._state.records}))
        for start in range(0, len(subjects), PORTION):
            self._compare(subjects[start : start + PORTION])
            yield
        for number, (name, listed) in enumerate(self._held.items()):
            if name not in self._covered:
                self._note_orphan(name, listed)
            if number % PORTION == 0:
                yield

    def _compare(self, subjects: Iterable[ObjectKey]) -> None:
        expected: Expected = {}
        for key in subjects:
            name = (key.object, key.key)
            self._covered.add(name)
            objects = _expected(key, self._state, self._judge, self._skipped)
            if objects:
                expected[name] = objects
            if key in self._skipped:
                self.left_out.add(key)
            else:
                self._orphans |= self._stray_hosts(key, self._held.get(name, []))
        for name, objects in _ports_once(expected, self._judge).items():
            listed = self._held.get(name, [])
            for key in objects:
                told, as_told = _told_of(key, listed, objects)
                if not told:
                    self._missing.append(key)
                elif not _is_as_applied(as_told, told, self._state, self._judge):
                    self._differing.append(key)

    def _is_meant(self, key: ObjectKey) -> bool:
        return self._among is None or key in self._among

    def _note_orphan(self, name: Name, listed: list[Found]) -> None:
        if name[0] not in self._state.proton.objects:
            if self._among is None:
                self._unknown.append("/".join(name))
            return
        key = ObjectKey(self._state.proton.name, *name)
        if not self._is_meant(key):
            return
        if key in self._skipped:
            self.left_out.add(key)
            return
        wanted = self._state.desired.find(key)
        if wanted is None:
            for each in listed:
                self._orphans |= orphan(key, each.attributes, self._state)
            return
        # A port may be held on a host where nobody wants it.
        stray = self._stray_hosts(key, listed)
        self._orphans |= stray
        for each in listed:
            if self._is_ours(wanted, each):
                records = orphan(key, {**wanted.attributes, "host_id": None, **each.attributes}, self._state)
                self._unrecorded |= {of: record for of, record in records.items() if of not in stray}

    def _stray_hosts(self, port: ObjectKey, listed: list[Found]) -> dict[ObjectKey, AppliedRecord]:
        """A port that is wanted, held on a host where it is not."""
        state, found = self._state, dict[ObjectKey, AppliedRecord]()
        if port.object != state.proton.port.name:
            return found
        for each in listed:
            host = each.attributes.get("host_id")
            if not isinstance(host, str) or host in state.hosts(port) or host in state.wishes(port):
                continue
            if not self._is_claimed(port, host):
                records = orphan(port, each.attributes, state)
                found |= {key: record for key, record in records.items() if key not in state.records}
        return found

    def _is_ours(self, wanted: Object, listed: Found) -> bool:
        """Whether what is held of a wanted object may be ours: another shim may have it, or have to have it."""
        port = wanted if wanted.base is Base.PORT else self._state.desired.port_of(wanted)
        if port is None:
            return True
        host = listed.attributes.get("host_id")
        hosts = {host} if wanted is port and isinstance(host, str) else set(self._state.wishes(port.id))
        return not hosts or any(self._identity.owns(each) and not self._is_claimed(port.id, each) for each in hosts)

    def _is_claimed(self, port: ObjectKey, host: str) -> bool:
        """Whether another controller has the port there."""
        claim = self._state.answer(port).answer.bindings.get(host)
        return claim is not None and claim.controller != self._identity.controller


def _expected(of: ObjectKey, state: State, judge: Judge, skipped: Collection[ObjectKey]) -> dict[ObjectKey, Object]:
    """The records of one object that say for certain what the inventory shall list."""
    if not judge.lists(of.object):
        return {}
    records = {keys.binding(of, host): state.records[keys.binding(of, host)] for host in state.hosts(of)}
    if of in state.records:
        records[of] = state.records[of]
    if of in skipped or not all(is_certain(record) and not has_failed(record) for record in records.values()):
        return {}
    expected: dict[ObjectKey, Object] = {}
    for key, record in records.items():
        if keys.is_binding(key):
            expected[key] = state.as_bound(*keys.port_and_host(key))
        elif judge.writes(MODIFY[state.base(key)]):
            expected[key] = Object(key, state.base(key), record.attributes, record.revision)
    return expected


def _ports_once(expected: Expected, judge: Judge) -> Expected:
    """A bound port is listed once; how it is held is what was last told of it, bind or modify."""
    for objects in expected.values():
        bindings = [key for key in objects if keys.is_binding(key)]
        own = next((key for key in objects if not keys.is_binding(key)), None)
        if bindings and own is not None:
            port = objects.pop(own)
            if judge.writes(Callback.MODIFY_PORT):
                for key in bindings:
                    if objects[key].active:
                        objects[key] = port
    return expected


def _told_of(
    key: ObjectKey, listed: list[Found], objects: Mapping[ObjectKey, Object]
) -> tuple[list[Found], list[Object]]:
    """What an inventory says of one record, and what it may be compared with.

    An inventory that lists a port by host says of each binding how it is held.  One that lists it
    without a host, or with one fingerprint on several hosts, says how the port is held, and any of
    its bindings may have been told last.
    """
    if not keys.is_binding(key):
        return listed, [objects[key]]
    _, host = keys.port_and_host(key)
    here = [each for each in listed if each.attributes.get("host_id") == host]
    if here:
        is_of_the_port = len(listed) > 1 and len({each.fingerprint for each in listed}) == 1
        return here, list(objects.values()) if is_of_the_port else [objects[key]]
    return [each for each in listed if each.attributes.get("host_id") is None], list(objects.values())


def _is_as_applied(objects: list[Object], told: list[Found], state: State, judge: Judge) -> bool:
    fingerprints = {each.fingerprint for each in told if each.fingerprint is not None}
    wanted = {judge.fingerprint(obj, state.desired) for obj in objects} if fingerprints else {None}
    return None in wanted or bool(wanted & fingerprints)


def orphan(key: ObjectKey, known: Mapping[str, Value], state: State) -> dict[ObjectKey, AppliedRecord]:
    """The records of an object that the controller has and no record tells of.

    They say that a call may have been made, which is what a delete needs.
    """
    attributes = complete(key, known, state)
    record = AppliedRecord(attributes=attributes, revision=0, claimed=True)
    if state.base(key) is not Base.PORT:
        return {key: record}
    return {keys.binding(key, str(attributes["host_id"] or "")): record, key: record}


def complete(key: ObjectKey, known: Mapping[str, Value], state: State) -> dict[str, Value]:
    """All attributes of an object of which only some are known; None for the others."""
    object_type = state.proton.objects[key.object]
    attributes: dict[str, Value] = {name: None for name, a in object_type.attributes.items() if not a.read_only}
    attributes |= {name: value for name, value in known.items() if name in attributes}
    attributes[object_type.primary_key.name] = key.key
    return attributes


def again(key: ObjectKey, state: State) -> Attempt:
    """The call that makes an applied object once more as it was applied."""
    return Attempt(callback=MODIFY[state.base(key)], attributes=state.records[key].attributes)
