"""The rows as values: an object, a port's binding, an object's status, the deployment."""

from __future__ import annotations

import enum

from msgspec import Struct

from gluon.schema import Value


class Stored(Struct, frozen=True, kw_only=True):
    """One object as the database holds it."""

    attributes: dict[str, Value]
    """Every attribute, in the model's order."""
    created_at: str
    """RFC 3339, UTC, microseconds."""
    updated_at: str
    """Never before created_at, and never going back."""
    status_reason: str | None = None
    revision: int = 1
    """Counts the states that the object has had; `ObjectRows.replace` makes the next one."""


class BindingState(enum.StrEnum):
    """How far a binding has come."""

    PENDING = "PENDING"
    """A bind was asked for and not answered yet.  With a vif_type: it was bound before and is bound again."""
    BOUND = "BOUND"
    FAILED = "FAILED"
    """Refused by a controller, or not answered in time."""
    LOST = "LOST"
    """It was answered, and no controller has it any more."""


class StoredBinding(Struct, frozen=True, kw_only=True):
    """The binding of a port to a host.  A port has at most one that is active."""

    port: str
    """The port's key."""
    host: str
    token: str
    """Names the request that last asked for this bind; an answer counts if it carries the same one."""
    active: bool = True
    """False: prepared on the side, for a live migration."""
    state: BindingState = BindingState.PENDING
    controller: str = ""
    """Who answered last; empty: nobody yet."""
    vnic_type: str | None = None
    profile: Value = None
    device_id: str | None = None
    vif_type: str = ""
    """How it is plugged; empty: it is not."""
    vif_details: dict[str, Value] = {}
    reason: str = ""
    """Why it failed or was lost; a bound one may have a reason too, such as a warning."""
    created_at: str
    updated_at: str


class StoredRelease(Struct, frozen=True, kw_only=True):
    """A binding that is gone from its port, and that a controller may still have."""

    proton: str
    port: str
    """The port's key; the port need not exist any more."""
    host: str
    controller: str
    """Who may have it; empty: nobody is known."""
    released_at: str


class StoredStatus(Struct, frozen=True, kw_only=True):
    """The status of an object, by one source."""

    source: str
    """A controller's name, or one of `SERVER_SOURCES`."""
    state: str = ""
    """ACTIVE, DOWN, ERROR, or empty: nothing was reported."""
    reason: str = ""
    """Of a controller: the reason of the state.  Of a source of the server: all that it says."""
    failure: str = ""
    """Why a controller has not applied the object, whatever it reported before; empty: it has."""


PUBLISHER = "publisher"
"""The source that says that etcd refuses an object."""
ANSWER = "answer"
"""The source that says that a controller's answer was dropped."""
SERVER_SOURCES = frozenset({PUBLISHER, ANSWER})
"""The sources that are no controllers."""


class Deployment(Struct, frozen=True, kw_only=True):
    """The database's knowledge of itself and of the etcd that it fills."""

    id: str
    """The database's own, made with it."""
    epoch: str = ""
    """The id of the epoch that was last begun in etcd; empty: none yet."""
    serial: int = 0
    """The highest outbox id that is known to have been published."""
    legacy: bool = False
    """Taken over from the version before, and nothing published since."""
