"""The id of the request that is being answered: it stands in its answer, and in each line of the log about it."""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar

from gluon.process.unique import unique_id

_current: ContextVar[str] = ContextVar("request_id", default="")
_given: ContextVar[str] = ContextVar("given_request_id", default="")

# As oslo.middleware takes it: whatever else comes from outside could forge a line of the log.
_valid = re.compile(r"req-[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch


def begin(given: str = "") -> str:
    """The id of a request that begins in this task: the one that the client gives, or a new one.

    Args:
        given: by the client; used if it is `req-` and a uuid.
    """
    known = given if _valid(given) else ""
    identity = known or f"req-{unique_id()}"
    _current.set(identity)
    _given.set(known)
    return identity


def carry(identity: str) -> None:
    """From here on this task works for a request that another program has answered.

    Args:
        identity: as that program hands it on; what is no id counts as none.
    """
    _current.set(identity if _valid(identity) else "")


def given() -> str:
    """The id that the client gave; empty: it gave none, so nobody would look for it in other programs."""
    return _given.get()


def current() -> str:
    """The id of the request that this task answers; empty: it answers none."""
    return _current.get()


def stamp(record: logging.LogRecord) -> bool:
    """A filter of a log's handler: gives each record `request_id`, and `request` as it stands in a line."""
    identity = current()
    record.request_id = identity
    record.request = f"[{identity}] " if identity else ""
    return True
