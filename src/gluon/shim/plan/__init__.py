"""What to do next about one object: desired against applied, by the rules of its base object.

    facts      what the rules ask of the state
    objects    the three rules of every object
    bindings   the same for a port and its bindings
    uniqueness who may have what only one object can have
    knots      who goes ahead where objects wait for each other in a circle
    next_step  from an object to its steps
    outcome    what a step's result means for the applied records and the answer
    inventory  what an inventory of the SDN controller means for the records

Nothing here remembers anything: after each step the object is looked at again, so a moved port
becomes unbind, then bind, without a rule that says so.

Belongs here: rules.  Does not belong here: time, retries, and the calls themselves.  Pure.
"""

from gluon.shim.plan import outcome
from gluon.shim.plan.facts import Identity
from gluon.shim.plan.next_step import held_ahead, next_steps
from gluon.shim.plan.steps import Call, Callback, Drop, HeldBack, Hold, InUse, Nothing, Refresh, Step, Taken, Wait

__all__ = [
    "Call",
    "Callback",
    "Drop",
    "HeldBack",
    "Hold",
    "Identity",
    "InUse",
    "Nothing",
    "Refresh",
    "Step",
    "Taken",
    "Wait",
    "held_ahead",
    "next_steps",
    "outcome",
]
