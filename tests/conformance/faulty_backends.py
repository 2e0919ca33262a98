"""Backends that each break their contract in one way."""

# ruff: noqa: ARG002 - a callback takes what the port promises, used or not

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from typing import Any, ClassVar

from gluon.shim.backend import Backend, Binding, Held, Refused

from .good_backend import Good

released = threading.Event()
"""Lets threads that hang go at the end of a test."""


# -- calls that fail ---------------------------------------------------------------------------


class CreatesOnce(Good):
    def put(self, obj, model):
        if (obj.type, obj.key) in self.controller.objects and obj.type == "VpnService":
            raise RuntimeError("409 it exists")
        super().put(obj, model)


class DeletesWhatIsThere(Good):
    def delete(self, obj):
        del self.controller.objects[obj.type, obj.key]


class RemembersInItself(Good):
    def __init__(self, context):
        super().__init__(context)
        self.plugged = {}

    async def bind_port(self, port, model, call):
        self.plugged[port.key] = port["host_id"]
        return await super().bind_port(port, model, call)

    def unbind_port(self, port, model):
        self.plugged.pop(port.key)
        super().unbind_port(port, model)


class AsksTheModelOnDelete(Good):
    async def delete_interface(self, interface, model):
        assert model.port_of(interface)["host_id"]
        self.delete(interface)


class AsksForThePrevious(Good):
    def put(self, obj, model):
        caller = inspect.currentframe().f_back.f_locals
        known = self.controller.objects.get((obj.type, obj.key))
        if known is not None and known != obj.attributes:
            assert caller["previous"]["tenant_id"]
        super().put(obj, model)


class NeedsWhatIsOptional(Good):
    async def modify_service(self, service, previous, model):
        service["ipv4_family"].split(",")
        self.put(service, model)


class BindsWhatItKnows(Good):
    async def bind_port(self, port, model, call):
        assert self.controller.objects["Port", port.key]
        return await super().bind_port(port, model, call)


class BindsOnce(Good):
    async def bind_port(self, port, model, call):
        bound = port["host_id"] in self.controller.hosts.get(port.key, ())
        if bound and self.controller.objects["Port", port.key]["profile"] != port["profile"]:
            raise RuntimeError("unbind it first")
        return await super().bind_port(port, model, call)


class KnowsOneLeader(Good):
    async def bind_port(self, port, model, call):
        assert self.controller.fence in (0, call.fence)
        return await super().bind_port(port, model, call)


class AnswersADict(Good):
    async def bind_port(self, port, model):
        return {"vif_type": "ovs"}


class MakesASocketEachTime(Good):
    count = 0

    async def bind_port(self, port, model, call):
        await super().bind_port(port, model, call)
        MakesASocketEachTime.count += 1
        return Binding("vhostuser", {"vhostuser_socket": f"/run/vhu{self.count}"})


class ChangesItsArguments(Good):
    async def modify_port(self, port, previous, model):
        self.put(port, model)
        port.attributes["mtu"] = 9000


class SharesOneVariable(Good):
    async def modify_object(self, obj, previous, model):
        self.current = obj
        await asyncio.sleep(0)
        assert self.current is obj
        self.put(obj, model)


class TakesTooMuch(Good):
    async def delete_port(self, port, model, changes):
        self.delete(port)


class Refuses(Good):
    async def modify_service(self, service, previous, model):
        raise Refused("no VPN today")


class NeedsMoreThanAKey(Good):
    def delete_service_binding(self, binding, model):
        assert (binding.type, binding.key) not in self.controller.objects or binding["service_id"].strip()
        self.delete(binding)


# -- calls that take too long ------------------------------------------------------------------


class Hangs(Good):
    patience = 2.0

    def modify_service(self, service, previous, model):
        released.wait(30)


class Blocks(Good):
    max_block = 0.1

    async def modify_service(self, service, previous, model):
        time.sleep(0.2)  # noqa: ASYNC251 - what is to be found
        self.put(service, model)


# -- what is held in the end -------------------------------------------------------------------


class WritesWhenItStops(Good):
    def __init__(self, context):
        super().__init__(context)
        self.unwritten = []

    def put(self, obj, model):
        if obj.type == "BGPPeering":
            self.unwritten.append((obj, model))
        else:
            super().put(obj, model)

    async def stop(self):
        for obj, model in self.unwritten:
            super().put(obj, model)


