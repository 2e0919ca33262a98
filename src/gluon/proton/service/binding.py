"""The bindings of a port as a pure state machine over their rows.

    state     vif_type    the binding is
    PENDING   none        asked for: waiting for a controller's answer
    PENDING   set         bound, and asked for again: activated, or with a new profile
    BOUND     set         bound
    FAILED    none        refused, or not answered in time
    LOST      none        answered once, and no controller has it any more

A change of the port *asks* for a bind by a new token, which is published with the port.  An answer
counts if it is for the binding's host and carries its token.  There is no order to compare, so this
holds as well when the database or etcd comes back from a backup.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec
from msgspec.structs import replace

from gluon.contract.records import BINDING_FAILED, UNBOUND, BindingAnswer
from gluon.proton.service.errors import Conflict
from gluon.proton.storage import BindingState, StoredBinding
from gluon.schema import Value

_WHO_AND_WHERE = ("host_id", "device_id")
_BIND_ATTRIBUTES = (*_WHO_AND_WHERE, "mac_address", "vnic_type", "profile")
"""The attributes that a controller goes by when it binds."""

Rows: TypeAlias = tuple[StoredBinding, ...]


class Asked(NamedTuple):
    """A bind that a request asks for."""

    host: str
    token: str


def is_wanted(attributes: Mapping[str, Value]) -> bool:
    """Whether the port is to be bound: host_id and device_id are both set."""
    return all(attributes[name] for name in _WHO_AND_WHERE)


def active(rows: Sequence[StoredBinding]) -> StoredBinding | None:
    """The active one of a port's bindings."""
    return next((each for each in rows if each.active), None)


def is_plugged(binding: StoredBinding) -> bool:
    """Whether a VM may be using it: it is bound, or bound and asked for again."""
    return bool(binding.vif_type)


def rows_after(
    port: str,
    before: Mapping[str, Value] | None,
    after: Mapping[str, Value],
    named: Collection[str],
    rows: Sequence[StoredBinding],
    *,
    token: str,
    moment: str,
) -> Rows:
    """The bindings of a port after a create or an update.

    A change of the host is a binding of another host: the former row goes.  On the same host the row
    stays, and gets the new token if the change asks for a bind.

    Args:
        port: the port's key.
        before: its attributes as they were; None for a create.
        after: the attributes as they will be.
        named: the attributes that the request names, changed or not.
        rows: the bindings as they are.
        token: names the request, if the change turns out to ask for a bind.
        moment: now.
    """
    now = active(rows)
    if not is_wanted(after):
        return () if _unbinds(after, named, rows) else tuple(rows)
    host = str(after["host_id"])
    others = [_with_vm(each, after, moment) for each in rows if not each.active and each.host != host]
    if now is None or now.host != host:
        return (_begun(port, after, _prepared(rows, host), token=token, moment=moment), *others)
    if before is None or not _asks(before, after, named, now):
        return (now, *others)
    same_vm = same(now.device_id, after["device_id"])
    return (_begun(port, after, now if same_vm else None, token=token, moment=moment, since=now.created_at), *others)


def asked(rows: Sequence[StoredBinding], named: Collection[str]) -> Asked | None:
    """The bind that a request has to wait for: one that it asks for, or that it repeats while it goes on.

    Args:
        rows: the bindings after the change.
        named: the attributes that the request names.
    """
    now = active(rows)
    if now is None or now.state is not BindingState.PENDING:
        return None
    return Asked(now.host, now.token) if any(name in named for name in _BIND_ATTRIBUTES) else None


def refuse_change_of_bound(
    before: Mapping[str, Value], after: Mapping[str, Value], named: Collection[str], rows: Sequence[StoredBinding]
) -> None:
    """Refuses to change attributes that a bound port's VM already has, as Neutron does.

    Raises:
        Conflict: mac_address or vnic_type of a bound port.
    """
    if not is_wanted(after) and _unbinds(after, named, rows):
        return
    now = active(rows)
    plugged = [each for each in rows if is_plugged(each)]
    for name, bound in (("mac_address", plugged), ("vnic_type", [each for each in plugged if each is now])):
        if bound and not same(before.get(name), after.get(name)):
            raise Conflict(
                f"{name} of a port that is bound, to {bound[0].host}, can't be changed; unbind the port first: set "
                "host_id or device_id to null, in the same request or before it"
            )


def activated(rows: Sequence[StoredBinding], host: str, *, token: str, moment: str) -> Rows:
    """The bindings after that of `host` has become the active one; it is bound again, without unbinding.

    The former active one becomes inactive, and stays as it is otherwise.
    """
    return tuple(
        replace(each, active=True, token=token, state=BindingState.PENDING, reason="", updated_at=moment)
        if each.host == host
        else replace(each, active=False, updated_at=moment)
        if each.active
        else each
        for each in rows
    )


def answered(binding: StoredBinding, answer: BindingAnswer | None, *, moment: str, gone: str = "") -> StoredBinding:
    """The binding after an answer; the same one if the answer says nothing new.

    Args:
        binding: as it is.
        answer: a controller's answer for the port's binding to this host; None: none has it.
        moment: now.
        gone: why a binding that no controller has counts as lost; empty: that its controller dropped it.
    """
    if answer is None:
        return _lost(binding, gone, moment)
    if answer.token != binding.token or answer.vif_type in ("", UNBOUND):
        # For another request, or no more than a claim; but a key in etcd has one owner, so if it is another's,
        # whoever had the port has let it go.
        has_changed_hands = is_plugged(binding) and binding.controller not in ("", answer.controller)
        return _lost(binding, "", moment) if has_changed_hands else binding
    if answer.vif_type == BINDING_FAILED:
        reason = answer.reason or f"controller {answer.controller} refused the bind and gave no reason"
        wanted = _failed(binding, reason, controller=answer.controller)
    else:
        wanted = replace(
            binding,
            state=BindingState.BOUND,
            controller=answer.controller,
            vif_type=answer.vif_type,
            vif_details=answer.vif_details,
            reason=answer.reason,
        )
    return binding if same_binding(binding, wanted) else replace(wanted, updated_at=moment)


