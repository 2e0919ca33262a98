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
MATCHED = catalog.load(["ietf-sfc"])["ietf-sfc"].objects["ServiceFunctionClassifier"].attributes
IPS, MACS = (ADDRESS, MATCHED["src_ip"], MATCHED["dst_ip"]), (MAC, MATCHED["src_mac"], MATCHED["dst_mac"])


def accepts(attribute, text: str) -> bool:
    try:
        attribute.check(text)
    except Mismatch:
        return False
    return True


def agree(attributes, text: str) -> None:
    for attribute in attributes:
        assert bool(re.fullmatch(patterns.of(attribute), text)) is accepts(attribute, text), attribute.name


@given(text=st.ip_addresses().map(str))
def test_addresses(text):
    agree(IPS, text)


@pytest.mark.parametrize("first", range(256))
def test_first_octets(first):
    for text in (f"{first}.0.0.0", f"{first}.0.0.1", f"{first}.255.255.255"):
        agree(IPS, text)


@pytest.mark.parametrize("text", ["::", "::1", "ff02::1", "fe80::1", "::ffff:10.0.0.1", "::ffff:224.0.0.1"])
def test_addresses_of_special_meaning(text):
    agree(IPS, text)


@given(octets=st.binary(min_size=6, max_size=6), by=st.sampled_from([2, 4, 6, 12]), separator=st.sampled_from(":-."))
def test_mac_addresses(octets, by, separator):
    digits = octets.hex()
    text = separator.join(digits[at : at + by] for at in range(0, 12, by))
    agree(MACS, text)


@pytest.mark.parametrize(
    "text",
    [
        "2:0:0:0:aa:5",
        "1:0:5e:0:0:1",
        "0:0:0:0:0:0",
        "f:f:f:f:f:f",
        "ff:ff:ff:ff:ff:ff",
        "FFFF.FFFF.FFFF",
        "000000000000",
        "01-00-5E-00-00-01",
    ],
)
def test_mac_addresses_of_special_meaning(text):
    agree(MACS, text)


def test_a_list_repeats_an_item_where_the_model_says_so():
    chain = catalog.load(["ietf-sfc"])["ietf-sfc"].objects["ServiceFunctionChain"].attributes["sfc_service_functions"]
    targets = L3VPN["VpnService"].attributes["ipv4_family"]
    function = "0d7a3f0c-6c1e-4f5d-9a51-b0c1f9c5a7e2"
    agree([chain], f"{function},{function}")
    assert accepts(chain, f"{function},{function}")
    agree([targets], "65000:1,65000:1")
    assert not accepts(targets, "65000:1,65000:1")
