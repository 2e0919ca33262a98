"""Which RESTCONF and which models: told by every stand-in, and by one that has none."""

from __future__ import annotations

import asyncio

import pytest

from gluon.shim.backends.opendaylight.discovery import Speech, candidates_of, discover
from gluon.shim.backends.opendaylight.errors import ModelsMissing, NotPermitted
from gluon.shim.backends.opendaylight.options import Dialect, Flavour, Mode, Settings
from gluon.shim.backends.opendaylight.restconf import Connection
from standins.opendaylight import DRAFT02, RFC8040, StandIn

A, B1, B2, C, D, E = Dialect


def find(odl: StandIn, password: str = "admin", **given) -> Speech:
    defaults = {
        "url": odl.url, "user": "admin", "verify": True, "cafile": "", "timeout": 5.0,
        "retries": 0, "settle_timeout": 1.0, "poll_interval": 1.0, "flavour": None, "dialect": None,
        "mode": Mode.L3VPN, "vnis": range(1, 2), "rd_as": 1, "bridge": "br-int", "tunnel_type": "gre",
    }  # fmt: skip

    async def found() -> Speech:
        connection = Connection(Settings(**{**defaults, **given}), password)
        try:
            return await discover(connection, Settings(**{**defaults, **given}))
        finally:
            await connection.close()

    return asyncio.run(found())


@pytest.mark.parametrize("dialect", Dialect)
def test_every_dialect_is_told_by_draft_02(dialect):
    """By URLs: their names are in the models or not, whatever the data."""
    with StandIn(dialect, (DRAFT02, RFC8040)) as odl:
        found = find(odl)
    assert (found.flavour, found.dialect, found.one_at_a_time) == (Flavour.DRAFT02, dialect, False)
    assert found.has_trunks is (dialect is not A)


def test_the_first_release_of_aluminium_is_told_from_magnesium():
    with StandIn("E", (DRAFT02,), associations=False) as odl:
        assert find(odl) == Speech(Flavour.DRAFT02, E, has_associations=False, has_trunks=True)


@pytest.mark.parametrize("dialect", [C, D, E])
def test_rfc_8040_alone(dialect):
    with StandIn(dialect, (RFC8040,)) as odl:
        found = find(odl)
    assert (found.flavour, found.dialect) == (Flavour.RFC8040, dialect)
    assert found.one_at_a_time is (dialect is not E)


def test_options_override():
    with StandIn("C", (DRAFT02, RFC8040)) as odl:
        found = find(odl, flavour=Flavour.RFC8040, dialect=B1)
    assert (found.flavour, found.dialect) == (Flavour.RFC8040, B1)


def test_one_without_the_models_is_refused_in_a_sentence():
    with StandIn("modern") as odl, pytest.raises(ModelsMissing) as refused:
        find(odl)
    assert "needs the l3vpn models" in str(refused.value)
    assert "Aluminium or older with the feature odl-netvirt-openstack" in str(refused.value)


def test_a_wrong_password_is_told_with_the_user_alone():
    with StandIn("C") as odl, pytest.raises(NotPermitted) as refused:
        find(odl, password="wr0ng")
    assert "admin" in str(refused.value)
    assert "wr0ng" not in str(refused.value)


@pytest.mark.parametrize(
    ("modules", "candidates"),
    [
        ({"neutron", "l3vpn"}, (A,)),
        ({"neutron", "l3vpn", "neutron-trunks"}, (C, B2, B1)),
        ({"neutron", "l3vpn", "l3vpn-instances-interfaces"}, (D, E)),
        ({"neutron", "l3vpn-instances-interfaces", "neutron-bgpvpn-network-association"}, (E,)),
        ({"l3vpn"}, ()),
        ({"neutron"}, ()),
        (set(), ()),
    ],
)
def test_what_the_list_of_models_leaves_open(modules, candidates):
    assert candidates_of(modules) == candidates
