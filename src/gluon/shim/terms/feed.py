"""etcd's events into the state: each value is checked once, here, and trusted from then on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from gluon.contract import keys
from gluon.contract.keys import MalformedKey, ObjectKey
from gluon.contract.records import (
    NOBODY,
    REQUEST,
    AppliedRecord,
    MalformedRecord,
    PortAnswer,
    WantedBinding,
    decode,
    decode_attributes,
    split_port,
)
from gluon.contract.version1 import upgraded_record
from gluon.etcd import Event
from gluon.schema import Base, InvalidAttributes, Proton, Value, conform
from gluon.shim import metrics
from gluon.shim.state import HeldAnswer, Object, State

log = logging.getLogger(__name__)


class Feed:
    """Turns keys and values of etcd into changes of the states.

    Args:
        protons: every known proton; those without a state are left to other shims in silence.
        states: of the protons that this shim handles.
        wake: told which objects a change concerns.
    """

    def __init__(
        self,
        protons: Mapping[str, Proton],
        states: Mapping[str, State],
        wake: Callable[[str, Iterable[ObjectKey]], None],
    ) -> None:
        self._protons = protons
        self._states = states
        self._wake = wake
        self._events = {name: metrics.EVENTS.labels(name) for name in states}
        self.upgraded: dict[ObjectKey, AppliedRecord] = {}
        """Records of the version before, as this version has them; to be written."""
        self.leftovers: set[bytes] = set()
        """Keys that only the version before had a use for; to be deleted."""

    def desired(self, event: Event) -> None:
        """A key below `/proton/` changed."""
        key = self._key(event.key, keys.PROTON)
        if key is None or key.proton not in self._states:
            return
        state = self._states[key.proton]
        self._events[key.proton].inc()
        if event.value is None:
            self._wake(key.proton, state.forget(key))
            return
        try:
            concerned = self._desire(state, key, event.value, event.revision)
        except (MalformedRecord, InvalidAttributes) as error:
            _report(event.key, keys.PROTON, str(error))
            concerned = _hold(state, key)
            state.unreadable.add(key)
        self._wake(key.proton, concerned)

    def _desire(self, state: State, key: ObjectKey, value: bytes, revision: int) -> set[ObjectKey]:
        object_type = state.proton.objects[key.object]
        values = decode_attributes(value)
        state.ask(key, str(values.pop(REQUEST, "")))
        token, inactive = split_port(values) if object_type.base is Base.PORT else ("", ())
        obj = Object(key, object_type.base, conform(object_type, values, key.key), revision)
        return state.desire(obj, token, inactive)

    def answer(self, event: Event) -> None:
        """A key below `/controller/` changed."""
        key = self._key(event.key, keys.CONTROLLER)
        if key is None or key.proton not in self._states:
            return
        state = self._states[key.proton]
        if key.object != state.proton.port.name:
            if event.value is not None:  # The version before reported failures of other objects here.
                self.leftovers.add(event.key)
            return
        if event.value is None:
            self._wake(key.proton, state.settle(key, event.revision))
            return
        try:
            held = HeldAnswer(decode(PortAnswer, event.value), event.revision)
        except MalformedRecord as error:
            # Nobody's answer, so nobody's claim: a bind may write over it.
            _report(event.key, keys.CONTROLLER, str(error))
            held = HeldAnswer(NOBODY, event.revision)
        self._wake(key.proton, state.hear(key, held))

    def record(self, path: bytes, value: bytes, prefix: bytes) -> None:
        """An applied record of ours, read at the start of a term."""
        try:
            key = keys.parse(path, prefix)
            of = keys.port_and_host(key)[0] if keys.is_binding(key) else key
        except MalformedKey as error:
            _report(path, prefix, str(error))
            return
        if self._known(of, path, prefix) is None or key.proton not in self._states:
            return
        try:
            records = upgraded_record(key, value)
            if records is None:
                records = {key: decode(AppliedRecord, value)}
            else:
                self.upgraded.update(records)
        except MalformedRecord as error:
            _report(path, prefix, str(error))
            return
        for each, record in records.items():
            self._states[key.proton].record(each, _completed(self._protons[key.proton], each, record))

    def _key(self, path: bytes, prefix: bytes) -> ObjectKey | None:
        try:
            return self._known(keys.parse(path, prefix), path, prefix)
        except MalformedKey as error:
            _report(path, prefix, str(error))
            return None

    def _known(self, key: ObjectKey, path: bytes, prefix: bytes) -> ObjectKey | None:
        proton = self._protons.get(key.proton)
        if proton is None:
            _report(path, prefix, f"unknown proton {key.proton!r}; known: {', '.join(self._protons)}")
            return None
        if key.object not in proton.objects:
            _report(path, prefix, f"{key.proton} has no object {key.object!r}; it has {', '.join(proton.objects)}")
            return None
        return key


def _completed(proton: Proton, key: ObjectKey, record: AppliedRecord) -> AppliedRecord:
    """The record with the attributes that came later than it was written, as its object has them then.

    Without them the object would differ from what was applied, and an upgrade would apply everything again.
    """
    object_type = proton.objects.get(key.object)
    if object_type is None or not object_type.added:
        return record
    attempt = record.attempt
    if attempt is not None:
        attempt = replace(attempt, attributes={**object_type.added, **attempt.attributes})
    return replace(record, attributes={**object_type.added, **record.attributes}, attempt=attempt)


def _hold(state: State, key: ObjectKey) -> set[ObjectKey]:
    """A value that can't be read leaves the object as it was last applied.

    Not as absent: one bad write would then cut a port off.  Not as last wanted either: after a
    restart that is not known any more, and the outcome must not depend on a restart.
    """
    record = state.records.get(key)
    if record is None or record.claimed:
        return state.forget(key)
    base = state.proton.objects[key.object].base
    obj = Object(key, base, record.attributes, record.revision)
    recorded = {host: state.records[keys.binding(key, host)] for host in state.hosts(key)}
    tokens = {host: each.bound.token if each.bound else "" for host, each in recorded.items()}
    active = str(obj.attributes.get("host_id"))
    inactive = [
        WantedBinding(host_id=host, token=tokens[host], **_kept(each.attributes))
        for host, each in recorded.items()
        if host != active
    ]
    return state.desire(obj, tokens.get(active, ""), inactive)


def _kept(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {name: attributes.get(name) for name in ("vnic_type", "profile")}


def _report(path: bytes, prefix: bytes, problem: str) -> None:
    metrics.MALFORMED.labels(prefix.decode()).inc()
    shown = path if len(path) <= 200 else path[:200] + b"..."  # noqa: PLR2004 - what fits a log line
    log.warning("skipped %s: %s", shown.decode(errors="backslashreplace"), problem)
