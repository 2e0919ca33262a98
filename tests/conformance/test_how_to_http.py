"""`docs/how-to/write-a-backend-over-http.md` is true: its files are written as they stand there, and run."""

from __future__ import annotations

import json
import re
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.testing.stack import LocalStack

from .fake_controller import ERRORS, FakeController
from .vendor import DOCS, Package, put, read, wait_for

PAGE = DOCS / "write-a-backend-over-http.md"
FILES = {"gluon_borealis.py", "pyproject.toml", "test_gluon_borealis.py", "proton-shim.conf"}


@pytest.fixture
def package(tmp_path: Path) -> Package:
    made = Package(PAGE, tmp_path / "gluon-borealis")
    shutil.copy(Path(__file__).parent / "fake_controller.py", made.folder)
    return made


def test_every_file_of_the_page_is_tried(package: Package) -> None:
    blocks = re.findall(r"^```(?:python|toml|ini)$", PAGE.read_text(), re.MULTILINE)
    assert package.files.keys() == FILES
    assert len(blocks) == len(FILES)


def test_its_backend_conforms(package: Package) -> None:
    code, output = package.run_suite("-x", "-rs")
    assert code == 0, output
    assert re.search(r"^\d{2,3} passed in", output, re.MULTILINE), output


PORT = ObjectKey("net-l3vpn", "Port", "0c6b4f6e-50d2-4e0e-b7a5-40d0a1f3c001")
ATTRIBUTES = {
    "id": PORT.key,
    "tenant_id": PORT.key,
    "mac_address": "fa:16:3e:00:00:01",
    "host_id": "h1",
    "device_id": "vm",
}
PLUG = f"{PORT.key}@h1"


class Running:
    """A shim with the page's backend, and its controller."""

    def __init__(self, stack: LocalStack, controller: FakeController) -> None:
        self.stack, self.controller = stack, controller

    def bind(self) -> dict[str, Any]:
        put(self.stack.etcd, keys.desired(PORT), ATTRIBUTES)
        return wait_for(lambda: self.plugs().get(PLUG), "the port is bound")

    def plugs(self) -> dict[str, Any]:
        return self.controller.documents.get("plugs", {})

    def said(self) -> tuple[str | None, str | None]:
        """The state of the port and its reason, as the shim hands them on."""
        status = read(self.stack.etcd, keys.status("SimServer", PORT))
        return status.get("state"), status.get("reason")

    def away(self) -> dict[str, str]:
        with urllib.request.urlopen(f"{self.stack.shim.health}/status", timeout=5) as answer:
            return json.load(answer)["controllers_away"]

    def restart(self) -> None:
        self.stack.shim.stop()
        self.stack.shim.start()
        self.stack.shim.wait_ready()


@pytest.fixture
def running(package: Package, tmp_path: Path) -> Iterator[Running]:
    with FakeController() as controller:
        shim: dict[str, dict[str, object]] = {
            "shim": {"handlers": "net-l3vpn:borealis", "health_interval": 0.2, "leader_ttl": 2},
            "shim_borealis": {"url": controller.url, "poll_interval": 0.05},
        }
        with LocalStack(tmp_path / "stack", environment=package.environment, shim=shim) as stack:
            yield Running(stack, controller)


def test_what_becomes_of_a_plug_is_reported(running: Running) -> None:
    running.bind()
    running.controller.down[PLUG] = "the agent on h1 has stopped"
    wait_for(lambda: running.said() == ("DOWN", "the agent on h1 has stopped"), "DOWN is handed on")
    running.controller.down.clear()
    wait_for(lambda: running.said()[0] in ("ACTIVE", None), "ACTIVE is handed on")


def test_a_controller_that_came_back_empty_is_filled_again(running: Running) -> None:
    plug = running.bind()
    running.controller.empty()
    assert wait_for(lambda: running.plugs().get(PLUG), "the port is bound again") == plug


def test_a_new_leader_audits_and_has_a_larger_fence(running: Running) -> None:
    plug, fence = running.bind(), running.controller.fence
    assert fence > 0
    running.plugs()[PLUG] = {"mac_address": "fa:16:3e:00:00:99"}
    running.plugs()[f"{PORT.key}@h2"] = {"mac_address": "fa:16:3e:00:00:98"}
    running.controller.documents["vpns"] = {"6a3c8f9e-2d1b-4c55-9a77-0d6c1a5c7a99": {"route_targets": {}}}
    running.restart()
    wait_for(lambda: running.plugs() == {PLUG: plug}, "the port is as it was bound, and nowhere else")
    wait_for(lambda: running.controller.documents["vpns"] == {}, "the VPN that nobody wants is deleted")
    assert running.controller.fence > fence


def test_a_controller_that_is_away_is_told(running: Running) -> None:
    running.controller.break_down(ERRORS)
    wait_for(lambda: "Borealis answered 500 to GET /v1/status" in running.away().get("net-l3vpn", ""), "it is away")
    running.controller.mend()
    wait_for(lambda: running.away() == {}, "it is back")
    running.bind()
