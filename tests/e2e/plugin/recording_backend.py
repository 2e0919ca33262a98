"""Backends that keep a journal of their callbacks, and misbehave where they are told to.

The servers of a test load them through their entry point (`..recording` writes it).
"""

# ruff: noqa: ARG002 - a callback takes what the port promises, used or not

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

from journal import Account, Entry, Journal
from oslo_config import cfg

from gluon.shim.backend import Backend, Binding, CallContext, Context, Held, Model, Object, Refused

LOOK = 0.02
"""Seconds between two looks at what a test says."""

OPTIONS = [
    cfg.StrOpt("directory", help="Holds the journal, the faults, and what the SDN controllers say."),
    cfg.FloatOpt(
        "pause", default=0.0, help="Longest time in seconds that a callback takes on either side of its line."
    ),
    cfg.BoolOpt("one_sdn", default=False, help="Controllers of all names drive one SDN controller."),
    cfg.FloatOpt("hang", default=30.0, help="Seconds that a callback hangs."),
]

NONSENSE: dict[str, Any] = {
    "dict": {"vif_type": "ovs"},
    "none": None,
    "type": Binding(7),  # type: ignore[arg-type]
    "empty": Binding(""),
    "unbound": Binding("unbound"),
    "object": Binding("ovs", {"bridge": object()}),  # type: ignore[dict-item]
    "long": Binding("ovs", {"bridge": "b" * 5000}),
}


class RecordingBackend(Backend):
    """Its callbacks are coroutines."""

    options: ClassVar[Mapping[str, Sequence[Any]]] = {"shim_recording": OPTIONS}

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        options = context.conf.shim_recording
        directory = Path(options.directory)
        self._journal = Journal(directory / "journal")
        self._faults = directory / "faults"
        self._says = directory / "says" / context.controller
        self._pause = float(options.pause)
        self._hang = float(options.hang)
        self._one_sdn = bool(options.one_sdn)
        self._running: set[str] = set()
        self._away: str | None = None
        self._talking: asyncio.Task[None] | None = None

    # -- callbacks ---------------------------------------------------------------------------

    async def bind_port(self, port: Object, model: Model, call: CallContext) -> Binding:
        return self._bound(await self._record("bind_port", port, model, call))

    async def unbind_port(self, port: Object, model: Model, call: CallContext) -> None:
        await self._record("unbind_port", port, model, call)

    async def modify_port(self, port: Object, previous: Object | None, model: Model, call: CallContext) -> None:
        await self._record("modify_port", port, model, call)

    async def delete_port(self, port: Object, model: Model, call: CallContext) -> None:
        await self._record("delete_port", port, model, call)

    async def modify_interface(
        self, interface: Object, previous: Object | None, model: Model, call: CallContext
    ) -> None:
        await self._record("modify_interface", interface, model, call)

    async def delete_interface(self, interface: Object, model: Model, call: CallContext) -> None:
        await self._record("delete_interface", interface, model, call)

    async def modify_service(self, service: Object, previous: Object | None, model: Model, call: CallContext) -> None:
        await self._record("modify_service", service, model, call)

    async def delete_service(self, service: Object, model: Model, call: CallContext) -> None:
        await self._record("delete_service", service, model, call)

    async def modify_service_binding(
        self, binding: Object, previous: Object | None, model: Model, call: CallContext
    ) -> None:
        await self._record("modify_service_binding", binding, model, call)

    async def delete_service_binding(self, binding: Object, model: Model, call: CallContext) -> None:
        await self._record("delete_service_binding", binding, model, call)

    async def modify_object(self, obj: Object, previous: Object | None, model: Model, call: CallContext) -> None:
        await self._record("modify_object", obj, model, call)

    async def delete_object(self, obj: Object, model: Model, call: CallContext) -> None:
        await self._record("delete_object", obj, model, call)

    async def _record(self, callback: str, obj: Object, model: Model, call: CallContext) -> Entry:
        entry = self._begun(callback, obj, model, call)
        try:
            await asyncio.sleep(self._some_time())
            if entry.fault == "block":
                time.sleep(self._hang)  # noqa: ASYNC251 - that is the fault
            while entry.fault == "wait" and self._has_fault(entry):
                await asyncio.sleep(LOOK)
            self._journal.append(entry)
            await asyncio.sleep(self._hang if entry.fault == "hang" else self._some_time())
            return self._judged(entry)
        finally:
            self._running.discard(str(obj.id))

    def _begun(self, callback: str, obj: Object, model: Model, call: CallContext) -> Entry:
        name = str(obj.id)
        entry = Entry(
            controller=self.context.controller,
            callback=callback,
            object=obj.type,
            key=obj.key,
            attributes=dict(obj.attributes),
            active=obj.active,
            fingerprint=self.fingerprint(obj, model) or "",
            fence=call.fence,
            pid=os.getpid(),
            fault=self._fault(callback, obj.key),
        )
        if name in self._running:
            self._journal.append(entry._replace(fault="two callbacks at once for one object"))
        self._running.add(name)
        return entry

    def _fault(self, callback: str, key: str) -> str:
        try:
            told, _, fault = (self._faults / key).read_text().partition(" ")
        except FileNotFoundError:
            return ""
        return fault if told == callback else ""

    def _has_fault(self, entry: Entry) -> bool:
        return self._fault(entry.callback, entry.key) == entry.fault

    def _some_time(self) -> float:
        return random.uniform(0, self._pause)

    def _judged(self, entry: Entry) -> Entry:
        if entry.fault == "raise":
            raise RuntimeError(f"the device has no {entry.object}")
        if entry.fault == "refuse":
            raise Refused("the device is full")
        return entry

    def _bound(self, entry: Entry) -> Binding:
        if entry.fault in NONSENSE:
            return cast("Binding", NONSENSE[entry.fault])
        return Binding("ovs", {"port_filter": False, "bridge_name": f"br-{self.context.controller}"})

    # -- what the SDN controller says by itself ------------------------------------------------

    async def start(self) -> None:
        self._talking = asyncio.create_task(self._talk())

    async def stop(self) -> None:
        if self._talking is not None:
            self._talking.cancel()

    async def health(self) -> str | None:
        return self._away

    async def _talk(self) -> None:
        """Says what a test wants to be said; what was to be said before the start is over, but for the health."""
        told = self._told()
        self._away = next((each[1] for each in reversed(told) if each[0] == "health"), None)
        while True:
            await asyncio.sleep(LOOK)
            before, told = told, self._told()
            for method, *arguments in told[len(before) :]:
                if method == "health":
                    [self._away] = arguments
                elif method == "report":
                    object_type, key, *rest = arguments
                    self.context.report((object_type, key), *rest)
                else:
                    self.context.lost(*arguments)

    def _told(self) -> list[list[Any]]:
        return json.loads(self._says.read_text()) if self._says.exists() else []


