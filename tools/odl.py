"""A real OpenDaylight on this machine: gets it, and runs a command in a network of its own, with it.

`odl.py get` gets it; `odl.py run COMMAND ...` runs a command in a network where one may be started;
`odl.py run --start` starts one first, and runs a shell if no command is given.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gluon.testing.process import ProcessFailed, exit_on_signals
from lab import isolation
from lab.assembly import GettingFailed, get
from lab.controller import OpenDaylight
from lab.requirements import PACKETS, Missing, require


def main(argv: Sequence[str] | None = None) -> int:
    """Gets or runs; returns the command's exit code."""
    parser = argparse.ArgumentParser(prog="odl", description=__doc__)
    commands = parser.add_subparsers(dest="action", required=True)
    commands.add_parser("get", help="gets OpenDaylight into the cache: minutes, once")
    run = commands.add_parser("run", help="runs a command in a network of its own")
    run.add_argument("--start", action="store_true", help="starts an OpenDaylight first; its address is in ODL_URL")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="the command and its arguments")
    arguments = parser.parse_args(argv)
    try:
        if arguments.action == "get":
            get(_say)
            return 0
        return _run(arguments.words or [os.environ.get("SHELL", "/bin/sh")], start=arguments.start)
    except Missing as missing:
        return _skip(missing)
    except (GettingFailed, ProcessFailed) as error:
        print(error, file=sys.stderr)
        return 1


def _run(words: Sequence[str], *, start: bool) -> int:
    if isolation.inside():
        return _run_with_it(words) if start else subprocess.call(words)
    isolation.check()
    require(PACKETS)
    get(_say)
    again = [sys.executable, __file__, "run", "--start", *words]
    return isolation.run(again if start else words)


def _run_with_it(words: Sequence[str]) -> int:
    exit_on_signals()
    with tempfile.TemporaryDirectory() as directory:
        _say("Starting OpenDaylight: most of a minute")
        with OpenDaylight(get(_say), Path(directory)) as controller:
            _say(f"It serves {controller.url}, user {controller.user}, password {controller.password}")
            return subprocess.call(words, env={**os.environ, "ODL_URL": controller.url})


def _skip(missing: Missing) -> int:
    """A person may do without; CI may not."""
    if os.environ.get("CI"):
        print(f"No OpenDaylight: {missing}", file=sys.stderr)
        return 1
    _say(f"Skipped, no OpenDaylight: {missing}")
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
