"""The suite's samples keep to the rules of an author's own model."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from gluon.models import catalog
from gluon.models.catalog import SHIPPED
from gluon.schema import Proton, parse_proton
from gluon.shim.backend import Object
from gluon.testing.conformance.samples import Samples

OWN = """
file_version: "1.0"
imports: base.yaml
info: {name: own, version: "1.0"}
objects:
  Port: {extends: BasePort, api: {name: port}}
  Interface: {extends: BaseInterface, api: {name: interface}, attributes: {port_id: {type: Port}}}
  Service:
    extends: BaseService
    api: {name: service}
    rules:
      one_for_each_slot: {unique: [slot, kind]}
    attributes:
      slot: {type: integer, min: 0, max: 63, default: 0}
      kind: {type: enum, values: [fast, slow], default: fast}
  Pointer:
    extends: BaseObject
    api: {name: pointer}
    rules:
      one_for_each_service: {unique: [to]}
    attributes: {to: {type: Service}}
"""


def duplicates(objects: Iterable[Object], proton: Proton) -> list[str]:
    return [
        f"{one.id} and {other.id}: {rule.sentence}"
        for one, other in itertools.combinations(objects, 2)
        if one.type == other.type and one.id != other.id
        for rule in proton.objects[one.type].unique
        if proton.objects[one.type].clash(rule, one.attributes, other.attributes)
    ]


@pytest.mark.parametrize("name", ["own", "net-l3vpn", "ietf-sfc"])
@pytest.mark.parametrize("full", [False, True])
def test_no_two_samples_have_what_only_one_can_have(name: str, full: bool) -> None:  # noqa: FBT001 - pytest's
    own = parse_proton("own.yaml", OWN, lambda _: (SHIPPED / "base.yaml").read_text(encoding="utf-8"))
    proton = own if name == "own" else catalog.load([name])[name]
    samples = Samples(proton, "host-1", {})
    networks = [samples.network(number, full=full) for number in range(1, 9)]
    assert duplicates(itertools.chain(*networks), proton) == []
    other = {obj.type: obj for obj in networks[1]}
    for obj in networks[0]:
        for changed in (samples.changed(obj), *(changed for _, changed in samples.changes(obj, other))):
            assert (
                duplicates([changed, *(each for each in itertools.chain(*networks) if each is not obj)], proton) == []
            )
