"""From the state of one object to its next steps."""

from __future__ import annotations

from collections.abc import Collection

from gluon.contract.keys import ObjectKey
from gluon.shim.plan.bindings import port_steps
from gluon.shim.plan.facts import Identity
from gluon.shim.plan.knots import Knot
from gluon.shim.plan.objects import object_step
from gluon.shim.plan.steps import Step, Taken
from gluon.shim.state import State


def next_steps(key: ObjectKey, state: State, identity: Identity) -> list[Step]:
    """What to do next about `key`; of a port, one step for each binding too.

    Of several calls one is made, and then the object is looked at again.
    """
    steps = _steps(key, state, identity)
    if state.claims and any(isinstance(step, Taken) and step.may_be_passed for step in steps):
        ahead = _knot(key, state, identity).ahead()
        if ahead:
            return _steps(key, state, identity, ahead)
    return steps


def held_ahead(key: ObjectKey, state: State, identity: Identity) -> set[ObjectKey]:
    """Those that may have to go ahead now that `key` waits: it may be what closes a circle."""
    return _knot(key, state, identity).breakable - {key} if state.claims else set()


def _knot(key: ObjectKey, state: State, identity: Identity) -> Knot:
    return Knot(key, lambda each: _steps(each, state, identity), state, identity)


def _steps(key: ObjectKey, state: State, identity: Identity, ahead: Collection[ObjectKey] = ()) -> list[Step]:
    if key.object == state.proton.port.name:
        return port_steps(key, state, identity, ahead)
    return [object_step(key, state, identity, ahead)]
