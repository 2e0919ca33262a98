"""From the state of one object to its next steps."""

from __future__ import annotations

from gluon.contract.keys import ObjectKey
from gluon.shim.plan.bindings import port_steps
from gluon.shim.plan.facts import Identity
from gluon.shim.plan.objects import object_step
from gluon.shim.plan.steps import Step
from gluon.shim.state import State


def next_steps(key: ObjectKey, state: State, identity: Identity) -> list[Step]:
    """What to do next about `key`; of a port, one step for each binding too.

    Of several calls one is made, and then the object is looked at again.
    """
    if key.object == state.proton.port.name:
        return port_steps(key, state, identity)
    return [object_step(key, state, identity)]
