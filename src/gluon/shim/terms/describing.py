"""Keeps true what `/status/<controller>` says of the controller and its leader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gluon.contract import keys
from gluon.contract.records import ControllerStatus, encode
from gluon.etcd import Leadership
from gluon.shim import metrics
from gluon.shim.reconcile.recorder import Recorder
from gluon.shim.terms.brake import Brake

RECHECK = 1.0
"""Seconds between two looks at what is said, and whether what the brake holds back is still too much."""

Describe = Callable[[int, str], ControllerStatus]
"""What the key shall say, given the term's fence and the brake's reason."""


class Describing:
    """Writes the key whenever that changes; on the leader's lease, so that it goes with the leader."""

    def __init__(self, recorder: Recorder, leadership: Leadership, brake: Brake, describe: Describe) -> None:
        self._recorder = recorder
        self._lease = leadership.lease
        self._brake = brake
        self._describe = describe

    async def run(self, fence: int) -> None:
        """Goes on until cancelled."""
        said: ControllerStatus | None = None
        while True:
            now = self._describe(fence, self._brake.reason)
            metrics.BRAKE.set(bool(self._brake.reason))
            if now != said:
                await self._recorder.put(keys.controller_status(now.controller), encode(now), lease=self._lease)
                said = now
            await asyncio.sleep(RECHECK)
            self._brake.recheck()
