"""The entry points of the programs.

Each program needs an extra.  Where that is not installed, the import of the program fails; this
module imports it late, so that it can say which extra is missing instead of showing a traceback.
"""

from __future__ import annotations

import importlib
import sys

from gluon import distribution

EXIT_NOT_INSTALLED = 1


def proton_server() -> int:
    """Runs proton-server."""
    return _run("proton-server", "gluon.proton.app", "server")


def proton_shim_server() -> int:
    """Runs proton-shim-server."""
    return _run("proton-shim-server", "gluon.shim.app", "shim")


def protonclient() -> int:
    """Runs protonclient."""
    return _run("protonclient", "gluon.cli.app", "client")


def gluon_manage() -> int:
    """Runs gluon-manage."""
    return _run("gluon-manage", "gluon.proton.manage", "server")


def _run(program: str, module: str, extra: str) -> int:
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing == "gluon":
            raise  # A fault of this package, not of its installation.
        sys.stderr.write(
            f"{program}: {missing} is not installed; {program} needs the extra `{extra}`: "
            f"pip install '{distribution.NAME}[{extra}]'\n"
        )
        return EXIT_NOT_INSTALLED
    result: int = loaded.main()
    return result