class ListedBackend(RecordingBackend):
    """Can say what its SDN controller holds."""

    def inventory(self) -> Iterable[Held]:
        own = self.context.controller
        account = Account(each for each in self._journal.entries() if self._one_sdn or each.controller == own)
        hosts = account.hosts
        for (object_type, key), held in account.objects.items():
            if object_type != "Port" or key not in hosts:
                yield Held(object_type, key, held.fingerprint, held.attributes)
        for (key, host), bound in account.bindings.items():
            latest = account.objects.get(("Port", key))
            held = latest if latest is not None and latest.host == host else bound
            yield Held("Port", key, held.fingerprint, held.attributes)


class BlockingBackend(RecordingBackend):
    """Its bind_port and modify_service are plain functions: they block a thread."""

    def bind_port(self, port: Object, model: Model, call: CallContext) -> Binding:  # type: ignore[override]
        return self._bound(self._record_blocking("bind_port", port, model, call))

    def modify_service(  # type: ignore[override]
        self, service: Object, previous: Object | None, model: Model, call: CallContext
    ) -> None:
        self._record_blocking("modify_service", service, model, call)

    def _record_blocking(self, callback: str, obj: Object, model: Model, call: CallContext) -> Entry:
        entry = self._begun(callback, obj, model, call)
        try:
            while entry.fault == "wait" and self._has_fault(entry):
                time.sleep(LOOK)
            self._journal.append(entry)
            time.sleep(self._hang if entry.fault == "hang" else self._some_time())
            return self._judged(entry)
        finally:
            self._running.discard(str(obj.id))
