"""What the lab needs of the machine, and how it is installed where that is allowed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

APT_TIMEOUT = 600
"""Seconds that one run of apt-get may take."""

JAVA_17 = "/usr/lib/jvm"
"""Where Debian keeps its Java versions."""


class Missing(RuntimeError):
    """The machine lacks something; the message says what, and what brings it."""


@dataclass(frozen=True)
class Program:
    """A program that must be on the path."""

    name: str
    package: str
    """Debian's package that brings it."""
    purpose: str


ASSEMBLY = (
    Program("mvn", "maven", "assembles OpenDaylight"),
    Program("javac", "openjdk-17-jdk-headless", "Maven runs on it"),
)
NAMESPACES = (
    Program("unshare", "util-linux", "makes the network that OpenDaylight listens in"),
    Program("ip", "iproute2", "makes networks"),
)
PACKETS = (
    Program("ovs-vswitchd", "openvswitch-switch", "is the switch of a hypervisor"),
    Program("ethtool", "ethtool", "turns checksum offload off, which a userspace switch does not do"),
    Program("ping", "iputils-ping", "sends the packets"),
)


def java_17() -> Path | None:
    """Home of a JDK 17, None if there is none; Karaf's Maven plugin is too old for later ones."""
    named = os.environ.get("JAVA_HOME", "")
    found = [Path(named)] if "17" in Path(named).name else []
    found += sorted(Path(JAVA_17).glob("java-17-*")) if Path(JAVA_17).is_dir() else []
    return next((home for home in found if (home / "bin" / "javac").exists()), None)


def require(programs: Sequence[Program]) -> None:
    """Sees that the programs are there; installs them with apt-get if this user may.

    Raises:
        Missing: they are not there, and cannot be installed.
    """
    absent = _absent(programs)
    if not absent:
        return
    packages = sorted({program.package for program in absent})
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _install(packages)
    if still := _absent(programs):
        wanted = "; ".join(f"{program.name} ({program.purpose})" for program in still)
        raise Missing(f"not on this machine: {wanted}. On Debian: apt-get install {' '.join(packages)}")


def _absent(programs: Sequence[Program]) -> Sequence[Program]:
    return [p for p in programs if not (java_17() if p.name == "javac" else _which(p.name))]


def _which(name: str) -> str | None:
    """As `shutil.which`, but looks where administrators' programs are, too."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")


def _install(packages: Sequence[str]) -> None:
    print(f"Installing {', '.join(packages)} with apt-get", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "--quiet=2", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=APT_TIMEOUT,
            check=False,
        )
        if done.returncode:
            print(f"apt-get {arguments[0]}: exit code {done.returncode}\n{done.stderr[-2000:]}", file=sys.stderr)
