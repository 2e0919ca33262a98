"""The circumstances of a transaction: session, clock, and whether changes are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct


def now() -> str:
    """This moment as objects carry it: RFC 3339, UTC, microseconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Circumstances(Struct):
    """Owned by `Database`; a transaction reads it when it needs it, in the thread that runs it."""

    session: str | None = None
    """The publisher session that new outbox rows belong to; None while there is none."""
    refusal: str = ""
    """Why objects can't be changed; empty: they can."""
    clock: Callable[[], str] = now
