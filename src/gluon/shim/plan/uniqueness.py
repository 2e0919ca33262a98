"""Who may have the values that only one object of a type can have (`rules: unique`).

The server lets one object have them.  Several claim them where values were written by hand, where an older version
accepted them, and for a moment where values change hands: events come object by object, so one is told of what it
gets before another is told to give it up.  Of two that are to have the same, the one comes first

* that the backend has with them for certain;
* or else, that the backend may have with them;
* or else, that has the smaller key: the same whoever looks, also after a restart.

One that the backend has with them for certain is never held back: no change of it brings a new duplicate.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterator
from itertools import islice

from gluon.contract.keys import ObjectKey
from gluon.schema import Unique
from gluon.shim.plan.facts import Identity, is_going, is_wanted
from gluon.shim.plan.steps import Hold, Taken
from gluon.shim.state import Object, State


class _Standing(enum.IntEnum):
    """How near an object is to having at the backend what it is to have; the smallest comes first."""

    HAS = 0
    MAY_HAVE = 1
    HAS_NOT = 2


def taken(key: ObjectKey, state: State, identity: Identity, ahead: Collection[ObjectKey] = ()) -> Taken | None:
    """Why the object can't be applied now as it is wanted; None where nothing is in its way.

    Args:
        key: of the object.
        state: what is known.
        identity: who we are.
        ahead: objects that it goes ahead of, in spite of what they have.
    """
    return next((each for each in obstacles(key, state, identity) if each.by not in ahead), None)


def obstacles(key: ObjectKey, state: State, identity: Identity) -> list[Taken]:
    """All that is in the object's way; only one where that keeps what it has, since nothing can come of the others."""
    obj = state.desired.find(key) if state.claims.is_contested(key) else None
    if obj is None:
        return []
    keeper = _keeper(obj, state, identity)
    if keeper is not None:
        return [keeper]
    return [each for rule in _open_rules(obj, state) for each in _to_wait_for(obj, rule, state, identity)]


def _keeper(obj: Object, state: State, identity: Identity) -> Taken | None:
    """One that the backend has, or may have, with what the object is to have, and that is to stay so."""
    for rule in _open_rules(obj, state):
        own = _standing(obj, rule, state)
        for rival in _wanted_rivals(obj, rule, state, identity):
            standing = _standing(rival, rule, state)
            if standing is not _Standing.HAS_NOT and (standing.value, rival.id) < (own.value, obj.id):
                return Taken(rival.id, rule.words, Hold.KEEPS)
    return None


def _to_wait_for(obj: Object, rule: Unique, state: State, identity: Identity) -> Iterator[Taken]:
    """Those that have yet to give up what the object is to have, or to get it before the object."""
    wanted = {rival.id: rival for rival in _wanted_rivals(obj, rule, state, identity)}
    for key in state.claims.rivals(obj.id, rule):
        if key not in wanted and any(_clash(told, obj, rule, state) for told in state.told(key)):
            yield Taken(key, rule.words, Hold.YIELDS)
    if _standing(obj, rule, state) is _Standing.HAS_NOT:
        # The first will do: the others come after it as well.  One that can't come at all is not waited for.
        first = (r for key, r in wanted.items() if key < obj.id and _keeper(r, state, identity) is None)
        yield from (Taken(rival.id, rule.words, Hold.COMES_FIRST) for rival in islice(first, 1))


def _open_rules(obj: Object, state: State) -> Iterator[Unique]:
    """The rules by which the object is to get something that it does not have yet."""
    for rule in state.proton.objects[obj.type].unique:
        if _standing(obj, rule, state) is not _Standing.HAS:
            yield rule


def _wanted_rivals(obj: Object, rule: Unique, state: State, identity: Identity) -> Iterator[Object]:
    for key in state.claims.rivals(obj.id, rule):
        rival = state.desired.find(key)
        if rival is not None and _clash(rival, obj, rule, state) and is_wanted(rival, state, identity):
            yield rival


def _standing(obj: Object, rule: Unique, state: State) -> _Standing:
    object_type = state.proton.objects[obj.type]
    claim = object_type.claim(rule, obj.attributes)
    record, applied = state.records.get(obj.id), state.applied.find(obj.id)
    if record is not None and applied is not None and not (record.claimed or is_going(record)):
        # What others may have beside it must not become what only it can have.
        loosens = rule.is_excepted(obj.attributes) or not rule.is_excepted(applied.attributes)
        if loosens and object_type.claim(rule, applied.attributes) == claim:
            return _Standing.HAS
    may_have = any(object_type.claim(rule, told.attributes) == claim for told in state.told(obj.id))
    return _Standing.MAY_HAVE if may_have else _Standing.HAS_NOT


def _clash(one: Object, other: Object, rule: Unique, state: State) -> bool:
    return state.proton.objects[other.type].clash(rule, one.attributes, other.attributes)
