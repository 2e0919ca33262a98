from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gluon.shim.backends.opendaylight.options import Flavour
from gluon.shim.backends.opendaylight.paths import Path, Store, operation, query, render

DRAFT02, RFC8040 = Flavour
INSTANCE = Path.of("l3vpn:vpn-instances").to("vpn-instance", "V")


@pytest.mark.parametrize(
    ("flavour", "store", "url", "parameters"),
    [
        (DRAFT02, Store.CONFIG, "/restconf/config/l3vpn:vpn-instances/vpn-instance/V", {}),
        (DRAFT02, Store.OPERATIONAL, "/restconf/operational/l3vpn:vpn-instances/vpn-instance/V", {}),
        (RFC8040, Store.CONFIG, "/rests/data/l3vpn:vpn-instances/vpn-instance=V", {"content": "config"}),
        (RFC8040, Store.OPERATIONAL, "/rests/data/l3vpn:vpn-instances/vpn-instance=V", {"content": "nonconfig"}),
    ],
)
def test_roots_keys_and_queries(flavour, store, url, parameters):
    assert render(INSTANCE, flavour, store) == url
    assert query(flavour, store) == parameters


def test_operations():
    assert operation("itm-rpc:add-external-tunnel-endpoint", DRAFT02).startswith("/restconf/operations/itm-rpc:add-")
    assert operation("itm-rpc:add-external-tunnel-endpoint", RFC8040).startswith("/rests/operations/itm-rpc:add-")


@pytest.mark.parametrize(("key", "encoded"), [("a/b c", "a%2Fb%20c"), ("ü", "%C3%BC"), ("a,b=c", "a%2Cb%3Dc")])
def test_keys_are_percent_encoded(key, encoded):
    path = Path.of("m:list").to("entry", key)
    assert render(path, DRAFT02).endswith(f"/entry/{encoded}")
    assert render(path, RFC8040).endswith(f"/entry={encoded}")


def test_a_key_of_rfc8040_has_its_colons_encoded_too():
    assert render(Path.of("m:l").to("e", "65000:1"), RFC8040) == "/rests/data/m:l/e=65000%3A1"


@given(st.text(min_size=1, max_size=20), st.sampled_from(list(Flavour)))
def test_no_key_leads_elsewhere(key, flavour):
    url = render(Path.of("m:list").to("entry", key).to("leaf"), flavour)
    head, _, leaf = url.rpartition("/")
    separator = "/" if flavour is DRAFT02 else "="
    assert leaf == "leaf"
    assert unquote(head.split(f"m:list/entry{separator}")[1]) == key
    assert not set(head.split("entry", 1)[1][1:]) & set("/?#= ")


def test_a_message_shows_keys_as_they_are():
    assert str(INSTANCE) == "l3vpn:vpn-instances/vpn-instance=V"
