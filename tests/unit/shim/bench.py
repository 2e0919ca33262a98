"""One reconciler on virtual time, with a backend of the test's own: each call can be held up, and made to fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import NOBODY, AppliedRecord, BindingAnswer, PortAnswer, WantedBinding
from gluon.shim.backend import Backend, Binding, CallContext, Context, Held
from gluon.shim.calls.calling import BackendCalls
from gluon.shim.plan.outcome import Writes
from gluon.shim.reconcile.reconciler import Pace, Reconciler
from gluon.shim.reconcile.recorder import Written
from gluon.shim.reconcile.statuses import Statuses
from gluon.shim.state import HeldAnswer, Model, Object, State
from gluon.shim.terms.audit import Audit
from gluon.shim.terms.brake import Brake, Limits

from .samples import L3VPN, OURS, applied, bound

PACE = Pace(workers=4, retry_min=0.1, retry_max=1.0, report_after=5.0, callback_timeout=60.0)
MOMENT = 0.01
"""Virtual seconds that a write into etcd takes."""


class Vendor(Backend):
    """Keeps what it is told, and lists it."""

    def __init__(self) -> None:
        super().__init__(Context(controller="ours", proton=L3VPN, conf=None))
        self.made: list[str] = []
        """The calls that have ended, in their order."""
        self.begun: list[str] = []
        self.fences: list[int] = []
        self.held_up: dict[str, asyncio.Event] = {}
        """By callback: what its calls wait for."""
        self.failing: dict[str, Exception] = {}
        """By callback: what its calls raise."""
        self.objects: dict[tuple[str, str], Held] = {}
        self.listed: list[Held] | None = None
        """What the inventory lists, instead of what there is."""
        self.inventories = 0
        """How often it was asked for."""
        self.inventory_waits_for: asyncio.Event | None = None
        self.without_inventory = False

    async def call(self, callback: str, obj: Object) -> None:
        self.begun.append(f"{callback} {obj.key}")
        if callback in self.held_up:
            await self.held_up[callback].wait()
        if callback in self.failing:
            raise self.failing[callback]
        self.made.append(f"{callback} {obj.key}")

    async def _modify(self, callback: str, obj: Object, model: Model) -> None:
        await self.call(callback, obj)
        self.objects[obj.type, obj.key] = Held(obj.type, obj.key, model.fingerprint(obj))

    async def _delete(self, callback: str, obj: Object) -> None:
        await self.call(callback, obj)
        self.objects.pop((obj.type, obj.key), None)

    async def bind_port(self, port: Object, model: Model, call: CallContext) -> Binding:
        self.fences.append(call.fence)
        await self._modify("bind_port", port, model)
        return Binding("ovs")

    async def unbind_port(self, port: Object, model: Model) -> None:  # noqa: ARG002 - the port's
        await self.call("unbind_port", port)

    async def modify_port(self, port: Object, previous: Object | None, model: Model) -> None:  # noqa: ARG002
        await self._modify("modify_port", port, model)

    async def delete_port(self, port: Object, model: Model) -> None:  # noqa: ARG002
        await self._delete("delete_port", port)

    async def modify_service(self, service: Object, previous: Object | None, model: Model) -> None:  # noqa: ARG002
        await self._modify("modify_service", service, model)

    async def delete_service(self, service: Object, model: Model) -> None:  # noqa: ARG002
        await self._delete("delete_service", service)

    async def inventory(self) -> Iterable[Held] | None:
        self.inventories += 1
        found = list(self.objects.values()) if self.listed is None else self.listed
        if self.inventory_waits_for is not None:
            await self.inventory_waits_for.wait()
        return None if self.without_inventory else found


class Bench:
    """The reconciler, all that it works with, and what it has written."""

    alive = True
    """The lease lives, by our own clock."""
    fence = 7

    def __init__(self, pace: Pace = PACE, limits: Limits | None = None) -> None:
        self.vendor = Vendor()
        self.calls = BackendCalls("acme", self.vendor, pace.callback_timeout)
        self.state = State(L3VPN)
        self.statuses = Statuses()
        self.records: dict[ObjectKey, AppliedRecord] = {}
        self.answers: dict[ObjectKey, tuple[PortAnswer, int]] = {}
        self.written: list[Writes] = []
        self.revision = 100
        self.reconciler = Reconciler(self.state, self.calls, self, self, self.statuses, OURS, pace)
        self.brake = Brake({L3VPN.name: self.state}, OURS, limits or Limits(), lambda _, found: self.wake(found))
        self.audit = Audit(self.reconciler, self.brake, self.statuses)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        """The reconciler works for as long as the context lasts."""
        self.wake(self.state.keys())
        task = asyncio.create_task(self.reconciler.run())
        await asyncio.sleep(0)
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def wake(self, found: Iterable[ObjectKey]) -> None:
        self.reconciler.wake(found)

    # -- etcd ----------------------------------------------------------------------------------

    async def write(self, writes: Writes) -> Written:
        """As the recorder."""
        await asyncio.sleep(MOMENT)
        self.revision += 1
        self.written.append(writes)
        change = writes.answer
        answered = True
        if change is not None:
            _, revision = self.answers.get(change.port, (NOBODY, 0))
            answered = revision == (change.held.revision if change.held.exists else 0)
        if answered or not writes.claim:
            for key, record in writes.records.items():
                if record is None:
                    self.records.pop(key, None)
                else:
                    self.records[key] = record
        if change is not None and answered:
            self._answer(change.port, change.answer)
        return Written(self.revision, answered=answered)

    def _answer(self, port: ObjectKey, answer: PortAnswer | None) -> None:
        if answer is None:
            self.answers.pop(port, None)
        else:
            self.answers[port] = (answer, self.revision)

    def answer(self, port: ObjectKey) -> PortAnswer:
        """What etcd has."""
        return self.answers.get(port, (NOBODY, 0))[0]

    def other_answers(self, port: ObjectKey, *, heard: bool = True, **members: Any) -> None:
        """Another controller writes the port's answer; without members: nobody has it."""
        self.revision += 1
        answer = PortAnswer.of(BindingAnswer(**members), ()) if members else NOBODY
        self._answer(port, answer)
        if heard:
            self.hear(port)

    def hear(self, port: ObjectKey) -> None:
        """The mirror tells of the port's answer."""
        answer, revision = self.answers[port]
        self.wake(self.state.hear(port, HeldAnswer(answer, revision)))

    # -- what is wanted ----------------------------------------------------------------------------

    def want(self, obj: Object, token: str = "", inactive: str = "") -> None:
        """proton-server publishes an object."""
        others = (WantedBinding(host_id=inactive, vnic_type="normal"),) if inactive else ()
        self.wake(self.state.desire(obj, token, others))

    def forget(self, key: ObjectKey) -> None:
        """proton-server withdraws an object."""
        self.wake(self.state.forget(key))

    def has_applied(self, *objects: Object, wanted: bool = True) -> None:
        """The objects were applied in a former term, and are there; ports with a host are bound."""
        for obj in objects:
            if wanted:
                self.state.desire(obj)
            records = {obj.id: applied(obj)}
            if obj.type == "Port" and obj["host_id"]:
                records[keys.binding(obj.id, str(obj["host_id"]))] = bound(obj)
                self.revision += 1
                entry = BindingAnswer(controller="ours", host_id=str(obj["host_id"]), revision=1, vif_type="ovs")
                self._answer(obj.id, PortAnswer.of(entry, ()))
                self.state.hear(obj.id, HeldAnswer(*self.answers[obj.id]))
            for key, record in records.items():
                self.state.record(key, record)
                self.records[key] = record
            self.vendor.objects[obj.type, obj.key] = Held(obj.type, obj.key, Model(L3VPN).fingerprint(obj))

    async def settle(self) -> None:
        """Waits until nothing is left to do at once; sooner than a call that hangs is cancelled."""
        async with asyncio.timeout(PACE.callback_timeout / 2):
            while len(self.reconciler.queue):
                await asyncio.sleep(MOMENT)
