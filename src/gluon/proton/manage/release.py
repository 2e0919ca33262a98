"""`gluon-manage release`: takes a port, or everything, away from a controller that is gone."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any
from uuid import uuid4

from msgspec.structs import replace

from gluon.contract import keys
from gluon.contract.keys import MalformedKey, ObjectKey
from gluon.contract.records import NOBODY, MalformedRecord, PortAnswer, Term, decode, encode
from gluon.etcd import (
    Client,
    Compare,
    Delete,
    DeletePrefix,
    DeleteResult,
    EtcdError,
    KeyValue,
    Op,
    PermissionDenied,
    Put,
    Txn,
    TxnResult,
)
from gluon.process.run import StartFailed
from gluon.proton.manage.controllers import gone, idle, is_alive
from gluon.proton.manage.deployment import warn_if_out_of_step
from gluon.proton.manage.saying import RIGHTS, say
from gluon.proton.opening import load_protons, opened_etcd
from gluon.proton.settings import Settings

NOTHING = 4
"""Exit code: there was nothing to release."""
AT_ONCE = 50
"""Ports of one transaction."""
MOST_PASSES = 10
"""Most looks at all answers, while they change meanwhile."""


def add(commands: Any) -> argparse.ArgumentParser:
    """Adds the command to the command line."""
    command: argparse.ArgumentParser = commands.add_parser(
        "release",
        help="take a port, or everything, away from a controller that is gone",
        usage="gluon-manage release (PROTON PORT [--controller NAME] | --controller NAME) [--force] --config-file FILE",
        description="Takes a port away from the controller that has it, so that another one can bind it; or, without "
        "a port, everything that a controller has, with its records, so that it starts from nothing should it come "
        "back. For a controller that will not come back, or whose hosts are fenced off; a port also where the "
        "controller's shims serve its proton no more. Exit code 4: there was nothing to release.",
    )
    command.add_argument("proton", nargs="?", help="the port's proton, e.g. net-l3vpn")
    command.add_argument("port", nargs="?", help="the port's key")
    command.add_argument("--controller", metavar="NAME", help="the controller that is gone")
    command.add_argument(
        "--force", action="store_true", help="even though the controller is alive: two of them may then have a port"
    )
    command.set_defaults(wrong=_wrong)
    return command


def _wrong(arguments: argparse.Namespace) -> str:
    if arguments.port or (arguments.controller and not arguments.proton):
        return ""
    return "name a proton and a port, or --controller, or both"


async def execute(arguments: argparse.Namespace, settings: Settings, _stop: asyncio.Event) -> int:
    """Runs the command.

    Returns:
        The exit code.

    Raises:
        StartFailed: nothing was released, or not all; says why.
    """
    protons = load_protons(settings)
    async with opened_etcd(settings) as client:
        await warn_if_out_of_step(settings, client)
        try:
            if not arguments.port:
                return await _release_controller(client, arguments.controller, force=arguments.force)
            if arguments.proton not in protons:
                raise StartFailed(f"no proton {arguments.proton!r}; served are {', '.join(protons)}")
            port = ObjectKey(arguments.proton, protons[arguments.proton].port.name, arguments.port)
            return await _release_port(client, port, arguments.controller, force=arguments.force)
        except PermissionDenied as error:
            raise StartFailed(f"{error}; {RIGHTS}") from error
        except EtcdError as error:
            raise StartFailed(f"{error}; look what was released, and try again") from error


async def _release_port(client: Client, port: ObjectKey, controller: str | None, *, force: bool) -> int:
    held = await client.get(keys.answer(port))
    answer = _decoded(held)
    if held is not None and answer is None:
        await _commit(client, [], held, [Put(held.key, encode(NOBODY))])
        say(f"{port}: released; its answer could not be read")
        return 0
    taken = [each for each in (answer or NOBODY).bindings.values() if controller in (None, each.controller)]
    if held is None or answer is None or not taken:
        holder = f"controller {controller} does not have it" if controller else "no controller has it"
        say(f"{port}: {holder}; nothing to release")
        return NOTHING
    owners = sorted({each.controller for each in taken})
    guards: list[Compare] = []
    for owner in owners if not force else ():
        guards += await idle(client, owner, port.proton) or await _gone(client, owner)
    statuses: list[Op] = [Delete(keys.status(owner, port)) for owner in owners]
    rest = encode(_without(answer, set(owners)))
    await _commit(client, guards, held, [Put(held.key, rest), *statuses])
    for each in taken:
        say(f"{port}: released from controller {each.controller}, host {each.host_id}")
    return 0


async def _commit(client: Client, guards: list[Compare], held: KeyValue, operations: list[Op]) -> None:
    result = await client.txn([*guards, Compare.mod_revision(held.key, held.mod_revision)], operations)
    if not result.succeeded:
        raise StartFailed("a controller has just answered, so it is not gone; nothing was released")


async def _release_controller(client: Client, controller: str, *, force: bool) -> int:
    guards = [] if force else await _gone(client, controller)
    ports = 0
    for _ in range(MOST_PASSES):
        released, left = await _release_claims(client, controller, guards)
        ports += released
        if not left:
            break
    else:
        raise StartFailed(f"controller {controller} goes on answering, so it is not gone; released are {ports} ports")
    statuses, records = await _forget(client, controller, guards)
    if not (ports or statuses or records):
        say(f"controller {controller} has no ports and no records; nothing to release")
        return NOTHING
    say(f"controller {controller}: ports released: {ports}; statuses deleted: {statuses}; records deleted: {records}")
    return 0


async def _release_claims(client: Client, controller: str, guards: list[Compare]) -> tuple[int, int]:
    """Releases all that it has now; returns how many ports, and how many changed at the same moment."""
    operations: list[Op] = []
    async for page in client.pages(keys.CONTROLLER):
        for item in page.items:
            answer = _decoded(item)
            if answer is None or all(each.controller != controller for each in answer.bindings.values()):
                continue
            put = Put(item.key, encode(_without(answer, {controller})))
            operations.append(Txn([Compare.mod_revision(item.key, item.mod_revision)], [put]))
    released = left = 0
    for start in range(0, len(operations), AT_ONCE):
        result = await _guarded(client, controller, guards, operations[start : start + AT_ONCE])
        done = sum(isinstance(each, TxnResult) and each.succeeded for each in result.responses)
        released += done
        left += len(result.responses) - done
    return released, left


async def _forget(client: Client, controller: str, guards: list[Compare]) -> tuple[int, int]:
    """Deletes its statuses and its books; returns how many keys of each."""
    shim = keys.SHIM + controller.encode()
    operations: list[Op] = [
        DeletePrefix(keys.status_prefix(controller)),
        DeletePrefix(keys.applied_prefix(controller)),
        DeletePrefix(keys.late_prefix(controller)),
        DeletePrefix(shim + b"/requests/"),
        DeletePrefix(shim + b"/results/"),
    ]
    term = await client.get(keys.term(controller))
    if term is not None:
        operations.append(_next_term(term))
    result = await _guarded(client, controller, guards, operations)
    deleted = [each.deleted if isinstance(each, DeleteResult) else 0 for each in result.responses]
    return deleted[0], sum(deleted[1:])


def _next_term(term: KeyValue) -> Op:
    """The next number under an id that nobody knows.

    SDN controllers may refuse a smaller number, so it has to go on; and a shim that still remembers its
    last term must not take up where it was.
    """
    try:
        last = decode(Term, term.value)
    except MalformedRecord:
        return Delete(term.key)
    return Put(term.key, encode(replace(last, number=last.number + 1, id=str(uuid4()))))


async def _guarded(client: Client, controller: str, guards: list[Compare], operations: list[Op]) -> TxnResult:
    result = await client.txn(guards, operations)
    if not result.succeeded:
        raise StartFailed(f"controller {controller} has come back meanwhile; stop its shims, and release again")
    return result


async def _gone(client: Client, controller: str) -> list[Compare]:
    """Conditions of a release: no shim of the controller leads, then as now.

    Raises:
        StartFailed: one does.
    """
    if await is_alive(client, controller):
        raise StartFailed(
            f"controller {controller} is alive: released, its ports would have two owners; see in its /status what "
            "keeps it from letting go, or stop all of its shims first (--force releases all the same)"
        )
    return gone(controller)


def _decoded(held: KeyValue | None) -> PortAnswer | None:
    if held is None:
        return None
    try:
        keys.parse(held.key, keys.CONTROLLER)
        return decode(PortAnswer, held.value)
    except (MalformedRecord, MalformedKey):
        return None


def _without(answer: PortAnswer, controllers: set[str]) -> PortAnswer:
    active = answer.active
    kept = active if active is not None and active.controller not in controllers else None
    return PortAnswer.of(kept, (each for each in answer.inactive if each.controller not in controllers))
