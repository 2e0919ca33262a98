"""The main job, shown: three real processes, and each command with what it sets in motion."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from gluon.etcd import Client, Endpoints, Event, Mirror
from gluon.testing.etcd import find_etcd
from gluon.testing.process import ProcessFailed, console_script, exit_on_signals
from gluon.testing.stack import LocalStack

QUIET = 0.15
"""Seconds without news after which a step has settled."""

PATIENCE = 5.0
"""Longest time in seconds that a step may take to settle."""

console = Console(highlight=False)


class Demo:
    """Runs commands, and shows what etcd and the backend say meanwhile."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._events: list[Event] = []
        self._known: set[bytes] = set()
        self._log_read = 0
        self._last_news = time.monotonic()

    async def follow(self, etcd: Client) -> None:
        """Collects every change in etcd, without end."""
        async with aclosing(Mirror(etcd, b"/").batches()) as batches:
            async for batch in batches:
                self._events += batch.events
                if batch.events:
                    self._last_news = time.monotonic()

    async def step(self, title: str, *arguments: str) -> str:
        """One command: printed, run, and its effects shown.  Returns its standard output."""
        console.print(Rule(Text(title, "bold"), align="left", style="dim"))
        shown = " ".join(arguments)
        console.print(Text.assemble(("$ ", "dim"), ("protonclient ", "bold"), shown))
        process = await asyncio.create_subprocess_exec(
            console_script("protonclient"),
            "--port",
            self._stack.url.rpartition(":")[2],
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await asyncio.wait_for(process.communicate(), 30)
        if process.returncode:
            raise ProcessFailed(f"protonclient {shown}: exit code {process.returncode}\n{errors.decode()}")
        if output.strip():
            console.print(Padding(Text(output.decode().rstrip()), (0, 0, 0, 2)))
        await self._settled()
        self._show_effects()
        return output.decode()

    async def _settled(self) -> None:
        started = self._last_news = time.monotonic()
        while time.monotonic() - self._last_news < QUIET and time.monotonic() - started < PATIENCE:  # noqa: ASYNC110 - silence is waited for, no event says that
            await asyncio.sleep(0.02)

    def _show_effects(self) -> None:
        for event in self._take_events():
            _print_line(_told_event(event, known=event.key in self._known))
            self._known.add(event.key)
        for line in self._take_callbacks():
            _print_line(Text.assemble(("backend ", "magenta"), _shortened(line)))
        console.print()

    def _take_events(self) -> list[Event]:
        taken, self._events = self._events, []
        return [event for event in taken if not event.key.startswith(BOOKS)]

    def forget(self) -> None:
        """Takes what the servers wrote at their start as seen."""
        self._events.clear()
        self._log_read = len(self._stack.shim.log)

    def _take_callbacks(self) -> Iterator[str]:
        log = self._stack.shim.log
        new, self._log_read = log[self._log_read :], len(log)
        for line in new.splitlines():
            _, found, said = line.partition("gluon.shim.backends.dummy: ")
            if found:
                yield said


def _told_event(event: Event, *, known: bool) -> Text:
    key = _shortened(event.key.decode())
    if event.value is None:
        return Text.assemble(("etcd    ", "cyan"), ("- ", "red"), (key, "red"))
    sign, style = ("~ ", "yellow") if known else ("+ ", "green")
    value = json.loads(event.value)
    kept = {name: v for name, v in value.items() if v not in (None, "", False) and name not in HIDDEN}
    text = _shortened(", ".join(f"{name}: {json.dumps(v) if isinstance(v, dict) else v}" for name, v in kept.items()))
    return Text.assemble(("etcd    ", "cyan"), (sign, style), (key, style), ("  " + (text or "{}"), "dim"))


def _shortened(text: str) -> str:
    """The text with its uuids cut to what tells them apart."""
    return re.sub(r"([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f-]{22}", r"\1…", text)


def _print_line(text: Text) -> None:
    console.print(Padding(text, (0, 0, 0, 2)), no_wrap=True, overflow="ellipsis")


BOOKS = (b"/gluon/publisher/", b"/gluon/epoch", b"/gluon/serial", b"/shim/")
"""Keys that the servers keep for themselves."""

HIDDEN = {
    "binding:token",
    "token",
    "id",
    "tenant_id",
    "admin_state_up",
    "mtu",
    "vnic_type",
    "segmentation_type",
    "segmentation_id",
    "port_id",
    "revision",
    "url",
    "vlan_transparency",
}
"""Attributes that are not shown, to keep a change on one line."""


async def play(demo: Demo) -> None:
    """The story: a VPN with two ports, bound, shown, unbound, deleted."""
    tenant = str(uuid.uuid4())
    api = ("--api", "net-l3vpn")
    vpn = str(uuid.uuid4())
    ports = {"web": str(uuid.uuid4()), "db": str(uuid.uuid4())}
    await demo.step(
        "A route target, for import and export",
        *api, "vpnafconfig-create", "--vrf_rt_value", "65000:1", "--vrf_rt_type", "both", "--tenant_id", tenant,
    )  # fmt: skip
    await demo.step(
        "A VPN that uses it",
        *api, "vpn-create", "--id", vpn, "--name", "blue", "--tenant_id", tenant,
        "--ipv4_family", "65000:1", "--route_distinguishers", "65000:100",
    )  # fmt: skip
    for number, (name, port) in enumerate(ports.items(), 10):
        await demo.step(
            f"A port for the {name} server, with its default interface",
            *api, "port-create", "--id", port, "--name", name, "--tenant_id", tenant,
            "--mac_address", f"fa:16:3e:00:00:{number}",
        )  # fmt: skip
    for number, (name, port) in enumerate(ports.items(), 10):
        await demo.step(
            f"The {name} server joins the VPN; nothing happens at the backend until the port is bound",
            *api, "vpnbinding-create", "--interface_id", port, "--service_id", vpn, "--tenant_id", tenant,
            "--ipaddress", f"10.0.0.{number}", "--subnet_prefix", "24", "--gateway", "10.0.0.1",
        )  # fmt: skip
    for name, port in ports.items():
        await demo.step(
            f"Bind: Nova boots the {name} server on a hypervisor",
            *api, "port-update", port, "--host_id", f"compute-{name}", "--device_id", f"vm-{name}",
            "-c", "host_id", "-c", "status", "-c", "vif_type", "-c", "vif_details",
        )  # fmt: skip
    shown = await demo.step(
        "Show: how to plug the VIF",
        *api, "port-show", ports["web"], "-f", "json",
        "-c", "name", "-c", "status", "-c", "vif_type", "-c", "vif_details",
    )  # fmt: skip
    if json.loads(shown).get("vif_type") != "ovs":
        raise ProcessFailed(f"the port is not bound as ovs: {shown}")
    await demo.step(
        "Unbind: the web server is gone from its hypervisor",
        *api, "port-update", ports["web"], "--unset", "host_id", "--unset", "device_id",
        "-c", "host_id", "-c", "status", "-c", "vif_type",
    )  # fmt: skip
    await demo.step("Delete: first its place in the VPN", *api, "vpnbinding-delete", ports["web"])
    await demo.step("Then the port", *api, "port-delete", ports["web"])


@asynccontextmanager
async def following(demo: Demo, endpoint: str) -> AsyncIterator[None]:
    """Follows etcd while the demo plays."""
    async with Client(Endpoints((endpoint,))) as etcd:
        task = asyncio.create_task(demo.follow(etcd))
        try:
            await asyncio.sleep(QUIET)
            demo.forget()
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def run(stack: LocalStack) -> None:
    """Plays the demo on a running stack."""
    demo = Demo(stack)
    async with following(demo, stack.etcd.endpoint):
        await play(demo)


def main() -> int:
    """Starts the servers, plays the demo, ends the servers."""
    started = time.monotonic()
    exit_on_signals()
    with tempfile.TemporaryDirectory(prefix="gluon-demo-") as directory:
        try:
            with LocalStack(Path(directory)) as stack:
                servers = (("etcd", find_etcd(), stack.etcd.pid, stack.etcd.endpoint),
                           ("proton-server", "SQLite", stack.proton.pid, stack.url),
                           ("proton-shim-server", "dummy backend", stack.shim.pid, stack.shim.health))  # fmt: skip
                for name, what, pid, where in servers:
                    console.print(Text.assemble((f"{name:<19}", "bold"), f"{where:<24} pid {pid:<7} {Path(what).name}"))
                console.print(Text("+ a new key   ~ a changed key   - a deleted key\n", "dim"))
                asyncio.run(run(stack))
        except ProcessFailed as error:
            console.print(Text(f"The demo failed: {error}", "red"))
            return 1
    seconds = time.monotonic() - started
    console.print(f"All of it in {seconds:.0f} s; nothing is left running.  [bold]make dev[/] is yours to play with.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