def given_up(binding: StoredBinding, reason: str, *, held: bool, moment: str) -> StoredBinding:
    """The pending binding after nobody has answered in time.

    Args:
        binding: as it is.
        reason: why nobody did.
        held: a controller has the port on this host, by an earlier request: it is still plugged.
        moment: now.
    """
    if is_plugged(binding) and held:
        return replace(binding, state=BindingState.BOUND, reason=reason, updated_at=moment)
    return replace(_failed(binding, reason), updated_at=moment)


def same(one: Value, other: Value) -> bool:
    """Whether two values are the same JSON; to Python 1 and true are equal."""
    if isinstance(one, dict | list) or type(one) is not type(other):
        return _encoder.encode(one) == _encoder.encode(other)
    return one == other


def same_binding(one: StoredBinding, other: StoredBinding) -> bool:
    """Whether two rows are the same JSON."""
    return one is other or bool(_encoder.encode(one) == _encoder.encode(other))


def _unbinds(after: Mapping[str, Value], named: Collection[str], rows: Sequence[StoredBinding]) -> bool:
    """Whether a request that leaves the port without host or VM takes its bindings away.

    It doesn't where only inactive ones are left, which can still be activated, unless it says so.
    """
    return active(rows) is not None or any(name in named and not after[name] for name in _WHO_AND_WHERE)


def _with_vm(binding: StoredBinding, after: Mapping[str, Value], moment: str) -> StoredBinding:
    device_id = _text(after["device_id"])
    return binding if binding.device_id == device_id else replace(binding, device_id=device_id, updated_at=moment)


def _asks(before: Mapping[str, Value], after: Mapping[str, Value], named: Collection[str], now: StoredBinding) -> bool:
    """Whether a change of a port that stays on its host asks for a bind."""
    # Nova writes {} where nothing is set.
    if not (same(now.device_id, after["device_id"]) and same(now.profile or None, after["profile"] or None)):
        return True
    given_up = now.state in (BindingState.FAILED, BindingState.LOST) or _is_in_trouble(before)
    if given_up and any(name in named for name in _WHO_AND_WHERE):
        return True
    # While a port is bound these don't change (`refuse_change_of_bound`).
    return any(not same(before.get(name), after.get(name)) for name in ("mac_address", "vnic_type"))


def _is_in_trouble(port: Mapping[str, Value]) -> bool:
    """Whether a controller says that a port does not work, which is meant to: asking again may mend it."""
    return bool(port.get("admin_state_up")) and port.get("status") in ("DOWN", "ERROR")


def _prepared(rows: Sequence[StoredBinding], host: str) -> StoredBinding | None:
    """The inactive binding to this host, which now becomes the active one."""
    return next((each for each in rows if each.host == host and not each.active), None)


def _begun(
    port: str,
    after: Mapping[str, Value],
    plugged: StoredBinding | None,
    *,
    token: str,
    moment: str,
    since: str = "",
) -> StoredBinding:
    """The active binding, asked for; it stays plugged as `plugged` is."""
    keep = plugged is not None and is_plugged(plugged)
    return StoredBinding(
        port=port,
        host=str(after["host_id"]),
        token=token,
        controller=plugged.controller if plugged is not None and keep else "",
        vnic_type=_text(after["vnic_type"]),
        profile=after["profile"],
        device_id=_text(after["device_id"]),
        vif_type=plugged.vif_type if plugged is not None and keep else "",
        vif_details=plugged.vif_details if plugged is not None and keep else {},
        created_at=plugged.created_at if plugged is not None else since or moment,
        updated_at=moment,
    )


def _unplugged(binding: StoredBinding, moment: str) -> StoredBinding:
    """Asked for again, and not bound any more meanwhile."""
    return replace(binding, controller="", vif_type="", vif_details={}, updated_at=moment)


def _lost(binding: StoredBinding, gone: str, moment: str) -> StoredBinding:
    if binding.state is BindingState.PENDING and is_plugged(binding):
        return _unplugged(binding, moment)
    # Nobody had a bind that was given up for lack of an answer: its reason stays.
    refused = binding.state is BindingState.FAILED and bool(binding.controller)
    if binding.state is not BindingState.BOUND and not refused:
        return binding
    gone = gone or f"controller {binding.controller or 'unknown'} no longer has it on {binding.host}"
    again = "set host_id or device_id again to bind once more"
    if not binding.active:
        again = "delete this binding and create it again"
    return replace(
        binding,
        state=BindingState.LOST,
        vif_type="",
        vif_details={},
        reason=f"{gone}; {again}",
        updated_at=moment,
    )


def _failed(binding: StoredBinding, reason: str, controller: str = "") -> StoredBinding:
    return replace(
        binding, state=BindingState.FAILED, controller=controller, vif_type="", vif_details={}, reason=reason
    )


def _text(value: Value) -> str | None:
    return value if isinstance(value, str) else None


_encoder = msgspec.json.Encoder(order="deterministic")
