"""The changes of a port's bindings, each within one transaction; `gluon.proton.service.bindings` runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from gluon.process.unique import unique_id
from gluon.proton.service import binding
from gluon.proton.service.binding import Asked
from gluon.proton.service.changes import Target, put_bindings
from gluon.proton.service.changes import show as show_object
from gluon.proton.service.errors import Conflict, NotFound
from gluon.proton.service.refresh import refresh
from gluon.proton.service.release import release
from gluon.proton.storage import BindingState, Stored, StoredBinding, Transaction
from gluon.schema import Attribute, InvalidAttributes, Mismatch, Problem, Value

Work: TypeAlias = Callable[[Transaction], tuple[StoredBinding, Asked | None]]


class Given(Struct, frozen=True, kw_only=True):
    """A binding to create, as a client gives it."""

    host: str
    vnic_type: str | None = None
    profile: Value = None


_ATTRIBUTES = {"host": "host_id", "vnic_type": "vnic_type", "profile": "profile"}
"""The port's attribute whose rules hold for each member."""


def validated(target: Target, values: Mapping[str, Value]) -> Given:
    """Reads the binding that a client gives.

    Raises:
        InvalidAttributes: with all problems.
    """
    problems = [
        Problem(name[:64], f"unknown member; expected {', '.join(_ATTRIBUTES)}")
        for name in values
        if name not in _ATTRIBUTES
    ]
    given: dict[str, Value] = {}
    for name, attribute_name in _ATTRIBUTES.items():
        value = values.get(name)
        if value is not None:
            _take(target.object_type.attributes[attribute_name], name, value, given, problems)
    if not values.get("host"):
        problems.append(Problem("host", "missing; give the host that the port is to be bound to"))
    if given.get("profile") is not None and not isinstance(given["profile"], dict):
        problems.append(Problem("profile", "expected a JSON object"))
    if problems:
        raise InvalidAttributes(problems)
    vnic_type = given.get("vnic_type")
    return Given(
        host=str(given["host"]),
        vnic_type=None if vnic_type is None else str(vnic_type),
        profile=given.get("profile"),
    )


def find(tx: Transaction, target: Target, port: str) -> list[StoredBinding]:
    """All bindings of a port.

    Raises:
        NotFound: the port.
    """
    show_object(tx, target, port)
    return tx.bindings(target.proton.name).of(port)


def show(tx: Transaction, target: Target, port: str, host: str) -> StoredBinding:
    """One binding.

    Raises:
        NotFound: the port, or its binding to this host.
    """
    return _required(find(tx, target, port), target, port, host)


def create(tx: Transaction, target: Target, port: str, given: Given) -> tuple[StoredBinding, Asked | None]:
    """Adds an inactive binding.

    Raises:
        NotFound: the port.
        Conflict: see `PortBindings.create`.
    """
    stored = show_object(tx, target, port)
    rows = tx.bindings(target.proton.name).of(port)
    now = binding.active(rows)
    name = target.object_type.name
    if now is None:
        raise Conflict(
            f"{name} {port} is not bound to a host, so there is nothing to migrate from; set its host_id and device_id"
        )
    if any(each.host == given.host for each in rows):
        raise Conflict(f"{name} {port} has a binding to host {given.host} already; activate it, or delete it first")
    moment = tx.moment(stored.created_at)
    made = StoredBinding(
        port=port,
        host=given.host,
        token=unique_id().hex,
        active=False,
        vnic_type=given.vnic_type or now.vnic_type,
        profile=given.profile,
        device_id=now.device_id,
        created_at=moment,
        updated_at=moment,
    )
    put_bindings(tx, target, port, (*rows, made))
    tx.outbox.append([target.key(port)])
    return made, Asked(made.host, made.token)


def activate(tx: Transaction, target: Target, port: str, host: str) -> tuple[StoredBinding, Asked | None]:
    """Makes an inactive binding the active one.

    Raises:
        NotFound: the port, or its binding to this host.
        Conflict: see `PortBindings.activate`.
    """
    stored = show_object(tx, target, port)
    rows = tx.bindings(target.proton.name).of(port)
    found = _required(rows, target, port, host)
    if found.active:
        raise Conflict(f"the binding of {target.object_type.name} {port} to host {host} is active already")
    if found.state is not BindingState.BOUND:
        raise Conflict(
            f"the binding of {target.object_type.name} {port} to host {host} is not bound"
            f"{f': {found.reason}' if found.reason else ''}; delete it and create it again"
        )
    moment = tx.moment(max(stored.updated_at, *(each.updated_at for each in rows)))
    token = unique_id().hex
    put_bindings(tx, target, port, binding.activated(rows, host, token=token, moment=moment))
    values = {"host_id": host, "vnic_type": found.vnic_type or stored.attributes["vnic_type"], "profile": found.profile}
    _set(tx, target, stored, values, moment)
    tx.outbox.append([target.key(port)])
    return show(tx, target, port, host), Asked(host, token)


def delete(tx: Transaction, target: Target, port: str, host: str) -> None:
    """Removes a binding.

    Raises:
        NotFound: the port, or its binding to this host.
    """
    stored = show_object(tx, target, port)
    found = show(tx, target, port, host)
    release(tx, target.proton, port, [host])
    if found.active:
        _set(tx, target, stored, {"host_id": None}, tx.moment(stored.updated_at))
    tx.outbox.append([target.key(port)])


def _set(tx: Transaction, target: Target, stored: Stored, values: Mapping[str, Value], moment: str) -> None:
    after = replace(stored, attributes={**stored.attributes, **values}, updated_at=moment)
    key = str(stored.attributes[target.primary_key])
    tx.objects(target.proton.name, target.object_type.name).replace(stored, after)
    refresh(tx, target.proton, target.key(key))


def _required(rows: list[StoredBinding], target: Target, port: str, host: str) -> StoredBinding:
    found = next((each for each in rows if each.host == host), None)
    if found is None:
        raise NotFound("binding", f"to host {host}", below=f"{target.object_type.name} {port}")
    return found


def _take(attribute: Attribute, name: str, value: Value, given: dict[str, Value], problems: list[Problem]) -> None:
    try:
        given[name] = attribute.check(value)
    except Mismatch as mismatch:
        problems.append(Problem(name, attribute.refusal(value, mismatch)))
