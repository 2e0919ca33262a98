"""What an inventory of the SDN controller means for the applied records.

Only what is certain is compared: an object whose call is under way, failing or unsure is left to
the reconciler, which deals with it anyway.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from msgspec import Struct

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import AppliedRecord, Attempt
from gluon.schema.types import Base, Value
from gluon.shim.plan.facts import has_failed, is_certain
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
    """What is to be known of the backend (`gluon.shim.reconcile.calls.BackendCalls`)."""

    def writes(self, callback: Callback) -> bool:
        """Whether the backend has this callback."""

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
    unknown: tuple[str, ...] = ()
    """Objects of a type that the model does not have: they can only be named."""


def compare(found: Iterable[Found], state: State, judge: Judge, skipped: Collection[ObjectKey] = ()) -> Findings:
    """Compares an inventory with the records.

    Args:
        found: the inventory.
        state: holds the records.
        judge: the backend.
        skipped: objects that changed while the inventory was taken; they say nothing.
    """
    held: dict[tuple[str, str], list[Found]] = {}
    for each in found:
        held.setdefault((each.type, each.key), []).append(each)
    expected, silent = _expected(state, judge, skipped)
    missing: list[ObjectKey] = []
    differing: list[ObjectKey] = []
    for name, objects in expected.items():
        listed = held.get(name, [])
        lacking = [key for key in objects if not _is_listed(key, listed)]
        missing += lacking
        present = {key: obj for key, obj in objects.items() if key not in lacking}
        if present and not _is_as_applied(present, listed, state, judge):
            differing += present
    orphans, unknown = _orphans(held, expected, silent, state)
    return Findings(missing=tuple(missing), differing=tuple(differing), orphans=orphans, unknown=unknown)


Expected = dict[tuple[str, str], dict[ObjectKey, Object]]


def _expected(state: State, judge: Judge, skipped: Collection[ObjectKey]) -> tuple[Expected, set[tuple[str, str]]]:
    """What the inventory shall list, by type and key, and what it may list or not."""
    expected: Expected = {}
    silent = {(key.object, key.key) for key in skipped}
    for key, record in state.records.items():
        of = subject(key)
        name = (of.object, of.key)
        if of in skipped or not is_certain(record) or has_failed(record):
            silent.add(name)
        elif keys.is_binding(key):
            expected.setdefault(name, {})[key] = state.as_bound(*keys.port_and_host(key))
        elif judge.writes(MODIFY[state.base(key)]):
            expected.setdefault(name, {})[key] = Object(key, state.base(key), record.attributes, record.revision)
        else:
            silent.add(name)
    for name in silent:
        expected.pop(name, None)
    return _ports_once(expected, judge), silent


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


def _is_listed(key: ObjectKey, listed: list[Found]) -> bool:
    if not listed or not keys.is_binding(key):
        return bool(listed)
    hosts = {each.attributes.get("host_id") for each in listed}
    return None in hosts or keys.port_and_host(key)[1] in hosts


def _is_as_applied(objects: Mapping[ObjectKey, Object], listed: list[Found], state: State, judge: Judge) -> bool:
    told = {each.fingerprint for each in listed if each.fingerprint is not None}
    wanted = {judge.fingerprint(obj, state.desired) for obj in objects.values()}
    return not told or None in wanted or bool(told & wanted)


def _orphans(
    held: Mapping[tuple[str, str], list[Found]], expected: Expected, silent: set[tuple[str, str]], state: State
) -> tuple[dict[ObjectKey, AppliedRecord], tuple[str, ...]]:
    orphans: dict[ObjectKey, AppliedRecord] = {}
    unknown: list[str] = []
    for (object_type, key), listed in held.items():
        if object_type not in state.proton.objects:
            unknown.append(f"{object_type}/{key}")
            continue
        name = ObjectKey(state.proton.name, object_type, key)
        if (object_type, key) in silent:
            continue
        if (object_type, key) in expected:
            orphans |= _stray_hosts(name, listed, state)
        elif name not in state.desired:
            for each in listed:
                orphans |= orphan(name, each.attributes, state)
    return orphans, tuple(unknown)


def _stray_hosts(port: ObjectKey, listed: list[Found], state: State) -> dict[ObjectKey, AppliedRecord]:
    """A port that is ours, and held on a host where it is not."""
    found: dict[ObjectKey, AppliedRecord] = {}
    for each in listed:
        host = each.attributes.get("host_id")
        if isinstance(host, str) and host not in state.hosts(port) and host not in state.wishes(port):
            found[keys.binding(port, host)] = orphan(port, each.attributes, state)[keys.binding(port, host)]
    return found


def orphan(key: ObjectKey, known: Mapping[str, Value], state: State) -> dict[ObjectKey, AppliedRecord]:
    """The records of an object that the controller has and no record tells of.

    They say that a call may have been made, which is what a delete needs.
    """
    object_type = state.proton.objects[key.object]
    attributes: dict[str, Value] = {name: None for name, a in object_type.attributes.items() if not a.read_only}
    attributes |= {name: value for name, value in known.items() if name in attributes}
    attributes[object_type.primary_key.name] = key.key
    record = AppliedRecord(attributes=attributes, revision=0, claimed=True)
    if object_type.base is not Base.PORT:
        return {key: record}
    return {keys.binding(key, str(attributes["host_id"] or "")): record, key: record}


def again(key: ObjectKey, state: State) -> Attempt:
    """The call that makes an applied object once more as it was applied."""
    return Attempt(callback=MODIFY[state.base(key)], attributes=state.records[key].attributes)
