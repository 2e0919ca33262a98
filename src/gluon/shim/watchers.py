"""Watches over the backends: whether their SDN controllers answer, and who blocks the event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

from gluon.shim import metrics
from gluon.shim.calls.calling import BackendCalls

log = logging.getLogger(__name__)

KEPT = 20
"""Callbacks that blocked, as `/status` shows them."""


class Healths:
    """Whether the SDN controller of each backend can be reached."""

    def __init__(self, calls: Mapping[str, BackendCalls]) -> None:
        self.reasons: dict[str, str] = {}
        """Why not, by proton; one that can be reached is not in it."""
        self._calls = calls
        self._since: dict[str, float] = {}

    async def run(self, interval: float) -> None:
        """Asks all backends every `interval` seconds, until cancelled."""
        while True:
            await asyncio.gather(*(self._ask(proton, calls) for proton, calls in self._calls.items()))
            await asyncio.sleep(interval)

    async def _ask(self, proton: str, calls: BackendCalls) -> None:
        reason = await calls.health()
        before = self.reasons.get(proton)
        metrics.HEALTH.labels(proton).set(reason is None)
        if reason == before:
            return
        if reason is None:
            away = time.monotonic() - self._since.pop(proton)
            log.info("the SDN controller of backend %s can be reached again, after %.0f s", calls.name, away)
            self.reasons = {name: each for name, each in self.reasons.items() if name != proton}
            return
        log.warning("the SDN controller of backend %s can't be reached: %s", calls.name, reason)
        self._since.setdefault(proton, time.monotonic())
        self.reasons = {**self.reasons, proton: reason}


class Blocking:
    """Which callbacks blocked the event loop.

    `stalled` is called by the thread that keeps the lease: the loop itself can't tell while it is
    blocked.
    """

    def __init__(self, calls: Mapping[str, BackendCalls]) -> None:
        self.blocked: dict[str, float] = {}
        """The latest of them, with the seconds for which each blocked."""
        self._calls = calls
        self._culprit = ""

    def stalled(self, seconds: float, over: bool) -> None:  # noqa: FBT001 - the lease's hook
        """The event loop has not turned for so many seconds; `over`: now it turns again."""
        if over:
            name = self._culprit or "no callback"
            log.error("the event loop turns again, after %.1f s; it was blocked by %s", seconds, name)
            self.blocked = dict([*self.blocked.items(), (name, round(seconds, 1))][-KEPT:])
            self._culprit = ""
            return
        for calls in self._calls.values():
            call = calls.running
            if call is not None:
                self._culprit = f"{call} of backend {calls.name}"
                metrics.BLOCKED.labels(call.callback).inc()
        if self._culprit:
            log.error(
                "%s has blocked the event loop for %.1f s; an `async def` must not block, make it a plain `def`",
                self._culprit,
                seconds,
            )
        else:
            log.error("the event loop has not turned for %.1f s, and no callback is to blame", seconds)
