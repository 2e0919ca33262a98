"""Real servers: etcd, proton-server on SQLite, shims with the dummy or with a recording backend."""

from __future__ import annotations

from pathlib import Path

import pytest

from .recording import Recording


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    """Recording backends for the shims of one test."""
    return Recording(tmp_path / "recording")
