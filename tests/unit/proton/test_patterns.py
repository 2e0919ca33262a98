"""The expressions of the OpenAPI document take what the formats take."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gluon.models import catalog
from gluon.proton.api import patterns
from gluon.schema import Mismatch

ATTRIBUTES = {
    f"{attribute.format or attribute.type} {attribute.address}": attribute
    for proton in catalog.load(["net-l3vpn", "ietf-sfc", "test"]).values()
    for object_type in proton.objects.values()
    for attribute in object_type.writable
    if patterns.of(attribute)
}
TAKEN = {
    "uuid": ["0d7a3f0c-6c1e-4f5d-9a51-b0c1f9c5a7e2", "0D7A3F0C6C1E4F5D9A51B0C1F9C5A7E2"],
    "mac": ["c8:2a:14:04:43:80", "C8-2A-14-04-43-80", "c82a.1404.4380", "c82a14044380", "c82a14-044380"],
    "route-target": ["65000:4294967295", "65536:65535", "4294967295:0", "10.0.0.1:100", "0:0"],
    "ip": [
        "10.0.0.1",
        "223.255.255.254",
        "240.0.0.1",
        "255.255.255.254",
        "2001:db8::1",
        "fe80::1",
        "2001:DB8:0::",
        "1::",
    ],
    "ipv4": ["0.0.0.0", "255.255.255.255"],
    "ipv6": ["::", "::1", "1:2:3:4:5:6:7:8", "::ffff:10.0.0.1", "ff02::1", "1:2:3:4:5:6:7::"],
    "ip-list": ["10.0.0.1,2001:db8::1"],
    "route-target-list": ["65000:1,65000:2,10.0.0.1:1"],
}


def expression(attribute) -> re.Pattern[str]:
    return re.compile(f"^(?:{patterns.of(attribute)})$")


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_what_an_expression_takes_the_attribute_takes(name):
    attribute = ATTRIBUTES[name]

    @given(st.from_regex(expression(attribute), fullmatch=True))
    @settings(max_examples=100, database=None, suppress_health_check=list(HealthCheck), deadline=None)
    def check(text):
        try:
            attribute.check(text)
        except Mismatch as mismatch:
            if "at most" not in str(mismatch):  # Its length is said apart.
                raise

    check()


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_what_people_write_is_taken_by_both(name):
    attribute = ATTRIBUTES[name]
    for text in TAKEN.get(attribute.format or attribute.type, []):
        attribute.check(text)
        assert expression(attribute).search(text), text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mac unicast", "01:00:5e:00:00:01"),
        ("mac unicast", "00:00:00:00:00:00"),
        ("ip unicast", "224.0.0.1"),
        ("ip unicast", "127.0.0.1"),
        ("ip unicast", "255.255.255.255"),
        ("ip unicast", "ff02::1"),
        ("route-target ", "65536:65536"),
        ("route-target-list ", "65000:1,65000:1"),
        ("ipv4 ", "10.0.0.256"),
        ("ipv4 ", "10.0.0.01"),
    ],
)
def test_what_the_attribute_refuses_the_expression_refuses(name, text):
    attribute = ATTRIBUTES[name]
    with pytest.raises(Mismatch):
        attribute.check(text)
    assert not expression(attribute).search(text)
