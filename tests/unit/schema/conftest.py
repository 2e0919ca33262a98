"""A model small enough to be varied: one object of each base, and one to put attributes into."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Mapping

import pytest

from gluon.models import catalog
from gluon.models.catalog import SHIPPED
from gluon.schema import ObjectType, Proton, parse_proton

BASE = (SHIPPED / "base.yaml").read_text(encoding="utf-8")

MODEL = """\
file_version: "1.0"
imports: base.yaml
info: {name: sample, version: "1.0"}
objects:
  Port: {extends: BasePort, api: {name: port}}
  Interface: {extends: BaseInterface, api: {name: interface}, attributes: {port_id: {type: Port}}}
  Service: {extends: BaseService, api: {name: service}}
"""


def read_base(name: str) -> str:
    if name != "base.yaml":
        raise FileNotFoundError(f"no such file {name}")
    return BASE


@pytest.fixture(scope="session")
def load() -> Callable[[str], Proton]:
    """Parses a model from text, with the shipped base to import."""

    def parse(text: str) -> Proton:
        return parse_proton("api.yaml", text, read_base)

    return parse


@pytest.fixture(scope="session")
def load_objects(load) -> Callable[[str], Proton]:
    """Parses the small model with more objects."""

    def parse(objects: str) -> Proton:
        return load(MODEL + textwrap.indent(textwrap.dedent(objects), "  "))

    return parse


@pytest.fixture(scope="session")
def net_l3vpn() -> Mapping[str, ObjectType]:
    """The object types of a shipped model."""
    return catalog.load(["net-l3vpn"])["net-l3vpn"].objects


@pytest.fixture(scope="session")
def thing(load_objects) -> Callable[[str], ObjectType]:
    """Builds an object type Thing with key `id` and the attributes given as YAML flow text."""

    @functools.cache  # many values are tried on the same attributes
    def build(attributes: str = "") -> ObjectType:
        text = f"Thing: {{api: {{name: thing}}, attributes: {{id: {{type: uuid, primary: true}}, {attributes}}}}}"
        return load_objects(text).objects["Thing"]

    return build
