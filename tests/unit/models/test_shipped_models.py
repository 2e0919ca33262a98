"""The shipped models, attribute by attribute, against tables that a person can read.

After a change that is meant: `REWRITE_GOLDEN=1 pytest tests/unit/models`, then read the diff.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gluon.models import catalog
from gluon.schema import FORMATS, Attribute, AttributeType, ObjectType, Proton

GOLDEN = Path(__file__).parent / "golden"
PROTONS = catalog.load(["*"])


def attribute_row(attribute: Attribute) -> str:
    words = [f"  {attribute.name:28}", attribute.type, attribute.format]
    words += [word for word in ("primary", "required", "read_only") if getattr(attribute, word)]
    words += [f"-> {attribute.reference}"] if attribute.reference else []
    words += [f"length={attribute.length}"] if attribute.length is not None else []
    if attribute.minimum is not None or attribute.maximum is not None:
        words.append(f"{attribute.minimum}..{attribute.maximum}")
    words += [f"values={','.join(attribute.values)}"] if attribute.values else []
    words += [f"default={json.dumps(attribute.default)}"] if attribute.default is not None else []
    words += [f"default_from={attribute.default_from}"] if attribute.default_from else []
    return " ".join(word for word in words if word)


def object_rows(object_type: ObjectType) -> list[str]:
    api = object_type.api
    head = f"{object_type.name} ({object_type.base}) {api.name} / {api.plural_name}"
    head += f", parent {api.parent} by {api.parent_key}" if api.parent else ""
    return [head, *(attribute_row(a) for a in object_type.attributes.values()), ""]


def table(proton: Proton) -> str:
    rows = [f"{proton.name} {proton.info.version}", ""]
    for object_type in proton.objects.values():
        rows += object_rows(object_type)
    return "\n".join(rows)


@pytest.mark.parametrize("name", sorted(PROTONS))
def test_model_is_as_the_table_says(name):
    golden = GOLDEN / f"{name}.txt"
    if "REWRITE_GOLDEN" in os.environ:
        golden.write_text(table(PROTONS[name]), encoding="utf-8")
    assert table(PROTONS[name]) == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(PROTONS))
def test_everything_is_described(name):
    assert PROTONS[name].info.description
    for object_type in PROTONS[name].objects.values():
        assert object_type.description, object_type.name
        for attribute in object_type.attributes.values():
            assert attribute.description, f"{object_type.name}.{attribute.name}"


def test_test_model_has_every_type_and_format():
    attributes = PROTONS["test"].objects["Sample"].attributes.values()
    assert {a.type for a in attributes} == set(AttributeType)
    for type_, formats in FORMATS.items():
        assert {a.format for a in attributes if a.type is type_ and a.format} == set(formats)
    assert {a.reference for a in attributes if a.reference} == {"Service", "Label", "Level"}


def test_vnic_types_are_those_that_nova_knows():
    assert set(PROTONS["net-l3vpn"].port.attributes["vnic_type"].values) == {
        "normal",
        "direct",
        "macvtap",
        "baremetal",
        "direct-physical",
        "virtio-forwarder",
        "smart-nic",
        "vdpa",
        "accelerator-direct",
        "accelerator-direct-physical",
        "remote-managed",
    }
