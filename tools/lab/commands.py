"""Runs the short commands with which networks and switches are set up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

TIMEOUT = 30.0
"""Seconds: all of them answer at once, unless something is wrong."""

PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


class CommandFailed(RuntimeError):
    """A command failed; the message has its words and what it said."""


def run(*words: str, environment: Mapping[str, str] | None = None) -> str:
    """Runs a command, and returns what it printed.

    Raises:
        CommandFailed: its exit code is not 0, or it takes too long.
    """
    try:
        done = subprocess.run(
            words,
            env={**os.environ, "PATH": PATH, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{' '.join(words)}: no end after {TIMEOUT:g} s") from error
    if done.returncode:
        raise CommandFailed(f"{' '.join(words)}: exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def ip(*words: str, namespace: str | None = None) -> str:
    """`ip`, in this network namespace or in a named one."""
    return run("ip", *(("-n", namespace) if namespace else ()), *words)


def in_namespace(namespace: str, *words: str) -> tuple[str, ...]:
    """The command line that runs a command in a network namespace."""
    return ("ip", "netns", "exec", namespace, *words)


def add_namespace(name: str) -> None:
    """A new network namespace, its loopback up."""
    ip("netns", "add", name)
    ip("link", "set", "lo", "up", namespace=name)


def software_checksums(device: str, namespace: str | None = None) -> None:
    """The sender computes checksums: a userspace switch passes on what is there, and the receiver drops it."""
    words = ("ethtool", "-K", device, "tx", "off")
    run(*(in_namespace(namespace, *words) if namespace else words))
