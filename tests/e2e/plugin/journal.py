"""The journal of the recording backends, and the account of it.

The journal is the SDN controller: a callback has had its effect once its line is written, and what
the controller holds is what its lines come to.  A test writes lines of its own to play a
controller that lost something, or that holds what nobody asked for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

CAME_BACK_EMPTY = "came back empty"
LOSES = "loses"
"""What befalls a controller without a callback."""


class Entry(NamedTuple):
    """One line of the journal."""

    controller: str
    callback: str
    object: str = ""
    key: str = ""
    attributes: dict[str, Any] = {}  # noqa: RUF012 - a namedtuple has no other way
    active: bool = True
    """Of a port: whether it carries the traffic, or is prepared for a live migration."""
    fingerprint: str = ""
    fence: int = 0
    pid: int = 0
    fault: str = ""

    @property
    def host(self) -> str:
        """Of a port: where."""
        return str(self.attributes.get("host_id"))


class Journal:
    """A file that any number of processes append to."""

    def __init__(self, file: Path) -> None:
        self._descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        self._file = file

    def append(self, entry: Entry) -> None:
        """One line, written at once: it survives whatever happens to the process."""
        os.write(self._descriptor, json.dumps(entry).encode() + b"\n")

    def entries(self) -> list[Entry]:
        """All lines so far, in order."""
        whole = self._file.read_bytes().rpartition(b"\n")[0]
        return [Entry(*json.loads(line)) for line in whole.splitlines()]


class Account:
    """What a controller holds after the callbacks of a journal, and what no controller should be told."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.objects: dict[tuple[str, str], Entry] = {}
        self.bindings: dict[tuple[str, str], Entry] = {}
        """How each port was last bound, by port and host."""
        self.violations: list[str] = []
        for entry in entries:
            self._take(entry)

    @property
    def hosts(self) -> dict[str, list[str]]:
        """The hosts of each bound port, in alphabetical order."""
        found: dict[str, list[str]] = {}
        for port, host in sorted(self.bindings):
            found.setdefault(port, []).append(host)
        return found

    def _take(self, entry: Entry) -> None:
        if entry.callback == CAME_BACK_EMPTY:
            self.objects.clear()
            self.bindings.clear()
            return
        if entry.callback == LOSES:
            self._lose(entry)
            return
        if entry.fault:
            self._violation(entry, entry.fault)
        getattr(self, f"_{entry.callback}", self._modify)(entry)

    def _lose(self, entry: Entry) -> None:
        self._delete(entry)
        for name in [name for name in self.bindings if name[0] == entry.key]:
            del self.bindings[name]

    def _bind_port(self, port: Entry) -> None:
        before = self.bindings.get((port.key, port.host))
        if before is not None and _card(before) != _card(port):
            self._violation(port, f"bound as {_card(port)} while still bound as {_card(before)}")
        elsewhere = [host for key, host in self.bindings if key == port.key and host != port.host]
        if before is None and elsewhere and port.active:
            self._violation(port, f"bound on {port.host} while still bound on {elsewhere}")
        self.bindings[port.key, port.host] = port
        self.objects["Port", port.key] = port

    def _unbind_port(self, port: Entry) -> None:
        others = [host for key, host in self.bindings if key == port.key and host != port.host]
        if ("VpnBinding", port.key) in self.objects and not others:
            self._violation(port, "unbound while it takes part in a service")
        self.bindings.pop((port.key, port.host), None)

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
        if any(n == "VpnBinding" and e.attributes["service_id"] == service.key for (n, _), e in self.objects.items()):
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
        self.objects[entry.object, entry.key] = entry

    def _delete(self, entry: Entry) -> None:
        self.objects.pop((entry.object, entry.key), None)

    def _needs(self, entry: Entry, object_type: str, key: str) -> None:
        if (object_type, key) not in self.objects:
            self._violation(entry, f"applied before {object_type} {key}")

    def _violation(self, entry: Entry, what: str) -> None:
        self.violations.append(f"{entry.callback} {entry.object}/{entry.key}: {what}")


def _card(port: Entry) -> tuple[Any, ...]:
    """A port that is bound for another VM, or as another kind of card, has to be unbound first."""
    return port.attributes.get("device_id"), port.attributes.get("vnic_type")
