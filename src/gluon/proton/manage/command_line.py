"""The command line of gluon-manage."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

from gluon.distribution import version
from gluon.process import config, run
from gluon.process.run import StartFailed
from gluon.proton import settings
from gluon.proton.manage import accept, audit, backend, model, release, resync
from gluon.proton.settings import SAMPLE, Settings

PROGRAM = "gluon-manage"
SERVER = "proton-server"
"""Whose configuration it reads, found as the server finds it."""

Command = Callable[[argparse.Namespace, Settings, asyncio.Event], Awaitable[int]]

_COMMANDS: dict[str, Command] = {
    "resync": resync.execute,
    "release": release.execute,
    "audit": audit.execute,
    "accept": accept.execute,
}
"""Commands on the database and the etcd of a configuration."""

_LOCAL: dict[str, Callable[[argparse.Namespace], int]] = {
    "model": model.execute,
    "backend": backend.execute,
}
"""Commands that need neither."""

_FLAGS = ("--debug", "--use-json")
_WITH_VALUE = {"--config-file": "FILE", "--config-dir": "DIR", "--log-file": "FILE"}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit code: 0 when it is done, 1 when it failed or was not confirmed, 2 for wrong usage, 4 when
        there was nothing to release.
    """
    command_line = parser()
    arguments = command_line.parse_args(argv)
    if arguments.command in _LOCAL:
        return _run_local(arguments)
    if wrong := arguments.wrong(arguments):
        command_line.error(wrong)
    passed_on = list(_passed_on(arguments))
    if not _names_a_configuration(passed_on) and not _default_configuration():
        # What a command does to the wrong database or etcd is hard to undo: no built-in defaults for it.
        command_line.error(
            f"there is no configuration of {SERVER} in ~/.gluon, ~, /etc/gluon and /etc; name it with --config-file or "
            "--config-dir"
        )
    return run.main(
        PROGRAM,
        lambda: settings.read(SERVER, passed_on),
        partial(_COMMANDS[arguments.command], arguments),
    )


def _run_local(arguments: argparse.Namespace) -> int:
    try:
        return _LOCAL[arguments.command](arguments)
    except StartFailed as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return 1


def _default_configuration() -> list[str]:
    return [*config.default_files(SERVER, SAMPLE), *config.default_directories(SERVER, SAMPLE)]


def _names_a_configuration(words: Sequence[str]) -> bool:
    return "--config-file" in words or "--config-dir" in words


def _passed_on(arguments: argparse.Namespace) -> Iterator[str]:
    """The options that the servers have too, given before or after the command."""
    for name, value in vars(arguments).items():
        _, found, option = name.partition("shared:")
        if not found or not value:
            continue
        for text in [None] if value is True else value:
            yield option
            if text is not None:
                yield text


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog=PROGRAM, description="Administration of proton-server, and tools for authors.")
    made.add_argument("--version", action="version", version=f"{PROGRAM} {version()}")
    _add_shared(made, "before:")
    commands = made.add_subparsers(dest="command", required=True)
    for add in (resync.add, release.add, audit.add, accept.add):
        command = add(commands)
        if command.get_default("wrong") is None:
            command.set_defaults(wrong=lambda _: "")
        _add_shared(command, "after:")
    model.add(commands)
    backend.add(commands)
    return made


def _add_shared(command: argparse.ArgumentParser, where: str) -> None:
    """The servers' own options; `where` keeps what stands before a command apart from what stands after it."""
    group = command.add_argument_group(
        "configuration", f"as {SERVER} takes it; without a file or directory, that in ~/.gluon, ~, /etc/gluon or /etc"
    )
    for option, metavar in _WITH_VALUE.items():
        names = (option, "--logfile") if option == "--log-file" else (option,)
        group.add_argument(*names, dest=f"{where}shared:{option}", action="append", metavar=metavar)
    for option in _FLAGS:
        group.add_argument(option, dest=f"{where}shared:{option}", action="store_true")
