"""A port and its bindings: the three rules again, for the port and for each host.

A binding is an object of its own, named by the port and the host.  To modify it is to bind the
port there, to delete it is to unbind it.  What makes it special is the claim: a port is bound by
one controller, and while two hosts are wanted, by one controller on each.

The steps of a port are looked at together, since a backend is called for one of them at a time.
"""

from __future__ import annotations

from collections.abc import Collection

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import AppliedRecord, BindingAnswer, PortAnswer
from gluon.shim.plan.facts import (
    Identity,
    has_bound_host,
    has_failed,
    is_certain,
    is_held_back,
    own_wishes,
    port_as_ours,
    port_is_ours,
    stays,
)
from gluon.shim.plan.objects import delete, modify, previous
from gluon.shim.plan.steps import Call, Callback, Drop, HeldBack, InUse, Nothing, Refresh, Step, Wait
from gluon.shim.plan.uniqueness import taken
from gluon.shim.state import State, Wish


def port_steps(port: ObjectKey, state: State, identity: Identity, ahead: Collection[ObjectKey] = ()) -> list[Step]:
    """The next step of each binding of a port, then the port's own, then its answer's; for `ahead` see `modify`."""
    own = own_wishes(port, state, identity)
    hosts = [*own, *sorted(host for host in state.hosts(port) if host not in own)]
    steps = [_binding_step(port, host, own.get(host), state, identity, ahead) for host in hosts]
    steps.append(_port_step(port, steps, state, identity, ahead))
    if not any(isinstance(step, Call | HeldBack) for step in steps):
        steps.append(_answer_step(port, state, identity))
    return steps


# -- one binding ---------------------------------------------------------------------------------


def _binding_step(
    port: ObjectKey, host: str, wish: Wish | None, state: State, identity: Identity, ahead: Collection[ObjectKey]
) -> Step:
    record = state.records.get(keys.binding(port, host))
    if record is not None and not stays(port, host, state, identity):
        return _unbind(port, host, state, identity)
    if wish is None:
        return Nothing()
    if record is not None and _is_settled(record, wish):
        return Nothing()
    return (
        _in_use(port, host, state, identity)
        or taken(port, state, identity, ahead)
        or Call(Callback.BIND_PORT, wish.port, previous(port, state), token=wish.token, record=keys.binding(port, host))
    )


def _unbind(port: ObjectKey, host: str, state: State, identity: Identity) -> Step:
    key = keys.binding(port, host)
    if is_held_back(key, state):
        return HeldBack()
    applied = state.applied.find(port)
    # While the port stays bound on another host of ours, its service bindings stay as they are.
    if applied is not None and not has_bound_host(port, state, identity):
        for service_binding in state.applied.service_bindings_of(applied):
            return Wait(service_binding.id, "to be deleted")
    return Call(Callback.UNBIND_PORT, state.as_bound(port, host), record=key)


def _is_settled(record: AppliedRecord, wish: Wish) -> bool:
    """Whether the bind that is asked for has its answer.

    A refusal holds until anything about the port changes.  A bind holds while nobody asks again
    and `profile`, which the caller tells the backend through the bind, is the same.
    """
    if not is_certain(record) or record.bound is None or record.bound.token != wish.token:
        return False
    if has_failed(record):
        return record.attributes == wish.port.attributes
    return record.attributes.get("profile") == wish.port.attributes.get("profile")


def _in_use(port: ObjectKey, host: str, state: State, identity: Identity) -> Step | None:
    """Who has the port, so that it can't be bound on the host now.

    Nobody may have it on a host that is not wanted any more: it is unbound there first.
    """
    entries = state.answer(port).answer.bindings
    holder = entries.get(host)
    if holder is not None and holder.controller != identity.controller:
        return InUse(holder.controller)
    for other, entry in entries.items():
        if entry.controller != identity.controller and other not in state.wishes(port):
            return InUse(entry.controller)
    for other in state.hosts(port):
        if other != host and not stays(port, other, state, identity):
            return Wait(keys.binding(port, other), "to be unbound")
    return None


# -- the port itself -------------------------------------------------------------------------------


def _port_step(
    port: ObjectKey, bindings: list[Step], state: State, identity: Identity, ahead: Collection[ObjectKey]
) -> Step:
    desired = state.desired.find(port)
    if desired is None or not port_is_ours(desired, state, identity):
        records = [keys.binding(port, host) for host in state.hosts(port)]
        return delete(port, state, records) or Nothing()
    if not all(isinstance(step, Nothing) for step in bindings) or _is_refused(port, state, identity):
        return Nothing()  # What is due for a binding comes first; a bind brings the port along.
    return modify(port_as_ours(desired, state, identity), state, identity, {}, ahead) or Nothing()


def _is_refused(port: ObjectKey, state: State, identity: Identity) -> bool:
    own = own_wishes(port, state, identity)
    records = (state.records.get(keys.binding(port, host)) for host in own)
    return bool(own) and all(record is not None and has_failed(record) for record in records)


# -- the answer ------------------------------------------------------------------------------------


def _answer_step(port: ObjectKey, state: State, identity: Identity) -> Step:
    held = state.answer(port)
    expected = expected_answer(port, state, identity)
    if port not in state.desired and not state.hosts(port):
        return Drop(port) if held.exists and not expected.bindings else Nothing()
    if _without_revisions(held.answer) == _without_revisions(expected):
        return Nothing()
    return Refresh(port, expected)


def expected_answer(port: ObjectKey, state: State, identity: Identity) -> PortAnswer:
    """What the port's answer should be: what others say, and what our records say."""
    found = state.answer(port).answer
    entries = {host: entry for host, entry in found.bindings.items() if entry.controller != identity.controller}
    for host in state.hosts(port):
        if host not in entries:
            entries[host] = entry_of(port, host, state.records[keys.binding(port, host)], state, identity)
    return arranged(port, entries, state)


def entry_of(port: ObjectKey, host: str, record: AppliedRecord, state: State, identity: Identity) -> BindingAnswer:
    """What we say of one binding."""
    desired, bound = state.desired.find(port), record.bound
    wish = state.wishes(port).get(host)
    answer = BindingAnswer(
        controller=identity.controller,
        host_id=host,
        token=wish.token if wish else "",
        revision=desired.revision if desired else record.revision,
    )
    if bound is None:
        return answer
    return BindingAnswer(
        controller=answer.controller,
        host_id=host,
        token=bound.token,
        revision=answer.revision,
        vif_type=bound.vif_type,
        vif_details=bound.vif_details,
        reason=bound.reason,
    )


def arranged(port: ObjectKey, entries: dict[str, BindingAnswer], state: State) -> PortAnswer:
    """The entries as one answer.

    The place of the active binding goes to the one that is wanted as such; until somebody has
    claimed that, it stays with whoever has it.
    """
    wanted = next((host for host, wish in state.wishes(port).items() if wish.port.active), "")
    now = state.answer(port).answer.active
    host = wanted if wanted in entries else now.host_id if now is not None else ""
    return PortAnswer.of(entries.get(host), (entry for name, entry in entries.items() if name != host))


def _without_revisions(answer: PortAnswer) -> tuple[object, ...]:
    """An answer keeps the revision that it was given for; another one is no news."""

    def members(entry: BindingAnswer) -> tuple[object, ...]:
        return tuple(getattr(entry, name) for name in BindingAnswer.__struct_fields__ if name != "revision")

    return members(answer), [members(entry) for entry in answer.inactive]
