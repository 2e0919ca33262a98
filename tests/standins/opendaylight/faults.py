"""The ways in which an OpenDaylight can't be used for a while."""

from __future__ import annotations

import threading
from enum import Enum


class Fault(Enum):
    """What becomes of a request while it lasts."""

    SILENT = "does not answer"
    UNAVAILABLE = "answers 503"
    STORED_500 = "answers 500, and stores what was written all the same"
    LOCK_DENIED = "answers 409 lock-denied to writes"
    REFUSED = "refuses connections"
    STARTING = "answers a bare 404 to everything, as while RESTCONF is not there yet"


class Faults:
    """Which fault meets the next request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fault: Fault | None = None
        self._before = 0
        self._times: int | None = None
        self.mended = threading.Event()

    def begin(self, fault: Fault, after: int, times: int | None) -> None:
        """After so many further requests, for so many; for all until `end` if that is None."""
        with self._lock:
            self.mended.clear()
            self._fault, self._before, self._times = fault, after, times

    def end(self) -> None:
        """Everything works again."""
        with self._lock:
            self._fault = None
            self.mended.set()

    def of_next_request(self) -> Fault | None:
        """Counts the request."""
        with self._lock:
            if self._fault is None or self._times == 0:
                return None
            if self._before:
                self._before -= 1
                return None
            if self._times is not None:
                self._times -= 1
            return self._fault
