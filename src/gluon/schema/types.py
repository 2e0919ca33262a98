"""The types that a model becomes: a Proton of ObjectTypes of Attributes.

All are frozen.  A property that takes some work is worked out once, when it is first needed, and
kept.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import cached_property

from msgspec import Struct

from gluon.schema.attribute import Attribute, AttributeType
from gluon.schema.checks import Value
from gluon.schema.formats import Mismatch
from gluon.schema.object_rules import Rule, Unique
from gluon.schema.subnets import Subnet

__all__ = [
    "META_ATTRIBUTES",
    "Api",
    "Attribute",
    "AttributeType",
    "Base",
    "Info",
    "ObjectType",
    "Policies",
    "Proton",
    "Rule",
    "Subnet",
    "Unique",
    "Value",
]

META_ATTRIBUTES = ("created_at", "updated_at", "status_reason", "revision_number")
"""The attributes that the server adds to every object; a model can't use their names."""


class Base(enum.StrEnum):
    """The base object that decides what an API object *is* to the shim.

    `OBJECT` stands for every API object that extends none of the four before it.
    """

    PORT = "BasePort"
    INTERFACE = "BaseInterface"
    SERVICE = "BaseService"
    SERVICE_BINDING = "BaseServiceBinding"
    OBJECT = "BaseObject"
    PORT_BINDING = "port binding"
    """A port on one host.  No object of a model extends it: the shim makes it of a port."""


class Api(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The names of an object in URLs and on the command line."""

    name: str
    """Singular, as in `protonclient <name>-create`."""
    plural_name: str
    """As in `/proton/<proton>/v1.0/<plural_name>`."""
    parent: str = ""
    """The API object below whose URL this one is also served; empty for none."""
    parent_key: str = ""
    """The attribute of this object that holds the parent's key."""


class Policies(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """oslo.policy rules by operation."""

    create: str = "rule:admin_or_owner"
    get: str = "rule:admin_or_owner"
    list: str = "rule:admin_or_owner"
    update: str = "rule:admin_or_owner"
    delete: str = "rule:admin_or_owner"


class ObjectType(Struct, frozen=True, kw_only=True, eq=False, dict=True):
    """One API object of a proton: Port, VpnService, ...

    Equal to itself only (`eq=False`): as the key of a mapping, a whole object type would cost more to
    hash than the look-up saves.
    """

    name: str
    api: Api
    base: Base
    attributes: Mapping[str, Attribute]
    """By name, in the model's order: base objects first."""
    policies: Policies = Policies()
    subnet: Subnet | None = None
    rules: tuple[Rule, ...] = ()
    """Between its attributes, and between its objects."""
    description: str = ""

    @cached_property
    def unique(self) -> tuple[Unique, ...]:
        """Those of the rules that other objects have to be looked at for."""
        return tuple(rule for rule in self.rules if isinstance(rule, Unique))

    def claim(self, rule: Unique, values: Mapping[str, Value]) -> tuple[Value, ...] | None:
        """`Unique.claim` with each value in one spelling, so that two objects are alike where these are equal.

        The values need not be checked: an object with one that none can have is like no other.
        """
        found = rule.claim(values)
        if found is None:
            return None
        attributes = self.attributes
        try:
            claim = tuple(attributes[name].spellings(value)[0] for name, value in zip(rule.unique, found, strict=True))
            hash(claim)
        except (Mismatch, TypeError):
            return None
        return claim

    def clash(self, rule: Unique, one: Mapping[str, Value], other: Mapping[str, Value]) -> bool:
        """Whether the rule does not allow two objects with these values beside each other."""
        claim = self.claim(rule, one)
        if claim is None or claim != self.claim(rule, other):
            return False
        return not (rule.is_excepted(one) and rule.is_excepted(other))

    @property
    def sentences(self) -> tuple[str, ...]:
        """All rules between attributes and between objects, for people."""
        subnet = (self.subnet.sentence,) if self.subnet else ()
        return (*subnet, *(rule.sentence for rule in self.rules))

    @cached_property
    def primary_key(self) -> Attribute:
        """The one attribute with `primary`; the loader guarantees it."""
        return next(a for a in self.attributes.values() if a.primary)

    @cached_property
    def references(self) -> tuple[Attribute, ...]:
        """The attributes that name other objects."""
        return tuple(a for a in self.attributes.values() if a.reference)

    @cached_property
    def reference_attributes(self) -> tuple[tuple[str, str, bool], ...]:
        """The same as tuples of name, object named and whether it is a list, for loops that must be fast."""
        return tuple((a.name, a.reference, a.is_list) for a in self.references)

    @cached_property
    def added(self) -> Mapping[str, Value]:
        """The attributes that came later than the object, with the values of objects that were made before."""
        return {a.name: a.default for a in self.attributes.values() if a.added}

    @cached_property
    def writable(self) -> tuple[Attribute, ...]:
        """The attributes that a client may set."""
        return tuple(a for a in self.attributes.values() if not a.read_only)

    @cached_property
    def required(self) -> tuple[Attribute, ...]:
        """The attributes that have a value in every object, given or by default."""
        return tuple(a for a in self.attributes.values() if a.required or (a.primary and not a.is_generated))

    @cached_property
    def derived(self) -> tuple[Attribute, ...]:
        """The attributes with `default_from`, each after the one that it follows."""
        ordered: dict[str, Attribute] = {}

        def add(attribute: Attribute) -> None:
            if attribute.default_from and attribute.name not in ordered:
                add(self.attributes[attribute.default_from])
                ordered[attribute.name] = attribute

        for attribute in self.attributes.values():
            add(attribute)
        return tuple(ordered.values())

    @cached_property
    def mutable_defaults(self) -> tuple[str, ...]:
        """The attributes whose default is a JSON object or list, which two objects must not share."""
        return tuple(name for name, a in self.attributes.items() if isinstance(a.default, dict | list))


class Info(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The `info` block of a model."""

    name: str
    version: str
    description: str = ""
    author_name: str = ""
    author_url: str = ""
    author_email: str = ""


class Proton(Struct, frozen=True, kw_only=True, eq=False, dict=True):
    """One API set: everything one model file says, imports resolved."""

    info: Info
    objects: Mapping[str, ObjectType]
    """By object name, each object after those it refers to, as far as references allow."""

    @property
    def name(self) -> str:
        """The proton's name, as in `/proton/<name>/`."""
        return self.info.name

    @cached_property
    def port(self) -> ObjectType:
        """The one object that extends BasePort."""
        return next(o for o in self.objects.values() if o.base is Base.PORT)

    @cached_property
    def interface(self) -> ObjectType:
        """The one object that extends BaseInterface."""
        return next(o for o in self.objects.values() if o.base is Base.INTERFACE)
