"""What a failed exchange with OpenDaylight means.

BackendError
├── RetryLater
│   ├── Unreachable     nobody answers, or not yet with RESTCONF
│   └── NotSettled      it took the write, and netvirt has made nothing of it
├── Refused
│   └── Rejected        400: never like this
├── Busy                an error that may pass, and has not within the retries
├── NotPermitted        401, 403
└── ModelsMissing       an OpenDaylight without netvirt
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct

from gluon.shim.backend import BackendError, Refused, RetryLater

_AWAY = 2.0
"""Seconds after which an OpenDaylight that can't be reached is tried again."""

_ABSENT_TAGS = {"data-missing"}
_PASSING_TAGS = {"lock-denied", "in-use", "resource-denied"}
_SCHEMA_TAGS = {"unknown-element", "unknown-namespace"}
_SHOWN = 300
"""Characters of OpenDaylight's words that a message shows."""


class Unreachable(RetryLater):
    """Nobody answers, or not yet with RESTCONF."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, _AWAY)


class NotSettled(RetryLater):
    """OpenDaylight took what was written, and netvirt has made nothing of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, _AWAY)


class Rejected(Refused):
    """OpenDaylight will never take this."""


class Busy(BackendError):
    """An error that may pass, and has not within the retries."""


class NotPermitted(BackendError):
    """The user or the password is wrong, or the user may not do this."""


class ModelsMissing(BackendError):
    """An OpenDaylight without the models of netvirt."""


class Said(Struct, frozen=True):
    """One error in the body of an answer."""

    tag: str = ""
    message: str = ""


class Reply(Struct, frozen=True):
    """An answer that is no success."""

    status: int
    said: tuple[Said, ...] = ()

    @property
    def tags(self) -> set[str]:
        """The error-tags in its body."""
        return {each.tag for each in self.said}

    @property
    def is_absent(self) -> bool:
        """There are no such data: 404, and 409 `data-missing` in Aluminium, which has no body everywhere."""
        return self.status == HTTPStatus.NOT_FOUND or (
            self.status == HTTPStatus.CONFLICT and bool(self.tags & _ABSENT_TAGS)
        )

    @property
    def is_passing(self) -> bool:
        """Trying again may help."""
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or (
            self.status == HTTPStatus.CONFLICT and bool(self.tags & _PASSING_TAGS)
        )

    @property
    def is_unknown_element(self) -> bool:
        """A URL names what the models do not have."""
        return self.status == HTTPStatus.BAD_REQUEST

    @property
    def text(self) -> str:
        """Status, tags and messages."""
        said = "; ".join(filter(None, (f"{each.tag} {each.message}".strip() for each in self.said)))
        said = said if len(said) <= _SHOWN else f"{said[: _SHOWN - 3]}..."
        return f"{self.status} {said}".strip()


def parse(content: bytes) -> tuple[Said, ...]:
    """The errors in a body, in either form (`errors`, `ietf-restconf:errors`); none in any other body.

    Source: RFC 8040 7.1.
    """
    try:
        body = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return ()
    errors: Any = body
    for names in (("errors", "ietf-restconf:errors"), ("error",)):
        errors = next((errors[name] for name in names if isinstance(errors, dict) and name in errors), None)
    found = errors if isinstance(errors, list) else [errors]
    return tuple(
        Said(str(each.get("error-tag", "")), str(each.get("error-message", "")))
        for each in found
        if isinstance(each, dict)
    )


def failure(reply: Reply, request: str, user: str) -> BackendError:
    """The error that an answer becomes.

    Args:
        reply: the answer.
        request: method and path.
        user: who asked.
    """
    if reply.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return NotPermitted(f"OpenDaylight does not let {user} {request}: {reply.text}")
    is_write = not request.startswith("GET ")
    if reply.status == HTTPStatus.BAD_REQUEST and is_write and not reply.tags & _SCHEMA_TAGS:
        return Rejected(f"OpenDaylight refuses {request}: {reply.text}")
    return Busy(f"OpenDaylight answered {request}: {reply.text}")
