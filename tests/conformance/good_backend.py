"""A backend that keeps its contract, and a controller that watches over it."""

# ruff: noqa: ARG002 - a callback takes what the port promises, used or not

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gluon.models import catalog
from gluon.schema import Base
from gluon.shim.backend import Backend, Binding, CallContext, Held, Model, Object, RetryLater
from gluon.testing.conformance import BackendConformance

L3VPN = catalog.load(["net-l3vpn"])["net-l3vpn"]


class Controller:
    """What lives on when a backend crashes.  Judges whether the calls come in an order of the shim's."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.fingerprints: dict[tuple[str, str], str] = {}
        self.hosts: dict[str, dict[str, bool]] = {}
        """Whether a port is active on each of its hosts."""
        self.fence = 0
        self.answers_left: int | None = None
        """Requests that are still answered; None: all."""

    def ask(self) -> None:
        if self.answers_left == 0:
            raise ConnectionError("the controller is away")
        if self.answers_left:
            self.answers_left -= 1

    def put(self, obj: Object, model: Model) -> None:
        self.ask()
        for attribute in L3VPN.objects[obj.type].references:
            for item in str(obj[attribute.name] or "").split(","):
                assert not item or (attribute.reference, item) in self.objects, f"{obj.id} before {item}"
        if obj.base is Base.SERVICE_BINDING:
            assert obj["interface_id"] in self.interfaces_bound(), f"{obj.id} before its port is bound"
        self.objects[obj.type, obj.key] = dict(obj.attributes)
        self.fingerprints[obj.type, obj.key] = model.fingerprint(obj)

    def delete(self, obj: Object) -> None:
        self.ask()
        for name, attributes in self.objects.items():
            for attribute in L3VPN.objects[name[0]].references:
                named = attribute.reference == obj.type and obj.key in str(attributes[attribute.name]).split(",")
                assert not named, f"{obj.id} before {name}"
        assert obj.key not in self.hosts, f"{obj.id} while it is bound"
        self.objects.pop((obj.type, obj.key), None)

    def bind(self, port: Object, model: Model) -> None:
        self.ask()
        hosts = self.hosts.setdefault(port.key, {})
        host = str(port["host_id"])
        if port.active:
            assert host in hosts or not any(hosts.values()), f"{port.id} is elsewhere"
            hosts.update(dict.fromkeys(hosts, False))
            self.objects[port.type, port.key] = dict(port.attributes)
            self.fingerprints[port.type, port.key] = model.fingerprint(port)
        hosts[host] = port.active

    def unbind(self, port: Object) -> None:
        self.ask()
        hosts = self.hosts.get(port.key, {})
        taking_part = [key for name, key in self.objects if name == "VpnBinding" and self.port_of(key) == port.key]
        assert hosts.keys() - {port["host_id"]} or not taking_part, f"{port.id} has service bindings"
        hosts.pop(str(port["host_id"]), None)
        if not hosts:
            self.hosts.pop(port.key, None)

    def held(self) -> Iterator[Held]:
        self.ask()
        for (object_type, key), fingerprint in self.fingerprints.items():
            if (object_type, key) in self.objects:
                hosts = self.hosts.get(key, {}) if object_type == "Port" else {}
                yield from (Held(object_type, key, fingerprint, {"host_id": host}) for host in hosts)
                if not hosts:
                    yield Held(object_type, key, fingerprint)

    def interfaces_bound(self) -> set[str]:
        return {key for name, key in self.objects if name == "Interface" and self.port_of(key) in self.hosts}

    def port_of(self, interface: str) -> str:
        return str(self.objects["Interface", interface]["port_id"])


class Good(Backend):
    """Its callbacks are plain functions and coroutines; says RetryLater before it binds."""

    controller: Controller

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.asked: set[str] = set()

    async def bind_port(self, port: Object, model: Model, call: CallContext) -> Binding:
        assert call.fence >= self.controller.fence
        self.controller.fence = call.fence
        if port.key not in self.asked:
            self.asked.add(port.key)
            raise RetryLater("the host's agent is busy", delay=0.01)
        self.controller.bind(port, model)
        self.context.report(port, "ACTIVE")
        return Binding("ovs", {"bridge_name": "br"})

    def unbind_port(self, port: Object, model: Model) -> None:
        self.controller.unbind(port)

    async def modify_port(self, port: Object, previous: Object | None, model: Model) -> None:
        self.put(port, model)

    async def delete_port(self, port: Object, model: Model) -> None:
        self.delete(port)

    async def modify_interface(self, interface: Object, previous: Object | None, model: Model) -> None:
        self.put(interface, model)

    async def delete_interface(self, interface: Object, model: Model) -> None:
        self.delete(interface)

    async def modify_service(self, service: Object, previous: Object | None, model: Model) -> None:
        self.put(service, model)

    async def delete_service(self, service: Object, model: Model) -> None:
        self.delete(service)

    def modify_service_binding(self, binding: Object, previous: Object | None, model: Model) -> None:
        self.put(binding, model)

    def delete_service_binding(self, binding: Object, model: Model) -> None:
        self.delete(binding)

    async def modify_object(self, obj: Object, previous: Object | None, model: Model) -> None:
        self.put(obj, model)

    async def delete_object(self, obj: Object, model: Model) -> None:
        self.delete(obj)

    def inventory(self) -> list[Held]:
        return list(self.controller.held())

    def health(self) -> str | None:
        return "the controller is away" if self.controller.answers_left == 0 else None

    def put(self, obj: Object, model: Model) -> None:
        self.controller.put(obj, model)

    def delete(self, obj: Object) -> None:
        self.controller.delete(obj)


class Suite(BackendConformance):
    """The suite, with all that the author of `Good` can say of its controller."""

    __test__ = False
    controller: Controller

    def expected(self, model: Model) -> Any:
        objects = {f"{id_.object} {id_.key}": _kept(obj.attributes) for id_ in model if (obj := model.find(id_))}
        return objects | {f"Port {port.key} on {port['host_id']}": port.active for port in self.bound()}

    def held(self) -> Any:
        objects = {f"{name} {key}": _kept(attributes) for (name, key), attributes in self.controller.objects.items()}
        bound = {
            f"Port {key} on {host}": on for key, hosts in self.controller.hosts.items() for host, on in hosts.items()
        }
        return objects | bound

    def left_behind(self) -> Iterator[str]:
        yield from map(str, self.controller.objects)
        yield from map(str, self.controller.hosts)

    def break_controller(self, fault: str) -> None:
        self.controller.answers_left = 0

    def break_after(self, fault: str, requests: int) -> None:
        self.controller.answers_left = requests

    def mend_controller(self) -> None:
        self.controller.answers_left = None

    def empty_controller(self) -> None:
        self.controller.objects.clear()
        self.controller.hosts.clear()
        self.controller.fingerprints.clear()


def _kept(attributes: Any) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name not in ("host_id", "device_id")}
