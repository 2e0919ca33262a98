"""A vendor's backend for the tests: it keeps a journal of its callbacks, and misbehaves on request.

It is loaded by a real shim process through its entry point, as any vendor's is.  The name of a
port, or of a service, says how it misbehaves, until a file says that it is cured.
"""

# ruff: noqa: ARG002 - a callback takes what the port promises, used or not

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from pathlib import Path
from typing import Any

from gluon.shim.backend import Backend, Binding, Model, Object, Refused, RetryLater

JOURNAL = Path(os.environ["FAULTY_JOURNAL"])
CURED = Path(os.environ["FAULTY_CURED"])
DELAY = float(os.environ.get("FAULTY_DELAY", "0"))
"""Longest pause in seconds before and after what a callback does, so that a crash may fall there."""


def fault_of(obj: Object) -> str:
    """How to misbehave; empty for not at all."""
    return "" if CURED.exists() else str(obj.attributes.get("name") or "")


def note(controller: str, callback: str, obj: Object) -> None:
    """One line, written at once: it survives whatever happens to the process."""
    line = {
        "controller": controller,
        "callback": callback,
        "type": obj.type,
        "key": obj.key,
        "attributes": obj.attributes,
        "time": time.time(),
        "pid": os.getpid(),
    }
    with JOURNAL.open("ab", buffering=0) as file:
        file.write(json.dumps(line).encode() + b"\n")


def answer(fault: str, obj: Object) -> Any:
    """What `bind_port` answers, or raises."""
    if fault == "raise":
        raise ValueError(f"cannot reach {obj['host_id']}")
    if fault == "exit":
        raise SystemExit(3)
    if fault == "refuse":
        raise Refused("no bridge on this host")
    if fault == "refuse carelessly":
        raise Refused(KeyError("bridge \udcff"))  # type: ignore[arg-type]
    if fault == "later":
        raise RetryLater("still booting", 0.2)
    if fault == "nonsense":
        return {"vif": "ovs"}
    if fault == "odd details":
        return Binding("ovs", {1: ("a", "b")})  # type: ignore[dict-item]
    return Binding("ovs", {"port_filter": False})


class FaultyBackend(Backend):
    """Coroutines."""

    async def _made(self, callback: str, obj: Object) -> None:
        await asyncio.sleep(random.uniform(0, DELAY))
        if fault_of(obj) == "hang":
            await asyncio.Event().wait()
        if fault_of(obj) == "raise" and callback != "bind_port":
            raise ValueError("broken")
        note(self.context.controller, callback, obj)
        await asyncio.sleep(random.uniform(0, DELAY))

    async def bind_port(self, port: Object, model: Model) -> Binding:
        result: Binding = answer(fault_of(port), port)
        await self._made("bind_port", port)
        return result

    async def unbind_port(self, port: Object, model: Model) -> None:
        await self._made("unbind_port", port)

    async def modify_port(self, port: Object, previous: Object | None, model: Model) -> None:
        await self._made("modify_port", port)

    async def delete_port(self, port: Object, model: Model) -> None:
        await self._made("delete_port", port)

    async def modify_interface(self, interface: Object, previous: Object | None, model: Model) -> None:
        await self._made("modify_interface", interface)

    async def delete_interface(self, interface: Object, model: Model) -> None:
        await self._made("delete_interface", interface)

    async def modify_service(self, service: Object, previous: Object | None, model: Model) -> None:
        await self._made("modify_service", service)

    async def delete_service(self, service: Object, model: Model) -> None:
        await self._made("delete_service", service)

    async def modify_service_binding(self, binding: Object, previous: Object | None, model: Model) -> None:
        await self._made("modify_service_binding", binding)

    async def delete_service_binding(self, binding: Object, model: Model) -> None:
        await self._made("delete_service_binding", binding)

    async def modify_object(self, obj: Object, previous: Object | None, model: Model) -> None:
        await self._made("modify_object", obj)

    async def delete_object(self, obj: Object, model: Model) -> None:
        await self._made("delete_object", obj)


class PlainBackend(Backend):
    """Plain functions; only ports."""

    def _made(self, callback: str, port: Object) -> None:
        while fault_of(port) == "hang":
            time.sleep(0.02)
        note(self.context.controller, callback, port)

    def bind_port(self, port: Object, model: Model) -> Binding:
        result: Binding = answer(fault_of(port), port)
        self._made("bind_port", port)
        return result

    def unbind_port(self, port: Object, model: Model) -> None:
        self._made("unbind_port", port)

    def modify_port(self, port: Object, previous: Object | None, model: Model) -> None:
        self._made("modify_port", port)

    def delete_port(self, port: Object, model: Model) -> None:
        self._made("delete_port", port)


class SlowToStartBackend(FaultyBackend):
    """Never gets started."""

    def start(self) -> None:
        time.sleep(1000)


class SlowToStopBackend(FaultyBackend):
    """Never gets stopped."""

    def stop(self) -> None:
        time.sleep(1000)


class OldBackend(FaultyBackend):
    """Has a callback of 2017."""

    async def delete_port(self, uuid: str, model: Model, changes: object) -> None:  # type: ignore[override]
        raise NotImplementedError


class BrokenBackend(FaultyBackend):
    """Can't be made."""

    def __init__(self, context: object) -> None:
        raise RuntimeError("no licence")
