"""pytest fixtures; load them with `pytest_plugins = ["gluon.testing.fixtures"]`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gluon.testing.etcd import LocalEtcd


@pytest.fixture
def local_etcd(tmp_path: Path) -> Iterator[LocalEtcd]:
    """A fresh, empty etcd for one test."""
    with LocalEtcd(tmp_path / "etcd") as etcd:
        yield etcd
