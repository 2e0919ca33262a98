"""Hypervisors on one underlay, virtual machines that are plugged into them, and packets between these.

The underlay is a bridge in the network namespace that this process is in, and the controller is
reached at its address there.  A virtual machine is a network namespace whose network card is
plugged as Nova's os-vif does it; what is said of it in the external ids of its Open vSwitch
interface is all that the controller can know of it.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from pathlib import Path
from typing import Self

from gluon.testing.waiting import until
from lab.commands import PATH, add_namespace, in_namespace, ip, software_checksums
from lab.hypervisor import PREFIX, UNDERLAY, Hypervisor

CONTROLLER = "192.0.2.1"
"""Where the controller is on the underlay; hypervisors follow from .11 on."""
FIRST_HOST = 11

MTU = 1400
"""Of a virtual machine: with the head of a tunnel, a packet still fits the underlay."""
TAG = 4
"""Bytes that a VLAN takes of it."""

FIRST_PING = 20.0
"""Seconds after which a path that was just asked for must carry packets."""
SILENCE = 3.0
"""Seconds without an answer that are believed."""
PING = 0.3
"""Seconds that one packet is waited for."""
DEVICE_LENGTH = 14
"""Characters of a network card's name, as Nova cuts it."""


class NoControl(AssertionError):
    """The positive control had no answer: silence would show nothing."""


@dataclass(frozen=True)
class Vm:
    """A virtual machine's network card, or a VLAN on one."""

    port_id: str
    mac: str
    address: IPv4Interface | IPv6Interface
    host: str
    namespace: str
    device: str
    """Its name inside the machine."""

    @property
    def tap(self) -> str:
        """Its other end's name, on the hypervisor."""
        return f"tap{self.port_id}"[:DEVICE_LENGTH]


