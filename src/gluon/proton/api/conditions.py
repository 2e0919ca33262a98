"""ETags, and requests that are only carried out as long as an object is as the client knows it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from starlette.requests import Request

from gluon.proton.api.errors import PreconditionRefused
from gluon.proton.service import Condition, Stored

_TAG = re.compile(r'(W/)?"[!#-~]*"|revision_number=[0-9]{1,18}').fullmatch
_UNMODIFIED = "If-Unmodified-Since"


def etag(stored: Stored) -> str:
    """Names this state of the object; another object that gets its key later has other tags."""
    return f'"{stored.revision}-{re.sub("[^0-9]", "", stored.created_at)}"'


def of(request: Request) -> Condition | None:
    """The condition of a change; None: there is none.

    A header that can't be read is a condition that never holds: whoever sent it asked for protection.

    Raises:
        PreconditionRefused: the condition is a date.
    """
    wanted, unwanted = _tags(request, "If-Match"), _tags(request, "If-None-Match")
    if wanted is None and _UNMODIFIED in request.headers:
        # Two changes of one second have one date, so it protects from nothing; who sent it asked for protection.
        raise PreconditionRefused(f"{_UNMODIFIED} can't tell changes of one second apart; send If-Match with the ETag")
    if wanted is None and unwanted is None:
        return None

    def holds(stored: Stored) -> bool:
        if wanted is not None and not _matches(wanted, stored):
            return False
        return unwanted is None or (bool(unwanted) and not _matches(unwanted, stored, weakly=True))

    return holds


def is_known(request: Request, stored: Stored) -> bool:
    """Whether the client of a GET has the object as it is.

    Raises:
        PreconditionRefused: the object must be as If-Match says, and is not.
    """
    wanted, unwanted = _tags(request, "If-Match"), _tags(request, "If-None-Match")
    if wanted is not None and not _matches(wanted, stored):
        raise PreconditionRefused("the object is not as If-Match says; read it without")
    return unwanted is not None and _matches(unwanted, stored, weakly=True)


def refuse(request: Request) -> None:
    """For what has no ETag.

    Raises:
        PreconditionRefused: the request has a condition.
    """
    for name in ("If-Match", "If-None-Match", _UNMODIFIED):
        if name in request.headers:
            raise PreconditionRefused(f"there is nothing here that {name} could be compared with; leave it out")


def _tags(request: Request, header: str) -> list[str] | None:
    """Each as `*`, `"..."`, `W/"..."` or `revision_number=<n>`; None: no such header; empty: it can't be read."""
    lines = request.headers.getlist(header)
    if not lines:
        return None
    tags = [tag for tag in _split(", ".join(lines)) if tag]
    return tags if tags == ["*"] or all(map(_TAG, tags)) else []


def _split(text: str) -> Iterator[str]:
    """The parts between commas, but for those within quotes; in one pass, since anybody may send a long one."""
    start, is_quoted = 0, False
    for at, character in enumerate(text):
        if character == '"':
            is_quoted = not is_quoted
        elif character == "," and not is_quoted:
            yield text[start:at].strip()
            start = at + 1
    yield text[start:].strip()


def _matches(tags: list[str], stored: Stored, *, weakly: bool = False) -> bool:
    """Compares; a weak tag is never equal where a change depends on it (RFC 9110, section 13.1.1)."""
    if tags == ["*"]:
        return True
    known = {etag(stored), f"revision_number={stored.revision}"}
    if weakly:
        known.add(f"W/{etag(stored)}")
    return not known.isdisjoint(tags)
