"""Says in the log when something begins to fail and when it ends, and not once for each failure."""

from __future__ import annotations

import logging
import time

log = logging.getLogger(__name__)

CALM = 3.0
"""Seconds without a failure after which the trouble is over: some fails now and then only."""


class Trouble:
    """The trouble of one kind of work; used in the event loop."""

    def __init__(self, work: str) -> None:
        """Starts without any.

        Args:
            work: names the work, e.g. `writing to the database sqlite:///gluon.db`.
        """
        self.words = ""
        """The latest failure, as whoever asked was told of it; empty: there is no trouble."""
        self._work = work
        self._lasting = False
        self._said: set[str] = set()
        self._failures = 0
        self._last = 0.0

    def failed(self, reason: str, words: str, *, lasting: bool = False) -> None:
        """Takes note of a failure.

        Args:
            reason: for the log.
            words: for clients.
            lasting: no success ends it: work that meets the well part of a damaged file proves nothing.
        """
        self._failures += 1
        self._last = time.monotonic()
        if lasting or not self._lasting:
            self.words = words
        self._lasting = self._lasting or lasting
        if reason not in self._said:
            self._said.add(reason)
            log.error("%s fails: %s", self._work, reason)

    def worked(self) -> None:
        """Takes note of a success."""
        if self.words and not self._lasting and time.monotonic() - self._last >= CALM:
            log.info("%s works again; failures meanwhile: %d", self._work, self._failures)
            self.words = ""
            self._said.clear()
            self._failures = 0
