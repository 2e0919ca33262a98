"""What a step, and its result, mean for the applied records and for the answer in etcd.

Pure values: `Writes` says what one transaction shall hold, `reconcile.recorder` makes it.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from gluon.contract.keys import ObjectKey
from gluon.contract.records import BINDING_FAILED, AppliedRecord, Attempt, BindingAnswer, Bound, PortAnswer, Status
from gluon.schema.types import Value
from gluon.shim.plan.bindings import arranged, entry_of, expected_answer
from gluon.shim.plan.facts import Identity, is_bound, is_going, port_as_ours
from gluon.shim.plan.steps import Call, Callback, Drop, Refresh
from gluon.shim.state import HeldAnswer, Object, State


class AnswerWrite(Struct, frozen=True):
    """A change of a port's answer key, made only while the key is as `held` says."""

    port: ObjectKey
    answer: PortAnswer | None
    """None deletes the key."""
    held: HeldAnswer


class Writes(Struct, frozen=True, kw_only=True):
    """What to write about one object, in one transaction.

    Should the answer's key have changed meanwhile, a `claim` writes nothing at all, and any other
    step just its records.
    """

    subject: ObjectKey
    """The object that it is about: its writes stay in their order."""
    records: Mapping[ObjectKey, AppliedRecord | None] = {}
    """Applied records by key; None deletes one."""
    answer: AnswerWrite | None = None
    claim: bool = False
    late: ObjectKey | None = None
    """The late call that this takes into account; its note goes."""
    status: Status | None = None
    """What is said of the subject from here on; None: whatever was."""


# -- before a call ---------------------------------------------------------------------------------


def claim(call: Call, state: State, identity: Identity) -> Writes | None:
    """What has to be in etcd before the call is made; None when it is there already.

    A bind claims the port at `/controller/`, so that of two controllers one wins.  Every call
    leaves in the record that it may have been made: what the backend holds is never unknown, not
    even when the wish goes back to what it was before a crash.
    """
    subject = call.object.id
    records = {call.key: _attempting(call, state.records.get(call.key))}
    answer = None
    if call.callback is Callback.BIND_PORT:
        records[subject] = _brought_along(call, state.records.get(subject))
        answer = _claim_answer(call, state, identity)
    changed = {key: record for key, record in records.items() if record != state.records.get(key)}
    if not changed and answer is None:
        return None
    return Writes(subject=subject, records=changed, answer=answer, claim=answer is not None)


def _attempting(call: Call, record: AppliedRecord | None) -> AppliedRecord:
    """The record of an object while the call is under way.

    Until a call has succeeded for the first time the record is `claimed`, and its attributes are
    those of the call; nothing more has to be known, since taking it away again needs no more.  A later
    call is noted beside what is applied for certain.  After a delete that may have been made nothing
    is certain any more, so the record turns into a claim again.
    """
    if record is None:
        return _record(call.object, claimed=True)
    if call.callback.removes and record.claimed and record.attempt is None:
        return record
    attributes = dict(call.object.attributes)
    if record.claimed and record.attempt is None and record.attributes == attributes:
        return record
    attempt = Attempt(callback=call.callback, attributes=attributes)
    return replace(record, attempt=attempt, claimed=record.claimed or (is_going(record) and not call.callback.removes))


def _brought_along(call: Call, record: AppliedRecord | None) -> AppliedRecord:
    """The port's own record while it is bound: the bind tells the backend of the port as well."""
    if record is None:
        return _record(call.object, claimed=True)
    attributes = dict(call.object.attributes)
    if record.attributes == attributes and record.attempt is None:
        return record
    attempt = Attempt(callback=Callback.MODIFY_PORT, attributes=attributes)
    return replace(record, attempt=attempt, claimed=record.claimed or is_going(record))


def _claim_answer(call: Call, state: State, identity: Identity) -> AnswerWrite | None:
    port, host = call.object.id, call.host
    held = state.answer(port)
    entries = held.answer.bindings
    if host in entries and entries[host].controller == identity.controller:
        return None  # Ours already; while it is bound again, what it was answered with stays.
    entry = BindingAnswer(controller=identity.controller, host_id=host, token=call.token, revision=call.object.revision)
    return AnswerWrite(port, arranged(port, {**entries, host: entry}, state), held)


def _record(obj: Object, *, claimed: bool = False, references: dict[str, str] | None = None) -> AppliedRecord:
    return AppliedRecord(
        attributes=obj.attributes if isinstance(obj.attributes, dict) else dict(obj.attributes),
        revision=obj.revision,
        claimed=claimed,
        references=references or {},
    )


# -- after a call ----------------------------------------------------------------------------------


