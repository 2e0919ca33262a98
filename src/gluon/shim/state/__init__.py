"""The in-memory model: what is wanted, what was applied, what controllers answer.

Belongs here: objects and their indexes, and which objects a change concerns.
Does not belong here: deciding what to do (`plan`) and doing it (`reconcile`).  Pure.
"""

from gluon.shim.state.model import Model, Object
from gluon.shim.state.state import HeldAnswer, State, Wish, subject

__all__ = ["HeldAnswer", "Model", "Object", "State", "Wish", "subject"]
