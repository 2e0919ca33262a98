"""`gluon-manage accept`: releases the brake that holds deletions back."""

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
        "accept",
        help="let shims make the deletions that they hold back",
        description="Has shims make the deletions that they hold back because there are so many. See first, in a "
        "shim's /status or with `audit --dry-run`, whether they are right.",
    )
    requests.add_arguments(command)
    return command


async def execute(arguments: argparse.Namespace, settings: Settings, stop: asyncio.Event) -> int:
    """Runs the command; see `requests.ask`."""
    return await requests.ask(arguments, settings, stop, Request(kind="accept"))
