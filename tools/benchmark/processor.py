"""The processor time of processes: what a busy machine can't hide.

A rate says what a machine did that had other things to do as well; the time that the processor spent in a
process is about the same however long the process waited for its turn.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gluon.testing.stack import LocalStack

_USER, _SYSTEM = 11, 12
"""Fields of `/proc/<pid>/stat` after the name, see proc(5)."""
MILLISECONDS = 1000


class Used:
    """What each process used between two moments."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def each(self, operations: int) -> dict[str, float]:
        """Milliseconds for one of so many operations, by process; empty where the system does not say."""
        return {name: MILLISECONDS * spent / max(operations, 1) for name, spent in self.seconds.items()}


class Processors:
    """The processes to look at: their pids, by name."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)

    @classmethod
    def of(cls, stack: LocalStack) -> Processors:
        """The three of a stack."""
        return cls({"proton-server": stack.proton.pid, "shim": stack.shim.pid, "etcd": stack.etcd.pid})

    @contextmanager
    def used(self) -> Iterator[Used]:
        """Fills in, at its end, what was used meanwhile."""
        used, before = Used(), self._now()
        yield used
        after = self._now()
        used.seconds = {name: after[name] - before[name] for name in before if name in after}

    def _now(self) -> dict[str, float]:
        return {name: spent for name, pid in self._pids.items() if (spent := _seconds(pid)) is not None}


def _seconds(pid: int) -> float | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / os.sysconf("SC_CLK_TCK")
