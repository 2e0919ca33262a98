"""etcd's events into the state: each value is checked once, here, and trusted from then on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from gluon.contract import keys
from gluon.contract.keys import MalformedKey, ObjectKey
from gluon.contract.records import AppliedRecord, MalformedRecord, decode, decode_answer, decode_attributes
from gluon.etcd import Event
from gluon.schema import InvalidAttributes, Proton, conform
from gluon.shim import metrics
from gluon.shim.state import HeldAnswer, Object, State

log = logging.getLogger(__name__)


class Feed:
    """Turns keys and values of etcd into changes of the states.

    Args:
        protons: every known proton; those without a state are left to other shims in silence.
        states: of the protons that this shim handles.
        wake: told which keys a change concerns.
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

    def desired(self, event: Event) -> None:
        """A key below `/proton/` changed."""
        key = self._key(event.key, keys.PROTON)
        if key is None or key.proton not in self._states:
            return
        state = self._states[key.proton]
        self._events[key.proton].inc()
        if event.value is None:
            concerned = state.forget(key)
        else:
            obj = self._object(key, event.value, event.revision)
            concerned = state.desire(obj) if obj else _hold(state, key)
        self._wake(key.proton, concerned)

    def answer(self, event: Event) -> None:
        """A key below `/controller/` changed."""
        key = self._key(event.key, keys.CONTROLLER)
        if key is None or key.proton not in self._states:
            return
        state = self._states[key.proton]
        if event.value is None:
            self._wake(key.proton, state.settle(key, event.revision))
            return
        try:
            held = HeldAnswer(answer=decode_answer(event.value), revision=event.revision)
        except MalformedRecord as error:
            # Nobody's answer, so nobody's claim: a bind may write over it.
            _report(event.key, keys.CONTROLLER, str(error))
            held = HeldAnswer(answer=None, revision=event.revision)
        self._wake(key.proton, state.hear(key, held))

    def record(self, path: bytes, value: bytes, prefix: bytes) -> None:
        """An applied record of ours, read at the start of a term."""
        key = self._key(path, prefix)
        if key is None or key.proton not in self._states:
            return
        state = self._states[key.proton]
        try:
            record = decode(AppliedRecord, value)
        except MalformedRecord as error:
            _report(path, prefix, str(error))
            return
        state.apply(key, state.proton.objects[key.object].base, record)

    def _key(self, path: bytes, prefix: bytes) -> ObjectKey | None:
        try:
            key = keys.parse(path, prefix)
        except MalformedKey as error:
            _report(path, prefix, str(error))
            return None
        proton = self._protons.get(key.proton)
        if proton is None:
            _report(path, prefix, f"unknown proton {key.proton!r}; known: {', '.join(self._protons)}")
            return None
        if key.object not in proton.objects:
            _report(path, prefix, f"{key.proton} has no object {key.object!r}; it has {', '.join(proton.objects)}")
            return None
        return key

    def _object(self, key: ObjectKey, value: bytes, revision: int) -> Object | None:
        object_type = self._protons[key.proton].objects[key.object]
        try:
            attributes = conform(object_type, decode_attributes(value), key.key)
        except (MalformedRecord, InvalidAttributes) as error:
            _report(keys.desired(key), keys.PROTON, str(error))
            return None
        return Object(key, object_type.base, attributes, revision)


def _hold(state: State, key: ObjectKey) -> set[ObjectKey]:
    """A value that can't be read leaves the object as it was last applied.

    Not as absent: one bad write would then cut a port off.  Not as last wanted either: after a
    restart that is not known any more, and the outcome must not depend on a restart.
    """
    record = state.records.get(key)
    if record is None or record.claimed:
        return state.forget(key)
    base = state.proton.objects[key.object].base
    return state.desire(Object(key, base, record.attributes, record.revision))


def _report(path: bytes, prefix: bytes, problem: str) -> None:
    metrics.MALFORMED.labels(prefix.decode()).inc()
    shown = path if len(path) <= 200 else path[:200] + b"..."  # noqa: PLR2004 - what fits a log line
    log.warning("skipped %s: %s", shown.decode(errors="backslashreplace"), problem)
