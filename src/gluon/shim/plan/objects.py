"""The three rules of every object, in this order.

1. Is the object wanted by this controller?  If not and the backend has it: delete it, once
   nothing applied depends on it.
2. Is everything there that it depends on?  If not: wait.
3. Does the backend have it as it is wanted?  If not: modify it, unless another object has what only one can have.
"""

from __future__ import annotations

from collections.abc import Collection

from gluon.contract.keys import ObjectKey
from gluon.schema.types import Base
from gluon.shim.plan.facts import Identity, is_bound_here, is_certain, is_going, is_held_back, is_wanted
from gluon.shim.plan.steps import DELETE, MODIFY, Call, HeldBack, Nothing, Step, Wait
from gluon.shim.plan.uniqueness import taken
from gluon.shim.state import Object, State
from gluon.shim.state.model import references


def object_step(key: ObjectKey, state: State, identity: Identity, ahead: Collection[ObjectKey] = ()) -> Step:
    """The next step of any object but a port; for `ahead` see `modify`."""
    desired = state.desired.find(key)
    if desired is None or not is_wanted(desired, state, identity):
        return delete(key, state) or Nothing()
    return (
        _unmet(desired, state)
        or _unbound(desired, state, identity)
        or modify(desired, state, identity, _digests(desired, state), ahead)
        or Nothing()
    )


def delete(key: ObjectKey, state: State, more: Collection[ObjectKey] = ()) -> Step | None:
    """Takes what the backend has away; None when it has nothing.

    Args:
        key: of the object.
        state: what is known.
        more: records that depend on it, beside those of objects that name it.
    """
    applied = state.applied.find(key)
    if applied is None:
        return None
    if is_held_back(key, state):
        return HeldBack()
    dependent = next((name for name in (*state.dependents(key), *more) if name in state.records), None)
    if dependent is not None:
        return Wait(dependent, "to be deleted")
    return Call(DELETE[applied.base], applied)


def _unmet(obj: Object, state: State) -> Step | None:
    """What the object needs and the backend does not have yet."""
    for names in references(state.proton, obj.id, obj.attributes).values():
        for name in names:
            record = state.records.get(name)
            if name not in state.desired or record is None or record.claimed or is_going(record):
                return Wait(name, "to be applied")
    return None


def _unbound(obj: Object, state: State, identity: Identity) -> Step | None:
    """A service binding waits until its port is bound, on the active host if that is ours."""
    port = state.desired.port_of(obj) if obj.base is Base.SERVICE_BINDING else None
    if port is None or is_bound_here(port.id, state, identity):
        return None
    return Wait(port.id, "to be bound")


def modify(
    obj: Object, state: State, identity: Identity, digests: dict[str, str], ahead: Collection[ObjectKey] = ()
) -> Step | None:
    """Makes it as it is wanted; None when it is so, for certain.

    Args:
        obj: as it is wanted.
        state: what is known.
        identity: who we are.
        digests: what it is made with, beside its own attributes.
        ahead: objects that it goes ahead of, in spite of what they have.
    """
    record = state.records.get(obj.id)
    if (
        record is not None
        and is_certain(record)
        and record.attributes == obj.attributes
        and record.references == digests
    ):
        return None
    return taken(obj.id, state, identity, ahead) or Call(MODIFY[obj.base], obj, previous(obj.id, state), digests)


def previous(key: ObjectKey, state: State) -> Object | None:
    """The object as last applied; None when the backend may not have it."""
    record = state.records.get(key)
    return None if record is None or record.claimed or is_going(record) else state.applied.find(key)


def _digests(obj: Object, state: State) -> dict[str, str]:
    """What beside its own attributes the object was applied with.

    The items of its lists, and of a service binding the host where its port carries traffic: the
    end of a live migration changes that without a change of the service binding.
    """
    digests = state.desired.list_digests(obj)
    if obj.base is Base.SERVICE_BINDING:
        port = state.desired.port_of(obj)
        if port is not None:
            digests[f"{port.type}/{port.key}"] = str(port["host_id"])
    return digests
