"""The distribution that this package was installed from.

Its name is not the package's: on PyPI `gluon` is the system of 2017.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

NAME = "gluon-network"
"""What `pip install` is told."""


def version() -> str:
    """The version that is installed; `0+unknown` where the package is imported without being installed."""
    try:
        return installed_version(NAME)
    except PackageNotFoundError:
        return "0+unknown"
