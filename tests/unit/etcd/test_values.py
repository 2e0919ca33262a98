"""Endpoints, ranges, and waits between tries."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gluon.etcd import Endpoints, InvalidRequest
from gluon.etcd.backoff import LONGEST, Backoff
from gluon.etcd.types import prefix_end


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hosts": ()}, "no host given"),
        ({"hosts": ("localhost",)}, "'localhost': expected host:port"),
        ({"hosts": (":2379",)}, "expected host:port"),
        ({"hosts": ("localhost:http",)}, "expected host:port"),
        ({"hosts": ("localhost:0",)}, "expected host:port"),
        ({"hosts": ("localhost:65536",)}, "expected host:port"),
        ({"hosts": ("localhost:2379",), "cert_file": "c.pem"}, "cert_file and key_file go together"),
        ({"hosts": ("localhost:2379",), "key_file": "k.pem"}, "cert_file and key_file go together"),
        ({"hosts": ("localhost:2379",), "password": "p"}, "a password is set, but no user"),
        ({"hosts": ("localhost:2379",), "timeout": 0}, "timeout must be positive"),
    ],
)
def test_endpoints_that_could_never_connect_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        Endpoints(**arguments)


def test_endpoints_show_no_password() -> None:
    endpoints = Endpoints(("[::1]:2379", "etcd.example:2379"), user="gluon", password="hush-hush")
    assert "hush-hush" not in repr(endpoints)
    assert str(endpoints) == "[::1]:2379,etcd.example:2379"


@given(st.binary(max_size=4), st.binary(max_size=6))
def test_a_prefix_range_holds_exactly_the_keys_that_begin_with_it(prefix: bytes, key: bytes) -> None:
    end = prefix_end(prefix)
    assert (prefix <= key and (end == b"\0" or key < end)) == key.startswith(prefix)


def test_waits_grow_to_the_limit_and_begin_again() -> None:
    backoff = Backoff()
    delays = [backoff.delay() for _ in range(20)]
    assert all(0 < delay <= LONGEST for delay in delays)
    assert delays[0] <= 0.1
    assert all(delay >= LONGEST / 2 for delay in delays[10:])
    backoff.reset()
    assert backoff.delay() <= 0.1
