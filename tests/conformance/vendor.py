"""A vendor's package, made from the files of a page in docs/how-to, and a look into etcd."""

from __future__ import annotations

import base64
import configparser
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from gluon.testing.etcd import LocalEtcd

DOCS = Path(__file__).parents[2] / "docs/how-to"


def files_of(page: Path) -> dict[str, str]:
    """The files that a page shows, each with its name before it."""
    return dict(re.findall(r"^`([\w.-]+)`:\n\n```\w+\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE))


class Package:
    """The vendor's folder, and the package as an editable install leaves it to Python."""

    def __init__(self, page: Path, folder: Path) -> None:
        self.folder = folder
        self.files = files_of(page)
        folder.mkdir(exist_ok=True)
        for name, text in self.files.items():
            (folder / name).write_text(text)
        project = tomllib.loads(self.files["pyproject.toml"])["project"]
        info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        entry_points = configparser.ConfigParser(delimiters="=")
        entry_points.read_dict(project["entry-points"])
        with (info / "entry_points.txt").open("w") as file:
            entry_points.write(file)
        self.project = project
        self.environment = {"PYTHONPATH": str(folder)}

    def command(self, *command: str) -> subprocess.Popen[str]:
        environment = {**os.environ, **self.environment, "PYTHONUNBUFFERED": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run_suite(self, *arguments: str) -> tuple[int, str]:
        """The exit code and the output of the vendor's tests."""
        [tests] = [name for name in self.files if name.startswith("test_")]
        process = self.command(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, tests)
        output, _ = process.communicate(timeout=100)
        return process.returncode, output


T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: str) -> T:
    deadline = time.monotonic() + 20
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within 20 s: {what}; last seen: {value!r}")
        time.sleep(0.05)
    return value


def put(etcd: LocalEtcd, key: bytes, value: dict[str, Any]) -> None:
    etcd.call("kv/put", key=base64.b64encode(key).decode(), value=base64.b64encode(json.dumps(value).encode()).decode())


def read(etcd: LocalEtcd, key: bytes) -> dict[str, Any]:
    found = etcd.call("kv/range", key=base64.b64encode(key).decode()).get("kvs")
    return json.loads(base64.b64decode(found[0]["value"])) if found else {}
