"""Real processes for tests, the demo and the benchmark: started, watched, and ended by their pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from gluon.testing.waiting import until


class ProcessFailed(RuntimeError):
    """A process ended, or did not become ready; the message has the end of its log."""


class ServerProcess:
    """One server with its log and its health address.

    Args:
        name: for messages and the log file.
        command: the command line.
        directory: working directory; holds `<name>.log`.
        health: base URL that serves `/readyz`.
        environment: added to this process' own.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        directory: Path,
        health: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.directory = directory
        self.health = health
        self.log_file = directory / f"{name}.log"
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen = False

    def __enter__(self) -> Self:
        """Starts it and waits until it is ready."""
        self.start()
        try:
            self.wait_ready()
        except ProcessFailed:
            self.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Ends it."""
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id; 0 while it does not run."""
        return self._process.pid if self._process else 0

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What it logged, over all its starts."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def start(self) -> None:
        """Starts it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._frozen = False
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C at a terminal is for the one who started us
            )

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Waits until `/readyz` says so.

        Raises:
            ProcessFailed: it ended, or is not ready in time.
        """

        def ready() -> bool:
            if not self.is_running:
                raise ProcessFailed(f"{self.name} ended with exit code {self.exit_code}:\n{self.log[-3000:]}")
            return self._is_ready()

        try:
            until(ready, f"{self.name} is ready", timeout)
        except AssertionError as error:
            raise ProcessFailed(f"{error}:\n{self.log[-3000:]}") from error

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll() if self._process else None

    def stop(self, timeout: float = 10.0) -> int:
        """SIGTERM, and SIGKILL if that does not end it; returns the exit code."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self.thaw()
            self.signal(signal.SIGTERM)
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._process.returncode

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def freeze(self) -> None:
        """SIGSTOP.  On return it does nothing more."""
        pid = self.pid
        if pid and not self._frozen:
            self._frozen = True
            self.signal(signal.SIGSTOP)
            until(lambda: os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG), f"{self.name} is frozen")

    def thaw(self) -> None:
        """SIGCONT."""
        self._frozen = False
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to just this process."""
        if self._process is not None:
            self._process.send_signal(number)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.health}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's own number
        except (urllib.error.URLError, OSError):
            return False


def exit_on_signals() -> None:
    """From now on SIGTERM, SIGHUP and SIGINT unwind the stack, so that what was started is ended."""

    def unwind(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, unwind)


def console_script(name: str) -> str:
    """Path of one of Gluon's programs, as installed beside this Python."""
    beside = Path(sys.executable).with_name(name)
    if not beside.exists():
        raise ProcessFailed(f"{name} is not installed beside {sys.executable}; install gluon with its extras")
    return str(beside)
