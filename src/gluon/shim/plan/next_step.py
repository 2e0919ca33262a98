"""The rules: from the state of one key to its next step.

Every base object follows the same three questions, in this order:

1. Is the object wanted by this controller at all?  If not and the backend has it: delete it,
   once nothing applied depends on it.
2. Is everything there that it depends on?  If not: wait.
3. Does the backend have it as it is wanted?  If not: modify it.

A port has a fourth: on which host should it be bound, and on which is it?
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

import msgspec
from msgspec import Struct

from gluon.contract.keys import ObjectKey
from gluon.contract.records import BIND_ATTRIBUTES, BINDING_FAILED, Answer, AppliedRecord, encode_attributes
from gluon.schema.types import Base, Value
from gluon.shim.plan.steps import DELETE, MODIFY, Call, Callback, Drop, InUse, Nothing, Refresh, Step, Wait
from gluon.shim.state import Object, State
from gluon.shim.state.model import references

ALL_HOSTS = "*"


class Identity(Struct, frozen=True):
    """Who this shim is, and whose ports are its own."""

    controller: str
    hosts: Collection[str]
    """Names of hosts; `*` stands for all."""

    def owns(self, host: str) -> bool:
        """Whether the ports on `host` are ours to bind."""
        return ALL_HOSTS in self.hosts or host in self.hosts


def next_step(key: ObjectKey, state: State, identity: Identity) -> Step:
    """The one thing to do next for `key`."""
    desired = state.desired.find(key)
    obj = desired or state.applied.find(key)
    if obj is None:
        return _leftover(key, state, identity)
    if obj.base is Base.PORT:
        return _port_step(key, desired, state, identity)
    if desired is None or not _is_wanted(desired, state, identity):
        return _delete(key, state) or _leftover(key, state, identity)
    return _unmet(desired, state) or _modify(desired, state) or _leftover(key, state, identity)


def _leftover(key: ObjectKey, state: State, identity: Identity) -> Step:
    """An answer that says nothing any more: of an object that is gone, or is well again."""
    held = state.answer(key)
    ours = held.answer is None or held.answer.controller == identity.controller
    return Drop(key) if held.exists and ours else Nothing()


# -- every object but a port ---------------------------------------------------------------------


def _is_wanted(obj: Object, state: State, identity: Identity) -> bool:
    """Whether the object should be at the backend now, or as soon as what it needs is.

    Only single references count: an item of a list that is missing leaves the object as it is
    (see `_unmet`), since dropping a whole service for one late route target would cut traffic.
    """
    for names in _single_references(obj, state):
        for name in names:
            target = state.desired.find(name)
            if target is None:
                return False
            if target.base is Base.PORT:
                if not _is_port_wanted(target, identity):
                    return False
            elif not _is_wanted(target, state, identity):
                return False
    if obj.base is Base.INTERFACE and _has_moved(obj, state):
        return False
    return obj.base is not Base.SERVICE_BINDING or _stays_bound(obj, state, identity)


def _single_references(obj: Object, state: State) -> list[tuple[ObjectKey, ...]]:
    types = state.proton.objects[obj.id.object].attributes
    found = references(state.proton, obj.id, obj.attributes)
    return [names for attribute, names in found.items() if not types[attribute].is_list]


def _has_moved(interface: Object, state: State) -> bool:
    """Whether the backend has the interface on another port: there it goes before it comes here."""
    applied = state.applied.find(interface.id)
    if applied is None:
        return False
    names = references(state.proton, interface.id, interface.attributes)
    before = references(state.proton, interface.id, applied.attributes)
    port = state.proton.port.name
    return any(names[a] != before.get(a) for a in names if names[a][0].object == port)


def _stays_bound(binding: Object, state: State, identity: Identity) -> bool:
    """Whether the port of a service binding is bound by us and is to stay as it is bound."""
    port = state.desired.port_of(binding)
    if port is None:
        return False
    record = state.records.get(port.id)
    return record is not None and is_bound(record) and not must_unbind(port, state, identity)


def _delete(key: ObjectKey, state: State) -> Step | None:
    applied = state.applied.find(key)
    if applied is None:
        return None
    dependent = _applied_dependent(key, state)
    if dependent is not None:
        return Wait(dependent, "to be deleted")
    return Call(DELETE[applied.base], applied)


def _applied_dependent(key: ObjectKey, state: State) -> ObjectKey | None:
    return next((name for name in state.dependents(key) if name in state.records), None)


def _unmet(obj: Object, state: State) -> Step | None:
    """What the object needs and the backend does not have yet."""
    for names in references(state.proton, obj.id, obj.attributes).values():
        for name in names:
            record = state.records.get(name)
            if name not in state.desired or record is None or record.claimed or is_going(record):
                return Wait(name, "to be applied")
    return None


def _modify(obj: Object, state: State) -> Step | None:
    record = state.records.get(obj.id)
    digests = _list_digests(obj, state)
    if (
        record is not None
        and not record.claimed
        and record.attempted is None
        and record.attributes == obj.attributes
        and record.references == digests
    ):
        return None
    return Call(MODIFY[obj.base], obj, _previous(obj.id, state), digests)


def _previous(key: ObjectKey, state: State) -> Object | None:
    """The object as last applied; None when the backend may not have it."""
    record = state.records.get(key)
    return None if record is None or record.claimed or is_deleted(record) else state.applied.find(key)


def _list_digests(obj: Object, state: State) -> dict[str, str]:
    """A digest of each object that a list attribute names.

    An item of a list is part of what the object means: a VpnAfConfig whose type turns from
    import to both changes every VpnService that names it, so these are applied again.  A single
    reference is a place to hang on to and not part of the meaning.
    """
    types = state.proton.objects[obj.id.object].attributes
    digests: dict[str, str] = {}
    for attribute, names in references(state.proton, obj.id, obj.attributes).items():
        if types[attribute].is_list:
            for name in names:
                target = state.desired.find(name)
                if target is not None:
                    data = encode_attributes(target.attributes)
                    digests[f"{name.object}/{name.key}"] = hashlib.blake2s(data, digest_size=8).hexdigest()
    return digests


# -- ports ---------------------------------------------------------------------------------------


def _port_step(key: ObjectKey, port: Object | None, state: State, identity: Identity) -> Step:
    record = state.records.get(key)
    bound_or_claimed = record is not None and record.binding is not None
    if bound_or_claimed and (port is None or must_unbind(port, state, identity)):
        return _unbind(key, state)
    if port is None or not _is_port_wanted(port, identity):
        return _delete(key, state) or (_leftover(key, state, identity) if port is None else Nothing())
    holder = _other_holder(key, state, identity)
    if holder:
        return InUse(holder)
    if _wants_bind(port) and not _is_settled(port, record):
        return Call(Callback.BIND_PORT, port, _previous(key, state))
    if record is not None and has_failed(record):
        return _refresh(port, record, state, identity)
    return _modify(port, state) or _refresh(port, record, state, identity)


def _wants_bind(port: Object) -> bool:
    return bool(port["host_id"] and port["device_id"])


def _is_port_wanted(port: Object, identity: Identity) -> bool:
    """A port without a host concerns every controller, a port on a host only that host's."""
    host = port["host_id"]
    return not host or identity.owns(str(host))


