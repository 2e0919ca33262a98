"""docs/reference/model-language.md says all that the language has, and its example loads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gluon.schema import FORMATS, META_ATTRIBUTES, AttributeType, Policies
from gluon.schema.declarations import read_file

TEXT = (Path(__file__).parents[3] / "docs" / "reference" / "model-language.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "model", ["frob: 1", "objects: {A: {frob: 1}}", "objects: {A: {attributes: {a: {frob: 1}}}}", "info: {frob: 1}"]
)
def test_every_property_is_described(model):
    with pytest.raises(ValueError, match="unknown") as caught:
        read_file("api.yaml", f'file_version: "1.0"\n{model}')
    for name in str(caught.value).partition("; expected ")[2].split(", "):
        assert f"`{name}`" in TEXT


def test_every_type_format_operation_and_reserved_name_is_described():
    formats = [name for names in FORMATS.values() for name in names]
    for name in (*AttributeType, *formats, *Policies.__struct_fields__, *META_ATTRIBUTES):
        assert f"`{name}`" in TEXT


def test_example_loads(load):
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert list(load(example).objects) == ["Port", "Segment", "Interface", "SegmentBinding"]
