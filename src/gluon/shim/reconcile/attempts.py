"""What was tried for each key: when to try again, and whether it is overdue."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Iterator

from gluon.contract.keys import ObjectKey
from gluon.shim.plan import Call


class _Attempt:
    __slots__ = ("call", "count", "due", "overdue", "reason", "refused", "timer")

    def __init__(self, call: Call, timer: asyncio.TimerHandle) -> None:
        self.call = call
        self.timer = timer
        self.count = 0
        self.due = 0.0
        self.reason = ""
        self.refused = False
        self.overdue = False


class Attempts:
    """The attempts at calls that have not succeeded yet, one for each applied record.

    An attempt belongs to one call: when the plan comes to another callback, or the object has
    changed, the count, the pause and a refusal are forgotten.

    Args:
        retry_min: seconds before the first retry; it doubles with each.
        retry_max: longest pause in seconds.
        report_after: seconds from the first try after which `overdue` is called, once.
        overdue: told the call that has not succeeded by then, whether it runs or is to be retried.
    """

    def __init__(
        self, retry_min: float, retry_max: float, report_after: float, overdue: Callable[[Call], None]
    ) -> None:
        self._retry_min = retry_min
        self._retry_max = retry_max
        self._report_after = report_after
        self._overdue = overdue
        self._attempts: dict[ObjectKey, dict[ObjectKey, _Attempt]] = {}
        """By the object that is looked at, then by record: a port has some for its bindings too."""

    def pause(self, call: Call) -> float | None:
        """Seconds until the call may be made, 0 for now; None: not until the object changes."""
        attempt = self._of(call)
        if attempt is None:
            return 0.0
        if not _same(attempt.call, call):
            self.forget(call)
            return 0.0
        if attempt.refused:
            return None
        return max(0.0, attempt.due - asyncio.get_running_loop().time())

    def begin(self, call: Call) -> None:
        """The call is made now."""
        if self._of(call) is None:
            timer = asyncio.get_running_loop().call_later(self._report_after, self._expire, call)
            self._attempts.setdefault(call.object.id, {})[call.key] = _Attempt(call, timer)

    def failed(self, call: Call, reason: str, *, delay: float | None, refused: bool) -> float | None:
        """The call failed.

        Args:
            call: what was begun.
            reason: why it failed.
            delay: pause in seconds that the backend asked for; None: it did not say.
            refused: whether calling again is useless until the object changes.

        Returns:
            Seconds until the retry; None when there will be none.
        """
        attempt = self._attempts[call.object.id][call.key]
        attempt.count += 1
        attempt.reason = reason
        attempt.refused = refused
        if refused:
            return None
        longest = min(self._retry_max, self._retry_min * 2 ** min(attempt.count - 1, 30))
        pause: float = longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        if delay is not None:
            pause = max(delay, self._retry_min)  # A backend that says 0 must not make the loop spin.
        attempt.due = asyncio.get_running_loop().time() + pause
        return pause

    def forget(self, call: Call) -> None:
        """The call has succeeded, or is not to be tried any more."""
        attempts = self._attempts.get(call.object.id, {})
        attempt = attempts.pop(call.key, None)
        if attempt is not None:
            attempt.timer.cancel()
        if not attempts:
            self._attempts.pop(call.object.id, None)

    def keep(self, subject: ObjectKey, calls: Collection[Call]) -> None:
        """Only these calls are due for the object: nothing else is being tried."""
        due = {call.key for call in calls}
        for attempt in list(self._attempts.get(subject, {}).values()):
            if attempt.call.key not in due:
                self.forget(attempt.call)

    def is_overdue(self, call: Call) -> bool:
        """Whether the call has not succeeded for `report_after` seconds."""
        attempt = self._of(call)
        return attempt is not None and (attempt.overdue or attempt.refused)

    def reason(self, call: Call) -> str:
        """Why the last try failed; empty while the first one runs."""
        attempt = self._of(call)
        return attempt.reason if attempt is not None else ""

    def failing(self) -> Iterator[tuple[ObjectKey, str]]:
        """The objects whose last try failed, or is overdue, and why."""
        for subject, attempts in self._attempts.items():
            for attempt in attempts.values():
                if attempt.reason or attempt.overdue:
                    yield subject, attempt.reason or f"{attempt.call.callback} has not returned yet"

    def is_failing(self, subject: ObjectKey) -> bool:
        """Whether anything of the object is overdue or refused."""
        return any(attempt.overdue or attempt.refused for attempt in self._attempts.get(subject, {}).values())

    def close(self) -> None:
        """Cancels all timers."""
        for attempts in self._attempts.values():
            for attempt in attempts.values():
                attempt.timer.cancel()

    def _of(self, call: Call) -> _Attempt | None:
        return self._attempts.get(call.object.id, {}).get(call.key)

    def _expire(self, call: Call) -> None:
        attempt = self._of(call)
        if attempt is not None:
            attempt.overdue = True
            self._overdue(attempt.call)


def _same(one: Call, other: Call) -> bool:
    """Whether two calls ask for the same; a revision that brings nothing else counts as asking again."""
    return (
        one.callback is other.callback
        and one.object.revision == other.object.revision
        and one.object.attributes == other.object.attributes
        and one.references == other.references
        and one.token == other.token
    )
