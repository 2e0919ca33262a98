"""`gluon-manage audit`: has shims compare their controllers with what was applied."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from gluon.contract.records import Request
from gluon.proton.manage import requests
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
    request = Request(kind="audit", object=arguments.object, dry_run=arguments.dry_run, reapply=arguments.reapply)
    return await requests.ask(arguments, settings, stop, request)
