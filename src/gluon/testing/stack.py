"""Gluon on this machine: etcd, proton-server on SQLite, and shims, as real processes.

with LocalStack(directory) as stack:
    httpx.get(stack.url + "/proton/")
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from gluon.testing.etcd import LocalEtcd, free_ports
from gluon.testing.process import ServerProcess, console_script

Options = Mapping[str, Mapping[str, object]]
"""Options by section of a configuration file."""


class LocalStack:
    """The three servers on free loopback ports, everything in one directory.

    Args:
        directory: data, configuration files and logs.
        proton: options of proton-server beside those that hold the stack together.
        shim: the same, of the shim.
        etcd: an etcd that runs already; None for one of our own.
        environment: for the servers, added to this process' own.
    """

    def __init__(
        self,
        directory: Path,
        *,
        proton: Options | None = None,
        shim: Options | None = None,
        etcd: LocalEtcd | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.etcd = etcd or LocalEtcd(directory / "etcd")
        self._owns_etcd = etcd is None
        self._environment = environment
        self.proton = self.proton_server("proton-server", proton or {})
        self.shim = self.shim_server("proton-shim-server", shim or {})
        self._running = ExitStack()

    @property
    def url(self) -> str:
        """Base URL of proton-server."""
        return self.proton.health

    def __enter__(self) -> Self:
        """Starts all three and waits until they are ready."""
        with ExitStack() as starting:
            if self._owns_etcd:
                starting.enter_context(self.etcd)
            for server in (self.proton, self.shim):
                server.start()
                starting.callback(server.stop)
            for server in (self.proton, self.shim):
                server.wait_ready()
            self._running = starting.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Ends all three."""
        self._running.close()

    def proton_server(self, name: str, options: Options) -> ServerProcess:
        """A further proton-server of this stack, not started."""
        return self._server(
            "proton-server", name, {"api": "port"}, {"database": {"connection": "sqlite:///gluon.db"}}, options
        )

    def shim_server(self, name: str, options: Options) -> ServerProcess:
        """A further shim of this stack, not started."""
        return self._server("proton-shim-server", name, {"shim": "http_port"}, {}, options)

    def _server(
        self, program: str, name: str, listening: Mapping[str, str], own: Options, options: Options
    ) -> ServerProcess:
        [(section, port_option)] = listening.items()
        [port] = free_ports(1)
        host, _, etcd_port = self.etcd.endpoint.rpartition(":")
        ours = {section: {port_option: port, "etcd_host": host, "etcd_port": etcd_port}}
        file = self.directory / f"{name}.conf"
        self.directory.mkdir(parents=True, exist_ok=True)
        file.write_text(render(own, ours, options))
        command = [console_script(program), "--config-file", str(file)]
        return ServerProcess(name, command, self.directory, f"http://127.0.0.1:{port}", self._environment)


def render(*parts: Options) -> str:
    """A configuration file; a later part overrides an earlier one."""
    sections: dict[str, dict[str, object]] = {}
    for part in parts:
        for section, options in part.items():
            sections.setdefault(section, {}).update(options)
    return "\n".join(
        f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
        for section, options in sections.items()
    )
