"""The recording backends, from the outside: their entry points, their journal, their faults."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .plugin.journal import CAME_BACK_EMPTY, LOSES, Account, Entry, Journal

__all__ = ["Account", "Entry", "Recording"]

PLUGIN = Path(__file__).with_name("plugin")

ENTRY_POINTS = """\
[gluon.shim.backends]
recording = recording_backend:RecordingBackend
blocking = recording_backend:BlockingBackend
listed = recording_backend:ListedBackend
"""


class Recording:
    """One journal and one set of faults, which any number of shims may share."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._faults = directory / "faults"
        self._faults.mkdir(parents=True)
        self._says = directory / "says"
        self._says.mkdir()
        self.journal = Journal(directory / "journal")
        installed = directory / "installed"
        info = installed / "recording-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: recording\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(ENTRY_POINTS)
        paths = [str(installed), str(PLUGIN), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environment = {"PYTHONPATH": os.pathsep.join(paths)}

    def options(
        self, *, pause: float = 0.0, hang: float = 30.0, one_sdn: bool = False, **shim: object
    ) -> dict[str, dict[str, object]]:
        """Options of a shim whose backend for net-l3vpn is `recording`, unless `handlers` says otherwise."""
        return {
            "shim": {"handlers": "net-l3vpn:recording", **shim},
            "shim_recording": {"directory": self.directory, "pause": pause, "hang": hang, "one_sdn": one_sdn},
        }

    def entries(self) -> list[Entry]:
        """All callbacks so far, in order."""
        return self.journal.entries()

    def account(self) -> Account:
        """What the controllers hold."""
        return Account(self.entries())

    def callbacks(self, key: str) -> list[str]:
        """The names of the callbacks for the objects of one key, in order."""
        return [entry.callback for entry in self.entries() if entry.key == key]

    def misbehave(self, key: str, callback: str, fault: str) -> None:
        """From now on that callback has a fault for the objects of this key."""
        (self._faults / key).write_text(f"{callback} {fault}")

    def behave(self, key: str) -> None:
        """The fault is mended."""
        (self._faults / key).unlink()

    # -- what the SDN controller does by itself ------------------------------------------------

    def says(self, method: str, *arguments: object, controller: str = "SimServer") -> None:
        """Has the backend of a controller call `context.<method>`, or set its `health`, within a moment."""
        file = self._says / controller
        told = json.loads(file.read_text()) if file.exists() else []
        new = file.with_suffix(".new")
        new.write_text(json.dumps([*told, [method, *arguments]]))
        new.replace(file)

    def loses(self, object_type: str, key: str, controller: str = "SimServer") -> None:
        """The SDN controller has an object no more."""
        self.journal.append(Entry(controller, LOSES, object_type, key))

    def comes_back_empty(self, controller: str = "SimServer") -> None:
        """The SDN controller has nothing any more."""
        self.journal.append(Entry(controller, CAME_BACK_EMPTY))
