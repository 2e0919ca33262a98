"""The commands in the docs run, and links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gluon.models import catalog
from gluon.testing.stack import LocalStack

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")])
STACK_IS_UP = {"make dev", "make demo", "make test"}
"""What a console block may say that another test runs."""


def commands(page: Path) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [line.removeprefix("$ ") for line in lines if line.removeprefix("$ ") not in STACK_IS_UP]


def run(script: str, stack: LocalStack) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "OS_PROTON_PORT": stack.url.rpartition(":")[2],
        "OS_PROTON_API": "net-l3vpn",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    return subprocess.run(
        ["bash", "-e", "-c", script], env=environment, capture_output=True, text=True, timeout=90, check=False
    )


@pytest.mark.parametrize("name", ["docs/tutorial.md", "docs/how-to/run-it.md"])
def test_the_commands_of_a_page_work_in_their_order(name, tmp_path):
    script = "\n".join(commands(ROOT / name))
    assert script
    with LocalStack(tmp_path) as stack:
        done = run(script, stack)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        log = stack.shim.log
    if name == "docs/tutorial.md":
        calls = re.findall(r"dummy: (\w+)", log)
        for callback in ("bind_port", "modify_service_binding", "unbind_port", "delete_service"):
            assert callback in calls
        assert calls.count("delete_port") == 1


def test_the_proton_of_the_how_to_loads(tmp_path):
    page = (ROOT / "docs/how-to/write-a-proton.md").read_text()
    [model] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "l2bridge" / "api.yaml"
    file.parent.mkdir()
    file.write_text("\n".join(line.removeprefix("   ") for line in model.splitlines()))
    proton = catalog.load(["l2bridge"], [tmp_path])["l2bridge"]
    assert set(proton.objects) == {"Port", "Interface", "Bridge", "BridgeMember"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(page):
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
