"""Objects that wait for each other in a circle, because each is to have what another one gives up.

Two that swap a value are the plain case.  There are longer ones: one is to have the value of another that is to be
deleted, which waits for a third that names it still, which waits for the first to name that instead.  One of them
has to go ahead, and for a moment the backend has the value twice: better than never.
"""

from __future__ import annotations

from collections.abc import Callable

from gluon.contract.keys import ObjectKey
from gluon.shim.plan.facts import Identity
from gluon.shim.plan.steps import Step, Taken, Wait
from gluon.shim.plan.uniqueness import obstacles
from gluon.shim.state import State, subject

Look = Callable[[ObjectKey], list[Step]]
"""The next steps of an object when nobody goes ahead of anybody."""


class Knot:
    """Whom an object waits for, whom those wait for, and so on.

    Args:
        key: the object.
        look: at the steps of each.
        state: what is known.
        identity: who we are.
    """

    def __init__(self, key: ObjectKey, look: Look, state: State, identity: Identity) -> None:
        self._key = key
        self._state = state
        self._identity = identity
        self._waits: dict[ObjectKey, set[ObjectKey]] = {}
        self.breakable: set[ObjectKey] = set()
        """Those that could go ahead."""
        ahead = [key]
        while ahead:
            each = ahead.pop()
            if each not in self._waits:
                self._waits[each] = self._waits_of(each, look(each))
                ahead += self._waits[each]

    def ahead(self) -> frozenset[ObjectKey]:
        """The objects that this one goes ahead of; none where it is not in a circle, or not the one to break it.

        It is the one with the smallest key that does, so all agree, also after a restart.
        """
        circle = self._circle()
        if min(circle & self.breakable, default=None) != self._key:
            return frozenset()
        return frozenset(self._waits[self._key] & circle)

    def _waits_of(self, key: ObjectKey, steps: list[Step]) -> set[ObjectKey]:
        waits = {subject(step.on) for step in steps if isinstance(step, Wait)}
        if any(isinstance(step, Taken) for step in steps):
            found = obstacles(key, self._state, self._identity)
            waits |= {each.by for each in found}
            if all(each.may_be_passed for each in found):
                self.breakable.add(key)
        return waits - {key}

    def _circle(self) -> set[ObjectKey]:
        """Those that wait for the object, directly or not, of those that it waits for."""
        waiting: dict[ObjectKey, list[ObjectKey]] = {}
        for key, names in self._waits.items():
            for name in names:
                waiting.setdefault(name, []).append(key)
        found: set[ObjectKey] = set()
        ahead = list(waiting.get(self._key, ()))
        while ahead:
            each = ahead.pop()
            if each not in found:
                found.add(each)
                ahead += waiting.get(each, ())
        return found
