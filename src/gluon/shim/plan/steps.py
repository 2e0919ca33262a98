"""The steps that a plan can name."""

from __future__ import annotations

import enum
from typing import TypeAlias

from msgspec import Struct

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import PortAnswer
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

    @property
    def removes(self) -> bool:
        """Whether it takes something away from the controller."""
        return self in REMOVING


MODIFY = {
    Base.PORT: Callback.MODIFY_PORT,
    Base.PORT_BINDING: Callback.BIND_PORT,
    Base.INTERFACE: Callback.MODIFY_INTERFACE,
    Base.SERVICE: Callback.MODIFY_SERVICE,
    Base.SERVICE_BINDING: Callback.MODIFY_SERVICE_BINDING,
    Base.OBJECT: Callback.MODIFY_OBJECT,
}
"""What makes an object at the backend as it is wanted."""

DELETE = {
    Base.PORT: Callback.DELETE_PORT,
    Base.PORT_BINDING: Callback.UNBIND_PORT,
    Base.INTERFACE: Callback.DELETE_INTERFACE,
    Base.SERVICE: Callback.DELETE_SERVICE,
    Base.SERVICE_BINDING: Callback.DELETE_SERVICE_BINDING,
    Base.OBJECT: Callback.DELETE_OBJECT,
}
"""What takes it away."""

REMOVING = frozenset(DELETE.values())


class Nothing(Struct, frozen=True):
    """Desired and applied agree, or the object is no business of this controller."""


class Wait(Struct, frozen=True):
    """Something else has to come first; its change wakes this key."""

    on: ObjectKey
    why: str
    """Follows `waits for <on> `: e.g. `to be applied`."""

    def __str__(self) -> str:
        return f"waits for {self.on} {self.why}"


class Hold(enum.StrEnum):
    """What another object makes of values that only one can have; completes `waits for <it>, which ...`."""

    KEEPS = "has the same {}: only one can have that"
    """The backend has it, or may have it, with them, and that is as it is wanted."""
    COMES_FIRST = "is to have the same {} and comes first: only one can have that"
    """Neither is at the backend with them."""
    YIELDS = "gives up the same {}"
    """It is to have others, or to be deleted."""


class Taken(Struct, frozen=True):
    """Another object has, or is to have, what only one can have; its change wakes this key."""

    by: ObjectKey
    attributes: str
    """Those of the rule, for people."""
    hold: Hold

    @property
    def may_be_passed(self) -> bool:
        """Whether the object may go ahead where the two wait for each other."""
        return self.hold is not Hold.KEEPS

    def __str__(self) -> str:
        return f"waits for {self.by}, which {self.hold.format(self.attributes)}"


class InUse(Struct, frozen=True):
    """The port is bound, or being bound, by another controller."""

    by: str

    def __str__(self) -> str:
        return f"is in use by controller {self.by}"


class HeldBack(Struct, frozen=True):
    """It would be deleted, but the brake holds deletions back."""

    def __str__(self) -> str:
        return "would be deleted; the brake holds it back"


class Call(Struct, frozen=True):
    """One callback of the backend is due."""

    callback: Callback
    object: Object
    """The object as wanted; for an unbind or a delete: as last applied."""
    previous: Object | None = None
    """The object as last applied, for the modify callbacks; None the first time."""
    references: dict[str, str] = {}
    """Digests for `AppliedRecord.references`."""
    token: str = ""
    """Of a bind: the request that it answers."""
    record: ObjectKey | None = None
    """The key of its applied record, where that is not the object's own: a binding's."""

    @property
    def key(self) -> ObjectKey:
        """The key of its applied record."""
        return self.record or self.object.id

    @property
    def host(self) -> str:
        """Of a bind or an unbind: the host."""
        return keys.port_and_host(self.record)[1] if self.record else ""

    def __str__(self) -> str:
        return f"{self.callback} {self.object.id}" + (f" on {self.host}" if self.record else "")


class Refresh(Struct, frozen=True):
    """The backend is up to date, but the port's answer does not say so."""

    port: ObjectKey
    answer: PortAnswer
    """What it should say."""


class Drop(Struct, frozen=True):
    """The answer of a port that is gone has nothing to say any more: delete its key."""

    port: ObjectKey


Step: TypeAlias = Nothing | Wait | Taken | InUse | HeldBack | Call | Refresh | Drop