class ClearsUpWhenItStarts(Good):
    async def start(self):
        self.controller.objects.clear()


class WritesTheFirstTime(Good):
    def put(self, obj, model):
        known = self.controller.objects.get((obj.type, obj.key))
        super().put(obj, model)
        if known is not None and obj.type == "VpnBinding":
            self.controller.objects[obj.type, obj.key]["service_id"] = known["service_id"]


class UnbindsEverywhere(Good):
    def unbind_port(self, port, model):
        super().unbind_port(port, model)
        self.controller.hosts.pop(port.key, None)


class MovesWhenItPrepares(Good):
    async def bind_port(self, port, model, call):
        answer = await super().bind_port(port, model, call)
        self.controller.hosts[port.key] = {port["host_id"]: port.active}
        return answer


class RefusesHavingMoved(MovesWhenItPrepares):
    async def bind_port(self, port, model, call):
        await super().bind_port(port, model, call)
        if port.active:
            return Binding("ovs")
        raise Refused("no live migration here")


class KeepsACache(Good):
    sent: ClassVar[dict[Any, Any]] = {}

    def put(self, obj, model):
        if self.sent.get(obj.id) != obj.attributes or obj.id.key not in str(self.controller.fingerprints):
            super().put(obj, model)
        self.sent[obj.id] = obj.attributes


class LosesErrors(Good):
    def put(self, obj, model):
        try:
            super().put(obj, model)
        except ConnectionError:
            return


class RefusesWhatIsAway(Good):
    def put(self, obj, model):
        try:
            super().put(obj, model)
        except ConnectionError as error:
            raise Refused(str(error)) from error


class SendsInParts(Good):
    """Its second request may fail: it is sent again when somebody changes the object, perhaps."""

    def put(self, obj, model):
        self.controller.ask()
        try:
            super().put(obj, model)
        except ConnectionError:
            return


# -- what it says ------------------------------------------------------------------------------


class IsNeverWell(Good):
    def health(self):
        return "no heartbeat yet"


class IsAlwaysWell(Good):
    def health(self):
        return None


class ListsNothingOfWhatIsAway(Good):
    def inventory(self):
        return [] if self.controller.answers_left == 0 else super().inventory()


class ForgetsPorts(Good):
    def inventory(self):
        return [held for held in super().inventory() if held.type != "Port"]


class ListsWhatIsGone(Good):
    def inventory(self):
        return [Held(*name) for name in self.controller.fingerprints]


class KnowsTheFirstFingerprint(Good):
    def put(self, obj, model):
        before = self.controller.fingerprints.get((obj.type, obj.key))
        super().put(obj, model)
        if before is not None:
            self.controller.fingerprints[obj.type, obj.key] = before


class HasOneFingerprint(Good):
    def inventory(self):
        return [Held(held.type, held.key, "there", held.attributes) for held in super().inventory()]

    def fingerprint(self, obj, model):
        return "there"


class LosesEverything(Good):
    def start(self):
        self.context.lost("a new connection")


class NeedsMoreForAFingerprint(Good):
    def fingerprint(self, obj, model):
        return model.fingerprint(obj) if obj["name"] else None


class ReportsNonsense(Good):
    async def modify_service(self, service, previous, model):
        self.put(service, model)
        thread = threading.Thread(target=self.context.report, args=(("Vpn", service.key), "UP"))
        thread.start()
        thread.join()


# -- the life of an instance -------------------------------------------------------------------


class CannotConnect(Good):
    async def start(self):
        raise ConnectionRefusedError("no controller at 192.0.2.1")


class NeverConnects(Good):
    patience = 2.0

    def start(self):
        released.wait(30)


class NeedsAnOption(Good):
    def __init__(self, context):
        super().__init__(context)
        self.url = context.conf.shim_acme.url


class CannotStop(Good):
    async def stop(self):
        raise RuntimeError("Event loop is closed")


class NeverHearsOfALoss(Good):
    """Its controller can't be asked, and comes back empty unnoticed."""

    patience = 0.5
    inventory = Backend.inventory
