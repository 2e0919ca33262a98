"""Compares what a backend lists of its controller with what it was told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gluon.contract.keys import ObjectKey
from gluon.schema import Base, Proton, Value
from gluon.shim.backend import Backend, Held, Object
from gluon.shim.plan.steps import Callback
from gluon.shim.reconcile.calls import BackendCalls
from gluon.testing.conformance.told import Told

_Name = tuple[str, str]
"""Type and key."""


def difference(told: Told, found: Sequence[Held], backend: Backend, calls: BackendCalls) -> str:
    """How the inventory differs from what was told, as a sentence; empty when it does not."""
    listed: dict[_Name, dict[Value, Held]] = {}
    for held in found:
        if held.type not in told.proton.objects:
            return f"inventory() lists a {held.type}; {told.proton.name} has {', '.join(told.proton.objects)}"
        hosts = listed.setdefault((held.type, held.key), {})
        host = held.attributes.get("host_id")
        if host in hosts:
            return f"inventory() lists {_shown(held.type, held.key, host)} twice"
        hosts[host] = held
    expected = _expected(told, calls)
    return _missing(expected, listed) or _surplus(told, expected, listed) or _differing(told, expected, listed, backend)


def _expected(told: Told, calls: BackendCalls) -> dict[_Name, list[Object]]:
    """What is to be listed.

    A bound port is listed as bound, once for each host, and an unbound one if `modify_port` is
    written.  How it is held is what was last told of it.
    """
    expected: dict[_Name, list[Object]] = {}
    for obj in told.applied.values():
        bound = [_last_told(port, obj, calls) for port in told.bindings_of(obj.id)]
        if bound or calls.expects(obj.base):
            expected[obj.type, obj.key] = bound or [obj]
    return expected


def _last_told(bound: Object, applied: Object, calls: BackendCalls) -> Object:
    return applied if bound.active and calls.writes(Callback.MODIFY_PORT) else bound


_Listed = Mapping[_Name, Mapping[Value, Held]]


def _missing(expected: Mapping[_Name, list[Object]], listed: _Listed) -> str:
    for (object_type, key), objects in expected.items():
        hosts = listed.get((object_type, key), {})
        for obj in objects:
            host = obj["host_id"] if obj.base is Base.PORT else None
            if host not in hosts and None not in hosts:
                return f"inventory() does not list {_shown(object_type, key, host)}, which was applied"
    return ""


def _surplus(told: Told, expected: Mapping[_Name, list[Object]], listed: _Listed) -> str:
    silent = {(obj.type, obj.key) for obj in told.applied.values()}
    for (object_type, key), hosts in listed.items():
        known = {port["host_id"] for port in expected.get((object_type, key), ()) if port.base is Base.PORT}
        for host in hosts:
            if (object_type, key) not in silent or (host is not None and host not in known):
                return f"inventory() lists {_shown(object_type, key, host)}, which nobody wants"
    return ""


def _differing(told: Told, expected: Mapping[_Name, list[Object]], listed: _Listed, backend: Backend) -> str:
    for (object_type, key), objects in expected.items():
        if not any(obj.active for obj in objects):
            continue  # The active binding has gone, and this one is about to.
        seen = [held.fingerprint for held in listed[object_type, key].values()]
        try:
            wanted = [backend.fingerprint(obj, told.model) for obj in objects]
        except Exception as error:  # noqa: BLE001 - foreign code
            return f"fingerprint() of {object_type} {key} raised {type(error).__name__}: {error}"
        if None not in (*wanted, *seen) and not set(wanted) & set(seen):
            return (
                f"inventory() lists {object_type} {key} with the fingerprint {seen[0]!r}, but fingerprint() of it is "
                f"{wanted[0]!r}: each audit would apply it again"
            )
    return ""


def orphans(proton: Proton, found: Iterable[Held]) -> list[Object]:
    """What the inventory lists, as the shim hands over what nobody wants; what names others comes first."""
    order = {name: place for place, name in enumerate(proton.objects)}
    return [_orphan(proton, held) for held in sorted(found, key=lambda each: order[each.type], reverse=True)]


def _orphan(proton: Proton, held: Held) -> Object:
    object_type = proton.objects[held.type]
    unset = dict.fromkeys(attribute.name for attribute in object_type.writable)
    attributes = {**unset, **held.attributes, object_type.primary_key.name: held.key}
    return Object(ObjectKey(proton.name, held.type, held.key), object_type.base, attributes, 0)


def _shown(object_type: str, key: str, host: Value) -> str:
    return f"{object_type} {key}" + (f" on {host}" if host else "")
