"""Why a use case refuses a request; beside these, `gluon.schema.InvalidAttributes` and storage's errors.

ServiceError
├── NotFound             there is no such object
├── Conflict             the object is in a state that doesn't allow the change
│   └── Taken            another object has values that no two can have
└── PreconditionFailed   the object is not as the client takes it to be
"""

from __future__ import annotations

from gluon.schema import Unique, Value
from gluon.schema.checks import show


class ServiceError(Exception):
    """Base of them; nothing was changed."""


class NotFound(ServiceError):
    """There is no such object."""

    def __init__(self, object_name: str, key: str, *, below: str = "") -> None:
        super().__init__(f"{object_name} {key} does not exist" + (f" below {below}" if below else ""))


class Conflict(ServiceError):
    """The object's state doesn't allow the change; the message says what to do instead."""


class Taken(Conflict):
    """Another object has values that no two objects can have."""

    def __init__(self, object_name: str, key: str, rule: Unique, values: tuple[Value, ...]) -> None:
        given = [f"{name} {_shown(value)}" for name, value in zip(rule.unique, values, strict=True)]
        same = " and ".join(part for part in (", ".join(given[:-1]), given[-1]) if part)
        exception = f", or set {rule.unless} in both" if rule.unless else ""
        super().__init__(
            f"{object_name} {key} has {same} already, and no two can; give another value, or change or delete that "
            f"one first{exception}"
        )
        self.attributes = rule.unique


def _shown(value: Value) -> str:
    return value if isinstance(value, str) else show(value)


class PreconditionFailed(ServiceError):
    """The object has changed since the client read it."""

    def __init__(self, object_name: str, key: str, revision: int) -> None:
        super().__init__(
            f"{object_name} {key} is not as the request's condition has it: its revision_number is {revision}; read it "
            "again, and look whether your change is still right"
        )
