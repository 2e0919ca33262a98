"""An OpenDaylight that is started, stopped, killed and emptied."""

from __future__ import annotations

import base64
import http.client
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Self

from gluon.testing.process import ProcessFailed
from gluon.testing.waiting import until
from lab.assembly import Assembly

PORT = 8181
USER, PASSWORD = "admin", "admin"
"""OpenDaylight's own, known to everybody."""

START_TIMEOUT = 600.0
"""Seconds for a start: it takes under one minute, on a busy machine many."""

STOP_TIMEOUT = 90.0
"""Seconds for an orderly stop."""

PARTS = ("bin", "etc", "lib", "deploy")
"""What an instance has of its own; the store of bundles, `system`, is only read."""

DATA = ("journal", "snapshots", "segmented-journal", "daexim", "data/log", "data/tmp", "karaf.out", "lock")
"""What an instance knows and has logged.

Karaf's own store, of the bundles that it runs, stays: with it a start takes two thirds of the time.
"""

HEAP = "2048m"

OK = 200
READY = ("/restconf/modules", "/rests/data/ietf-yang-library:modules-state?content=nonconfig", "/diagstatus")
"""Asked until all are served: the flavours come one by one, and netvirt's listeners after them."""


class OpenDaylight:
    """One instance, in a directory of its own.

    Its data outlive `stop` and `kill`, and are gone after `wipe`.

    Args:
        assembly: what it is a copy of.
        directory: where it lives; is made.
    """

    def __init__(self, assembly: Assembly, directory: Path) -> None:
        self.url = f"http://127.0.0.1:{PORT}"
        self.user = USER
        self.password = PASSWORD
        self.directory = directory
        self.assembly = assembly
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Starts it and waits until it is ready."""
        try:
            self.start()
        except ProcessFailed:
            self.kill()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Ends it, at once: who wants an orderly stop says so."""
        self.kill()

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What it logged since it was last emptied: what Karaf printed, and its own log."""
        files = (self.directory / "karaf.out", self.directory / "data" / "log" / "karaf.log")
        return "".join(file.read_text(errors="replace") for file in files if file.exists())

    def start(self, *, wait: bool = True) -> None:
        """Starts it; waits until it serves, unless told not to."""
        if self.is_running:
            return
        self._lay_out()
        # Given, they replace Karaf's own, which open a port for debuggers
        options = f"-Xms256m -Xmx{HEAP} -XX:+DisableExplicitGC -Djava.security.egd=file:/dev/./urandom"
        environment = {"JAVA_HOME": str(self.assembly.java), "JAVA_OPTS": options, "KARAF_EXEC": "exec"}
        with (self.directory / "karaf.out").open("ab") as output:
            self._process = subprocess.Popen(
                [str(self.directory / "bin" / "karaf"), "server"],
                cwd=self.directory,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if wait:
            self.wait_ready()

    def wait_ready(self, timeout: float = START_TIMEOUT) -> None:
        """Waits until RESTCONF answers in both flavours, and OpenDaylight says that all its parts work.

        Raises:
            ProcessFailed: it ended, or does not serve in time; with the end of its log.
        """

        def ready() -> bool:
            if not self.is_running:
                raise ProcessFailed(f"OpenDaylight ended with exit code {self._exit_code}:\n{self.log[-5000:]}")
            return all(self._status(path) == OK for path in READY)

        try:
            until(ready, "OpenDaylight serves RESTCONF", timeout)
        except AssertionError as error:
            raise ProcessFailed(f"{error}:\n{self.log[-5000:]}") from error

    def stop(self) -> None:
        """Asks it to end, and waits; kills it where that does not help."""
        if self._process is None or not self.is_running:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL, as if the power went."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)

    def wipe(self) -> None:
        """Takes its data away; it must not run."""
        if self.is_running:
            raise RuntimeError("a running OpenDaylight cannot be emptied: stop it or kill it first")
        for name in DATA:
            _remove(self.directory / name)

    @property
    def _exit_code(self) -> int | None:
        return self._process.poll() if self._process else None

    def _lay_out(self) -> None:
        """Copies what an instance may write to; 300 MB of bundles are shared."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for name in PARTS:
            if (self.assembly.karaf / name).exists() and not (self.directory / name).exists():
                shutil.copytree(self.assembly.karaf / name, self.directory / name, symlinks=True)
        system = self.directory / "system"
        if not system.exists():
            system.symlink_to(self.assembly.karaf / "system")

    def _status(self, path: str) -> int:
        """Status of one GET; 0 where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
        credentials = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        try:
            connection.request("GET", path, headers={"Authorization": f"Basic {credentials}"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return 0
        else:
            return answer.status
        finally:
            connection.close()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
