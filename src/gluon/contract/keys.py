"""Every key that Gluon uses in etcd, and how to read one back.

    /proton/<proton>/<Object>/<key>                    proton-server   desired state
    /controller/<proton>/Port/<uuid>                   shims           who has the port, and how
    /status/<controller>                               a shim          its leader is alive (lease)
    /status/<controller>/<proton>/<Object>/<key>       a shim          how the object fares there
    /gluon/port/<uuid>                                 proton-server   which proton owns a port
    /gluon/publisher/<session>                         proton-server   its publisher is alive (lease)
    /gluon/epoch                                       proton-server   which database filled this etcd
    /gluon/serial                                      proton-server   how far it was filled
    /shim/<controller>/leader                          a shim          who is active (lease)
    /shim/<controller>/term                            a shim          the number of its term
    /shim/<controller>/applied/<proton>/<Object>/<key> a shim          the object as the backend got it
    /shim/<controller>/late/<proton>/<Object>/<key>    a shim, and     a call that ended after its term
                                                       proton-server   or is known to nobody else
    /shim/<controller>/lost/<proton>                   a shim          its SDN controller came back empty
    /shim/<controller>/requests/<id>                   gluon-manage    a request of an operator
    /shim/<controller>/results/<id>                    a shim          the result of a request

An object's key is percent-encoded (RFC 3986) where it would break the path: `/`, `%`, control
characters and everything that is not ASCII.  etcd's keys are bytes, and so are ours.

A port's binding is named as an object of its own, by port and host: `Port.binding` is the object,
`<port>@<host>` the key.  No object of a model has a dot in its name, and a port's key is a UUID, so
neither can be mistaken.
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
EPOCH = b"/gluon/epoch"
SERIAL = b"/gluon/serial"
STATUS = b"/status/"
SHIM = b"/shim/"

_BINDING = ".binding"


def desired(key: ObjectKey) -> bytes:
    """Where proton-server publishes the object."""
    return PROTON + key.path


def desired_prefix(proton: str) -> bytes:
    """The desired state of one proton."""
    return PROTON + proton.encode() + b"/"


def binding(port: ObjectKey, host: str) -> ObjectKey:
    """Names the binding of a port to a host."""
    return ObjectKey(port.proton, port.object + _BINDING, f"{port.key}@{host}")


def is_binding(key: ObjectKey) -> bool:
    """Whether the key names a port's binding."""
    return key.object.endswith(_BINDING)


def port_and_host(key: ObjectKey) -> tuple[ObjectKey, str]:
    """The port and the host of a binding's key."""
    port, _, host = key.key.partition("@")
    return ObjectKey(key.proton, key.object.removesuffix(_BINDING), port), host


def answer(port: ObjectKey) -> bytes:
    """Where controllers claim a port and answer how it is bound."""
    return CONTROLLER + port.path


def status(controller: str, key: ObjectKey) -> bytes:
    """How the object fares at this controller."""
    return status_prefix(controller) + key.path


def status_prefix(controller: str) -> bytes:
    """How all objects fare at one controller."""
    return STATUS + controller.encode() + b"/"


def controller_status(controller: str) -> bytes:
    """Lives, on a lease, as long as the controller has a leader."""
    return STATUS + controller.encode()


def parse_status(path: bytes) -> tuple[str, ObjectKey | None]:
    """Reads a key below `STATUS`: the controller and the object, which is None for the controller itself.

    Raises:
        MalformedKey: as `parse`, or a controller's name that is empty or not UTF-8.
    """
    name, slash, _ = path.removeprefix(STATUS).partition(b"/")
    if not name:
        raise MalformedKey(f"expected {STATUS.decode()}<controller>, got {path[:64]!r}")
    try:
        controller = name.decode()
    except UnicodeDecodeError as error:
        raise MalformedKey(f"not UTF-8: {path!r}") from error
    return controller, parse(path, STATUS + name + b"/") if slash else None


def port_registration(key: str) -> bytes:
    """Which proton owns the port with this key."""
    return PORT_REGISTRATION + _quoted(key).encode()


def publisher(session: str) -> bytes:
    """Lives, on a lease, as long as that publisher session may write."""
    return PUBLISHER + session.encode()


def leader(controller: str) -> bytes:
    """Lives, on a lease, as long as one shim of this controller is active."""
    return SHIM + controller.encode() + b"/leader"


def term(controller: str) -> bytes:
    """The number of this controller's latest term of leadership."""
    return SHIM + controller.encode() + b"/term"


def late(controller: str, key: ObjectKey) -> bytes:
    """A call for the object that ended after its term, or may be known to nobody; the leader looks after it."""
    return late_prefix(controller) + key.path


def late_prefix(controller: str) -> bytes:
    """All late calls of one controller."""
    return SHIM + controller.encode() + b"/late/"


def lost(controller: str, proton: str) -> bytes:
    """Says that the SDN controller for this proton came back empty; goes once all is applied again."""
    return lost_prefix(controller) + proton.encode()


def lost_prefix(controller: str) -> bytes:
    """All that came back empty of one controller."""
    return SHIM + controller.encode() + b"/lost/"


def request(controller: str, request_id: str) -> bytes:
    """A request of an operator to this controller."""
    return requests_prefix(controller) + request_id.encode()


def requests_prefix(controller: str) -> bytes:
    """All requests to this controller."""
    return SHIM + controller.encode() + b"/requests/"


def result(controller: str, request_id: str) -> bytes:
    """The result of a request."""
    return SHIM + controller.encode() + b"/results/" + request_id.encode()


def applied(controller: str, key: ObjectKey) -> bytes:
    """The object as this controller's backend last got it."""
    return applied_prefix(controller) + key.path


def applied_prefix(controller: str) -> bytes:
    """All applied records of one controller."""
    return SHIM + controller.encode() + b"/applied/"


def parse(path: bytes, prefix: bytes) -> ObjectKey:
    """Reads the object's name back from `path`, which begins with `prefix`.

    `prefix` is `PROTON`, `CONTROLLER`, or one that a function here gives.

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
