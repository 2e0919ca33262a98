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


def why_not_answered(
    port: ObjectKey, binding: StoredBinding, statuses: Sequence[StoredStatus], evidence: Evidence
) -> str:
    """The cause, the best known one first.

    A controller that is alive is never to be released from: it still has the port, and a second one
    would make two owners.

    Args:
        port: the port.
        binding: the one that nobody answered.
        statuses: all that is said of the port.
        evidence: all else that is known.
    """
    why = port_state.reason(statuses) or evidence.trouble or _by_holder(port, binding, evidence)
    return f"no controller answered within {evidence.timeout:g} s: {why}; then set host_id or device_id again"


def _by_holder(port: ObjectKey, binding: StoredBinding, evidence: Evidence) -> str:
    here = evidence.answer.bindings.get(binding.host)
    if here is not None:
        return _slow(binding, here, evidence)
    holder = next(iter(evidence.answer.bindings.values()), None)
    if holder is None:
        return f"check that a shim runs and serves host {binding.host}"
    held = f"controller {holder.controller} still has the port for host {holder.host_id}"
    if holder.controller in evidence.alive:
        return f"{held} and has not let it go yet; look into the log of its shim"
    return (
        f"{held}, and no shim of it runs; start one, or release the port if it will not come back: "
        f"gluon-manage release {port.proton} {port.key}"
    )


def _slow(binding: StoredBinding, here: BindingAnswer, evidence: Evidence) -> str:
    alive = here.controller in evidence.alive
    if here.token == binding.token:
        begun = f"controller {here.controller} has begun to bind it on {here.host_id} and has not finished"
        return begun if alive else f"{begun}, and no shim of it runs; start one"
    held = f"controller {here.controller} has it on {here.host_id} by an earlier request"
    return f"{held} and has not bound it again" if alive else f"{held}, and no shim of it runs; start one"
