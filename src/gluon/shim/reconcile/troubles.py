"""Failures in the log: one line when a trouble begins, one when it ends, not one for each object.

An SDN controller that is away makes every callback fail, hundreds a second, all for one reason.
"""

from __future__ import annotations

import logging
import re
from collections import Counter

from gluon.contract.keys import ObjectKey

log = logging.getLogger(__name__)

_PARTICULAR = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9]+(\.[0-9]+)?\b")
"""What tells the failure of one object from that of another: identifiers and numbers."""

MAX_TROUBLES = 1000
"""Troubles that are told apart; a backend that never says the same twice has them all in one."""


class Troubles:
    """The reasons for which calls fail at this moment, and the objects that each concerns."""

    def __init__(self) -> None:
        self._objects: dict[str, set[ObjectKey]] = {}
        self._failures: Counter[str] = Counter()
        self._reason: dict[ObjectKey, str] = {}

    def __len__(self) -> int:
        """How many reasons there are."""
        return len(self._objects)

    def failed(self, what: object, key: ObjectKey, reason: str, then: str) -> None:
        """A call failed; it is logged where its reason is news.

        Args:
            what: the call, for the message.
            key: the object.
            reason: why.
            then: what happens next.
        """
        if self._note(key, reason):
            log.warning("%s failed: %s; %s", what, reason, then)
        else:
            log.debug("%s failed again: %s; %s", what, reason, then)

    def held(self, key: ObjectKey, reason: str) -> None:
        """The object is not applied, because of another one; it is logged where its reason is news."""
        log.log(logging.WARNING if self._note(key, reason) else logging.DEBUG, "%s is not applied: it %s", key, reason)

    def _note(self, key: ObjectKey, reason: str) -> bool:
        """Notes why there is trouble with the object; whether that is news."""
        trouble = _PARTICULAR.sub("*", reason)
        if trouble not in self._objects and len(self._objects) >= MAX_TROUBLES:
            trouble = "many different reasons"
        if self._reason.get(key) != trouble:
            self._leave(key)
        self._reason[key] = trouble
        news = trouble not in self._objects
        self._objects.setdefault(trouble, set()).add(key)
        self._failures[trouble] += 1
        return news

    def over(self, key: ObjectKey) -> None:
        """The object has no trouble any more."""
        self._leave(key)
        self._reason.pop(key, None)

    def _leave(self, key: ObjectKey) -> None:
        trouble = self._reason.get(key)
        objects = self._objects.get(trouble, set()) if trouble is not None else set()
        objects.discard(key)
        if trouble is not None and trouble in self._objects and not objects:
            log.info("over, after %d failures: %s", self._failures.pop(trouble), trouble)
            del self._objects[trouble]
