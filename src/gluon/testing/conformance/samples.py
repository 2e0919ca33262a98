"""Objects of any proton, made from its schema."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from gluon.contract.keys import ObjectKey
from gluon.schema import Attribute, AttributeType, Base, InvalidAttributes, ObjectType, Proton, Value, conform
from gluon.shim.backend import Object

_OF_A_BIND = ("host_id", "device_id", "vnic_type", "profile")
"""A change of one of these is a matter of bind_port and unbind_port."""
_FIXED_WHILE_BOUND = (*_OF_A_BIND, "mac_address")

_NAMESPACE = uuid.UUID("6f1c2a52-8b9e-4d53-9a0f-3a2f5f3c7b10")
_EXAMPLES: dict[str, Callable[[int], str]] = {
    "date-time": lambda n: f"2024-05-17T09:30:{n % 60:02}Z",
    "ipv4": lambda n: f"10.0.{n // 200 % 200}.{n % 200 + 20}",
    "ipv6": lambda n: f"2001:db8::{n + 16:x}",
    "cidr": lambda n: f"10.{n % 250}.0.0/24",
    "mac": lambda n: f"fa:16:3e:00:{n // 256 % 256:02x}:{n % 256:02x}",
    "uri": lambda n: f"http://example.com/{n}",
    "email": lambda n: f"operator{n}@example.com",
    "route-target": lambda n: f"65000:{n}",
    "route-distinguisher": lambda n: f"65000:{n}",
    "uuid": lambda n: str(uuid.uuid5(_NAMESPACE, str(n))),
}
_EXAMPLES["ip"] = _EXAMPLES["ipv4"]


class Samples:
    """Valid objects of one proton.

    Args:
        proton: its schema.
        host: that ports are to be bound on.
        given: attributes that the samples of a type shall have, by object type.
    """

    def __init__(self, proton: Proton, host: str, given: Mapping[str, Mapping[str, Value]]) -> None:
        self.proton = proton
        self._host = host
        self._given = given
        self._run = uuid.uuid4()
        self._made: dict[ObjectKey, Object] = {}
        """The objects of all networks so far: no other may have what only one can have."""

    def network(self, number: int, *, full: bool = True) -> list[Object]:
        """One object of each type, joined to each other, each after those that it names.

        Args:
            number: tells networks apart: the same number has the same keys.
            full: optional attributes are set, references among them; False: they are not.
        """
        made: dict[str, Object] = {}
        for object_type in self.proton.objects.values():
            self._make(object_type, number, made, (), full=full)
        return list(made.values())

    def port(self, number: int, **attributes: Value) -> Object:
        """The port of a network, to be bound."""
        return self._conformed(self.proton.port, self._values(self.proton.port, number, {}, full=True) | attributes)

    def unbound(self, port: Object) -> Object:
        """The port as it is before anybody wants it bound."""
        return msgspec.structs.replace(port, attributes={**port.attributes, "host_id": None, "device_id": None})

    def prepared(self, port: Object, host: str) -> Object:
        """The port as it is bound on a further host that does not carry its traffic yet."""
        return msgspec.structs.replace(port, attributes={**port.attributes, "host_id": host}, active=False)

    def changed(self, obj: Object) -> Object:
        """The object with another value of one attribute, if it has one that can change.

        Not one that leads to more than a modify: the key, a reference, or what a bind is made from.
        """
        object_type = self.proton.objects[obj.type]
        plain = (a for a in self._changeable(object_type) if not a.reference)
        return next((changed for a in plain for changed in self._with(obj, a, (_another(a, obj),))), obj)

    def changes(self, obj: Object, other: Mapping[str, Object]) -> Iterator[tuple[str, Object]]:
        """The object with one attribute changed, for each that a modify may change.

        Args:
            obj: the object; a port is bound.
            other: by type, objects for references to lead to, of another network.

        Yields:
            The attribute's name and the changed object; an optional attribute is unset as well.
        """
        object_type = self.proton.objects[obj.type]
        for attribute in self._changeable(object_type):
            if not attribute.reference:
                values: tuple[Value, ...] = (_another(attribute, obj), None)
            elif attribute.reference in other and not self._ties_to_port(object_type, attribute):
                values = _other_references(attribute, obj, other[attribute.reference].key)
            else:
                continue
            for changed in self._with(obj, attribute, values):
                yield attribute.name, changed

    def _changeable(self, object_type: ObjectType) -> Iterator[Attribute]:
        fixed = {"tenant_id", *self._given.get(object_type.name, ())}
        if object_type.base is Base.PORT:
            fixed.update(_FIXED_WHILE_BOUND)
        for attribute in object_type.writable:
            if not attribute.primary and attribute.name not in fixed:
                yield attribute

    def _ties_to_port(self, object_type: ObjectType, attribute: Attribute) -> bool:
        """Whether a change of the reference is a delete and a modify: an interface never changes its port."""
        return object_type.base is Base.INTERFACE and self.proton.objects[attribute.reference].base is Base.PORT

    def _with(self, obj: Object, attribute: Attribute, values: Iterable[Value]) -> Iterator[Object]:
        """The object with each of the values that it can have and does not have, beside the other objects."""
        for value in values:
            try:
                attributes = {**obj.attributes, attribute.name: value}
                changed = self._conformed(self.proton.objects[obj.type], attributes, obj.revision + 1)
            except InvalidAttributes:
                continue  # It has to be given, or to agree with another attribute.
            if changed.attributes != obj.attributes and not self._clashes(changed):
                yield changed

    def _make(
        self, object_type: ObjectType, number: int, made: dict[str, Object], ahead: tuple[str, ...], *, full: bool
    ) -> None:
        if object_type.name in made or object_type.name in ahead:
            return
        for attribute in object_type.references:
            if full or attribute.required:
                target = self.proton.objects[attribute.reference]
                self._make(target, number, made, (*ahead, object_type.name), full=full)
        obj = self._alone(object_type, self._values(object_type, number, made, full=full), number)
        made[object_type.name] = self._made[obj.id] = obj

    def _alone(self, object_type: ObjectType, values: Mapping[str, Value], number: int) -> Object:
        """The object with other values where another one has those, and only one can have them."""
        obj = self._conformed(object_type, values)
        if not self._clashes(obj):
            return obj
        named = {name for rule in object_type.unique for name in rule.unique}
        for attribute in self._changeable(object_type):
            if attribute.name in named and not attribute.reference:
                others = (_value(attribute, number * 40 + more) for more in range(1, 400))
                found = next(self._with(obj, attribute, others), None)
                if found is not None:
                    return msgspec.structs.replace(found, revision=obj.revision)
        return obj

    def _clashes(self, obj: Object) -> bool:
        """Whether another object has what only one can have."""
        type_ = self.proton.objects[obj.type]
        others = [other for other in self._made.values() if other.type == obj.type and other.id != obj.id]
        return any(type_.clash(rule, obj.attributes, other.attributes) for rule in type_.unique for other in others)

    def _values(
        self, object_type: ObjectType, number: int, made: Mapping[str, Object], *, full: bool
    ) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for place, attribute in enumerate(object_type.attributes.values()):
            if attribute.read_only or not (full or attribute.required or attribute.primary):
                continue
            if attribute.reference:
                target = made.get(attribute.reference)
                values[attribute.name] = target.key if target else None
            elif attribute.primary and attribute.type is AttributeType.UUID:
                values[attribute.name] = str(uuid.uuid5(self._run, f"{object_type.name} {number}"))
            elif attribute.default is None and attribute.name not in _OF_A_BIND:
                values[attribute.name] = _value(attribute, number * 40 + place)
        if object_type.subnet and full:
            address = f"10.0.0.{number % 200 + 20}"
            subnet = object_type.subnet
            values |= {subnet.address: address, subnet.prefix: 24, subnet.gateway: "10.0.0.1"}
        if object_type.base is Base.PORT:
            values |= {"host_id": self._host, "device_id": str(uuid.uuid5(self._run, f"device {number}"))}
        return {**values, **self._given.get(object_type.name, {})}

    def _conformed(self, object_type: ObjectType, values: Mapping[str, Value], revision: int = 1) -> Object:
        key = str(values[object_type.primary_key.name])
        id_ = ObjectKey(self.proton.name, object_type.name, key)
        return Object(id_, object_type.base, conform(object_type, values, key), revision)


def _another(attribute: Attribute, obj: Object) -> Value:
    """A value that the object does not have; the one that it has where there is no other."""
    candidates = (_value(attribute, number) for number in (7777, 7778, 7779))
    return next((value for value in candidates if value != obj[attribute.name]), obj[attribute.name])


def _other_references(attribute: Attribute, obj: Object, key: str) -> tuple[Value, ...]:
    """Another object instead of the one that is named; in a list also beside it; and none."""
    named = obj[attribute.name]
    return (key, f"{named},{key}", None) if attribute.is_list and named else (key, None)


def _value(attribute: Attribute, number: int) -> Value:
    """A value that the attribute takes; another one for another number, where it has many."""
    match attribute.type:
        case AttributeType.INTEGER:
            low, high = attribute.integer_range
            return max(low, 0) + number % (high - max(low, 0) + 1) if high > 0 else low
        case AttributeType.NUMBER:
            return float(number)
        case AttributeType.BOOLEAN:
            return number % 2 == 0
        case AttributeType.ENUM:
            return attribute.values[number % len(attribute.values)]
        case AttributeType.UUID:
            return _EXAMPLES["uuid"](number)
        case AttributeType.STRING:
            return _text(attribute, number)


def _text(attribute: Attribute, number: int) -> Value:
    if attribute.format == "json":
        return {"sample": number}
    single = attribute.format.removesuffix("-list")
    text = _EXAMPLES[single](number) if single else f"{attribute.name}-{number}"
    return text[: attribute.length]
