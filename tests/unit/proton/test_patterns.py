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


SAMPLE = catalog.load(["test"])["test"].objects["Sample"].attributes


def of_format(name: str):
    return next(a for a in SAMPLE.values() if a.format == name)


@given(
    year=st.integers(2, 9998),
    rest=st.tuples(st.integers(0, 13), st.integers(0, 32), st.integers(0, 24), st.integers(0, 60), st.integers(0, 60)),
    fraction=st.sampled_from(["", ".5", ".123456", ".1234560", ".1234567"]),
    offset=st.sampled_from(["Z", "z", "+00:00", "-23:59", "+24:00", ""]),
)
def test_dates(year, rest, fraction, offset):
    month, day, hour, minute, second = rest
    text = f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{offset}"
    agree([of_format("date-time")], text)


@pytest.mark.parametrize("year", ["1900", "2000", "2023", "2024", "2100", "2400", "9996"])
def test_leap_days(year):
    agree([of_format("date-time")], f"{year}-02-29T00:00:00Z")


@given(text=st.one_of(st.emails(), st.from_regex(re.compile(patterns.EMAIL), fullmatch=True)))
def test_email_addresses(text):
    if len(text) <= 200:
        agree([of_format("email")], text)


@given(text=st.from_regex(re.compile(patterns.URI), fullmatch=True))
def test_uris(text):
    assert len(text) > 200 or accepts(of_format("uri"), text)


@pytest.mark.parametrize(
    "text",
    [
        "http://example.com/a?b=c#d", "urn:isbn:0451450523", "mailto:a@example.com", "http://[2001:db8::1]:8080/",
        "http://example.com:65535", "http://a b/", "http://u@h/x:y", "file:///etc/x",
        "http://[::1", "http://example.com:65536/", "/relative",
    ],
)  # fmt: skip
def test_common_uris(text):
    agree([of_format("uri")], text)


def test_a_list_repeats_an_item_where_the_model_says_so():
    chain = catalog.load(["ietf-sfc"])["ietf-sfc"].objects["ServiceFunctionChain"].attributes["sfc_service_functions"]
    targets = L3VPN["VpnService"].attributes["ipv4_family"]
    function = "0d7a3f0c-6c1e-4f5d-9a51-b0c1f9c5a7e2"
    agree([chain], f"{function},{function}")
    assert accepts(chain, f"{function},{function}")
    agree([targets], "65000:1,65000:1")
    assert not accepts(targets, "65000:1,65000:1")


UUIDS = catalog.load(["test"])["test"].objects["Sample"].attributes["a_uuid_list"]


@given(uuids=st.lists(st.uuids(), min_size=1, max_size=9, unique=True), hyphens=st.booleans())
def test_as_many_uuids_as_fit_with_their_hyphens(uuids, hyphens):
    agree([UUIDS], ",".join(str(each) if hyphens else each.hex for each in uuids))
