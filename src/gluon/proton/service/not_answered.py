"""Why nobody answered a bind in time, as far as the server knows: a sentence for the operator.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from gluon.contract.keys import ObjectKey
from gluon.contract.records import NOBODY, BindingAnswer, PortAnswer
from gluon.proton.service import port_state
from gluon.proton.storage import StoredBinding, StoredStatus


class Evidence(Struct, frozen=True, kw_only=True):
    """The state of etcd and of the controllers when the time was over."""

    timeout: float
    """How long was waited, in seconds."""
    trouble: str = ""
    """Why changes don't reach the controllers, in etcd's own words; empty: they do."""
    answer: PortAnswer = NOBODY
    """The controllers' latest answer for the port."""
    alive: frozenset[str] = frozenset()
    """The controllers in `answer` that have a living leader."""
    idle: frozenset[str] = frozenset()
    """Those of them whose shim has no handler for the port's proton."""


def why_not_answered(
    port: ObjectKey,
    binding: StoredBinding,
    rows: Sequence[StoredBinding],
    statuses: Sequence[StoredStatus],
    evidence: Evidence,
) -> str:
    """The cause, the best known one first.

    A controller that is alive is never to be released from: it still has the port, and a second one
    would make two owners.  Nor is a port that is wanted where it is, beside this binding, to be let go.

    Args:
        port: the port.
        binding: the one that nobody answered.
        rows: all bindings of the port.
        statuses: all that is said of the port.
        evidence: all else that is known.
    """
    why = port_state.cause(statuses) or evidence.trouble or _by_holder(port, binding, rows, evidence)
    again = "set host_id or device_id again" if binding.active else "delete this binding and create it again"
    return f"no controller answered within {evidence.timeout:g} s: {why}; then {again}"


def _by_holder(port: ObjectKey, binding: StoredBinding, rows: Sequence[StoredBinding], evidence: Evidence) -> str:
    found = evidence.answer.bindings
    if binding.host in found:
        return _slow(port, binding, found[binding.host], evidence)
    wanted = {each.host for each in rows}
    holder = next((each for host, each in found.items() if host not in wanted), None)
    if holder is None:
        return f"check that a shim runs and serves host {binding.host}"
    held = f"controller {holder.controller} still has the port for host {holder.host_id}"
    if holder.controller in evidence.alive - evidence.idle:
        return f"{held} and has not let it go yet; look into the log of its shim"
    remedy = _remedy(port, holder.controller, evidence)
    # A release takes all that the controller has of the port.
    if any(each.controller == holder.controller for host, each in found.items() if host in wanted):
        return f"{held}, and {remedy}"
    never = "" if holder.controller in evidence.idle else " if it will not come back"
    return f"{held}, and {remedy}, or release the port{never}: gluon-manage release {port.proton} {port.key}"


def _slow(port: ObjectKey, binding: StoredBinding, here: BindingAnswer, evidence: Evidence) -> str:
    at_work = here.controller in evidence.alive - evidence.idle
    remedy = _remedy(port, here.controller, evidence)
    if here.token == binding.token:
        begun = f"controller {here.controller} has begun to bind it on {here.host_id} and has not finished"
        return begun if at_work else f"{begun}, and {remedy}"
    if here.vif_type and not here.token:
        return (
            f"controller {here.controller} answered for {here.host_id} without the token of a request, so its answer "
            f"was dropped; it has to carry the port's binding:token back"
        )
    held = f"controller {here.controller} has it on {here.host_id} by an earlier request"
    return f"{held} and has not bound it again" if at_work else f"{held}, and {remedy}"


def _remedy(port: ObjectKey, controller: str, evidence: Evidence) -> str:
    """Why a controller does nothing for the port, and what to do."""
    if controller not in evidence.idle:
        return "no shim of it runs; start one"
    return (
        f"its shim does not serve {port.proton} any more, though it has a leader: see handlers in "
        f"/status/{controller}; name {port.proton} in [shim] handlers again"
    )
