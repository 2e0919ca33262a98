"""A hypervisor: a network namespace with an Open vSwitch of its own, in userspace.

`br-phy` owns the address on the underlay, so that the switch itself sends what comes out of a
tunnel; `br-int` is where virtual machines are plugged, and belongs to the controller.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from gluon.testing.waiting import until
from lab.commands import PATH, add_namespace, in_namespace, ip, run, software_checksums

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
OVSDB_PORT = 6640
PREFIX = 24
"""Length of the underlay's prefix."""
UNDERLAY = "underlay"
"""Name of a hypervisor's network card."""


class Hypervisor:
    """One of them.

    Args:
        name: of its namespace, and its host name in Open vSwitch.
        address: on the underlay.
        directory: for the switch's database, sockets and logs.
    """

    def __init__(self, name: str, address: str, directory: Path) -> None:
        self.name = name
        self.address = address
        self.directory = directory
        self._database = directory / "db.sock"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        """Makes it; its network card has to be added."""
        add_namespace(self.name)
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Ends its switch and takes it away."""
        self.stop()
        ip("netns", "del", self.name)

    def start(self) -> None:
        """Starts the switch, with both bridges."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if not (self.directory / "conf.db").exists():
            run("ovsdb-tool", "create", str(self.directory / "conf.db"), SCHEMA)
        self._start_database()
        self.start_switch()

    def start_switch(self) -> None:
        """Starts the switch alone, as after `kill_switch`; the bridges' own devices went with the old one."""
        self._spawn("ovs-vswitchd", "--disable-system", f"unix:{self._database}")
        self._add_bridges()

    def kill_switch(self) -> None:
        """SIGKILL to the switch; its database stays."""
        self._end("ovs-vswitchd", kill=True)

    def stop(self) -> None:
        """Ends both processes."""
        for name in ("ovs-vswitchd", "ovsdb-server"):
            self._end(name)

    def follow(self, controller: str) -> None:
        """Makes the switch the controller's."""
        self.vsctl("set-manager", f"tcp:{controller}:{OVSDB_PORT}")

    def vsctl(self, *words: str) -> str:
        """`ovs-vsctl`."""
        return run("ovs-vsctl", f"--db=unix:{self._database}", *words)

    def flows(self) -> Sequence[str]:
        """The flows of `br-int`, as `ovs-ofctl` prints them."""
        text = run("ovs-ofctl", "-O", "OpenFlow13", "dump-flows", "br-int", environment=self._environment)
        return [line.strip() for line in text.splitlines() if "cookie=" in line]

    @property
    def tunnels(self) -> int:
        """How many tunnels the controller has made on `br-int`."""
        return sum(port.startswith("tun") for port in self.vsctl("list-ports", "br-int").split())

    @property
    def log(self) -> str:
        """What the switch said."""
        file = self.directory / "ovs-vswitchd.out"
        return file.read_text(errors="replace") if file.exists() else ""

    @property
    def _environment(self) -> dict[str, str]:
        """Keeps the sockets of this switch apart from those of others."""
        directory = str(self.directory)
        return {"OVS_RUNDIR": directory, "OVS_LOGDIR": directory, "OVS_DBDIR": directory, "PATH": PATH}

    def _start_database(self) -> None:
        # Without the second remote, a manager that is set is never called
        remotes = (f"--remote=punix:{self._database}", "--remote=db:Open_vSwitch,Open_vSwitch,manager_options")
        self._spawn("ovsdb-server", *remotes, str(self.directory / "conf.db"))
        until(self._database.exists, f"{self.name}: ovsdb-server serves")
        self.vsctl("--no-wait", "init")
        identity = (f"external_ids:system-id={self.name}", f"external_ids:hostname={self.name}")
        # local_ip is where the controller lets tunnels end
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", *identity, f"other_config:local_ip={self.address}")

    def _add_bridges(self) -> None:
        self._add_bridge("br-phy", "fail_mode=standalone")
        self.vsctl("--may-exist", "add-port", "br-phy", UNDERLAY)
        ip("addr", "flush", "dev", UNDERLAY, namespace=self.name)
        ip("addr", "replace", f"{self.address}/{PREFIX}", "dev", "br-phy", namespace=self.name)
        ip("link", "set", "br-phy", "up", namespace=self.name)
        software_checksums("br-phy", self.name)
        self._add_bridge("br-int", "fail_mode=secure", "protocols=OpenFlow13")

    def _add_bridge(self, name: str, *settings: str) -> None:
        bridge = ("set", "bridge", name, "datapath_type=netdev", *settings)
        self.vsctl("--may-exist", "add-br", name, "--", *bridge)

    def _spawn(self, name: str, *arguments: str) -> None:
        with (self.directory / f"{name}.out").open("ab") as output:
            self._processes[name] = subprocess.Popen(
                in_namespace(self.name, name, "--no-chdir", "--pidfile", *arguments),
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _end(self, name: str, *, kill: bool = False) -> None:
        process = self._processes.pop(name, None)
        if process is None:
            return
        if not kill:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                pass
            else:
                return
        process.kill()
        process.wait(10)
