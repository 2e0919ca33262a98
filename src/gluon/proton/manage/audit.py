"""`gluon-manage audit`: has shims compare their controllers with what was applied."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import Request
from gluon.etcd import EtcdError
from gluon.process.run import StartFailed
from gluon.proton.manage import requests
from gluon.proton.manage.saying import say
from gluon.proton.opening import load_protons, opened_etcd
from gluon.proton.settings import Settings


def add(commands: Any) -> argparse.ArgumentParser:
    """Adds the command to the command line."""
    command: argparse.ArgumentParser = commands.add_parser(
        "audit",
        help="compare controllers with what they were told, and repair what differs",
        description="Has shims compare what their controller holds with what was applied: what is missing or differs "
        "is applied again, what nobody wants is deleted. A controller that can't be read needs --reapply.",
    )
    requests.add_arguments(command)
    command.add_argument("--object", default="", metavar="KIND/KEY", help="this object only, e.g. Port/<uuid>")
    command.add_argument("--dry-run", action="store_true", help="say what differs, and change nothing")
    command.add_argument("--reapply", action="store_true", help="apply everything again, whatever the controller holds")
    command.set_defaults(wrong=_wrong)
    return command


def _wrong(arguments: argparse.Namespace) -> str:
    kind, slash, key = arguments.object.partition("/")
    if arguments.object and not (kind and slash and key):
        return f"--object {arguments.object}: expected KIND/KEY, e.g. Port/<uuid>"
    if arguments.dry_run and arguments.reapply:
        return "--dry-run changes nothing, so it can't go with --reapply"
    return ""


async def execute(arguments: argparse.Namespace, settings: Settings, stop: asyncio.Event) -> int:
    """Runs the command; see `requests.ask`."""
    if arguments.object:
        await _look_for(arguments.object, settings)
    request = Request(kind="audit", object=arguments.object, dry_run=arguments.dry_run, reapply=arguments.reapply)
    return await requests.ask(arguments, settings, stop, request)


async def _look_for(named: str, settings: Settings) -> None:
    """Says so when nobody wants the object: controllers find no fault with one that they don't have either.

    Raises:
        StartFailed: no model has its type, or etcd can't be read.
    """
    protons = load_protons(settings)
    kind, _, key = named.partition("/")
    having = [proton for proton in protons.values() if kind in proton.objects]
    if not having:
        kinds = sorted({name for proton in protons.values() for name in proton.objects})
        raise StartFailed(f"--object {named}: no model has objects of type {kind}; they have {', '.join(kinds)}")
    try:
        async with opened_etcd(settings) as client:
            for proton in having:
                if await client.get(keys.desired(ObjectKey(proton.name, kind, key))) is not None:
                    return
    except EtcdError as error:
        raise StartFailed(f"{error}; try again") from error
    say(f"note: there is no {kind} {key} in etcd, so a controller can at most have it left over")
