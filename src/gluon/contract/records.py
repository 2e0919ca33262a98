"""The values in etcd: frozen types with their JSON encoders and decoders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from gluon.schema.types import ObjectType, Value

BINDING_FAILED = "binding_failed"
"""vif_type of a port whose bind was tried and refused; Nova reschedules on it."""

UNBOUND = "unbound"
"""vif_type of a port that is not bound."""


class MalformedRecord(ValueError):
    """A value in etcd that doesn't fit its key."""


# -- a port and its bindings ---------------------------------------------------------------------


class WantedBinding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A binding that proton-server wants beside the active one, prepared for a live migration."""

    host_id: str
    token: str = ""
    """Names the request for the bind; the answer carries it back."""
    vnic_type: Value = None
    profile: Value = None


TOKEN = "binding:token"  # noqa: S105 - the name of a member
INACTIVE = "binding:inactive"
"""Members of a published port beside its attributes.  No attribute has a colon in its name."""
REQUEST = "request:id"
"""Member of any published object: the id that the client gave to the request that last changed it; absent: none."""


class BindingAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of a controller for one binding of a port.

    * `vif_type` empty: the controller claimed the port for the host and is binding it;
    * `vif_type` set: the bind's result, `binding_failed` with a `reason` included.
    """

    controller: str = ""
    """The name of the shim that answers."""
    host_id: str = ""
    """The host that the port is claimed for or bound on."""
    token: str = ""
    """The request that is answered, as it was published with the port."""
    revision: int = 0
    """mod_revision of the port's `/proton/` key at that time; only people read it."""
    vif_type: str = ""
    vif_details: dict[str, Value] = {}
    reason: str = ""
    """Why the bind failed, a sentence for the operator."""


class PortAnswer(BindingAnswer, frozen=True, kw_only=True, omit_defaults=True):
    """`/controller/<proton>/Port/<uuid>`: who has the port, and how; `{}` when nobody has.

    One key holds all bindings of a port, so that one compare-and-swap decides who gets which.  Its
    own members are those of the active binding.
    """

    inactive: tuple[BindingAnswer, ...] = ()
    """The other bindings, of a live migration."""

    @classmethod
    def of(cls, active: BindingAnswer | None, inactive: Iterable[BindingAnswer]) -> PortAnswer:
        """Puts the bindings together; the inactive ones in the order of their hosts."""
        ordered = tuple(sorted(inactive, key=lambda each: each.host_id))
        return cls(**_members(active), inactive=ordered) if active else cls(inactive=ordered)

    @property
    def active(self) -> BindingAnswer | None:
        """The active binding; None when nobody has claimed it."""
        return BindingAnswer(**_members(self)) if self.controller and self.host_id else None

    @property
    def bindings(self) -> dict[str, BindingAnswer]:
        """All of them by host, the active one first."""
        active = self.active
        entries = self.inactive if active is None else (active, *self.inactive)
        found: dict[str, BindingAnswer] = {}
        for each in entries:
            found.setdefault(each.host_id, each)
        return found


def _members(answer: BindingAnswer) -> dict[str, Any]:
    return {name: getattr(answer, name) for name in BindingAnswer.__struct_fields__}


NOBODY = PortAnswer()
"""The answer of a port that no controller has."""


# -- the state of objects and of controllers -----------------------------------------------------


State = Literal["", "ACTIVE", "DOWN", "ERROR"]


