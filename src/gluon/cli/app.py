"""`protonclient`: options in, the schema fetched, one command run, an exit code out."""

from __future__ import annotations

import logging
import os
import sys
from importlib.metadata import version

import cliff.app
from cliff.command import Command
from cliff.commandmanager import CommandManager

from gluon.cli.commands import Complete, Help, ProtonList, check_command, commands_of, write_help
from gluon.cli.global_options import GlobalOptions, server_url
from gluon.cli.port_binding_commands import port_binding_commands
from gluon.sdk import Client, ClientError, RequestRefused, UsageError

DESCRIPTION = "Create, list, show, change and delete the objects of a proton."

EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_SERVER = 3
EXIT_FAULT = 70
"""As sysexits.h has it: a fault in the program itself."""
EXIT_BROKEN_PIPE = 141

_NEED_NO_SCHEMA = ("proton-list",)


class ProtonClient(cliff.app.App):
    """One run of `protonclient`."""

    NAME = "protonclient"
    LOG = logging.getLogger("protonclient")

    def __init__(self) -> None:
        """Knows only the commands that need no schema."""
        super().__init__(DESCRIPTION, version("gluon"), CommandManager(), deferred_help=True)
        self.parser = GlobalOptions(DESCRIPTION, version("gluon"))
        self.command_manager.add_command("help", Help)
        self.command_manager.add_command("complete", Complete)
        self._client: Client | None = None
        self._failure: BaseException | None = None
        self._console: logging.Handler | None = None

    def configure_logging(self) -> None:
        """Messages to stderr: errors always, requests with -v, everything with -vv."""
        level = {0: logging.ERROR, 1: logging.WARNING, 2: logging.INFO}.get(self.options.verbose_level, logging.DEBUG)
        self._console = logging.StreamHandler(self.stderr)
        self._console.setLevel(level)
        logging.getLogger().addHandler(self._console)
        for name in ("protonclient", "httpx", "httpcore"):
            logging.getLogger(name).setLevel(level)

    def close(self) -> None:
        """Closes the connections and stops logging."""
        if self._client:
            self._client.close()
        if self._console:
            logging.getLogger().removeHandler(self._console)

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
            if argv[0] not in _NEED_NO_SCHEMA:
                self._load_commands()
                check_command(self, argv)
            else:
                self._connect()
            result = super().run_subcommand(argv)
        except ClientError as error:
            self.LOG.error(error, exc_info=self.options.debug)  # noqa: TRY400 - a traceback is for --debug
            return _exit_code(error)
        return _exit_code(self._failure) if self._failure else result

    def clean_up(self, cmd: Command, result: int, err: BaseException | None) -> None:  # noqa: ARG002 - cliff's
        """Keeps the error: the exit code depends on it, and cliff returns 1 for everything."""
        self._failure = err
        if isinstance(err, Exception) and not isinstance(err, ClientError | OSError) and not self.options.debug:
            self.LOG.error(
                "That is a fault in protonclient (%s): run it again with --debug, and report what it shows",
                type(err).__name__,
            )

    def _connect(self) -> Client:
        """The client of the chosen server, and the command that needs no schema."""
        self._client = Client(server_url(self.options), api=self.options.api, timeout=self.options.timeout)
        proton_list = type("ProtonList", (ProtonList,), {"__module__": __name__, "client": self._client})
        self.command_manager.add_command("proton-list", proton_list)
        return self._client

    def _load_commands(self) -> None:
        """The commands of every resource that the server serves."""
        client = self._connect()
        for resource in client.resources().values():
            for name, command_class in (*commands_of(resource, client), *port_binding_commands(resource, client)):
                self.command_manager.add_command(name, command_class)


def main(argv: list[str] | None = None) -> int:
    """Runs `protonclient` and returns its exit code; `GlobalOptions` lists them.

    Args:
        argv: Without the program's name; None for the process' own.
    """
    app = ProtonClient()
    try:
        result = app.run(sys.argv[1:] if argv is None else argv)
        app.stdout.flush()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except BrokenPipeError:
        # Nobody reads any more (`| head`); keep the interpreter from flushing again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    finally:
        app.close()
    return result


def _exit_code(error: BaseException) -> int:
    if isinstance(error, UsageError):
        return EXIT_USAGE
    if isinstance(error, RequestRefused):
        return EXIT_REFUSED
    return EXIT_SERVER if isinstance(error, ClientError) else EXIT_FAULT
