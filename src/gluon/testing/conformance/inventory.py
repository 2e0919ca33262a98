"""Compares what a backend lists of its controller with what it was told, as the shim's audit does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import AppliedRecord, Bound, WantedBinding
from gluon.schema import Proton
from gluon.shim.backend import Backend, Held, Model, Object
from gluon.shim.calls.calling import BackendCalls
from gluon.shim.plan.inventory import compare
from gluon.shim.plan.steps import Callback
from gluon.shim.state import State
from gluon.testing.conformance.told import Told


def difference(told: Told, found: Sequence[Held], backend: Backend, calls: BackendCalls) -> str:
    """How the inventory differs from what was told, as a sentence; empty when it does not."""
    twice = [name for name, count in Counter(map(_name, found)).items() if count > 1]
    if twice:
        return f"inventory() lists {twice[0]} twice"
    judge = _Judge(backend, calls)
    findings = compare(found, _books(told), judge, _on_their_way(told))
    if findings.missing:
        return f"inventory() does not list {_shown(findings.missing[0])}, which was applied"
    unwanted = [*findings.unknown, *map(_shown, findings.orphans)]
    if unwanted:
        return f"inventory() lists {unwanted[0]}, which nobody wants"
    return judge.error or (_differing(findings.differing[0], found, judge) if findings.differing else "")


def fingerprints(told: Told, backend: Backend, calls: BackendCalls) -> dict[ObjectKey, str | None]:
    """What tells the objects apart from others that were told otherwise; None for one that has none now."""
    judge, model = _Judge(backend, calls), told.model
    return {key: judge.fingerprint(obj, model) for key in model if (obj := model.find(key)) is not None}


def _on_their_way(told: Told) -> set[ObjectKey]:
    """Ports that have lost their active binding: the other is about to go, and is not judged any more."""
    active = {port.id for port in told.bound.values() if port.active}
    return {port.id for port in told.bound.values()} - active


class _Judge:
    """Answers for the backend, and keeps what its `fingerprint` gives or raises."""

    def __init__(self, backend: Backend, calls: BackendCalls) -> None:
        self._backend = backend
        self._calls = calls
        self.error = ""
        self.fingerprints: dict[ObjectKey, str | None] = {}

    def writes(self, callback: Callback) -> bool:
        return self._calls.writes(callback)

    def lists(self, object_type: str) -> bool:
        return self._calls.lists(object_type)

    def fingerprint(self, obj: Object, model: Model) -> str | None:
        try:
            fingerprint = self._backend.fingerprint(obj, model)
        except Exception as error:  # noqa: BLE001 - foreign code
            self.error = f"fingerprint() of {_shown(obj.id)} raised {type(error).__name__}: {error}"
            return None
        self.fingerprints[obj.id] = fingerprint
        return fingerprint


def _books(told: Told) -> State:
    """The state of a shim that has told the backend the same, and found all of it done."""
    state = State(told.proton)
    model = told.model
    for obj in map(model.find, model):
        if obj is not None:
            state.desire(obj, inactive=[_wanted(port) for port in told.bindings_of(obj.id) if not port.active])
    for key, obj in told.applied.items():
        state.record(key, AppliedRecord(attributes=dict(obj.attributes), revision=obj.revision))
    for key, port in told.bound.items():
        bound = Bound(vif_type="ovs")
        state.record(key, AppliedRecord(attributes=dict(port.attributes), revision=port.revision, bound=bound))
    return state


def _wanted(port: Object) -> WantedBinding:
    return WantedBinding(host_id=str(port["host_id"]), vnic_type=port["vnic_type"], profile=port["profile"])


def _differing(record: ObjectKey, found: Iterable[Held], judge: _Judge) -> str:
    of = keys.port_and_host(record)[0] if keys.is_binding(record) else record
    listed = next(held.fingerprint for held in found if (held.type, held.key) == (of.object, of.key))
    return (
        f"inventory() lists {_shown(of)} with the fingerprint {listed!r}, but fingerprint() of it is "
        f"{judge.fingerprints[of]!r}: each audit would apply it again"
    )


def orphans(proton: Proton, found: Iterable[Held]) -> list[Object]:
    """What the inventory lists, as the shim hands over what nobody wants; what names others comes first."""
    order = {name: place for place, name in enumerate(proton.objects)}
    return [_orphan(proton, held) for held in sorted(found, key=lambda each: order[each.type], reverse=True)]


def _orphan(proton: Proton, held: Held) -> Object:
    object_type = proton.objects[held.type]
    unset = dict.fromkeys(attribute.name for attribute in object_type.writable)
    attributes = {**unset, **held.attributes, object_type.primary_key.name: held.key}
    return Object(ObjectKey(proton.name, held.type, held.key), object_type.base, attributes, 0)


def _name(held: Held) -> str:
    host = held.attributes.get("host_id")
    return f"{held.type} {held.key}" + (f" on {host}" if host else "")


def _shown(record: ObjectKey) -> str:
    if keys.is_binding(record):
        port, host = keys.port_and_host(record)
        return f"{port.object} {port.key} on {host}"
    return f"{record.object} {record.key}"
