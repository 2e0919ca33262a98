"""The patterns of the OpenAPI document and the checks of the schema agree."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gluon.models import catalog
from gluon.proton.api import patterns
from gluon.schema import Mismatch

L3VPN = catalog.load(["net-l3vpn"])["net-l3vpn"].objects
ADDRESS, MAC = L3VPN["VpnBinding"].attributes["ipaddress"], L3VPN["Port"].attributes["mac_address"]


def accepts(attribute, text: str) -> bool:
    try:
        attribute.check(text)
    except Mismatch:
        return False
    return True


@given(text=st.ip_addresses().map(str))
def test_addresses(text):
    assert bool(re.fullmatch(patterns.of(ADDRESS), text)) is accepts(ADDRESS, text)


@pytest.mark.parametrize("first", range(256))
def test_first_octets(first):
    for text in (f"{first}.0.0.1", f"{first}.255.255.255"):
        assert bool(re.fullmatch(patterns.of(ADDRESS), text)) is accepts(ADDRESS, text)


@given(octets=st.binary(min_size=6, max_size=6), by=st.sampled_from([2, 4, 6, 12]), separator=st.sampled_from(":-."))
def test_mac_addresses(octets, by, separator):
    digits = octets.hex()
    text = separator.join(digits[at : at + by] for at in range(0, 12, by))
    assert bool(re.fullmatch(patterns.of(MAC), text)) is accepts(MAC, text)
