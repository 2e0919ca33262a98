"""What the server needs of a model beyond what the modelling language demands."""

from __future__ import annotations

import pytest

from gluon.models import catalog
from gluon.proton.service import check_models
from gluon.schema import ModelError, parse_proton

MODEL = """
file_version: "1.0"
imports: base.yaml
info: {name: x, version: "1.0", description: d, author: {name: n, url: "http://n.org", email: "n@n.org"}}
objects:
  Port: {api: {name: port}, extends: BasePort}
  Interface: {api: {name: interface}, extends: BaseInterface, attributes: {port_id: {type: Port}}}
  Vpn:
    api: {name: vpn}
    extends: BaseService
"""


def parsed(extra: str = ""):
    base = (catalog.SHIPPED / "base.yaml").read_text()
    return parse_proton("x.yaml", MODEL + extra, lambda _: base)


def test_the_shipped_models_and_default_policies_are_served(protons):
    check_models(protons.values())
    check_models([parsed('    policies: {create: {role: "rule:admin_or_owner"}}\n')])


@pytest.mark.parametrize("operation", ["create", "get", "list", "update", "delete"])
def test_policies_that_nobody_would_enforce_are_refused(operation):
    proton = parsed(f'    policies: {{{operation}: {{role: "rule:admin_only"}}}}\n')
    with pytest.raises(
        ModelError, match=f'Vpn.*{operation}: "rule:admin_only" would not be kept: the server enforces no'
    ):
        check_models([proton])
