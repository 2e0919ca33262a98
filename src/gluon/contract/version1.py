"""Reads the applied records of version 1, the version before this one.

To be deleted with the version after next.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import BINDING_FAILED, AppliedRecord, Attempt, Bound
from gluon.schema.types import Value


class _Binding(Struct, frozen=True, kw_only=True):
    host_id: str
    device_id: str = ""
    vif_type: str = ""
    vif_details: dict[str, Value] = {}
    reason: str = ""


class _Record(Struct, frozen=True, kw_only=True):
    attributes: dict[str, Value]
    revision: int
    claimed: bool = False
    attempted: dict[str, Value] | None = None
    references: dict[str, str] = {}
    binding: _Binding | None = None


_decoder = msgspec.json.Decoder(_Record)


def upgraded_record(key: ObjectKey, data: bytes) -> dict[ObjectKey, AppliedRecord] | None:
    """An applied record of the version before, as records of this one.

    There a port's record held its binding as well.  An empty `attempted` stood for a delete that may
    have been made, or for an unbind where the port had a binding.

    Returns:
        The records by key, None when `data` is not of that version: it has neither of the two.
    """
    try:
        old = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if old.attempted is None and old.binding is None:
        return None
    record = AppliedRecord(
        attributes=old.attributes,
        revision=old.revision,
        claimed=old.claimed,
        attempt=_attempt(old),
        references=old.references,
    )
    if old.binding is None:
        return {key: record}
    return {key: record, keys.binding(key, old.binding.host_id): _binding_record(old, old.binding)}


def _attempt(old: _Record) -> Attempt | None:
    """A call that may have changed the object itself."""
    if old.attempted:
        # A bind brings the port along, so after one that may have been made the port is as uncertain
        # as after a modify.
        return Attempt(callback="modify_object", attributes=old.attempted)
    if old.attempted is None or old.binding is not None:
        return None
    return Attempt(callback="delete_object", attributes=old.attributes)


def _binding_record(old: _Record, binding: _Binding) -> AppliedRecord:
    if not binding.vif_type:
        # The bind has no answer yet.  Its attributes are those that it was called with.
        return AppliedRecord(attributes=old.attempted or old.attributes, revision=old.revision, claimed=True)
    attempt = None
    if old.attempted == {}:
        attempt = Attempt(callback="unbind_port", attributes=old.attributes)
    return AppliedRecord(
        attributes=(old.attempted if binding.vif_type == BINDING_FAILED else None) or old.attributes,
        revision=old.revision,
        attempt=attempt,
        bound=Bound(vif_type=binding.vif_type, vif_details=binding.vif_details, reason=binding.reason),
    )
