"""A frozen picture of objects and who refers to whom.

A Model is an immutable value on persistent maps (`immutables.Map`): changing one makes a new
one that shares all but a few nodes.  So a backend's thread can read its Model for as long as it
likes while the shim goes on, without a lock and without a copy of 100,000 objects.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NoReturn

from immutables import Map
from msgspec import Struct
from msgspec.structs import force_setattr

from gluon.contract.keys import ObjectKey
from gluon.contract.records import encode_attributes
from gluon.schema.types import Base, Proton, Value


class Attributes(dict[str, Value]):
    """Attributes that can't be changed.

    A dict for encoders and comparisons, so that one serves the models and the record alike; not
    for a backend that would write to what all of these share.
    """

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("an object's attributes can't be changed; copy them: dict(port.attributes)")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __copy__(self) -> dict[str, Value]:
        """A plain dict, which may be changed."""
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Value]:
        """A plain dict of plain dicts."""
        return {name: copy.deepcopy(value, memo) for name, value in self.items()}

    def __reduce__(self) -> tuple[type, tuple[dict[str, Value]]]:
        """Pickled as a plain dict."""
        return dict, (dict(self),)


def _frozen(value: Value) -> Any:
    if isinstance(value, dict):
        nested = {name: _frozen(item) for name, item in value.items() if isinstance(item, dict | list)}
        return Attributes({**value, **nested}) if nested else Attributes(value)
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


class Object(Struct, frozen=True):
    """One object as the shim sees it: a Port, a VpnService, ..."""

    id: ObjectKey
    base: Base
    attributes: Mapping[str, Value]
    """Every attribute of the model that is not read-only, canonical; None where unset."""
    revision: int
    """mod_revision of its `/proton/` key."""
    active: bool = True
    """Of a port in `bind_port` and `unbind_port`: whether this is its active binding.  False: a
    second host that is prepared, or left, in a live migration."""

    def __post_init__(self) -> None:
        """Freezes the attributes, nested ones included."""
        if not isinstance(self.attributes, Attributes):
            force_setattr(self, "attributes", _frozen(dict(self.attributes)))

    @property
    def type(self) -> str:
        """The object type's name, e.g. `VpnService`."""
        return self.id.object

    @property
    def key(self) -> str:
        """The value of its primary key."""
        return self.id.key

    def __getitem__(self, attribute: str) -> Value:
        return self.attributes[attribute]


Referrers = Map[ObjectKey, "Map[ObjectKey, None]"]


