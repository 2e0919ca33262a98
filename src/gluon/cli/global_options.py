"""The options before the command: which server, which proton, how long to wait."""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Collection, Sequence
from typing import Any

from gluon.sdk import DEFAULT_TIMEOUT

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 2705
MAX_PORT = 65535

WITH_VALUE = ("--host", "--port", "--api", "--timeout", "--log-file")
WITHOUT_VALUE = ("--version", "--verbose", "--quiet", "--debug", "-q")
"""All of them but `--help`, which a command has too."""

_is_number = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?").fullmatch
_is_verbosity = re.compile(r"-v+").fullmatch

EPILOG = """\
The commands are generated from the schema that the server serves: <name>-create, -list, -show,
-update and -delete for every object of the proton, <name>-binding-create, -list, -show, -activate
and -delete for its port, and `proton-list`.  `protonclient help` lists them, `protonclient help
<command>` describes one.

exit codes:
  0    done
  1    the server refused the request and changed nothing
  2    wrong usage; nothing was changed
  3    the server can't be reached, gives no answer, or failed
  4    some of several objects were deleted, others not
  70   a fault in protonclient
  74   standard output can't be written; what the command did is done
  130  interrupted
  141  nobody reads standard output any more; what the command did is done
"""


class GlobalOptions(argparse.ArgumentParser):
    """Parses the options up to the command, and leaves the command and the rest alone.

    An attribute of a model may be called `host` or `port`: what follows the command belongs to
    the command, unless it has no such option (`moved_before`).
    """

    def __init__(self, description: str, version: str) -> None:
        """Declares the options; their defaults come from the environment."""
        super().__init__(
            prog="protonclient",
            usage="protonclient [options] <command> ...",
            description=description,
            epilog=EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,
            allow_abbrev=False,
        )
        self.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
        self._add_server_options()
        self.add_argument("-h", "--help", dest="deferred_help", action="store_true", help="show this and the commands")
        self.add_argument("--version", action="version", version=f"protonclient {version}")
        verbosity = self.add_mutually_exclusive_group()
        verbosity.add_argument(
            "-v",
            "--verbose",
            dest="verbose_level",
            action="count",
            default=1,
            help="show each request; twice: everything",
        )
        verbosity.add_argument(
            "-q", "--quiet", dest="verbose_level", action="store_const", const=0, help="only results and errors"
        )
        self.add_argument("--debug", action="store_true", help="show the traceback of an error")
        self.add_argument(
            "--log-file", metavar="<file>", help="append messages and each request to this file, with their time"
        )

    def _add_server_options(self) -> None:
        self.add_argument(
            "--host",
            metavar="<host>",
            type=_host,
            default=os.environ.get("OS_PROTON_HOST") or DEFAULT_HOST,
            help=f"name or address of the server; OS_PROTON_HOST, else {DEFAULT_HOST}",
        )
        self.add_argument(
            "--port",
            metavar="<port>",
            type=_port,
            default=os.environ.get("OS_PROTON_PORT") or str(DEFAULT_PORT),
            help=f"TCP port of the server; OS_PROTON_PORT, else {DEFAULT_PORT}",
        )
        self.add_argument(
            "--api",
            metavar="<proton>",
            default=os.environ.get("OS_PROTON_API", ""),
            help="the proton, such as net-l3vpn; OS_PROTON_API, else the only one that the server serves",
        )
        self.add_argument(
            "--timeout",
            metavar="<seconds>",
            type=_timeout,
            default=DEFAULT_TIMEOUT,
            help=f"how long the server may stay silent; default {DEFAULT_TIMEOUT:g}",
        )

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """The options, and the command with all that follows it."""
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unknown option {unknown[0]}; a command's own options go after the command")
        return options, options.command

    def error(self, message: str) -> Any:
        """Ends with the message and exit code 2."""
        self.exit(2, f"protonclient: {message}\nSee 'protonclient --help'.\n")


def has_late(words: Sequence[str]) -> bool:
    """Whether a global option may stand among the words that follow the command."""
    return bool(moved_before(words, ())[0])


def moved_before(words: Sequence[str], own: Collection[str]) -> tuple[list[str], list[str]]:
    """Takes the global options out of the words that follow a command.

    Args:
        words: what follows the command.
        own: options that the command has itself; these stay its own.

    Returns:
        The global options with their values, and all other words.
    """
    moved: list[str] = []
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        option = word.partition("=")[0]
        if word == "--":
            kept += [word, *rest]
        elif option in WITH_VALUE and option not in own:
            moved.append(word)
            if option == word:
                moved += [value for value in (next(rest, None),) if value is not None]
        elif (word in WITHOUT_VALUE or _is_verbosity(word)) and word not in own:
            moved.append(word)
        else:
            kept.append(word)
    return moved, kept


def server_url(options: argparse.Namespace) -> str:
    """The URL of the server that the options name."""
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"http://{host}:{options.port}"


def _host(text: str) -> str:
    host = text.removeprefix("[").removesuffix("]")
    if not host or any(c in "/@?#" or c.isspace() for c in host):
        raise argparse.ArgumentTypeError(f"expected a host name or an IP address (OS_PROTON_HOST), got {text!r}")
    return host


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"expected a TCP port 1..65535 (OS_PROTON_PORT), got {text!r}")
    return int(text)


def _timeout(text: str) -> float:
    seconds = float(text) if _is_number(text) else math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, got {text!r}")
    return seconds
