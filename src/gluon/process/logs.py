"""Logging: one line per message, to standard output, where a supervisor collects it."""

from __future__ import annotations

import logging
import sys
import time

FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s"


def configure(level: str) -> None:
    """Sets up the root logger.

    Args:
        level: name of the least severe level that is logged.
    """
    formatter = logging.Formatter(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    # None of these is printed, and collecting them is half the cost of a message ("Optimization" in
    # Python's logging how-to).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - the documented switch
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Below WARNING these only repeat our own messages.
    for name in ("uvicorn", "httpx", "httpcore", "grpc", "asyncio", "stevedore"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
