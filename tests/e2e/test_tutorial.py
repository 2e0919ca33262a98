"""The tutorial shows what its commands print, but for ids and times."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from gluon.testing.stack import LocalStack

PAGE = Path(__file__).parents[2] / "docs/tutorial.md"
MARK = "=== next ==="


def shown() -> list[tuple[str, str]]:
    """The commands of the page with the output below each; empty where it is left out."""
    blocks = "\n".join(re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL))
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).+\n)*)", blocks, re.MULTILINE)


def alike(output: str) -> str:
    output = re.sub(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>", output)
    output = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", output)
    output = re.sub(r"(revision_number +\| )\d+", r"\1<n>", output)
    return re.sub(r"[ -]+", " ", output).strip()


def test_the_outputs(tmp_path: Path) -> None:
    commands = [(command, output) for command, output in shown() if command != "make dev"]
    script = f"\necho '{MARK}'\n".join(command for command, _ in commands)
    with LocalStack(tmp_path) as stack:
        environment = {
            **os.environ,
            "OS_PROTON_PORT": stack.url.rpartition(":")[2],
            "OS_PROTON_API": "net-l3vpn",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        done = subprocess.run(
            ["bash", "-e", "-c", script], env=environment, capture_output=True, text=True, timeout=110, check=False
        )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.split(f"{MARK}\n")
    assert len(printed) == len(commands)
    compared = [(command, alike(e), alike(g)) for (command, e), g in zip(commands, printed, strict=True) if e]
    assert len(compared) > 10
    for command, expected, got in compared:
        assert got == expected, command
