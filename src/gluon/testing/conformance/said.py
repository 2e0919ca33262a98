"""What a backend says to the shim outside of callbacks, checked as it is said."""

from __future__ import annotations

import threading
from typing import get_args

from gluon.schema import Proton
from gluon.shim.backend import State

_STATES = get_args(State)


class Said:
    """Takes reports in the shim's place.  Called from any thread.

    Whoever calls it is the backend's own thread, where an exception would be lost: what is wrong
    is kept, and told when the next call is made.
    """

    def __init__(self, proton: Proton) -> None:
        self._proton = proton
        self._lock = threading.Lock()
        self._wrong = ""
        self.states: dict[tuple[str, str], tuple[State, str]] = {}
        """The last state and reason of each object, by type and key."""
        self.losses: list[str] = []
        """The reasons of `lost`."""

    def report(self, object_type: str, key: str, state: State, reason: str) -> None:
        """See `gluon.shim.backend.Context.report`."""
        with self._lock:
            self._wrong = self._wrong or self._problem(object_type, key, state, reason)
            self.states[object_type, key] = state, reason

    def lost(self, reason: str) -> None:
        """See `gluon.shim.backend.Context.lost`."""
        with self._lock:
            if not isinstance(reason, str):
                self._wrong = self._wrong or f"lost({reason!r}): the reason has to be a sentence"
            self.losses.append(reason)

    def take_wrong(self) -> str:
        """The first report that can't be taken, as a sentence, once; empty when all could."""
        with self._lock:
            wrong, self._wrong = self._wrong, ""
            return wrong

    def _problem(self, object_type: object, key: object, state: object, reason: object) -> str:
        call = f"report of {object_type!r} {key!r} as {state!r}, {reason!r}"
        if object_type not in self._proton.objects:
            return f"{call}: {self._proton.name} has {', '.join(self._proton.objects)}"
        if not isinstance(key, str):
            return f"{call}: the key has to be text"
        if state not in _STATES:
            return f"{call}: the states are {', '.join(_STATES)}"
        return "" if isinstance(reason, str) else f"{call}: the reason has to be a sentence"
