"""The command line of gluon-manage."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from gluon.process import run
from gluon.proton import settings
from gluon.proton.manage import accept, audit, release, resync
from gluon.proton.settings import Settings

Command = Callable[[argparse.Namespace, Settings, asyncio.Event], Awaitable[int]]

_COMMANDS: dict[str, Command] = {
    "resync": resync.execute,
    "release": release.execute,
    "audit": audit.execute,
    "accept": accept.execute,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit code: 0 when it is done, 1 when it failed or was not confirmed, 2 for wrong usage, 4 when
        there was nothing to release.
    """
    command_line = parser()
    arguments = command_line.parse_args(argv)
    if wrong := arguments.wrong(arguments):
        command_line.error(wrong)
    files = [text for file in arguments.config_file for text in ("--config-file", file)]
    return run.main(
        "gluon-manage",
        lambda: settings.read("gluon-manage", files),
        partial(_COMMANDS[arguments.command], arguments),
    )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="gluon-manage", description="Administration of proton-server.")
    commands = made.add_subparsers(dest="command", required=True)
    for add in (resync.add, release.add, audit.add, accept.add):
        command = add(commands)
        if command.get_default("wrong") is None:
            command.set_defaults(wrong=lambda _: "")
        # No default: what a command does to the wrong database or etcd is hard to undo.
        command.add_argument(
            "--config-file",
            action="append",
            required=True,
            metavar="FILE",
            help="configuration file of proton-server; may be given several times",
        )
    return made
