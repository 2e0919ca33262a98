"""How a backend is judged."""

from __future__ import annotations

from msgspec import Struct


class NotConforming(AssertionError):
    """The backend breaks its contract; the message says with which call, and what came before."""


class WasRefused(NotConforming):
    """The backend said `Refused`."""


class Bounds(Struct, frozen=True):
    """How long a backend may take."""

    patience: float = 30.0
    """Seconds in which a call must be done, `RetryLater` included."""
    max_block: float = 0.5
    """Seconds for which one step of a coroutine may keep the event loop to itself."""
