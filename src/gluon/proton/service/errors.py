"""Why a use case refuses a request; beside these, `gluon.schema.InvalidAttributes` and storage's errors.

ServiceError
├── NotFound   there is no such object
└── Conflict   the object is in a state that doesn't allow the change
"""

from __future__ import annotations


class ServiceError(Exception):
    """Base of the two; nothing was changed."""


class NotFound(ServiceError):
    """There is no such object."""

    def __init__(self, object_name: str, key: str, *, below: str = "") -> None:
        super().__init__(f"{object_name} {key} does not exist" + (f" below {below}" if below else ""))


class Conflict(ServiceError):
    """The object's state doesn't allow the change; the message says what to do instead."""
