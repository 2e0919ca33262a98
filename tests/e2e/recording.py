"""The recording backends, from the outside: their entry points, their journal, their faults."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

PLUGIN = Path(__file__).with_name("plugin")

ENTRY_POINTS = """\
[gluon.shim.backends]
recording = recording_backend:RecordingBackend
blocking = recording_backend:BlockingBackend
"""


class Entry(NamedTuple):
    """One line of the journal."""

    controller: str
    callback: str
    object: str
    key: str
    attributes: dict[str, Any]
    fault: str


class Recording:
    """One journal and one set of faults, which any number of shims may share."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._journal = directory / "journal"
        self._faults = directory / "faults"
        self._faults.mkdir(parents=True)
        self._journal.touch()
        installed = directory / "installed"
        info = installed / "recording-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: recording\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(ENTRY_POINTS)
        self.environment = {"PYTHONPATH": f"{installed}:{PLUGIN}"}

    def options(self, *, pause: float = 0.0, **shim: object) -> dict[str, dict[str, object]]:
        """Options of a shim whose backend for net-l3vpn is `recording`, unless `handlers` says otherwise."""
        return {
            "shim": {"handlers": "net-l3vpn:recording", **shim},
            "shim_recording": {"journal": self._journal, "faults": self._faults, "pause": pause},
        }

    def entries(self) -> list[Entry]:
        """All callbacks so far, in order."""
        whole = self._journal.read_text().rpartition("\n")[0]
        return [Entry(**json.loads(line)) for line in whole.splitlines()]

    def callbacks(self, key: str) -> list[str]:
        """The names of the callbacks for the objects of one key, in order."""
        return [entry.callback for entry in self.entries() if entry.key == key]

    def misbehave(self, key: str, callback: str, fault: str) -> None:
        """From now on that callback has a fault for the objects of this key."""
        (self._faults / key).write_text(f"{callback} {fault}")

    def behave(self, key: str) -> None:
        """The fault is mended."""
        (self._faults / key).unlink()


class Account:
    """What a controller holds after the callbacks of a journal, and what no controller should be told."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.hosts: dict[str, str] = {}
        """The host of each bound port."""
        self.violations: list[str] = []
        self._binds: dict[str, tuple[Any, ...]] = {}
        for entry in entries:
            self._take(entry)

    def _take(self, entry: Entry) -> None:
        if entry.fault:
            self._violation(entry, entry.fault)
        getattr(self, f"_{entry.callback}", self._modify)(entry)

    def _bind_port(self, port: Entry) -> None:
        bind = tuple(port.attributes[name] for name in ("host_id", "device_id", "vnic_type", "profile"))
        before = self._binds.setdefault(port.key, bind)
        if before != bind:
            self._violation(port, f"bound as {bind} while still bound as {before}")
        self._binds[port.key] = bind
        self.hosts[port.key] = port.attributes["host_id"]
        self.objects["Port", port.key] = port.attributes

    def _unbind_port(self, port: Entry) -> None:
        if ("VpnBinding", port.key) in self.objects:
            self._violation(port, "unbound while it takes part in a service")
        self._binds.pop(port.key, None)
        self.hosts.pop(port.key, None)

    def _delete_port(self, port: Entry) -> None:
        if port.key in self.hosts:
            self._violation(port, f"deleted while bound on {self.hosts[port.key]}")
        if ("Interface", port.key) in self.objects:
            self._violation(port, "deleted before its interface")
        self._delete(port)

    def _modify_interface(self, interface: Entry) -> None:
        self._needs(interface, "Port", interface.attributes["port_id"])
        self._modify(interface)

    def _delete_interface(self, interface: Entry) -> None:
        if ("VpnBinding", interface.key) in self.objects:
            self._violation(interface, "deleted before its service binding")
        self._delete(interface)

    def _modify_service(self, service: Entry) -> None:
        for target in filter(None, (service.attributes["ipv4_family"] or "").split(",")):
            self._needs(service, "VpnAfConfig", target)
        self._modify(service)

    def _delete_service(self, service: Entry) -> None:
        if any(name == "VpnBinding" and a["service_id"] == service.key for (name, _), a in self.objects.items()):
            self._violation(service, "deleted before its service bindings")
        self._delete(service)

    def _modify_service_binding(self, binding: Entry) -> None:
        self._needs(binding, "Interface", binding.attributes["interface_id"])
        self._needs(binding, "VpnService", binding.attributes["service_id"])
        if binding.key not in self.hosts:
            self._violation(binding, "applied while its port is not bound")
        self._modify(binding)

    def _delete_service_binding(self, binding: Entry) -> None:
        self._delete(binding)

    def _delete_object(self, obj: Entry) -> None:
        self._delete(obj)

    def _modify(self, entry: Entry) -> None:
        self.objects[entry.object, entry.key] = entry.attributes

    def _delete(self, entry: Entry) -> None:
        self.objects.pop((entry.object, entry.key), None)

    def _needs(self, entry: Entry, object_type: str, key: str) -> None:
        if (object_type, key) not in self.objects:
            self._violation(entry, f"applied before {object_type} {key}")

    def _violation(self, entry: Entry, what: str) -> None:
        self.violations.append(f"{entry.callback} {entry.object}/{entry.key}: {what}")
