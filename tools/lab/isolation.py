"""A network of its own for a command and all that it starts.

Tests, OpenDaylight, etcd, Gluon's programs and the switches share one network namespace, with a
loopback of its own.  So nothing has to be forwarded or told addresses, OpenDaylight runs with its
configuration as it is (it listens on every address, on a dozen fixed ports, with a password that
everybody knows), two runs do not meet, and no packet leaves.  Processes and the names of network
namespaces are in namespaces of their own, too: when the command ends, however it ends, the kernel
ends and removes all that it left.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence

from lab.requirements import NAMESPACES, Missing, require

MARK = "GLUON_LAB"
"""Environment variable that is set inside."""

SETUP = """\
set -e
ip link set lo up
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
set +e
"$@"
exit $?
"""
"""Prepares the namespaces and runs the command; the shell stays, to reap what others leave."""

NAMES = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


def inside() -> bool:
    """Whether this process runs in a network of its own."""
    return MARK in os.environ


def check() -> None:
    """Sees that namespaces can be made.

    Raises:
        Missing: they cannot.
    """
    require(NAMESPACES)
    done = subprocess.run(_isolated(["true"]), capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise Missing(f"this user may not make network namespaces here ({reason}); root may")


def run(command: Sequence[str]) -> int:
    """Runs the command in a network of its own; returns its exit code."""
    check()
    process = subprocess.Popen(_isolated(command), env={**os.environ, MARK: "1"})

    def kill(number: int, _frame: object) -> None:
        process.kill()
        raise SystemExit(128 + number)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the command itself, which cleans up
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, kill)
    return process.wait()


def _isolated(command: Sequence[str]) -> Sequence[str]:
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    # without setpriv, a wrapper that is killed would leave everything running
    return ["setpriv", "--pdeathsig", "KILL", "unshare", *user, *NAMES, "sh", "-c", SETUP, "sh", *command]
