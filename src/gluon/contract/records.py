"""The values in etcd: frozen types with their JSON encoders and decoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from gluon.schema.types import Value

BINDING_FAILED = "binding_failed"
"""vif_type of a port whose bind was tried and refused; Nova reschedules on it."""

UNBOUND = "unbound"
"""vif_type of a port that is not bound."""


BIND_ATTRIBUTES = ("host_id", "device_id", "vnic_type", "profile")
"""What a bind is made from: a change of one of these on a bound port means unbind, then bind.
Neutron's ML2 rebinds on host, vnic_type and profile alike.  Server and shim go by the same list."""


class MalformedRecord(ValueError):
    """A value in etcd that is not what its key promises."""


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`/controller/<proton>/<Object>/<key>`: what a shim says of one object.

    Of a port:

    * `vif_type` empty and no `reason`: the controller claimed the port and is binding it;
    * `vif_type` set: the bind's result, `binding_failed` with a `reason` included;
    * `{}` (None in Python): the port is not bound.

    Of any object: a `reason` says why the controller has not applied it.
    """

    controller: str
    """The name of the shim that answers."""
    revision: int
    """mod_revision of the `/proton/` key that it answers."""
    host_id: str = ""
    """The host that the port is claimed for or bound on."""
    vif_type: str = ""
    vif_details: dict[str, Value] = {}
    reason: str = ""
    """A sentence for the operator: why the bind failed, or why the object is not applied."""


class PortRegistration(Struct, frozen=True, kw_only=True):
    """`/gluon/port/<uuid>`: which proton owns the port."""

    tenant_id: str
    service: str
    """The proton's name."""
    url: str
    """The proton's REST URL, e.g. `http://127.0.0.1:2705/proton/net-l3vpn/v1.0`."""


class PortBinding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A port's side of an applied record: the host it is claimed for, and how it is plugged."""

    host_id: str
    device_id: str = ""
    vif_type: str = ""
    """Empty from the claim until the backend has answered; `binding_failed` once it refused."""
    vif_details: dict[str, Value] = {}
    reason: str = ""
    """Why it refused."""


class AppliedRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`/shim/<controller>/applied/<proton>/<Object>/<key>`: what the backend was told.

    Written before each call that may change what the backend holds (`claimed`, `attempted`), and
    again after each success, so that after a crash at any point the shim still knows all that the
    backend may hold.
    """

    attributes: dict[str, Value]
    """As last applied; while `claimed`, as about to be applied for the first time."""
    revision: int
    """mod_revision of the `/proton/` key that was applied."""
    claimed: bool = False
    """No call has succeeded yet, though one may have been made."""
    attempted: dict[str, Value] | None = None
    """Attributes of a later call that has not succeeded yet, though it may have been made; `{}`
    for a delete or an unbind.  None: the backend has `attributes` for certain."""
    references: dict[str, str] = {}
    """For each object that this one's list attributes name, `<Object>/<key>`: a digest of the
    attributes it had."""
    binding: PortBinding | None = None
    """Of a port that is bound, or claimed for a bind, by this controller."""


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


def decode_answer(data: bytes) -> Answer | None:
    """Reads an answer; None for `{}`, the answer of an unbound port.

    Raises:
        MalformedRecord: as `decode`.
    """
    return None if data.translate(None, b" \t\r\n") == UNBOUND_ANSWER else decode(Answer, data)


UNBOUND_ANSWER = b"{}"
"""What a shim leaves at `/controller/` of a port that it has unbound."""

_attributes_decoder = msgspec.json.Decoder(dict[str, Any])


def encode_attributes(attributes: Mapping[str, Value]) -> bytes:
    """The value of a `/proton/` key: attributes by name, in JSON's native types, names sorted."""
    return _encoder.encode(dict(attributes))


def decode_attributes(data: bytes) -> dict[str, Value]:
    """Reads the value of a `/proton/` key; whether it fits the model is not checked here.

    Raises:
        MalformedRecord: not a JSON object.
    """
    try:
        return _attributes_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedRecord(f"expected a JSON object: {error}") from error
