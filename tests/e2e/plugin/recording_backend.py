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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, cast

from oslo_config import cfg

from gluon.shim.backend import Backend, Binding, Context, Model, Object, Refused

HANG = 30.0
"""Seconds that a callback hangs."""

OPTIONS = [
    cfg.StrOpt("journal", help="File that each callback is appended to, as a line of JSON."),
    cfg.StrOpt("faults", help="Directory of faults: a file named for the object's key holds `<callback> <fault>`."),
    cfg.FloatOpt(
        "pause", default=0.0, help="Longest time in seconds that a callback takes on either side of its line."
    ),
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


class Called(NamedTuple):
    """One callback that has begun."""

    callback: str
    object: Object
    fault: str


class RecordingBackend(Backend):
    """Its callbacks are coroutines."""

    options: ClassVar[Mapping[str, Sequence[Any]]] = {"shim_recording": OPTIONS}

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        options = context.conf.shim_recording
        self._journal = os.open(options.journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._faults = Path(options.faults)
        self._pause = float(options.pause)
        self._running: set[str] = set()

    async def bind_port(self, port: Object, model: Model) -> Binding:
        return self._bound(await self._record("bind_port", port))

    async def unbind_port(self, port: Object, model: Model) -> None:
        await self._record("unbind_port", port)

    async def modify_port(self, port: Object, previous: Object | None, model: Model) -> None:
        await self._record("modify_port", port)

    async def delete_port(self, port: Object, model: Model) -> None:
        await self._record("delete_port", port)

    async def modify_interface(self, interface: Object, previous: Object | None, model: Model) -> None:
        await self._record("modify_interface", interface)

    async def delete_interface(self, interface: Object, model: Model) -> None:
        await self._record("delete_interface", interface)

    async def modify_service(self, service: Object, previous: Object | None, model: Model) -> None:
        await self._record("modify_service", service)

    async def delete_service(self, service: Object, model: Model) -> None:
        await self._record("delete_service", service)

    async def modify_service_binding(self, binding: Object, previous: Object | None, model: Model) -> None:
        await self._record("modify_service_binding", binding)

    async def delete_service_binding(self, binding: Object, model: Model) -> None:
        await self._record("delete_service_binding", binding)

    async def modify_object(self, obj: Object, previous: Object | None, model: Model) -> None:
        await self._record("modify_object", obj)

    async def delete_object(self, obj: Object, model: Model) -> None:
        await self._record("delete_object", obj)

    async def _record(self, callback: str, obj: Object) -> Called:
        called = self._begun(callback, obj)
        try:
            await asyncio.sleep(self._some_time())
            self._write(called)
            await asyncio.sleep(HANG if called.fault == "hang" else self._some_time())
            return self._judged(called)
        finally:
            self._running.discard(str(obj.id))

    def _begun(self, callback: str, obj: Object) -> Called:
        name = str(obj.id)
        called = Called(callback, obj, self._fault(callback, obj))
        if name in self._running:
            self._write(called._replace(fault="two callbacks at once for one object"))
        self._running.add(name)
        return called

    def _fault(self, callback: str, obj: Object) -> str:
        try:
            told, _, fault = (self._faults / obj.key).read_text().partition(" ")
        except FileNotFoundError:
            return ""
        return fault if told == callback else ""

    def _some_time(self) -> float:
        return random.uniform(0, self._pause)

    def _write(self, called: Called) -> None:
        line = {
            "controller": self.context.controller,
            "callback": called.callback,
            "object": called.object.type,
            "key": called.object.key,
            "attributes": dict(called.object.attributes),
            "fault": called.fault,
        }
        os.write(self._journal, json.dumps(line).encode() + b"\n")

    def _judged(self, called: Called) -> Called:
        if called.fault == "raise":
            raise RuntimeError(f"the device has no {called.object.type}")
        if called.fault == "refuse":
            raise Refused("the device is full")
        return called

    def _bound(self, called: Called) -> Binding:
        if called.fault in NONSENSE:
            return cast("Binding", NONSENSE[called.fault])
        return Binding("ovs", {"port_filter": False, "bridge_name": f"br-{self.context.controller}"})


class BlockingBackend(RecordingBackend):
    """Its bind_port and modify_service are plain functions: they block a thread."""

    def bind_port(self, port: Object, model: Model) -> Binding:  # type: ignore[override]
        return self._bound(self._record_blocking("bind_port", port))

    def modify_service(self, service: Object, previous: Object | None, model: Model) -> None:  # type: ignore[override]
        self._record_blocking("modify_service", service)

    def _record_blocking(self, callback: str, obj: Object) -> Called:
        called = self._begun(callback, obj)
        try:
            self._write(called)
            time.sleep(HANG if called.fault == "hang" else self._some_time())
            return self._judged(called)
        finally:
            self._running.discard(str(obj.id))