class Status(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`/status/<controller>/<proton>/<Object>/<key>`: how one object fares at one controller."""

    state: State = ""
    """As the backend reported it; empty: it has not reported."""
    reason: str = ""
    """The backend's reason for the state."""
    failure: str = ""
    """Why the controller has not applied the object; empty: it has, or is about to."""


class ControllerStatus(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`/status/<controller>`: present while the controller has a leader; its configuration and health."""

    controller: str
    leader: str
    """Host and process, for people."""
    fence: int
    """The number of the leader's term; it only grows."""
    handlers: dict[str, str]
    """Which backend handles which proton."""
    hosts: tuple[str, ...]
    health: dict[str, str] = {}
    """Why an SDN controller can't be reached, by proton; those that can be reached are left out."""
    brake: str = ""
    """Why deletions are held back until an operator accepts them; empty: they are not."""


class Request(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`/shim/<controller>/requests/<id>`: a request of an operator to a controller."""

    kind: Literal["audit", "accept"]
    object: str = ""
    """For an audit: `<Object>/<key>` of the only object to look at; empty: all objects."""
    dry_run: bool = False
    """For an audit: report the differences, and change nothing."""
    reapply: bool = False
    """For an audit: apply everything again, without asking what the controller holds."""


class RequestResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`/shim/<controller>/results/<id>`: the result of a request."""

    ok: bool
    message: str
    """A sentence for the operator."""
    missing: tuple[str, ...] = ()
    """Objects that the controller lacked."""
    differing: tuple[str, ...] = ()
    """Objects that it had in another form than they were applied in."""
    orphans: tuple[str, ...] = ()
    """Objects that it had although nobody wants them."""


class PortRegistration(Struct, frozen=True, kw_only=True):
    """`/gluon/port/<uuid>`: which proton owns the port."""

    tenant_id: str
    service: str
    """The proton's name."""
    url: str
    """Where its REST API is served, e.g. `http://127.0.0.1:2705`."""


class Epoch(Struct, frozen=True, kw_only=True):
    """`/gluon/epoch`: one filling of this etcd by a database."""

    database: str
    """The id of the database."""
    id: str
    """A new one each time that everything is published."""
    complete: bool
    """False while it is being filled: an object that is absent may still come."""


# -- a shim's own books -------------------------------------------------------------------------


class Bound(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of a bind, in the applied record of a binding."""

    token: str = ""
    """The request that it answers."""
    vif_type: str
    """`binding_failed` once the backend has refused."""
    vif_details: dict[str, Value] = {}
    reason: str = ""
    """Why it refused."""


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call that may have been made, and is not known to have succeeded."""

    callback: str
    attributes: dict[str, Value]
    """The object as the call had it."""

    @property
    def removes(self) -> bool:
        """Whether it is a delete or an unbind."""
        return self.callback.startswith(("delete_", "unbind_"))


class AppliedRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`/shim/<controller>/applied/<proton>/<Object>/<key>`: an object as the backend got it.

    Written before each call that may change the backend (`claimed`, `attempt`), and again after each
    success, so that after a crash at any point the shim still knows everything that the backend may
    hold.
    """

    attributes: dict[str, Value]
    """As last applied; while `claimed`, as about to be applied for the first time."""
    revision: int
    """mod_revision of the `/proton/` key that was applied."""
    claimed: bool = False
    """No call is known to have succeeded, though one may have been made."""
    attempt: Attempt | None = None
    """A later call that may have been made; None: the backend has `attributes` for certain."""
    references: dict[str, str] = {}
    """A digest of the attributes of each object that a list attribute names, by `<Object>/<key>`."""
    bound: Bound | None = None
    """For a port's binding: the result of the bind; None until there is one."""


class Term(Struct, frozen=True, kw_only=True):
    """`/shim/<controller>/term`: the latest term of leadership."""

    number: int
    """Only grows, through the loss of etcd too; a controller may refuse a smaller one."""
    id: str
    """Belongs to this term alone, so whoever knows it has seen everything that was done before."""
    epoch: str = ""
    """The epoch of etcd at the time."""


T = TypeVar("T", bound=Struct)

_encoder = msgspec.json.Encoder(order="deterministic")
_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


def encode(record: Struct) -> bytes:
    """The record as JSON, members sorted, so that equal records are equal bytes."""
    return _encoder.encode(record)


def decode(record_type: type[T], data: bytes) -> T:
    """Reads one record.

    Raises:
        MalformedRecord: not JSON, a member missing or of the wrong type.
    """
    decoder: msgspec.json.Decoder[T] | None = _decoders.get(record_type)
    if decoder is None:
        decoder = _decoders[record_type] = msgspec.json.Decoder(record_type)
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedRecord(f"{record_type.__name__}: {error}") from error


_attributes_decoder = msgspec.json.Decoder(dict[str, Any])


def encode_attributes(attributes: Mapping[str, Value]) -> bytes:
    """The value of a `/proton/` key: attributes by name, in JSON's native types, names sorted."""
    return _encoder.encode(dict(attributes))


ETCD_REQUEST = 3 * 2**19
"""Most bytes of a request to etcd: 1.5 MiB, the default of its --max-request-bytes."""
RESERVED = 64 * 1024
"""Bytes of a request that are left for what stands beside the attributes: keys, the fence, the result of a bind."""
LARGEST_OBJECT = (ETCD_REQUEST - RESERVED) // 2
"""Largest `recorded_size`.  A shim's record has an object twice, as it was applied and as it is about to be
(`AppliedRecord.attempt`), and must fit one request: an object beyond half of that could be published, but
never be changed."""

_DIGEST = len('"":"0123456789abcdef",/')


def recorded_size(object_type: ObjectType, attributes: Mapping[str, Value]) -> dict[str, int]:
    """Bytes that each attribute takes in a shim's record, once; their sum is compared with `LARGEST_OBJECT`.

    Args:
        object_type: the object's.
        attributes: canonical; what the server itself sets is not published, and not counted.
    """
    sizes: dict[str, int] = {}
    for name, attribute in object_type.attributes.items():
        if attribute.read_only:
            continue
        value = attributes.get(name)
        sizes[name] = len(_encoder.encode(value)) + len(name) + len('"":,')
        if attribute.reference and attribute.is_list:
            # The record has a digest of each object that the list names (`AppliedRecord.references`).
            overhead = len(attribute.reference) + _DIGEST
            sizes[name] += sum(len(item.encode()) + overhead for item in attribute.items(value))
    return sizes


def encode_port(attributes: Mapping[str, Value], token: str, inactive: Iterable[WantedBinding] = ()) -> bytes:
    """The value of a port's `/proton/` key: its attributes, and the members for its bindings.

    Args:
        attributes: as for any object; host_id is that of the active binding.
        token: of the request for the active binding; empty: there is none.
        inactive: the other bindings.
    """
    members: dict[str, Any] = dict(attributes)
    if token:
        members[TOKEN] = token
    others = [asdict(each) for each in sorted(inactive, key=lambda each: each.host_id)]
    if others:
        members[INACTIVE] = others
    return _encoder.encode(members)


def split_port(values: dict[str, Value]) -> tuple[str, tuple[WantedBinding, ...]]:
    """Takes the members for the bindings out of a port's decoded value.

    Returns:
        The token of the active binding, empty where there is none, and the inactive bindings.

    Raises:
        MalformedRecord: a member has the wrong form.
    """
    try:
        token = msgspec.convert(values.pop(TOKEN, ""), str)
        inactive = msgspec.convert(values.pop(INACTIVE, []), tuple[WantedBinding, ...])
    except msgspec.ValidationError as error:
        raise MalformedRecord(f"the port's bindings: {error}") from error
    return token, inactive


def decode_attributes(data: bytes) -> dict[str, Value]:
    """Reads the value of a `/proton/` key; whether it fits the model is not checked here.

    Raises:
        MalformedRecord: not a JSON object.
    """
    try:
        return _attributes_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedRecord(f"expected a JSON object: {error}") from error
