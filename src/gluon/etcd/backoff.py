"""How long to wait before the next try."""

from __future__ import annotations

import random

FIRST = 0.1
"""Seconds, about, before the first new try."""

LONGEST = 5.0
"""Seconds, at most, between two tries."""


class Backoff:
    """Waits that double up to `longest`, each shortened at random so that clients don't come back as one."""

    def __init__(self, longest: float = LONGEST) -> None:
        self._longest = longest
        self._next = FIRST

    def reset(self) -> None:
        """Begins again at the shortest wait."""
        self._next = FIRST

    def delay(self) -> float:
        """Seconds to wait now."""
        delay, self._next = self._next, min(self._next * 2, self._longest)
        return delay * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, no secret

    def longest(self) -> float:
        """Seconds to wait for what only an operator can change."""
        return self._longest * random.uniform(0.8, 1.0)  # noqa: S311 - spreads retries, no secret
