"""Finding and loading protons."""

from __future__ import annotations

import shutil

import pytest

from gluon.models import catalog
from gluon.schema import ModelError

MODEL = """\
file_version: "1.0"
imports: {imports}
info: {{name: {name}, version: "1.0"}}
objects:
  Port: {{extends: BasePort, api: {{name: port}}}}
  Interface: {{extends: BaseInterface, api: {{name: interface}}, attributes: {{port_id: {{type: Port}}}}}}
  Service: {{extends: BaseService, api: {{name: service}}}}
"""


@pytest.fixture
def model_dir(tmp_path):
    directory = tmp_path / "models"
    directory.mkdir()
    return directory


def write(model_dir, name: str, text: str | None = None, imports: str = "base.yaml") -> None:
    (model_dir / name).mkdir()
    text = MODEL.format(name=name, imports=imports) if text is None else text
    (model_dir / name / "api.yaml").write_text(text, encoding="utf-8")


def test_shipped_protons():
    assert catalog.available() == ["ietf-sfc", "net-l3vpn", "test"]
    assert list(catalog.load(["*"])) == ["ietf-sfc", "net-l3vpn", "test"]
    assert list(catalog.load(["test", "net-l3vpn", "test"])) == ["test", "net-l3vpn"]
    assert list(catalog.load(["test", "*"])) == ["test", "ietf-sfc", "net-l3vpn"]
    assert catalog.load([]) == {}


def test_unknown_proton_names_those_there_are():
    with pytest.raises(ModelError, match="no-such: no such proton; available: ietf-sfc, net-l3vpn, test"):
        catalog.load(["no-such"])


def test_model_directory_is_loaded_beside_the_shipped_models(model_dir):
    write(model_dir, "mine")
    (model_dir / "not-a-proton").mkdir()
    assert catalog.available([model_dir]) == ["ietf-sfc", "mine", "net-l3vpn", "test"]
    assert list(catalog.load(["*"], [model_dir, model_dir])) == ["ietf-sfc", "mine", "net-l3vpn", "test"]
    assert catalog.load(["mine"], [model_dir])["mine"].port.name == "Port"


def test_model_with_the_name_of_a_shipped_one(model_dir):
    write(model_dir, "net-l3vpn")
    with pytest.raises(ModelError) as caught:
        catalog.load(["test"], [model_dir])
    assert str(model_dir / "net-l3vpn" / "api.yaml") in str(caught.value)
    assert str(catalog.SHIPPED / "net-l3vpn" / "api.yaml") in str(caught.value)


@pytest.mark.parametrize("place", ["mine/base.yaml", "base.yaml"])
def test_own_base_file_is_preferred(model_dir, place):
    write(model_dir, "mine")
    shutil.copy(catalog.SHIPPED / "base.yaml", model_dir / place)
    with (model_dir / place).open("a", encoding="utf-8") as file:
        file.write("  Extra: {attributes: {a: {type: frob}}}\n")
    with pytest.raises(ModelError, match="object Extra, attribute a: unknown type"):
        catalog.load(["mine"], [model_dir])


def test_import_that_does_not_exist(model_dir):
    write(model_dir, "mine", imports="bse.yaml")
    with pytest.raises(ModelError) as caught:
        catalog.load(["mine"], [model_dir])
    assert 'imports: cannot read "bse.yaml": no such file in ' in str(caught.value)
    for directory in (model_dir / "mine", model_dir, catalog.SHIPPED):
        assert str(directory) in str(caught.value)


def test_only_what_is_wanted_is_loaded(model_dir):
    write(model_dir, "broken", text="a: [")
    assert list(catalog.load(["test"], [model_dir])) == ["test"]
    with pytest.raises(ModelError, match=r"broken/api\.yaml:1: "):
        catalog.load(["*"], [model_dir])


def test_file_that_is_not_utf8(model_dir):
    write(model_dir, "mine")
    (model_dir / "mine" / "api.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ModelError, match=r"mine/api\.yaml: cannot read the model: "):
        catalog.load(["mine"], [model_dir])


def test_folder_and_name_agree(model_dir):
    write(model_dir, "mine", text=MODEL.format(name="other", imports="base.yaml"))
    with pytest.raises(ModelError, match="info: name: expected mine as the folder is called, got other"):
        catalog.load(["mine"], [model_dir])


def test_model_directory_that_is_none(tmp_path):
    with pytest.raises(ModelError, match="nowhere: not a directory; model_dirs names directories of models"):
        catalog.available([tmp_path / "nowhere"])