class Fabric:
    """Some hypervisors and a controller.

    Args:
        directory: for the switches' files.
        hosts: names of the hypervisors.
        controller: the controller's address on the underlay.
    """

    def __init__(self, directory: Path, hosts: Sequence[str] = ("h1", "h2"), controller: str = CONTROLLER) -> None:
        self._directory = directory
        self._controller = controller
        self._names = hosts
        self._machines: dict[str, Vm] = {}
        self._vlans: dict[str, list[subprocess.Popen[bytes]]] = {}
        self._stack = ExitStack()
        self.hypervisors: Mapping[str, Hypervisor] = {}

    def __enter__(self) -> Self:
        """Makes the underlay and the hypervisors, and starts their switches."""
        with ExitStack() as stack:
            ip("link", "add", UNDERLAY, "type", "bridge")
            stack.callback(ip, "link", "del", UNDERLAY)
            ip("addr", "add", f"{self._controller}/{PREFIX}", "dev", UNDERLAY)
            ip("link", "set", UNDERLAY, "up")
            software_checksums(UNDERLAY)
            self.hypervisors = {name: self._hypervisor(stack, number) for number, name in enumerate(self._names)}
            stack.callback(self._unplug_all)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Takes everything away."""
        self._stack.close()

    def connect(self, timeout: float = 60.0) -> None:
        """Gives the switches to the controller, and waits until it has made tunnels between all."""
        for hypervisor in self.hypervisors.values():
            hypervisor.follow(self._controller)
        others = len(self.hypervisors) - 1

        def made() -> bool:
            return all(one.tunnels >= others and one.flows() for one in self.hypervisors.values())

        until(made, "the controller has made tunnels and flows on every hypervisor", timeout)

    def node(self, name: str, address: str) -> str:
        """A machine on the underlay without a switch, such as a gateway; returns its namespace."""
        add_namespace(name)
        self._stack.callback(ip, "netns", "del", name)
        self._attach(name)
        ip("addr", "add", f"{address}/{PREFIX}", "dev", UNDERLAY, namespace=name)
        return name

    def plug(self, port_id: str, mac: str, address: str, host: str, gateway: str | None = None) -> Vm:
        """Starts a virtual machine and plugs its card, as Nova does after the port is bound.

        Args:
            port_id: of the port; what the controller knows the card by.
            mac: its hardware address.
            address: with the prefix's length, e.g. `10.1.0.11/24`.
            host: the hypervisor's name.
            gateway: its default route; the first address of the subnet if not given.
        """
        interface = ip_interface(address)
        vm = Vm(port_id, mac, interface, host, f"vm-{port_id[:8]}-{uuid.uuid4().hex[:4]}", "eth0")
        add_namespace(vm.namespace)
        self._machines[vm.namespace] = vm
        ip("link", "add", vm.tap, "type", "veth", "peer", "name", vm.device, "netns", vm.namespace, namespace=host)
        ip("link", "set", vm.tap, "up", namespace=host)
        ip("link", "set", vm.device, "address", mac, "mtu", str(MTU), namespace=vm.namespace)
        software_checksums(vm.tap, host)
        software_checksums(vm.device, vm.namespace)
        self._configure(vm, gateway or str(next(interface.network.hosts())))
        self._add_port(vm)
        return vm

    def tag(self, vm: Vm, vlan: int, port_id: str, mac: str, address: str) -> Vm:
        """A VLAN on a machine's card, with the address of the subport; returns it as a machine to ping from."""
        device = f"{vm.device}.{vlan}"
        ip("link", "set", vm.device, "promisc", "on", namespace=vm.namespace)  # frames to another address
        program = (sys.executable, str(Path(__file__).with_name("vlan.py")), vm.device, str(vlan), device)
        process = subprocess.Popen(in_namespace(vm.namespace, *program), stdin=subprocess.DEVNULL)
        self._vlans.setdefault(vm.namespace, []).append(process)
        until(lambda: device in ip("-br", "link", namespace=vm.namespace), f"{device} is there", 10.0)
        ip("link", "set", device, "address", mac, "mtu", str(MTU - TAG), namespace=vm.namespace)
        tagged = Vm(port_id, mac, ip_interface(address), vm.host, vm.namespace, device)
        self._configure(tagged, None)
        return tagged

    def route(self, vm: Vm, destination: str, gateway: str) -> None:
        """A route inside a machine, over this card."""
        ip("route", "replace", destination, "via", gateway, "dev", vm.device, namespace=vm.namespace)

    def unplug(self, vm: Vm) -> None:
        """Takes the card off its switch and the machine away, as Nova does before it unbinds."""
        self.hypervisors[vm.host].vsctl("--if-exists", "del-port", "br-int", vm.tap)
        for process in self._vlans.pop(vm.namespace, []):
            process.kill()
            process.wait(10)
        ip("netns", "del", vm.namespace)
        del self._machines[vm.namespace]

    def ping(self, vm: Vm, address: str, timeout: float = FIRST_PING) -> bool:
        """Whether the address answers the machine within so many seconds."""
        return self.answers_after(vm, address, timeout) is not None

    def answers_after(self, vm: Vm, address: str, timeout: float = FIRST_PING) -> float | None:
        """Seconds until the address answers; None if it does not in time."""
        started = time.monotonic()
        while not self._answers(vm, address):
            if time.monotonic() - started > timeout:
                return None
        return time.monotonic() - started

    def silent_after(self, vm: Vm, address: str, timeout: float = FIRST_PING) -> float | None:
        """Seconds until the address has stopped to answer, for `SILENCE`; None if it does not in time."""
        started = time.monotonic()
        quiet = started
        while time.monotonic() - quiet < SILENCE:
            if self._answers(vm, address):
                quiet = time.monotonic()
                if quiet - started > timeout:
                    return None
        return quiet - started

    def silent(self, vm: Vm, address: str, control: str, seconds: float = SILENCE) -> bool:
        """Whether the address does not answer, while another does.

        Args:
            vm: the machine that asks.
            address: what must be silent.
            control: an address that answers before and after: that this machine can send and receive.
            seconds: for which it is listened.

        Raises:
            NoControl: the other address does not answer, either.
        """
        self._check(vm, control)
        heard = self.ping(vm, address, seconds)
        self._check(vm, control)
        return not heard

    def stream(self, vm: Vm, address: str, interval: float = 0.1) -> Stream:
        """Packets at a steady rate, from its start to its end, and how many were not answered."""
        return Stream(vm, address, interval)

    def _check(self, vm: Vm, control: str) -> None:
        if not self.ping(vm, control):
            raise NoControl(f"{vm.address.ip} has no answer from {control}, which is to show that it could have one")

    @staticmethod
    def _answers(vm: Vm, address: str) -> bool:
        started = time.monotonic()
        ping = ("ping", "-n", "-c", "1", "-W", str(PING), "-I", vm.device, address)
        done = subprocess.run(
            in_namespace(vm.namespace, *ping),
            env={"PATH": PATH},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=10,
            check=False,
        )
        if done.returncode:  # "no route" comes at once
            time.sleep(max(0.0, PING - (time.monotonic() - started)))
        return done.returncode == 0

    def _hypervisor(self, stack: ExitStack, number: int) -> Hypervisor:
        name = self._names[number]
        address = f"{CONTROLLER.rpartition('.')[0]}.{FIRST_HOST + number}"
        hypervisor = stack.enter_context(Hypervisor(name, address, self._directory / name))
        self._attach(name)
        # The kernel takes a namespace away when it has time, and its end of the cable with it.
        stack.callback(ip, "link", "del", f"to-{name}")
        hypervisor.start()
        return hypervisor

    @staticmethod
    def _attach(name: str) -> None:
        """A network card on the underlay, for a namespace."""
        ip("link", "add", f"to-{name}", "type", "veth", "peer", "name", UNDERLAY, "netns", name)
        ip("link", "set", f"to-{name}", "master", UNDERLAY, "up")
        ip("link", "set", UNDERLAY, "up", namespace=name)
        software_checksums(UNDERLAY, name)

    @staticmethod
    def _configure(vm: Vm, gateway: str | None) -> None:
        nodad = ("nodad",) if vm.address.version == 6 else ()  # noqa: PLR2004 - IP's own number
        ip("addr", "add", str(vm.address), "dev", vm.device, *nodad, namespace=vm.namespace)
        ip("link", "set", vm.device, "up", namespace=vm.namespace)
        if gateway is not None:
            family = f"-{vm.address.version}"
            ip(family, "route", "add", "default", "via", gateway, "dev", vm.device, namespace=vm.namespace)

    def _add_port(self, vm: Vm) -> None:
        ids = {"iface-id": vm.port_id, "iface-status": "active", "attached-mac": vm.mac, "vm-uuid": str(uuid.uuid4())}
        said = [f'external_ids:{name}="{value}"' for name, value in ids.items()]
        add = ("add-port", "br-int", vm.tap, "--", "set", "Interface", vm.tap, *said)
        self.hypervisors[vm.host].vsctl(*add)

    def _unplug_all(self) -> None:
        for vm in [*self._machines.values()]:
            self.unplug(vm)


class Stream:
    """Packets that are sent at a steady rate while the context lasts."""

    def __init__(self, vm: Vm, address: str, interval: float) -> None:
        self.sent = self.answered = 0
        words = ("ping", "-n", "-q", "-i", str(interval), "-I", vm.device, address)
        self._command = in_namespace(vm.namespace, *words)
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Starts to send."""
        self._process = subprocess.Popen(
            self._command, env={"PATH": PATH}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Ends sending, and counts."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)  # the signal for which ping prints its count
        try:
            output, _ = self._process.communicate(timeout=10)
        finally:
            self._process.kill()
        found = re.search(r"(\d+) packets transmitted, (\d+) received", output)
        if found is None:
            raise AssertionError(f"ping says nothing of its packets: {output!r}")
        self.sent, self.answered = int(found[1]), int(found[2])

    @property
    def lost(self) -> int:
        """Packets without an answer; one that was under way at the end is none."""
        return max(0, self.sent - self.answered - 1)
