"""Output for terminals and shells: text that can't act on them, on streams that can fail."""

from __future__ import annotations

import argparse
import csv
import logging
import os
import re
import time
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from cliff.formatters import commaseparated, shell

from gluon.terminal import SHORT, escaped, is_harmful


class OutputFailed(Exception):
    """Standard output takes no more; whatever the command did before is done."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"can't write to standard output ({error.strerror or error}); what the command did is done all the same"
        )


def shell_quoted(text: str) -> str:
    """The text as one word of a POSIX shell that expands nothing in it.

    Text with control characters is written as `$'...'`, since it may be read by a person first.
    """
    if escaped(text, keep="\n\t") == text:
        return "'" + text.replace("'", "'\\''") + "'"
    quoted = "".join(_ansi_c(c) for c in text)
    return f"$'{quoted}'"


def _ansi_c(character: str) -> str:
    if character == "'":
        return r"\047"  # A shell that doesn't know $'...' takes \' for the end of the text.
    if character == "\\":
        return r"\\"
    if not is_harmful(character):
        return character
    return SHORT.get(character) or "".join(f"\\{byte:03o}" for byte in character.encode(errors="surrogateescape"))


class ShellFormatter(shell.ShellFormatter):
    """cliff's, but what a value holds is never run: cliff puts it between double quotes."""

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        """The options; `--variable` is cliff's old name for `--column`."""
        group = parser.add_argument_group("shell formatter", "variable='value', each value quoted for a shell")
        group.add_argument("--variable", action="append", default=[], dest="variables", help=argparse.SUPPRESS)
        group.add_argument("--prefix", default="", help="put this before each variable's name")

    def emit_one(
        self, column_names: Sequence[str], data: Sequence[Any], stdout: TextIO, parsed_args: argparse.Namespace
    ) -> None:
        """Writes `name='value'` for each column."""
        wanted = parsed_args.variables
        for column, value in zip(column_names, data, strict=True):
            if not wanted or column in wanted:
                name = parsed_args.prefix + re.sub(r"\W", "_", column, flags=re.ASCII)
                stdout.write(f"{name}={shell_quoted(str(value))}\n")


class LogFormatter(logging.Formatter):
    """A line for each message, as the servers' logs have it; a traceback follows below."""

    def __init__(self) -> None:
        """Times are in UTC."""
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line, in which nothing can act on a terminal or look like another line."""
        return escaped(super().formatMessage(record))


class CSVLister(commaseparated.CSVLister):
    """cliff's, but a backslash is a character as any other (RFC 4180): cliff doubles each."""

    def emit_list(
        self,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
        stdout: TextIO,
        parsed_args: argparse.Namespace,
    ) -> None:
        """Writes the header and a line for each row."""
        quoting = self.QUOTE_MODES[parsed_args.quote_mode]
        # Without quotes nothing else can stand before a comma that belongs to a value.
        escape = "\\" if quoting == csv.QUOTE_NONE else None
        writer = csv.writer(stdout, quoting=quoting, lineterminator=os.linesep, escapechar=escape)
        writer.writerow(column_names)
        writer.writerows(data)


class SafeStream:
    """A text stream on which nothing can act on a terminal, and nothing fails for its encoding."""

    def __init__(self, stream: TextIO) -> None:
        """Writes to `stream`."""
        self.stream = stream
        self.is_lossy = False
        """Whether its encoding lacked a character, which was then written as an escape."""

    def write(self, text: str) -> int:
        """Writes the text; line breaks and tabs stay.

        Raises:
            OutputFailed: it can't be written.
            BrokenPipeError: nobody reads any more.
        """
        safe = escaped(text, keep="\n\t")
        encoding = self.stream.encoding or "utf-8"
        shown = safe.encode(encoding, "backslashreplace").decode(encoding)
        self.is_lossy = self.is_lossy or shown != safe
        try:
            self.stream.write(shown)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputFailed(error) from error
        return len(text)

    def flush(self) -> None:
        """Writes what is buffered; raises as `write` does."""
        try:
            self.stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputFailed(error) from error

    def abandon(self) -> None:
        """Throws the rest away, so that the interpreter doesn't fail once more at its exit."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self.stream.fileno())
        os.close(null)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