class Model:
    """The objects of one proton at one moment.  Immutable; safe to read from any thread."""

    __slots__ = ("_objects", "_proton", "_referrers")

    def __init__(
        self,
        proton: Proton,
        objects: Map[ObjectKey, Object] | None = None,
        referrers: Referrers | None = None,
    ) -> None:
        self._proton = proton
        self._objects: Map[ObjectKey, Object] = Map() if objects is None else objects
        self._referrers: Referrers = Map() if referrers is None else referrers

    # -- reading ---------------------------------------------------------------------------

    @property
    def proton(self) -> Proton:
        """The schema of these objects."""
        return self._proton

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, id_: ObjectKey) -> bool:
        return id_ in self._objects

    def __iter__(self) -> Iterator[ObjectKey]:
        return iter(self._objects)

    def find(self, id_: ObjectKey) -> Object | None:
        """The object of this name, or None."""
        return self._objects.get(id_)

    def get(self, object_type: str, key: str) -> Object | None:
        """The object of this type and key, or None.  Example: `model.get("VpnService", key)`."""
        return self._objects.get(ObjectKey(self._proton.name, object_type, key))

    def all(self, object_type: str) -> list[Object]:
        """All objects of one type, in no order."""
        return [o for id_, o in self._objects.items() if id_.object == object_type]

    def referrers(self, id_: ObjectKey) -> Collection[ObjectKey]:
        """The objects that name this one, whether it exists or not."""
        return self._referrers.get(id_, _NOBODY)

    def referenced(self, obj: Object, attribute: str) -> list[Object]:
        """The objects that one attribute names and that exist, in the attribute's order.

        Example: `model.referenced(vpn, "ipv4_family")` are VpnAfConfigs.
        """
        names = references(self._proton, obj.id, obj.attributes).get(attribute, ())
        return [o for o in map(self._objects.get, names) if o is not None]

    def port_of(self, obj: Object) -> Object | None:
        """The port of an interface, or of a service binding's interface; None if it is missing."""
        if obj.base is Base.PORT:
            return obj
        for names in references(self._proton, obj.id, obj.attributes).values():
            for name in names:
                target = self._objects.get(name)
                if target is not None and target.base in (Base.PORT, Base.INTERFACE):
                    return self.port_of(target)
        return None

    def interfaces_of(self, port: Object) -> list[Object]:
        """The interfaces of a port."""
        return self._referring(port, Base.INTERFACE)

    def service_bindings_of(self, obj: Object) -> list[Object]:
        """The service bindings of a service, of an interface, or of all interfaces of a port."""
        if obj.base is Base.PORT:
            return [b for interface in self.interfaces_of(obj) for b in self.service_bindings_of(interface)]
        return self._referring(obj, Base.SERVICE_BINDING)

    def service_of(self, binding: Object) -> Object | None:
        """The service of a service binding; None if it is missing."""
        return self._first_referenced(binding, Base.SERVICE)

    def interface_of(self, binding: Object) -> Object | None:
        """The interface of a service binding; None if it is missing."""
        return self._first_referenced(binding, Base.INTERFACE)

    def fingerprint(self, obj: Object) -> str:
        """A digest of all that the object means: its attributes, and the objects that its lists name."""
        digest = hashlib.blake2s(encode_attributes(obj.attributes), digest_size=16)
        for name, value in self.list_digests(obj).items():
            digest.update(f"{name}={value}".encode())
        return digest.hexdigest()

    def list_digests(self, obj: Object) -> dict[str, str]:
        """A digest of each existing object that a list attribute names, by `<Object>/<key>`.

        An item of a list is part of what the object means: a VpnAfConfig whose type turns from
        import to both changes every VpnService that names it.  A single reference is a place to
        hang on to, and no part of the meaning.
        """
        types = self._proton.objects[obj.id.object].attributes
        digests: dict[str, str] = {}
        for attribute, names in references(self._proton, obj.id, obj.attributes).items():
            if types[attribute].is_list:
                for name in names:
                    target = self._objects.get(name)
                    if target is not None:
                        data = encode_attributes(target.attributes)
                        digests[f"{name.object}/{name.key}"] = hashlib.blake2s(data, digest_size=8).hexdigest()
        return digests

    def _referring(self, obj: Object, base: Base) -> list[Object]:
        found = map(self._objects.get, self.referrers(obj.id))
        return [o for o in found if o is not None and o.base is base]

    def _first_referenced(self, obj: Object, base: Base) -> Object | None:
        for names in references(self._proton, obj.id, obj.attributes).values():
            for name in names:
                target = self._objects.get(name)
                if target is not None and target.base is base:
                    return target
        return None

    # -- changing: a new Model -------------------------------------------------------------

    def having(self, obj: Object) -> Model:
        """This model with the object put in or replaced."""
        before = self._objects.get(obj.id)
        referrers = self._referrers
        old = names_of(self._proton, before) if before else frozenset()
        new = names_of(self._proton, obj)
        if old != new:
            referrers = _unlink(_link(referrers, obj.id, new - old), obj.id, old - new)
        return Model(self._proton, self._objects.set(obj.id, obj), referrers)

    def lacking(self, id_: ObjectKey) -> Model:
        """This model without the object; the same model when it has none of this name."""
        before = self._objects.get(id_)
        if before is None:
            return self
        referrers = _unlink(self._referrers, id_, names_of(self._proton, before))
        return Model(self._proton, self._objects.delete(id_), referrers)


_NOBODY: Map[ObjectKey, None] = Map()


def _link(referrers: Referrers, by: ObjectKey, names: Iterable[ObjectKey]) -> Referrers:
    for name in names:
        referrers = referrers.set(name, referrers.get(name, _NOBODY).set(by, None))
    return referrers


def _unlink(referrers: Referrers, by: ObjectKey, names: Iterable[ObjectKey]) -> Referrers:
    for name in names:
        left = referrers[name].delete(by)
        referrers = referrers.set(name, left) if left else referrers.delete(name)
    return referrers


def references(proton: Proton, id_: ObjectKey, attributes: Mapping[str, Value]) -> dict[str, tuple[ObjectKey, ...]]:
    """The objects that each reference attribute names; attributes without a value are left out."""
    found: dict[str, tuple[ObjectKey, ...]] = {}
    for name, target, is_list in proton.objects[id_.object].reference_attributes:
        value = attributes.get(name)
        if value is None or value == "":
            continue
        items = str(value).split(",") if is_list else (str(value),)
        found[name] = tuple(ObjectKey(id_.proton, target, item) for item in items)
    return found


def names_of(proton: Proton, obj: Object) -> frozenset[ObjectKey]:
    """All objects that this one names."""
    named = references(proton, obj.id, obj.attributes)
    return frozenset(name for names in named.values() for name in names) if named else _NO_NAMES


_NO_NAMES: frozenset[ObjectKey] = frozenset()
