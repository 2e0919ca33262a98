"""The types that a model becomes: a Proton of ObjectTypes of Attributes.

All are frozen.  `Attribute` is also what the server serves to clients
(`gluon.contract.rest.Resource`), so a field renamed here is a change of the REST API.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, TypeAlias

from msgspec import Struct

Value: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | None
"""An attribute's value, in JSON's native types.  An attribute of format `json` holds any
JSON value; every other attribute a scalar, or None where nothing is set."""


META_ATTRIBUTES = ("created_at", "updated_at", "status_reason")
"""What the server adds to every object; no attribute of a model may have such a name."""


class AttributeType(enum.StrEnum):
    """The type of an attribute's value.

    A reference to another API object has the type of that object's primary key.
    """

    INTEGER = "integer"
    NUMBER = "number"
    STRING = "string"
    BOOLEAN = "boolean"
    UUID = "uuid"
    ENUM = "enum"


class Base(enum.StrEnum):
    """The base object that decides what an API object *is* to the shim.

    `OBJECT` stands for every API object that extends none of the other four.
    """

    PORT = "BasePort"
    INTERFACE = "BaseInterface"
    SERVICE = "BaseService"
    SERVICE_BINDING = "BaseServiceBinding"
    OBJECT = "BaseObject"


class Attribute(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attribute of an API object, base objects merged in."""

    name: str
    type: AttributeType
    description: str = ""
    primary: bool = False
    """The object's key: settable at create only; a `uuid` left out is generated."""
    required: bool = False
    """Must be given at create and can't be set to null."""
    read_only: bool = False
    """Only the server sets it; a request that names it is refused."""
    reference: str = ""
    """The API object (same proton) whose key this value is; for a list format, each item is."""
    length: int | None = None
    """Longest value in characters (of a `json` value: of its compact text)."""
    values: tuple[str, ...] = ()
    """The values of an enum, in the model's order."""
    format: str = ""
    """Empty, or one of `gluon.schema.formats.FORMATS` for this type."""
    minimum: int | None = None
    maximum: int | None = None
    default: Value = None
    default_from: str = ""
    """The attribute whose value is the default of this one."""

    @property
    def is_list(self) -> bool:
        """Whether the value is a comma-separated list."""
        return self.format.endswith("-list")


class Api(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an object appears in URLs and on the command line."""

    name: str
    """Singular, as in `protonclient <name>-create`."""
    plural_name: str
    """As in `/proton/<proton>/v1.0/<plural_name>`."""
    parent: str = ""
    """The API object below whose URL this one is also served; empty for none."""
    parent_key: str = ""
    """The attribute of this object that holds the parent's key."""


class Subnet(Struct, frozen=True, kw_only=True):
    """Names the attributes that together describe one address in one subnet.

    The values must agree: the prefix length fits the address' family and the gateway lies
    inside the subnet.
    """

    address: str
    prefix: str
    gateway: str


class Policies(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """oslo.policy rules by operation."""

    create: str = "rule:admin_or_owner"
    get: str = "rule:admin_or_owner"
    list: str = "rule:admin_or_owner"
    update: str = "rule:admin_or_owner"
    delete: str = "rule:admin_or_owner"


class ObjectType(Struct, frozen=True, kw_only=True):
    """One API object of a proton: Port, VpnService, ..."""

    name: str
    api: Api
    base: Base
    attributes: Mapping[str, Attribute]
    """By name, in the model's order: base objects first."""
    policies: Policies = Policies()
    subnet: Subnet | None = None
    description: str = ""

    @property
    def primary_key(self) -> Attribute:
        """The one attribute with `primary`; the loader guarantees it."""
        return next(a for a in self.attributes.values() if a.primary)

    @property
    def references(self) -> tuple[Attribute, ...]:
        """The attributes that name other objects."""
        return tuple(a for a in self.attributes.values() if a.reference)


class Info(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The `info` block of a model."""

    name: str
    version: str
    description: str = ""
    author_name: str = ""
    author_url: str = ""
    author_email: str = ""


class Proton(Struct, frozen=True, kw_only=True):
    """One API set: everything one model file says, imports resolved."""

    info: Info
    objects: Mapping[str, ObjectType]
    """By object name, each object after those it refers to, as far as references allow."""

    @property
    def name(self) -> str:
        """The proton's name, as in `/proton/<name>/`."""
        return self.info.name

    @property
    def port(self) -> ObjectType:
        """The one object that extends BasePort."""
        return next(o for o in self.objects.values() if o.base is Base.PORT)

    @property
    def interface(self) -> ObjectType:
        """The one object that extends BaseInterface."""
        return next(o for o in self.objects.values() if o.base is Base.INTERFACE)
