"""What goes on in a reconciler, in numbers and names, for `/status` and the metrics."""

from __future__ import annotations

from itertools import islice

from gluon.contract import keys
from gluon.shim.plan import InUse
from gluon.shim.reconcile.reconciler import Reconciler

SHOWN = 100
"""Objects of each kind that are named."""


def numbers(reconciler: Reconciler) -> dict[str, int]:
    """How many objects are in which state."""
    in_use = sum(isinstance(step, InUse) for step in reconciler.held.values())
    bindings = sum(map(keys.is_binding, reconciler.state.records))
    return {
        "desired": len(reconciler.state.desired),
        "applied": len(reconciler.state.records) - bindings,
        "bound": bindings,
        "waiting": len(reconciler.held) - in_use,
        "in_use": in_use,
        "failing": sum(1 for _ in reconciler.attempts.failing()),
        "unreadable": len(reconciler.state.unreadable),
    }


def overview(reconciler: Reconciler) -> dict[str, object]:
    """The numbers, and which objects wait or fail, and why."""
    return {
        **numbers(reconciler),
        "queue": len(reconciler.queue),
        "held_objects": {str(key): str(step) for key, step in islice(reconciler.held.items(), SHOWN)},
        "failing_objects": {str(key): reason for key, reason in islice(reconciler.attempts.failing(), SHOWN)},
        "unreadable_objects": [str(key) for key in islice(reconciler.state.unreadable, SHOWN)],
    }
