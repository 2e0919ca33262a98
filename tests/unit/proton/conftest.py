"""A database on a real SQLite file."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_asyncio

from gluon.models import catalog
from gluon.proton.storage import open_database


@pytest.fixture(scope="session")
def protons():
    return catalog.load(["net-l3vpn"])


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "gluon.db"


@pytest_asyncio.fixture
async def database(file, protons):
    opened = await open_database(f"sqlite:///{file}", protons, create=True)
    yield opened
    await opened.close()
