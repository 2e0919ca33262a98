"""What a backend is given can't be changed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gluon.contract.keys import ObjectKey
from gluon.schema import Base
from gluon.shim.state import Model, Object

from .samples import L3VPN, sample


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
def test_attributes_refuse_to_be_changed(change: Callable[[Any], object]) -> None:
    obj = port()
    with pytest.raises((TypeError, AttributeError), match=r"can't be changed|has no attribute"):
        change(obj.attributes)
    assert obj == port()


def test_attributes_are_json_and_can_be_copied() -> None:
    attributes = port().attributes
    assert msgspec.json.decode(msgspec.json.encode(attributes)) == {"name": "a", "profile": {"slots": [{"n": 1}]}}
    for made in (copy.copy(attributes), copy.deepcopy(attributes), dict(attributes)):
        made["name"] = "b"
    assert attributes["name"] == "a"


def test_a_fingerprint_is_of_all_that_an_object_means_and_of_nothing_else() -> None:
    service, target = sample("VpnService", 1, ipv4_family="65000:1"), sample("VpnAfConfig", 1)
    model = Model(L3VPN).having(service).having(target)
    fingerprint = model.fingerprint(service)
    assert model.fingerprint(sample("VpnService", 1, ipv4_family="65000:1", revision=2)) == fingerprint
    others = [
        model.fingerprint(sample("VpnService", 1, ipv4_family="65000:1", name="new")),
        model.lacking(target.id).fingerprint(service),
        model.having(sample("VpnAfConfig", 1, vrf_rt_type="import_extcommunity")).fingerprint(service),
    ]
    assert len({fingerprint, *others}) == 4


def test_a_single_reference_is_no_part_of_the_meaning() -> None:
    interface, port_ = sample("Interface", 1), sample("Port", 1)
    model = Model(L3VPN).having(interface).having(port_)
    assert model.having(sample("Port", 1, name="new")).fingerprint(interface) == model.fingerprint(interface)
    assert model.list_digests(interface) == {}