def is_going(record: AppliedRecord) -> bool:
    """Whether a delete, or of a bound port an unbind, may have been made."""
    return record.attempted == {}


def is_deleted(record: AppliedRecord) -> bool:
    """Whether a delete may have been made."""
    return is_going(record) and record.binding is None


def is_bound(record: AppliedRecord) -> bool:
    """Whether the backend has bound the port, for certain."""
    return record.binding is not None and bool(record.binding.vif_type) and not (has_failed(record) or is_going(record))


def has_failed(record: AppliedRecord) -> bool:
    """Whether the backend has refused to bind the port."""
    return record.binding is not None and record.binding.vif_type == BINDING_FAILED


def _is_settled(port: Object, record: AppliedRecord | None) -> bool:
    """Whether a bind has been answered; a refusal holds for the port's revision alone."""
    if record is None:
        return False
    return is_bound(record) or (has_failed(record) and record.revision == port.revision)


def _other_holder(key: ObjectKey, state: State, identity: Identity) -> str:
    """The other controller that has claimed the port for a host; empty when there is none."""
    answer = state.answer(key).answer
    if answer is None or not answer.host_id or answer.controller == identity.controller:
        return ""
    return answer.controller


def must_unbind(port: Object, state: State, identity: Identity) -> bool:
    """Whether a port that we bound may not stay as it is bound."""
    if not _wants_bind(port) or not _is_port_wanted(port, identity):
        return True
    if _other_holder(port.id, state, identity):
        return True
    bound = _bound_attributes(state.records[port.id])
    return any(port[name] != bound.get(name) for name in BIND_ATTRIBUTES)


def _bound_attributes(record: AppliedRecord) -> dict[str, Value]:
    """What the port was, or may have been, bound with."""
    return record.attempted or record.attributes


def _unbind(key: ObjectKey, state: State) -> Step:
    applied = state.applied.find(key)
    assert applied is not None  # noqa: S101 - a record with a binding is an applied object
    for binding in state.applied.bindings_of(applied):
        return Wait(binding.id, "to be deleted")
    bound = _bound_attributes(state.records[key])
    return Call(Callback.UNBIND_PORT, Object(key, applied.base, bound, applied.revision))


def _refresh(port: Object, record: AppliedRecord | None, state: State, identity: Identity) -> Step:
    """proton-server takes an answer only if it is for the revision that it published."""
    held = state.answer(port.id)
    expected = None if record is None else expected_answer(port, record, identity.controller)
    answer = held.answer
    if expected is None:
        mine = answer is not None and answer.controller == identity.controller
        return Refresh(port) if mine else Nothing()
    if answer is None or answer.revision < expected.revision:
        return Refresh(port)
    current = msgspec.structs.replace(expected, revision=answer.revision)
    return Nothing() if answer == current else Refresh(port)


def expected_answer(port: Object, record: AppliedRecord, controller: str) -> Answer | None:
    """What the answer key should hold for a port at rest; None for `{}`."""
    binding = record.binding
    if binding is None:
        return None
    return Answer(
        controller=controller,
        revision=port.revision,
        host_id=binding.host_id,
        vif_type=binding.vif_type,
        vif_details=binding.vif_details,
        reason=binding.reason,
    )
