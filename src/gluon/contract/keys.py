"""Every key that Gluon uses in etcd, and how to read one back.

    /proton/<proton>/<Object>/<key>                    proton-server   desired state
    /controller/<proton>/<Object>/<key>                a shim          its answer
    /gluon/port/<uuid>                                 proton-server   which proton owns a port
    /gluon/publisher/<session>                         proton-server   its publisher is alive (lease)
    /shim/<controller>/leader                          a shim          who is active (lease)
    /shim/<controller>/applied/<proton>/<Object>/<key> a shim          what the backend was told

An object's key is percent-encoded (RFC 3986) where it would break the path: `/`, `%`, control
characters and whatever is not ASCII.  etcd's keys are bytes, and so are ours.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

MAX_KEY_LENGTH = 4096
"""Longest key in bytes that is read as one of ours.  etcd itself has no limit but its 1.5 MiB
request; our longest, a string primary key of 255 characters percent-encoded to up to 12 bytes
each, stays below."""

_PLAIN = re.compile(r"[A-Za-z0-9:.-]+").fullmatch
_SAFE = ":@!$&'()*+,;=~-._"


class MalformedKey(ValueError):
    """A key in etcd that does not name an object."""


class ObjectKey(NamedTuple):
    """Names one object: proton, object type, and the value of its primary key."""

    proton: str
    object: str
    key: str

    def __str__(self) -> str:
        return f"{self.proton}/{self.object}/{self.key}"

    @property
    def path(self) -> bytes:
        """The three parts as the tail of an etcd key."""
        return f"{self.proton}/{self.object}/{_quoted(self.key)}".encode()


def _quoted(key: str) -> str:
    # Most keys are uuids, and quote() takes ten times as long as this look.
    return key if _PLAIN(key) else quote(key, safe=_SAFE)


PROTON = b"/proton/"
CONTROLLER = b"/controller/"
PORT_REGISTRATION = b"/gluon/port/"
PUBLISHER = b"/gluon/publisher/"
SHIM = b"/shim/"


def desired(key: ObjectKey) -> bytes:
    """Where proton-server publishes the object."""
    return PROTON + key.path


def desired_prefix(proton: str) -> bytes:
    """All that is wanted of one proton."""
    return PROTON + proton.encode() + b"/"


def answer(key: ObjectKey) -> bytes:
    """Where a shim answers for the object."""
    return CONTROLLER + key.path


def answer_prefix(proton: str) -> bytes:
    """All answers for one proton."""
    return CONTROLLER + proton.encode() + b"/"


def port_registration(key: str) -> bytes:
    """Which proton owns the port with this key."""
    return PORT_REGISTRATION + _quoted(key).encode()


def publisher(session: str) -> bytes:
    """Lives, on a lease, as long as that publisher session may write."""
    return PUBLISHER + session.encode()


def leader(controller: str) -> bytes:
    """Lives, on a lease, as long as one shim of this controller is active."""
    return SHIM + controller.encode() + b"/leader"


def applied(controller: str, key: ObjectKey) -> bytes:
    """What this controller's backend was last told of the object."""
    return applied_prefix(controller) + key.path


def applied_prefix(controller: str) -> bytes:
    """All applied records of one controller."""
    return SHIM + controller.encode() + b"/applied/"


def parse(path: bytes, prefix: bytes) -> ObjectKey:
    """Reads the object's name back from `path`, which begins with `prefix`.

    `prefix` is `PROTON`, `CONTROLLER` or an `applied_prefix`.

    Raises:
        MalformedKey: longer than `MAX_KEY_LENGTH`, not three parts, an empty part, not UTF-8,
            or percent-encoded in another way than ours: each object has one key only.
    """
    if len(path) > MAX_KEY_LENGTH:
        raise MalformedKey(f"key of {len(path)} bytes, longer than {MAX_KEY_LENGTH}: {path[:64]!r}...")
    try:
        proton, name, key = path.removeprefix(prefix).split(b"/")
    except ValueError:
        proton = name = key = b""
    if not (proton and name and key):
        raise MalformedKey(f"expected {prefix.decode()}<proton>/<Object>/<key>, got {path!r}")
    try:
        found = ObjectKey(proton.decode(), name.decode(), unquote_to_bytes(key).decode())
    except UnicodeDecodeError as error:
        raise MalformedKey(f"not UTF-8: {path!r}") from error
    if prefix + found.path != path:
        raise MalformedKey(f"expected {(prefix + found.path).decode()}, got {path!r}, which names the same object")
    return found
