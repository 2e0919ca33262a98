"""`docs/how-to/write-a-backend.md` is true: its files are written as they stand there, and run."""

from __future__ import annotations

import configparser
import importlib.metadata
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.shim.options import OPTIONS
from gluon.shim.terms.brake import Limits
from gluon.testing.conformance import BackendConformance
from gluon.testing.stack import LocalStack

from .vendor import DOCS, Package, put, read, wait_for

PAGE = DOCS / "write-a-backend.md"
FILES = {"gluon_acme.py", "pyproject.toml", "test_gluon_acme.py", "proton-shim.conf", "run.py"}
PORT = "0c6b4f6e-50d2-4e0e-b7a5-40d0a1f3c001"
T = TypeVar("T")


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return Package(PAGE, tmp_path / "gluon-acme")


def test_every_file_of_the_page_is_tried(package: Package) -> None:
    blocks = re.findall(r"^```(?:python|toml|ini)$", PAGE.read_text(), re.MULTILINE)
    assert package.files.keys() == FILES
    assert len(blocks) == len(FILES)


def test_the_extras_that_it_names_exist(package: Package) -> None:
    named = [*package.project["dependencies"], *package.project["optional-dependencies"]["test"]]
    extras = importlib.metadata.metadata("gluon-network").get_all("Provides-Extra")
    assert {re.fullmatch(r"gluon-network\[(\w+)\]", requirement)[1] for requirement in named} <= set(extras)


def test_its_table_of_overrides_is_the_suite() -> None:
    table = PAGE.read_text().partition("| override | when |")[2].partition("\n\n")[0]
    named = {
        name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.partition("| ")[2].split(" |")[0])
    }
    public = {name for name in [*vars(BackendConformance), *BackendConformance.__annotations__] if name[0] != "_"}
    tests = {name for name in public if name.startswith("test_")}
    assert named == public - tests - {"samples", "driver", "picture", "bound", "backend", "registered_as"}


def test_its_numbers_are_the_defaults() -> None:
    defaults = {option.name: option.default for option in OPTIONS["shim"]}
    assert (defaults["report_after"], defaults["retry_min"], defaults["retry_max"]) == (5, 0.25, 60)
    assert defaults["callback_timeout"] == 60
    assert (BackendConformance.patience, BackendConformance.max_block) == (30, 0.5)
    assert (defaults["audit_interval"], defaults["health_interval"]) == (3600, 10)
    assert (defaults["max_delete_percent"], Limits().few) == (25, 10)


def test_its_backend_conforms(package: Package) -> None:
    code, output = package.run_suite()
    assert code == 0, output
    assert re.search(r"^\d{2} passed", output, re.MULTILINE), output


@pytest.mark.parametrize(
    ("right", "wrong", "test", "message"),
    [
        ("        self._remove(service)\n", "        pass\n", "comes_back", "the controller has VpnService-"),
        (
            ' + model.referenced(obj, "ipv6_family")',
            "",
            "each_attribute",
            "lacks VpnService-.*/route_targets/65000:40: '",
        ),
        (
            'f"@{quote(str(obj[\'host_id\']), safe=\'\')}" if obj.type == "Port" else ""',
            '""',
            "migration",
            "lacks Port-",
        ),
    ],
    ids=["never deleted", "never sent", "one binding"],
)
def test_the_suite_sees_what_is_held(package: Package, right: str, wrong: str, test: str, message: str) -> None:
    module = package.folder / "gluon_acme.py"
    assert module.read_text().count(right) == 1
    module.write_text(module.read_text().replace(right, wrong))
    code, output = package.run_suite("-k", test)
    assert code == 1, output
    assert re.search(f"NotConforming: after the last call .*{message}", output), output


def test_its_configuration_binds_a_port(package: Package, tmp_path: Path) -> None:
    conf = configparser.ConfigParser()
    conf.read_string(package.files["proton-shim.conf"])
    fabric = tmp_path / "fabric"
    fabric.mkdir()
    shim: dict[str, dict[str, object]] = {section: dict(conf[section]) for section in conf.sections()}
    shim["shim_acme"]["directory"] = fabric
    key = ObjectKey("net-l3vpn", "Port", PORT)
    port = {"id": PORT, "tenant_id": PORT, "mac_address": "fa:16:3e:00:00:01", "host_id": "h1", "device_id": "vm"}
    with LocalStack(tmp_path / "stack", environment=package.environment, shim=shim) as stack:
        put(stack.etcd, keys.desired(key), port)
        answer = wait_for(lambda: (a := read(stack.etcd, keys.answer(key))).get("vif_type") and a, "the port is bound")
    assert (answer["vif_type"], answer["host_id"]) == ("ovs", "h1")
    assert answer["vif_details"] == {"port_filter": False, "bridge_name": "br-fabric"}
    assert json.loads((fabric / f"Port-{PORT}@h1.json").read_text()) == {
        "host": "h1",
        "mac_address": port["mac_address"],
    }


@pytest.fixture
def export(package: Package) -> Iterator[str]:
    """The line that `run.py` prints while its servers run."""
    process = package.command(sys.executable, "run.py")
    try:
        assert process.stdout is not None
        yield process.stdout.readline()
    finally:
        rest, _ = process.communicate("\n", timeout=30)
    assert process.returncode == 0, rest


def test_its_commands_show_what_it_says(package: Package, export: str) -> None:
    health = export.strip().partition("SHIM=")[2]
    outputs = {}
    script = f"{export}\nPATH={Path(sys.executable).parent}:$PATH\nexport COLUMNS=200\n"
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            command = line.removeprefix("$ ")
            script += f"{command}\n" if command.startswith("export") else ""
            done = subprocess.run(
                ["bash", "-e", "-c", script + ("" if command.startswith("export") else command)],
                cwd=package.folder, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
            outputs.setdefault(command, []).append(done.stdout)

    [[first, second]] = [shown for command, shown in outputs.items() if "status_reason" in command]
    assert "binding_failed" in first
    assert "is not mounted" in first
    [status] = [json.loads(shown[0]) for command, shown in outputs.items() if command.startswith("curl")]
    proton = status["protons"]["net-l3vpn"]
    assert proton["failing"] == 1
    assert proton["failing_objects"][f"net-l3vpn/Port/{PORT}"].endswith("is not mounted")
    assert "held_objects" in proton
    [plugged] = [json.loads(shown[0]) for command, shown in outputs.items() if command.startswith("cat")]
    assert plugged["host"] == "compute-1"
    assert "Acme's fabric has no ports of vnic_type direct" in second
    assert list((package.folder / "fabric").iterdir()) == []
    with urllib.request.urlopen(f"{health}/status", timeout=5) as answer:
        assert json.load(answer)["role"] == "active"
