"""`docs/how-to/write-a-backend-over-http.md` is true: its files are written as they stand there, and run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from .vendor import DOCS, Package

PAGE = DOCS / "write-a-backend-over-http.md"
FILES = {"gluon_borealis.py", "pyproject.toml", "test_gluon_borealis.py", "proton-shim.conf"}


@pytest.fixture
def package(tmp_path: Path) -> Package:
    made = Package(PAGE, tmp_path / "gluon-borealis")
    shutil.copy(Path(__file__).parent / "fake_controller.py", made.folder)
    return made


def test_every_file_of_the_page_is_tried(package: Package) -> None:
    blocks = re.findall(r"^```(?:python|toml|ini)$", PAGE.read_text(), re.MULTILINE)
    assert package.files.keys() == FILES
    assert len(blocks) == len(FILES)


def test_its_backend_conforms(package: Package) -> None:
    code, output = package.run_suite("-x", "-rs")
    assert code == 0, output
    assert re.search(r"^\d{2,3} passed in", output, re.MULTILINE), output
