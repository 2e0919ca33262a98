"""The beginning of a term: the records that etcd has, brought to what is known."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from msgspec.structs import replace

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import AppliedRecord, MalformedRecord, Status, Term, decode
from gluon.shim.plan.outcome import AnswerWrite, Writes
from gluon.shim.reconcile.recorder import Recorder
from gluon.shim.state import HeldAnswer, State
from gluon.shim.terms import takeover
from gluon.shim.terms.feed import Feed
from gluon.shim.terms.following import Following
from gluon.shim.terms.takeover import Memory

log = logging.getLogger(__name__)


class Loading:
    """Loads the books of one controller.

    Args:
        following: reads etcd.
        feed: takes the records into the states.
        states: by proton.
        recorder: writes what has to be brought up to date.
        controller: whose books they are.
    """

    def __init__(
        self, following: Following, feed: Feed, states: Mapping[str, State], recorder: Recorder, controller: str
    ) -> None:
        self._following = following
        self._feed = feed
        self._states = states
        self._recorder = recorder
        self._controller = controller

    async def last_term(self) -> Term | None:
        """The latest term that etcd remembers."""
        found: list[bytes] = []
        key = keys.term(self._controller)
        await self._following.each(key, lambda path, value: found.append(value) if path == key else None)
        try:
            return decode(Term, found[0]) if found else None
        except MalformedRecord as error:
            log.warning("skipped %s: %s", key.decode(), error)
            return None

    async def records(self) -> None:
        """The applied records, into the states."""
        prefix = keys.applied_prefix(self._controller)
        for name in self._states:
            path = prefix + name.encode() + b"/"
            await self._following.each(path, lambda key, value: self._feed.record(key, value, prefix))

    async def unhandled(self, protons: Iterable[str]) -> dict[str, int]:
        """How many records there are of protons that no backend of this shim handles, by proton."""
        found: dict[str, int] = {}
        for name in protons:
            if name not in self._states:
                counted: list[bytes] = []
                path = keys.applied_prefix(self._controller) + name.encode() + b"/"
                await self._following.each(path, lambda key, _, counted=counted: counted.append(key))  # type: ignore[misc]
                if counted:
                    found[name] = len(counted)
        return found

    async def statuses(self) -> dict[ObjectKey, Status]:
        """What this controller said of objects until now."""
        prefix = keys.status_prefix(self._controller)
        found: dict[ObjectKey, Status] = {}

        def take(key: bytes, value: bytes) -> None:
            try:
                found[keys.parse(key, prefix)] = decode(Status, value)
            except (keys.MalformedKey, MalformedRecord) as error:
                log.warning("skipped %s: %s", key.decode(errors="backslashreplace"), error)

        await self._following.each(prefix, take)
        return found

    async def bring_up_to_date(self, memory: Memory | None, found: Term | None) -> None:
        """Turns the records of the version before into those of this one, and takes over a memory.

        Args:
            memory: what this process knows, if etcd was replaced since; else None.
            found: the latest term that etcd remembers.
        """
        for name, state in self._states.items():
            written: dict[ObjectKey, AppliedRecord | None] = {
                key: record for key, record in self._feed.upgraded.items() if key.proton == name
            }
            if memory is not None:
                written |= _remembered(name, state, memory, found)
            if written:
                log.info("controller %s: %d records of %s are brought up to date", self._controller, len(written), name)
            await asyncio.gather(
                *(self._recorder.write(Writes(subject=key, records={key: r})) for key, r in written.items())
            )
            if memory is not None:
                await self._claim_again(state, memory, found)
        for key in self._feed.leftovers:
            await self._recorder.put(key, None)

    async def _claim_again(self, state: State, memory: Memory, found: Term | None) -> None:
        """Our ports are ours in the replaced etcd, too, whatever claims it brought back."""
        ours = {port: answer for port, answer in memory.answers.items() if port.proton == state.proton.name}
        held = {port: state.answer(port).answer for port in ours}
        for port, answer in takeover.claims(replace(memory, answers=ours), found, held).items():
            write = AnswerWrite(port, answer, state.answer(port))
            written = await self._recorder.write(Writes(subject=port, answer=write))
            if written.answered:  # Else another controller has written since; the mirror tells.
                state.wrote(port, HeldAnswer(answer, written.revision))


def _remembered(proton: str, state: State, memory: Memory, found: Term | None) -> dict[ObjectKey, AppliedRecord | None]:
    """Brings a state to what is remembered; returns what to write for that."""
    book = {key: record for key, record in memory.book.items() if key.proton == proton}
    before = dict(state.records)
    changes = takeover.changes(takeover.merged(replace(memory, book=book), found, before), before)
    for key, record in changes.items():
        state.record(key, record)
    return changes


@contextmanager
def without_collector() -> Iterator[None]:
    """Keeps Python's cyclic garbage collector away from a load, and from what is loaded afterwards.

    It would walk all objects again and again while there are ever more of them.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
