"""Takes a port away from a controller that is gone."""

from __future__ import annotations

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import MalformedRecord, decode_answer
from gluon.etcd import Client, Compare, Delete


async def release_claim(client: Client, port: ObjectKey) -> str:
    """Deletes the answer of whichever controller has the port.

    The controller keeps its applied record: should it come back, it sees that the port is not its
    own any more, and unbinds it at its backend.

    Returns:
        What was done, for a person.

    Raises:
        EtcdError: as any call of etcd.
    """
    key = keys.answer(port)
    held = await client.get(key)
    if held is None:
        return "no controller has it, nothing to release"
    try:
        answer = decode_answer(held.value)
    except MalformedRecord:
        answer = None
    result = await client.txn([Compare.mod_revision(key, held.mod_revision)], [Delete(key)])
    if not result.succeeded:
        return "its controller has just answered, so it is not gone; nothing was released"
    return f"released from controller {answer.controller}, host {answer.host_id}" if answer else "released"
