"""What a backend is given can't be changed."""

from __future__ import annotations

import copy

import msgspec
import pytest

from gluon.contract.keys import ObjectKey
from gluon.schema import Base
from gluon.shim.state import Object


def port() -> Object:
    return Object(ObjectKey("net-l3vpn", "Port", "p"), Base.PORT, {"name": "a", "profile": {"slots": [{"n": 1}]}}, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.__setitem__("name", "b"),
        lambda a: a.update(name="b"),
        lambda a: a.pop("name"),
        lambda a: a.clear(),
        lambda a: a.setdefault("other", 1),
        lambda a: a["profile"].__setitem__("slots", []),
        lambda a: a["profile"]["slots"][0].__setitem__("n", 2),
    ],
)
def test_attributes_refuse_to_be_changed(change):
    obj = port()
    with pytest.raises((TypeError, AttributeError), match=r"can't be changed|has no attribute"):
        change(obj.attributes)
    assert obj == port()


def test_attributes_are_json_and_can_be_copied():
    attributes = port().attributes
    assert msgspec.json.decode(msgspec.json.encode(attributes)) == {"name": "a", "profile": {"slots": [{"n": 1}]}}
    for made in (copy.copy(attributes), copy.deepcopy(attributes), dict(attributes)):
        made["name"] = "b"
    assert attributes["name"] == "a"
