"""What a backend has been told, call by call, and so what its controller should hold."""

from __future__ import annotations

from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.schema import Base, Proton
from gluon.shim.backend import Model, Object
from gluon.shim.plan.steps import Call, Callback

_BOUND_WITH = ("host_id", "device_id", "vnic_type", "profile")


class Told(Struct, frozen=True):
    """The calls so far, summed up.  Immutable: a call makes a new one."""

    proton: Proton
    applied: dict[ObjectKey, Object] = {}
    """Each object as it was last applied, in the order in which they came."""
    bound: dict[ObjectKey, Object] = {}
    """The port as it was bound, by the key of the binding: one for each host."""

    def after(self, call: Call) -> Self:
        """What the backend has been told once it has made the call."""
        obj = call.object
        if call.callback is Callback.UNBIND_PORT:
            return replace(self, bound=_without(self.bound, binding_key(obj)))
        if call.callback.removes:
            return replace(self, applied=_without(self.applied, obj.id))
        if call.callback is not Callback.BIND_PORT:
            return replace(self, applied={**self.applied, obj.id: obj})
        others = self.bound
        if obj.active:  # A port has one active binding: the one before it is left behind.
            others = {key: replace(port, active=port.active and port.id != obj.id) for key, port in others.items()}
        known = obj if obj.active else self.applied.get(obj.id, obj)
        return replace(self, applied={**self.applied, obj.id: known}, bound={**others, binding_key(obj): obj})

    @property
    def model(self) -> Model:
        """The objects as they should be held: a port that is not bound has no host and no device."""
        model = Model(self.proton)
        for obj in self.applied.values():
            model = model.having(self._settled(obj) if obj.base is Base.PORT else obj)
        return model

    @property
    def bindings(self) -> list[Object]:
        """The bound ports, one for each host that a port is bound on."""
        return [
            replace(port, attributes={**self.applied[port.id].attributes, **{n: port[n] for n in _BOUND_WITH}})
            for port in self.bound.values()
        ]

    def bindings_of(self, port: ObjectKey) -> list[Object]:
        """The port as it was bound, for each of its hosts."""
        return [each for each in self.bound.values() if each.id == port]

    def naming(self, item: Object) -> list[Object]:
        """The applied objects that name this one in a list: it is part of what they mean."""
        model, name = self.model, f"{item.type}/{item.key}"
        return [obj for obj in self.applied.values() if name in model.list_digests(obj)]

    def taking_part(self, port: Object) -> list[Object]:
        """The applied service bindings of a port."""
        found = {each.id for each in self.model.service_bindings_of(port)}
        return [obj for obj in self.applied.values() if obj.id in found]

    def _settled(self, port: Object) -> Object:
        active = next((each for each in self.bindings_of(port.id) if each.active), None)
        bound = {name: active[name] if active else None for name in ("host_id", "device_id")}
        return replace(port, attributes={**port.attributes, **bound})


def binding_key(port: Object) -> ObjectKey:
    """Names the binding of a port to the host that it is given with."""
    return keys.binding(port.id, str(port["host_id"]))


def _without(objects: dict[ObjectKey, Object], key: ObjectKey) -> dict[ObjectKey, Object]:
    return {each: obj for each, obj in objects.items() if each != key}
