"""What a step, and its result, mean for the applied record and the answer in etcd."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from gluon.contract.keys import ObjectKey
from gluon.contract.records import BINDING_FAILED, Answer, AppliedRecord, PortBinding
from gluon.schema.types import Base, Value
from gluon.shim.plan.next_step import expected_answer, is_bound, is_deleted
from gluon.shim.plan.steps import Call, Callback, Drop, Refresh
from gluon.shim.state import HeldAnswer, Object, State


class Writes(Struct, frozen=True, kw_only=True):
    """What to write for one key, in one transaction.

    The answer is written only while its key is as the state holds it; should another controller
    have been faster, a `claim` writes nothing at all, and any other step just its record.
    """

    key: ObjectKey
    base: Base
    record: AppliedRecord | UnsetType | None = UNSET
    """The applied record; None deletes it, UNSET leaves it."""
    answer: Answer | UnsetType | None = UNSET
    """The answer; None writes `{}`, UNSET leaves it."""
    drop_answer: bool = False
    """Delete the answer's key."""
    claim: bool = False
    held: HeldAnswer | None = None
    """The answer's key as expected; None when the answer is left as it is."""

    @property
    def touches_answer(self) -> bool:
        """Whether the answer's key is written or deleted."""
        return self.drop_answer or self.answer is not UNSET


def claim(call: Call, state: State, controller: str) -> Writes | None:
    """What has to be in etcd before the call is made; None when it is there already.

    A bind claims the port at `/controller/`, so that of two controllers one wins.  Every call
    leaves in the record that it may have been made: what the backend holds is never unknown, not
    even when the wish goes back to what it was before a crash.
    """
    obj = call.object
    record = state.records.get(obj.id)
    if call.callback is Callback.BIND_PORT:
        return _claim_bind(obj, record, state, controller)
    claimed = _attempting(call, record)
    return None if claimed == record else Writes(key=obj.id, base=obj.base, record=claimed)


def _attempting(call: Call, record: AppliedRecord | None) -> AppliedRecord:
    """The record of an object while the call is under way."""
    if record is None:
        return _record(call.object, claimed=True)
    if call.callback is Callback.UNBIND_PORT:
        return replace(record, attempted={}) if is_bound(record) else record
    if call.callback.startswith("delete_"):
        return record if record.claimed else replace(record, attempted={})
    attributes = dict(call.object.attributes)
    if record.claimed and record.attempted is None and record.attributes == attributes:
        return record
    return replace(record, attempted=attributes, claimed=record.claimed or is_deleted(record))


def _claim_bind(port: Object, record: AppliedRecord | None, state: State, controller: str) -> Writes | None:
    held = state.answer(port.id)
    binding = PortBinding(host_id=str(port["host_id"]), device_id=str(port["device_id"]))
    mine = held.answer is not None and held.answer.controller == controller
    claimed = replace(_attempting(Call(Callback.BIND_PORT, port), record), binding=binding)
    if record == claimed and mine:
        return None
    return Writes(
        key=port.id,
        base=port.base,
        record=claimed,
        answer=Answer(controller=controller, revision=port.revision, host_id=binding.host_id),
        held=held,
        claim=True,
    )


def _record(obj: Object, *, claimed: bool = False, references: dict[str, str] | None = None) -> AppliedRecord:
    return AppliedRecord(
        attributes=dict(obj.attributes) if not isinstance(obj.attributes, dict) else obj.attributes,
        revision=obj.revision,
        claimed=claimed,
        references=references or {},
    )


def bound(call: Call, vif_type: str, vif_details: dict[str, Value], state: State, controller: str) -> Writes:
    """bind_port has answered."""
    return _bind_result(call.object, state, controller, vif_type, vif_details, "")


def bind_refused(call: Call, reason: str, state: State, controller: str) -> Writes:
    """bind_port has refused: the port stays claimed, and Nova is told to go elsewhere."""
    return _bind_result(call.object, state, controller, BINDING_FAILED, {}, reason)


def _bind_result(
    port: Object, state: State, controller: str, vif_type: str, vif_details: dict[str, Value], reason: str
) -> Writes:
    refused = vif_type == BINDING_FAILED
    record = replace(
        replace(state.records[port.id], revision=port.revision) if refused else _record(port),
        binding=PortBinding(
            host_id=str(port["host_id"]),
            device_id=str(port["device_id"]),
            vif_type=vif_type,
            vif_details=vif_details,
            reason=reason,
        ),
    )
    answer = expected_answer(port, record, controller)
    return Writes(key=port.id, base=port.base, record=record, answer=answer, held=state.answer(port.id))


def succeeded(call: Call, state: State, controller: str) -> Writes:
    """Any callback but bind_port has succeeded."""
    obj, held = call.object, state.answer(call.object.id)
    mine = held.exists and (held.answer is None or held.answer.controller == controller)
    if call.callback is Callback.UNBIND_PORT:
        before = state.records[obj.id]
        record = replace(before, binding=None, attempted=before.attempted or None)
        theirs = held.answer is not None and not mine
        return Writes(
            key=obj.id, base=obj.base, record=record, answer=UNSET if theirs else None, held=None if theirs else held
        )
    if call.callback.startswith("delete_"):
        return Writes(key=obj.id, base=obj.base, record=None, drop_answer=mine, held=held if mine else None)
    record = replace(_record(obj, references=call.references), binding=state.records[obj.id].binding)
    if obj.base is Base.PORT:
        answer = expected_answer(obj, record, controller)
        stale = mine and held.answer is not None
        return Writes(
            key=obj.id, base=obj.base, record=record, answer=answer if stale else UNSET, held=held if stale else None
        )
    return Writes(key=obj.id, base=obj.base, record=record, drop_answer=mine, held=held if mine else None)


def report(call: Call, reason: str, state: State, controller: str) -> Writes | None:
    """A callback keeps failing, or was refused: say why.  None when it was said already.

    A port that waits for its bind is answered `binding_failed`: the shim goes on trying, but
    nobody has to wait for it.
    """
    obj, held = call.object, state.answer(call.object.id)
    record = state.records.get(obj.id)
    host = ""
    answer = Answer(controller=controller, revision=obj.revision, reason=reason)
    if record is not None and record.binding is not None:
        host = record.binding.host_id
        answer = replace(answer, host_id=host, vif_type=record.binding.vif_type, vif_details=record.binding.vif_details)
    if call.callback is Callback.BIND_PORT:
        answer = replace(answer, vif_type=BINDING_FAILED)
    others = held.answer is not None and held.answer.controller != controller
    if answer == held.answer or (others and held.answer is not None and held.answer.host_id):
        return None
    return Writes(key=obj.id, base=obj.base, answer=answer, held=held)


def refreshed(step: Refresh, state: State, controller: str) -> Writes:
    """The port's answer, and its record's revision, brought up to the port's revision."""
    port, held = step.object, state.answer(step.object.id)
    record = state.records.get(port.id)
    if record is None or record.binding is None:
        return Writes(key=port.id, base=port.base, answer=None, held=held)
    record = replace(record, revision=port.revision)
    answer = expected_answer(port, record, controller)
    return Writes(key=port.id, base=port.base, record=record, answer=answer, held=held)


def dropped(step: Drop, state: State) -> Writes:
    """The answer's key goes."""
    held = state.answer(step.key)
    base = state.proton.objects[step.key.object].base
    return Writes(key=step.key, base=base, drop_answer=True, held=held)
