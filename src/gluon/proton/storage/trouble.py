"""Says in the log when something begins to fail and when it ends, and not once for each failure."""

from __future__ import annotations

import logging
import time

log = logging.getLogger(__name__)

CALM = 3.0
"""Seconds without a failure after which the trouble is over: a damaged file fails now and then only."""


class Trouble:
    """The trouble of one kind of work; used in the event loop."""

    def __init__(self, work: str) -> None:
        """Starts without any.

        Args:
            work: names the work, e.g. `writing to the database sqlite:///gluon.db`.
        """
        self._work = work
        self._said: set[str] = set()
        self._failures = 0
        self._last = 0.0

    def failed(self, reason: str) -> None:
        """Takes note of a failure."""
        self._failures += 1
        self._last = time.monotonic()
        if reason not in self._said:
            self._said.add(reason)
            log.error("%s fails: %s", self._work, reason)

    def worked(self) -> None:
        """Takes note of a success."""
        if self._said and time.monotonic() - self._last >= CALM:
            log.info("%s works again; failures meanwhile: %d", self._work, self._failures)
            self._said.clear()
            self._failures = 0
