"""Logging: one line per message, to standard output, where a supervisor collects it, or to a file."""

from __future__ import annotations

import json
import logging
import logging.handlers
import sys
import time
from pathlib import Path

from msgspec import Struct

from gluon.process import request_id
from gluon.terminal import escaped

FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(request)s%(message)s"


class LogSettings(Struct, frozen=True, kw_only=True):
    """Where messages go, and how they look."""

    level: str = "INFO"
    """The least severe messages that are logged."""
    file: Path | None = None
    """None: standard output."""
    as_json: bool = False
    """An object a line, for programs, instead of text for people."""


class TextFormatter(logging.Formatter):
    """One line a message, whatever is named in it; a traceback follows below."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line, in which nothing can act on a terminal or look like another line."""
        return escaped(super().formatMessage(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and where there is one request_id and traceback.

    oslo.log's would be some twenty packages more for a dozen lines, and its objects have fields of
    the interpreter (`relative_created`, `thread`) that nobody asks for.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of one message."""
        line = {
            "time": f"{self.formatTime(record, self.datefmt)}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := request_id.current():
            line["request_id"] = request
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(settings: LogSettings) -> None:
    """Sets up the root logger.

    Raises:
        OSError: the file can't be written.
    """
    made = JsonFormatter if settings.as_json else TextFormatter
    formatter = made(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    # None of these is printed, and collecting them is half the cost of a message ("Optimization" in
    # Python's logging how-to).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - the documented switch
    handler = _handler(settings.file)
    handler.setFormatter(formatter)
    handler.addFilter(request_id.stamp)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    # Below WARNING these only repeat our own messages.
    for name in ("uvicorn", "httpx", "httpcore", "grpc", "asyncio", "stevedore"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def is_in_a_file() -> bool:
    """Whether messages go to a file."""
    return any(isinstance(handler, logging.FileHandler) for handler in logging.getLogger().handlers)


def _handler(file: Path | None) -> logging.Handler:
    if file is None:
        return logging.StreamHandler(sys.stdout)
    # It opens the file again after logrotate has moved it away.
    return logging.handlers.WatchedFileHandler(file, encoding="utf-8")
