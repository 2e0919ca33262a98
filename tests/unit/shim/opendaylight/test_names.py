from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gluon.shim.backends.opendaylight import names
from gluon.shim.backends.opendaylight.names import Mark, mark_of

UUIDS = st.uuids().map(str)
TENANT = "8e0f9e5a3c554d7e9a350d6c1a5c7a11"


def test_a_tenant_has_its_hyphens():
    assert names.tenant(TENANT) == str(uuid.UUID(TENANT))
    assert names.network("v", TENANT) == names.network("v", names.tenant(TENANT))


@given(UUIDS, UUIDS, UUIDS)
def test_each_vpn_and_tenant_has_a_network_of_its_own(vpn, one, other):
    assert names.network(vpn, one) == names.network(vpn, one)
    assert (names.network(vpn, one) == names.network(vpn, other)) is (one == other)
    assert names.subnet(names.network(vpn, one), "10.0.0.0/24") != names.subnet(names.network(vpn, one), "10.0.0.0/25")


@pytest.mark.parametrize("mark", [Mark("network", "v"), Mark("BGPPeering", "k", ("1", "10.0.0.1", "2", "2001:db8::1"))])
def test_a_mark_is_read_back(mark):
    assert str(mark).startswith("gluon:")
    assert mark_of(str(mark)) == mark


@pytest.mark.parametrize("name", [None, "", "private", "gluon", "gluon:", "gluon:network", "my gluon:network v", 5])
def test_what_is_not_marked_is_not_ours(name):
    assert mark_of(name) is None


@given(UUIDS, st.sets(st.integers(100, 109)))
def test_a_vni_is_free_and_in_its_range(network, taken):
    vni = names.vni(network, range(100, 110), taken)
    assert (vni is None) is (len(taken) == 10)
    assert vni is None or (vni in range(100, 110) and vni not in taken)
    assert names.vni(network, range(100, 110), taken) == vni


@given(UUIDS)
def test_a_derived_distinguisher_is_one_of_type_0(vpn):
    """RFC 4364 4.2: two octets of AS number, four of a number."""
    as_number, number = map(int, names.distinguisher(vpn, 64512).split(":"))
    assert as_number == 64512
    assert 0 <= number < 1 << 32
