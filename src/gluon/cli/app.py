"""`protonclient`: options in, the schema fetched, one command run, an exit code out."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
from collections.abc import Collection, Sequence
from typing import Any

import cliff.app
from cliff.command import Command
from cliff.commandmanager import CommandManager

from gluon.cli.commands import Help, PartlyDone, ProtonList, check_command, commands_of, write_help
from gluon.cli.completion import Complete
from gluon.cli.global_options import GlobalOptions, has_late, moved_before, server_url
from gluon.cli.output import LogFormatter, OutputFailed, SafeStream
from gluon.cli.port_binding_commands import port_binding_commands
from gluon.contract.rest import Resource
from gluon.distribution import version
from gluon.sdk import Client, ClientError, RequestRefused, UnexpectedAnswer, UsageError

DESCRIPTION = "Create, list, show, change and delete the objects of a proton."

EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_SERVER = 3
EXIT_PARTLY = 4
EXIT_FAULT = 70
"""As sysexits.h has it: a fault in the program itself."""
EXIT_OUTPUT = 74
"""As sysexits.h has it: a failure of input or output."""
EXIT_BROKEN_PIPE = 141

_NEED_NO_SCHEMA = ("proton-list",)

_is_name = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,254}").fullmatch


class ProtonClient(cliff.app.App):
    """One run of `protonclient`."""

    NAME = "protonclient"
    LOG = logging.getLogger("protonclient")

    def __init__(self) -> None:
        """Knows only the commands that need no schema."""
        super().__init__(DESCRIPTION, version(), CommandManager(), deferred_help=True)
        self.parser = GlobalOptions(DESCRIPTION, version())
        self.command_manager.add_command("help", Help)
        self.command_manager.add_command("complete", Complete)
        self._argv: list[str] = []
        self._client: Client | None = None
        self.failure: BaseException | None = None
        """What ended the command; the exit code depends on it."""
        self._console: logging.Handler | None = None
        self._log: logging.Handler | None = None

    def run(self, argv: list[str]) -> int:
        """Runs one command and returns the exit code."""
        self._argv = argv
        result: int = super().run(argv)
        return result

    def configure_logging(self) -> None:
        """Messages to stderr: errors always, requests with -v, everything with -vv."""
        level = {0: logging.ERROR, 1: logging.WARNING, 2: logging.INFO}.get(self.options.verbose_level, logging.DEBUG)
        if self._console is None:
            self._console = logging.StreamHandler(self.stderr)
            logging.getLogger().addHandler(self._console)
        self._console.setLevel(level)
        least = min(level, logging.INFO) if self._open_log() else level
        for name in ("protonclient", "httpx", "httpcore"):
            logging.getLogger(name).setLevel(least)

    def _open_log(self) -> bool:
        """Whether messages go to a file as well; it is opened when it is first named."""
        name = self.options.log_file
        if name and self._log is None:
            try:
                self._log = logging.FileHandler(name, encoding="utf-8", errors="backslashreplace")
            except OSError as error:
                self.parser.error(f"--log-file: cannot write {name!r}: {error.strerror}")
            self._log.setFormatter(LogFormatter())
            logging.getLogger().addHandler(self._log)
        return self._log is not None

    def close(self) -> None:
        """Closes the connections and stops logging."""
        if self._client:
            self._client.close()
        for handler in (self._console, self._log):
            if handler:
                logging.getLogger().removeHandler(handler)
        if self._log:
            self._log.close()

    def initialize_app(self, argv: list[str]) -> None:
        """Writes the help for --help, with or without a server; refuses to run without a command."""
        if self.options.deferred_help:
            try:
                self._load_commands()
            except ClientError as error:
                self.stderr.write(f"The commands can't be listed: {error}\n\n")
            write_help(self)
            raise SystemExit(0)
        if not argv:
            self.parser.error("no command given")

    def run_subcommand(self, argv: list[str]) -> int:
        """Runs the command and returns the exit code."""
        try:
            argv = self._with_late_options(argv) if has_late(argv[1:]) else self._ready_for(argv)
            result = super().run_subcommand(argv)
        except ClientError as error:
            self.LOG.error(error, exc_info=self.options.debug)  # noqa: TRY400 - a traceback is for --debug
            return _exit_code(error)
        return _exit_code(self.failure) if self.failure else result

    def clean_up(self, cmd: Command, result: int, err: BaseException | None) -> None:  # noqa: ARG002 - cliff's
        """Keeps the error: the exit code depends on it, and cliff returns 1 for everything."""
        self.failure = err
        expected = ClientError | PartlyDone | OutputFailed | OSError
        if isinstance(err, Exception) and not isinstance(err, expected) and not self.options.debug:
            self.LOG.error(
                "That is a fault in protonclient (%s): run it again with --debug, and report what it shows",
                type(err).__name__,
            )

    def _ready_for(self, argv: list[str]) -> list[str]:
        """Loads what the command needs; returns the command as it is."""
        if argv[0] not in _NEED_NO_SCHEMA:
            self._load_commands()
            check_command(self, argv)
        else:
            self._connect()
        return argv

    def _with_late_options(self, argv: list[str]) -> list[str]:
        """Takes the global options behind the command into account; returns the command without them.

        An option of that name may be the command's own.  Which ones are depends on the schema, and
        that on the server which the options may name: so the schema that is known without them is
        asked first, and the one that they lead to has to agree.

        Raises:
            UsageError: the two don't agree.
        """
        try:
            self._ready_for(argv)
            own = self._options_of(argv)
        except ClientError:
            own = frozenset()
        moved, kept = moved_before(argv[1:], own)
        if not moved:
            return argv
        before = self._argv[: len(self._argv) - len(argv)]
        self.options, _ = self.parser.parse_known_args([*before, *moved, argv[0]])
        self.configure_logging()
        argv = self._ready_for([argv[0], *kept])
        if taken := [word for word in moved if word.partition("=")[0] in self._options_of(argv)]:
            raise UsageError(
                f"{taken[0]} is an option of {argv[0]} too at this server; the one for protonclient goes before "
                "the command"
            )
        return argv

    def _options_of(self, argv: Sequence[str]) -> Collection[str]:
        """The options that the command has itself."""
        command, name, _ = self.command_manager.find_command([argv[0]])
        parser: Any = command(self, self.options, cmd_name=name).get_parser(name)
        return frozenset(parser._option_string_actions)  # noqa: SLF001 - argparse shows them nowhere else

    def _connect(self) -> Client:
        """The client of the chosen server, and the command that needs no schema."""
        if self._client:
            self._client.close()
        self._client = Client(server_url(self.options), api=self.options.api, timeout=self.options.timeout)
        proton_list = type("ProtonList", (ProtonList,), {"__module__": __name__, "client": self._client})
        self.command_manager.add_command("proton-list", proton_list)
        return self._client

    def _load_commands(self) -> None:
        """The commands of every resource that the server serves."""
        client = self._connect()
        for resource in client.resources().values():
            _check_names(resource)
            for name, command_class in (*commands_of(resource, client), *port_binding_commands(resource, client)):
                self.command_manager.add_command(name, command_class)


def main(argv: list[str] | None = None) -> int:
    """Runs `protonclient` and returns its exit code; `GlobalOptions` lists them.

    Args:
        argv: Without the program's name; None for the process' own.
    """
    with contextlib.ExitStack() as stack:
        if sys.stderr is None:
            devnull = stack.enter_context(open("/dev/null", "w", encoding="utf-8"))  # noqa: PTH123 - no file to name
            stack.enter_context(contextlib.redirect_stderr(devnull))
        if sys.stdout is None:
            sys.stderr.write("protonclient: standard output is closed; nothing was sent\n")
            return EXIT_USAGE
        output, errors = SafeStream(sys.stdout), SafeStream(sys.stderr)
        stack.enter_context(contextlib.redirect_stdout(output))
        stack.enter_context(contextlib.redirect_stderr(errors))
        result = _run(sys.argv[1:] if argv is None else argv, output)
        if output.is_lossy:
            errors.write(
                f"protonclient: the output's encoding, {output.encoding}, lacks some of its characters; they are "
                "shown as escapes\n"
            )
        return result


def _run(argv: list[str], output: SafeStream) -> int:
    app = ProtonClient()
    try:
        result = app.run(argv)
        output.flush()
    except SystemExit as stop:
        result = stop.code if isinstance(stop.code, int) else 0
    except BrokenPipeError:
        result = EXIT_BROKEN_PIPE
    except OutputFailed as error:
        # Once: the failure of a command was said when it happened.
        if not isinstance(app.failure, OutputFailed):
            app.LOG.error(error)  # noqa: TRY400 - a sentence, no traceback
        result = EXIT_OUTPUT
    finally:
        app.close()
    if result in (EXIT_BROKEN_PIPE, EXIT_OUTPUT):
        output.abandon()
    return result


def _check_names(resource: Resource) -> None:
    """Refuses a schema whose names could not be commands and options.

    They become words of a completion script, which a shell runs.

    Raises:
        UnexpectedAnswer: names the first one.
    """
    for name in (resource.resource_name, resource.plural_name, *(a.name for a in resource.attributes)):
        if not _is_name(name):
            raise UnexpectedAnswer(f"the server's schema has the name {name!r}, which can't be one of a command")


def _exit_code(error: BaseException) -> int:
    kinds: dict[type[BaseException], int] = {
        UsageError: EXIT_USAGE,
        RequestRefused: EXIT_REFUSED,
        ClientError: EXIT_SERVER,
        PartlyDone: EXIT_PARTLY,
        OutputFailed: EXIT_OUTPUT,
    }
    return next((code for kind, code in kinds.items() if isinstance(error, kind)), EXIT_FAULT)
