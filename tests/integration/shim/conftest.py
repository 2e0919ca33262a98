"""Fixtures of the tests with real shim processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from .ground import Ground


@pytest_asyncio.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    """A fresh etcd, and a backend to load."""
    async with Ground(tmp_path) as made:
        yield made
