"""`gluon-manage model check`: every fault of a model at once, for its author, without a server."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from gluon.models import catalog
from gluon.process.run import StartFailed
from gluon.proton.manage.saying import say
from gluon.proton.service import model_faults


def add(commands: Any) -> None:
    """Adds the command to the command line."""
    model: argparse.ArgumentParser = commands.add_parser("model", help="work on models of one's own")
    actions = model.add_subparsers(dest="action", required=True)
    check: argparse.ArgumentParser = actions.add_parser(
        "check",
        help="tell all faults of a model",
        description="Tells all faults of a model, or of all models in a model directory. It needs no configuration, no "
        "server and no etcd. Exit code 1: there are faults.",
    )
    check.add_argument(
        "directories",
        nargs="+",
        type=Path,
        metavar="DIR",
        help="folder of a proton, with its api.yaml, or a directory of such folders",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Runs the command.

    Returns:
        0: no faults; 1: faults, which were told.

    Raises:
        StartFailed: there is no model.
    """
    faults = 0
    for file in [file for directory in arguments.directories for file in _models(directory)]:
        found = catalog.faults(file, model_faults)
        faults += len(found)
        for fault in found:
            say(str(fault))
        if not found:
            say(f"{file}: no faults")
    if faults:
        say(f"faults: {faults}")
    return 1 if faults else 0


def _models(directory: Path) -> list[Path]:
    own = directory if directory.name == catalog.MODEL_FILE else directory / catalog.MODEL_FILE
    found = [own] if own.is_file() else sorted(directory.glob(f"*/{catalog.MODEL_FILE}"))
    if not found:
        raise StartFailed(
            f"{directory} holds no {catalog.MODEL_FILE}, and no folder of it does; name the folder of a proton"
        )
    return found
