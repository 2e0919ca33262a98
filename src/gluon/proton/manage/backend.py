"""`gluon-manage backend new`: the package of a new backend, with a test that passes."""

from __future__ import annotations

import argparse
import re
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from gluon.distribution import NAME as DISTRIBUTION
from gluon.process.run import StartFailed
from gluon.proton.manage.saying import say

_is_name = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*").fullmatch

_LONGEST = 40

ENTRY_POINTS = "gluon.shim.backends"
"""The group of the entry points that lead a shim to its backends."""


def add(commands: Any) -> None:
    """Adds the command to the command line."""
    backend: argparse.ArgumentParser = commands.add_parser("backend", help="work on a backend of one's own")
    actions = backend.add_subparsers(dest="action", required=True)
    new: argparse.ArgumentParser = actions.add_parser(
        "new",
        help="write the package of a new backend",
        description="Writes the folder gluon-NAME with the package of a backend and its test, the conformance suite. "
        "The test passes; what the backend does is to be filled in.",
    )
    new.add_argument("name", metavar="NAME", help="as in [shim] handlers, e.g. acme: lower case, digits, hyphens")
    new.add_argument(
        "--directory", type=Path, default=Path(), metavar="DIR", help="where the folder is made (default: here)"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Runs the command.

    Raises:
        StartFailed: the name can't be one, or the folder is there already.
    """
    name = arguments.name
    if not _is_name(name) or len(name) > _LONGEST:
        raise StartFailed(
            f"backend {name!r}: expected at most {_LONGEST} lower-case letters, digits and hyphens, a letter first"
        )
    if entry_points(group=ENTRY_POINTS, name=name):
        raise StartFailed(f"a backend {name!r} is installed already; choose another name")
    folder = arguments.directory / f"gluon-{name.replace('_', '-')}"
    try:
        folder.mkdir(parents=True)
        for file, text in _files(name).items():
            (folder / file).write_text(text, encoding="utf-8")
    except FileExistsError as error:
        raise StartFailed(f"{folder} is there already; nothing was written") from error
    except OSError as error:
        raise StartFailed(f"cannot write {error.filename or folder}: {error.strerror}") from error
    module = _module(name)
    say(
        f"{folder}: the backend is {module}.py, its test test_{module}.py\n"
        f"Next: cd {folder}, pip install --editable '.[test]', pytest; then [shim] handlers = net-l3vpn:{name}"
    )
    return 0


def _files(name: str) -> dict[str, str]:
    """The text of each file, by name."""
    module = _module(name)
    values = {
        "@name@": name,
        "@project@": f"gluon-{name.replace('_', '-')}",
        "@module@": module,
        "@section@": f"shim_{name.replace('-', '_')}",
        "@class@": _class(name),
        "@distribution@": DISTRIBUTION,
    }
    names = {"pyproject.toml": "pyproject.toml", "backend.py": f"{module}.py", "test_backend.py": f"test_{module}.py"}
    templates = resources.files("gluon.proton.manage") / "templates"
    written = {}
    for template, file in names.items():
        text = (templates / f"{template}.template").read_text(encoding="utf-8")
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        written[file] = text
    return written


def _class(name: str) -> str:
    """What stands before `Backend` in the name of the class."""
    whole = "".join(part.capitalize() for part in re.split("[-_]", name))
    return whole.removesuffix("Backend") or whole


def _module(name: str) -> str:
    return f"gluon_{name.replace('-', '_')}"
