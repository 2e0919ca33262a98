"""What operators ask of a controller, through etcd: audits, and the word that releases the brake."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from gluon.contract import keys
from gluon.contract.records import MalformedRecord, Request, RequestResult, decode, encode
from gluon.etcd import Event
from gluon.shim.reconcile.recorder import Recorder
from gluon.shim.terms.audit import Audit, result
from gluon.shim.terms.brake import Brake
from gluon.shim.terms.epochs import Epochs

log = logging.getLogger(__name__)


class Requests:
    """Carries out one request after the other, and leaves its result in etcd."""

    def __init__(
        self, recorder: Recorder, controller: str, audits: Mapping[str, Audit], brake: Brake, epochs: Epochs
    ) -> None:
        self._recorder = recorder
        self._controller = controller
        self._audits = audits
        self._brake = brake
        self._epochs = epochs
        self._waiting: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    def hear(self, event: Event) -> None:
        """A request came, or is gone."""
        if event.value is not None:
            name = event.key.removeprefix(keys.requests_prefix(self._controller)).decode(errors="replace")
            self._waiting.put_nowait((name, event.value))

    async def run(self) -> None:
        """Carries out what comes, until cancelled."""
        while True:
            name, value = await self._waiting.get()
            outcome = await self._carried_out(value)
            log.info("request %s: %s", name, outcome.message)
            await self._recorder.put(keys.result(self._controller, name), encode(outcome), of=name)
            await self._recorder.put(keys.request(self._controller, name), None, of=name)

    async def _carried_out(self, value: bytes) -> RequestResult:
        try:
            request = decode(Request, value)
        except MalformedRecord as error:
            return RequestResult(ok=False, message=f"the request can't be read: {error}")
        if request.kind == "accept":
            return await self._accept()
        return await self._audit(request)

    async def _accept(self) -> RequestResult:
        if not self._brake.reason:
            return RequestResult(ok=True, message="nothing is held back")
        if self._epochs.is_filling:
            # Whatever has not been published again yet would go.
            message = "proton-server is filling etcd; nothing can be accepted before it has ended, try again then"
            return RequestResult(ok=False, message=message)
        held = self._brake.accept()
        await self._epochs.accept()
        orphans = sum([await audit.accept() for audit in self._audits.values()])
        return RequestResult(ok=True, message=f"accepted; {held + orphans} objects are deleted")

    async def _audit(self, request: Request) -> RequestResult:
        if not self._epochs.is_trusted:
            return RequestResult(ok=False, message=f"{self._brake.reason}; try again then")
        audits = {proton: audit for proton, audit in self._audits.items() if audit.covers(request.object)}
        if self._audits and not audits:
            message = f"{request.object} is no `<Object>/<key>` of {', '.join(self._audits)}; look at the object's type"
            return RequestResult(ok=False, message=message)
        audited = [
            (
                proton,
                await (
                    audit.reapply(only=request.object)
                    if request.reapply
                    else audit.run(only=request.object, dry_run=request.dry_run)
                ),
            )
            for proton, audit in audits.items()
        ]
        return result(audited)
