"""What to do next for one key: desired against applied, by the rules of its base object.

`next_step` looks at the state and says one step; `outcome` says what a step's result means for
the applied record and the answer.  Neither remembers anything: after each step the key is looked
at again, so a moved port becomes unbind, then bind, without a rule that says so.

Belongs here: rules.  Does not belong here: time, retries, and the calls themselves.  Pure.
"""

from gluon.shim.plan import outcome
from gluon.shim.plan.next_step import Identity, next_step
from gluon.shim.plan.steps import Call, Callback, Drop, InUse, Nothing, Refresh, Step, Wait

__all__ = [
    "Call",
    "Callback",
    "Drop",
    "Identity",
    "InUse",
    "Nothing",
    "Refresh",
    "Step",
    "Wait",
    "next_step",
    "outcome",
]
