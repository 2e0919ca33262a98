"""The steps that a plan can name."""

from __future__ import annotations

import enum
from typing import TypeAlias

from msgspec import Struct

from gluon.contract.keys import ObjectKey
from gluon.schema.types import Base
from gluon.shim.state import Object


class Callback(enum.StrEnum):
    """The callbacks of the backend port, by their names there."""

    BIND_PORT = "bind_port"
    UNBIND_PORT = "unbind_port"
    MODIFY_PORT = "modify_port"
    DELETE_PORT = "delete_port"
    MODIFY_INTERFACE = "modify_interface"
    DELETE_INTERFACE = "delete_interface"
    MODIFY_SERVICE = "modify_service"
    DELETE_SERVICE = "delete_service"
    MODIFY_SERVICE_BINDING = "modify_service_binding"
    DELETE_SERVICE_BINDING = "delete_service_binding"
    MODIFY_OBJECT = "modify_object"
    DELETE_OBJECT = "delete_object"


MODIFY = {
    Base.PORT: Callback.MODIFY_PORT,
    Base.INTERFACE: Callback.MODIFY_INTERFACE,
    Base.SERVICE: Callback.MODIFY_SERVICE,
    Base.SERVICE_BINDING: Callback.MODIFY_SERVICE_BINDING,
    Base.OBJECT: Callback.MODIFY_OBJECT,
}
DELETE = {
    Base.PORT: Callback.DELETE_PORT,
    Base.INTERFACE: Callback.DELETE_INTERFACE,
    Base.SERVICE: Callback.DELETE_SERVICE,
    Base.SERVICE_BINDING: Callback.DELETE_SERVICE_BINDING,
    Base.OBJECT: Callback.DELETE_OBJECT,
}


class Nothing(Struct, frozen=True):
    """Desired and applied agree, or the object is no business of this controller."""


class Wait(Struct, frozen=True):
    """Something else has to come first; its change wakes this key."""

    on: ObjectKey
    why: str
    """Follows `waits for <on> `: e.g. `to be applied`."""

    def __str__(self) -> str:
        return f"waits for {self.on} {self.why}"


class InUse(Struct, frozen=True):
    """The port is bound, or being bound, by another controller."""

    by: str

    def __str__(self) -> str:
        return f"is in use by controller {self.by}"


class Call(Struct, frozen=True):
    """One callback of the backend is due."""

    callback: Callback
    object: Object
    """The object as wanted; of an unbind or a delete: as last applied."""
    previous: Object | None = None
    """The object as last applied, for the modify callbacks; None the first time."""
    references: dict[str, str] = {}
    """Digests for `AppliedRecord.references`."""

    def __str__(self) -> str:
        return f"{self.callback} {self.object.id}"


class Refresh(Struct, frozen=True):
    """The backend is up to date, but the port's answer does not say so."""

    object: Object


class Drop(Struct, frozen=True):
    """An answer of ours, or of nobody, has nothing to say any more: delete its key."""

    key: ObjectKey


Step: TypeAlias = Nothing | Wait | InUse | Call | Refresh | Drop