def bound(call: Call, vif_type: str, vif_details: dict[str, Value], state: State, identity: Identity) -> Writes:
    """bind_port has answered."""
    result = Bound(token=call.token, vif_type=vif_type, vif_details=vif_details)
    records = {call.key: replace(_record(call.object), bound=result)}
    if _speaks_for_port(call, state, identity):
        records[call.object.id] = _record(call.object)
    return _bind_result(call, records, state, identity)


def _speaks_for_port(call: Call, state: State, identity: Identity) -> bool:
    """Whether the port itself is now as this bind told the backend.

    A second binding tells of the same port with another host, so it is not what the port's own
    record is about, unless the backend has heard of the port in no other way.
    """
    desired, record = state.desired.find(call.object.id), state.records.get(call.object.id)
    if call.object.active or record is None or record.claimed or desired is None:
        return True
    return port_as_ours(desired, state, identity).attributes == call.object.attributes


def bind_refused(call: Call, reason: str, state: State, identity: Identity) -> Writes:
    """bind_port has refused.

    A port that was not bound is answered `binding_failed`, and Nova goes elsewhere.  One that is
    bound stays as it is bound, with the reason: a running VM keeps its network.
    """
    before = state.records.get(call.key)
    result = Bound(token=call.token, vif_type=BINDING_FAILED, reason=reason)
    if before is not None and before.bound is not None and is_bound(before):
        result = replace(before.bound, token=call.token, reason=reason)
    records = {call.key: replace(_record(call.object), bound=result)}
    return _bind_result(call, records, state, identity)


def _bind_result(call: Call, records: dict[ObjectKey, AppliedRecord], state: State, identity: Identity) -> Writes:
    """The claim decides: a result that comes when it is no longer ours is recorded and not answered.

    The plan then finds a port that is bound here and claimed by another, and unbinds it here.
    """
    port, host = call.object.id, call.host
    held = state.answer(port)
    entries = held.answer.bindings
    answer = None
    if host in entries and entries[host].controller == identity.controller:
        entry = entry_of(port, host, records[call.key], state, identity)
        answer = AnswerWrite(port, arranged(port, {**entries, host: entry}, state), held)
    return Writes(subject=port, records=records, answer=answer)


def succeeded(call: Call, state: State, identity: Identity) -> Writes:
    """Any callback but bind_port has succeeded."""
    if call.callback is Callback.UNBIND_PORT:
        return _unbound(call, state, identity)
    if not call.callback.removes:
        return Writes(subject=call.object.id, records={call.key: _record(call.object, references=call.references)})
    held = state.answer(call.object.id)
    gone = call.callback is Callback.DELETE_PORT and call.object.id not in state.desired
    drop = gone and held.exists and not held.answer.bindings
    answer = AnswerWrite(call.object.id, None, held) if drop else None
    return Writes(subject=call.object.id, records={call.key: None}, answer=answer)


def _unbound(call: Call, state: State, identity: Identity) -> Writes:
    port, host = call.object.id, call.host
    held = state.answer(port)
    entries = dict(held.answer.bindings)
    answer = None
    if host in entries and entries[host].controller == identity.controller:
        del entries[host]
        answer = AnswerWrite(port, arranged(port, entries, state), held)
    elif not entries and held.answer.controller == identity.controller:
        answer = AnswerWrite(port, arranged(port, {}, state), held)  # Of the version before: no host.
    return Writes(subject=port, records={call.key: None}, answer=answer)


def bind_overdue(call: Call, reason: str, state: State, identity: Identity) -> Writes | None:
    """A bind does not succeed: nobody has to wait for it.  None when nothing is to be said.

    The port is answered `binding_failed`, and the shim goes on trying.  A port that is bound
    already, and is being bound again, stays as it is.
    """
    port, host = call.object.id, call.host
    record, held = state.records.get(call.key), state.answer(port)
    entry = held.answer.bindings.get(host)
    if entry is None or entry.controller != identity.controller or (record is not None and is_bound(record)):
        return None
    failed = replace(entry, token=call.token, vif_type=BINDING_FAILED, vif_details={}, reason=reason)
    if failed == entry:
        return None
    return Writes(
        subject=port, answer=AnswerWrite(port, arranged(port, {**held.answer.bindings, host: failed}, state), held)
    )


# -- the answer alone ------------------------------------------------------------------------------


def refreshed(step: Refresh, state: State) -> Writes:
    """The port's answer says what is."""
    return Writes(subject=step.port, answer=AnswerWrite(step.port, step.answer, state.answer(step.port)))


def dropped(step: Drop, state: State) -> Writes:
    """The answer's key goes."""
    return Writes(subject=step.port, answer=AnswerWrite(step.port, None, state.answer(step.port)))


__all__ = [
    "AnswerWrite",
    "Writes",
    "bind_overdue",
    "bind_refused",
    "bound",
    "claim",
    "dropped",
    "expected_answer",
    "refreshed",
    "succeeded",
]
