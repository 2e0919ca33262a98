"""A model that grows while objects are stored."""

from __future__ import annotations

import sqlite3

import pytest

from gluon.models import catalog
from gluon.proton.storage import DatabaseUnusable, open_database
from gluon.schema import parse_proton

MODEL = """
file_version: "1.0"
imports: base.yaml
info: {{name: x, version: "1.0"}}
objects:
  Port: {{api: {{name: port}}, extends: BasePort}}
  Interface: {{api: {{name: interface}}, extends: BaseInterface, attributes: {{port_id: {{type: Port}}}}}}
  Vpn:
    api: {{name: vpn}}
    extends: BaseService
    attributes: {{{attributes}}}
    rules: {{{rules}}}
"""


def model(attributes: str = "", rules: str = ""):
    base = (catalog.SHIPPED / "base.yaml").read_text()
    return {"x": parse_proton("x.yaml", MODEL.format(attributes=attributes, rules=rules), lambda _: base)}


async def opened(file, protons):
    return await open_database(f"sqlite:///{file}", protons, create=True)


@pytest.mark.asyncio
async def test_an_attribute_that_says_that_it_was_added_gets_its_column(file):
    await (await opened(file, model("a: {type: string, length: 10}"))).close()
    grown = model("a: {type: string, length: 20}, b: {type: integer, default: 5, added: true}", "r: {unique: [a, b]}")
    for _ in range(2):
        await (await opened(file, grown)).close()
    connection = sqlite3.connect(file)
    assert "b" in [row[1] for row in connection.execute("PRAGMA table_info(x_vpn)")]
    indexes = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")]
    connection.close()
    assert "rule_x_vpn_r" in indexes


@pytest.mark.asyncio
async def test_one_that_does_not_say_so_is_refused_with_the_way_out(file):
    await (await opened(file, model())).close()
    with pytest.raises(DatabaseUnusable, match=r"column b: it is missing.*says so with added: true"):
        await opened(file, model("b: {type: integer}"))
