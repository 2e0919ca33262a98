"""One object as the database holds it."""

from __future__ import annotations

from msgspec import Struct

from gluon.schema import Value


class Stored(Struct, frozen=True, kw_only=True):
    """A row."""

    attributes: dict[str, Value]
    """Every attribute, in the model's order."""
    created_at: str
    """RFC 3339, UTC, microseconds."""
    updated_at: str
    status_reason: str | None = None
    bind_request: int | None = None
    """Of a port: the outbox id of the change that last asked for a bind; None: not asked."""
    bind_revision: int | None = None
    """Of a port: the mod_revision that published that request; None: not published yet."""
