"""The commands of gluon-manage for authors, which need neither a server nor a configuration."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gluon.distribution import version
from gluon.proton.manage import main

MODEL = """\
file_version: "1.0"
imports: base.yaml
info: {name: l2, version: "1.0"}
objects:
  Bridge: {extends: BaseService, api: {name: bridge}}
"""


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "l2"
    made.mkdir()
    (made / "api.yaml").write_text(MODEL)
    return made


def test_a_right_model(folder, capsys):
    assert main(["model", "check", str(folder)]) == 0
    assert main(["model", "check", str(folder.parent)]) == 0
    assert main(["model", "check", str(folder / "api.yaml")]) == 0
    assert capsys.readouterr().out == f"{folder}/api.yaml: no faults\n" * 3


def test_all_faults_of_all_models(folder, capsys):
    other = folder.parent / "l3"
    other.mkdir()
    (other / "api.yaml").write_text(MODEL.replace("bridge}", "Bridge, plural_name: 5}"))
    (folder / "api.yaml").write_text(
        MODEL + "    attributes: {a: {type: x}, b: {type: y}}\n".replace("    a", "  x: {a")
    )
    assert main(["model", "check", str(folder.parent)]) == 1
    said = capsys.readouterr().out
    assert f"{folder}/api.yaml" in said
    assert f"{other}/api.yaml" in said


def test_the_servers_own_demands_and_names(folder, capsys):
    policies = ', policies: {create: {role: "rule:x"}, delete: {role: "rule:y"}}}'
    (folder / "api.yaml").write_text(MODEL.replace("{name: bridge}}", "{name: bridge}" + policies))
    assert main(["model", "check", str(folder)]) == 1
    assert capsys.readouterr().out.count("would not be kept") == 2
    (folder / "api.yaml").write_text(
        MODEL.replace("name: l2", "name: other").replace(
            "{name: bridge}}", "{name: bridge}, attributes: {a: {type: x}}" + policies
        )
    )
    assert main(["model", "check", str(folder)]) == 1
    said = capsys.readouterr().out
    assert "faults: 4" in said
    assert said.count("would not be kept") == 2
    assert 'unknown type "x"' in said
    assert "expected l2 as the folder is called, got other" in said
    (folder / "api.yaml").write_text(MODEL)
    renamed = folder.with_name("net-l3vpn")
    folder.rename(renamed)
    assert main(["model", "check", str(renamed)]) == 1
    said = capsys.readouterr().out
    assert "expected net-l3vpn as the folder is called, got l2" in said
    assert "a proton of this name is already in" in said


def test_no_model(tmp_path, capsys):
    assert main(["model", "check", str(tmp_path)]) == 1
    assert "holds no api.yaml" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "class_name"), [("acme", "AcmeBackend"), ("my-backend", "MyBackend"), ("backend", "BackendBackend")]
)
def test_a_new_backend_and_its_test(tmp_path, capsys, name, class_name):
    assert main(["backend", "new", name, "--directory", str(tmp_path)]) == 0
    [folder] = tmp_path.iterdir()
    assert str(folder) in capsys.readouterr().out
    assert any(f"class {class_name}(Backend):" in file.read_text() for file in folder.iterdir())
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:randomly"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "said"), [("Acme", "a letter first"), ("../x", "a letter first"), ("dummy", "installed")]
)
def test_a_backend_of_no_name(tmp_path, capsys, name, said):
    assert main(["backend", "new", name, "--directory", str(tmp_path)]) == 1
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path, capsys):
    assert main(["backend", "new", "acme", "--directory", str(tmp_path)]) == 0
    file = tmp_path / "gluon-acme/gluon_acme.py"
    file.write_text("mine")
    assert main(["backend", "new", "acme", "--directory", str(tmp_path)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert file.read_text() == "mine"


def test_the_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"gluon-manage {version()}\n"
