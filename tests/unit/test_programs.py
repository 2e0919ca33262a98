"""A program whose extra is not installed says which one it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("function", "program", "extra", "missing"),
    [
        ("proton_server", "proton-server", "server", "sqlalchemy"),
        ("proton_shim_server", "proton-shim-server", "shim", "stevedore"),
        ("protonclient", "protonclient", "client", "cliff"),
        ("gluon_manage", "gluon-manage", "server", "oslo_config"),
    ],
)
def test_an_extra_that_is_not_installed(function, program, extra, missing):
    script = f"import sys; sys.modules[{missing!r}] = None; from gluon import programs; sys.exit(programs.{function}())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"{program}: {missing} is not installed; {program} needs the extra `{extra}`: "
        f"pip install 'gluon-network[{extra}]'\n"
    )


def test_a_fault_of_the_package_itself_is_no_missing_extra():
    script = "import sys; sys.modules['gluon.proton.app'] = None; from gluon import programs; programs.proton_server()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" in done.stderr
