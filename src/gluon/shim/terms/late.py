"""Calls that end after their term: told to the next leader, which looks after what they did.

A shim that was frozen in the midst of a call wakes up when another one leads.  What its call does
then comes on top of what the new leader did: a port that was deleted is bound again, and nobody
knows.  So the old leader leaves a note, without a fence, and the new one makes sure of the object.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import AppliedRecord, Attempt, MalformedRecord, decode, encode
from gluon.etcd import Client, EtcdError
from gluon.shim.calls.calling import BackendCalls
from gluon.shim.plan import Call
from gluon.shim.plan.inventory import complete
from gluon.shim.plan.outcome import Writes
from gluon.shim.state import State, subject

log = logging.getLogger(__name__)

LOOK = 0.2
"""Seconds between two looks at a thread that has not returned yet."""
RETRY = 1.0
"""Seconds between two tries to leave the note."""
PATIENCE = 600.0
"""Seconds after which a call that does not return, or a note that can't be left, is given up."""


async def leave_notes(client: Client, controller: str, late: Sequence[tuple[Call, BackendCalls]]) -> None:
    """Leaves a note for each call, once it has returned."""
    await asyncio.gather(*(_leave_note(client, controller, call, calls) for call, calls in late))


async def _leave_note(client: Client, controller: str, call: Call, calls: BackendCalls) -> None:
    log.warning("%s was under way when its term ended; the next leader is told to look after it", call)
    note = encode(Attempt(callback=call.callback, attributes=dict(call.object.attributes)))
    try:
        async with asyncio.timeout(PATIENCE):
            while not calls.returned(call.object.id):  # noqa: ASYNC110 - it ends in a thread
                await asyncio.sleep(LOOK)
            while True:
                try:
                    await client.put(keys.late(controller, call.key), note)
                except EtcdError as error:
                    log.debug("the note of %s can't be left yet: %s", call, error)
                    await asyncio.sleep(RETRY)
                else:
                    return
    except TimeoutError:
        log.error("%s ended late, and no note of it could be left; audit its controller", call)  # noqa: TRY400 - no news in a traceback


def check(note: bytes) -> None:
    """Reads a note, to see whether it can be read.

    Raises:
        MalformedRecord: it can't; it is only to be deleted.
    """
    decode(Attempt, note)


def doubt(note: bytes, key: ObjectKey, state: State) -> Writes:
    """What a note means: the object is not known for certain any more.

    Raises:
        MalformedRecord: the note can't be read; it is only to be deleted.
    """
    attempt = decode(Attempt, note)
    known = complete(subject(key), attempt.attributes, state)
    record = state.records.get(key)
    records: dict[ObjectKey, AppliedRecord] = {}
    if record is None:
        records[key] = AppliedRecord(attributes=known, revision=0, claimed=True)
    else:
        again = Attempt(callback="modify_object", attributes=record.attributes)
        records[key] = AppliedRecord(
            attributes=record.attributes,
            revision=record.revision,
            claimed=record.claimed or attempt.removes,
            attempt=record.attempt or (again if attempt.removes else attempt),
            references=record.references,
            bound=record.bound,
        )
    port = subject(key)
    if port != key and port not in state.records:
        records[port] = AppliedRecord(attributes=known, revision=0, claimed=True)
    return Writes(subject=port, records=records, late=key)


__all__ = ["MalformedRecord", "check", "doubt", "leave_notes"]
