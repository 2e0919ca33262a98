from __future__ import annotations

import json

import pytest

from gluon.shim.backend import Refused, RetryLater
from gluon.shim.backends.opendaylight.errors import Busy, NotPermitted, Rejected, Reply, Said, failure, parse

ERROR = {"error-type": "protocol", "error-tag": "data-missing", "error-message": "no such data"}


def reply(status: int, tag: str = "") -> Reply:
    return Reply(status, (Said(tag, "words"),) if tag else ())


@pytest.mark.parametrize("name", ["errors", "ietf-restconf:errors"])
@pytest.mark.parametrize("listed", [[ERROR], ERROR])
def test_both_error_bodies(name, listed):
    assert parse(json.dumps({name: {"error": listed}}).encode()) == (Said("data-missing", "no such data"),)


@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>", b"null", b"[]", b'{"errors": []}', b'{"a": 1}'])
def test_no_body_and_any_other(content):
    assert parse(content) == ()


@pytest.mark.parametrize(
    ("status", "tag", "absent"),
    [
        (404, "", True),
        (404, "data-missing", True),
        (409, "data-missing", True),
        (409, "lock-denied", False),
        (409, "", False),
    ],
)
def test_what_is_absent(status, tag, absent):
    assert reply(status, tag).is_absent is absent


@pytest.mark.parametrize(
    ("status", "tag", "passing"),
    [
        (500, "", True),
        (503, "", True),
        (409, "lock-denied", True),
        (409, "in-use", True),
        (409, "resource-denied", True),
        (409, "data-missing", False),
        (400, "malformed-message", False),
        (401, "", False),
        (403, "", False),
    ],
)
def test_what_may_pass(status, tag, passing):
    assert reply(status, tag).is_passing is passing


@pytest.mark.parametrize(
    ("status", "tag", "request_", "kind"),
    [
        (400, "malformed-message", "PUT x", Rejected),
        (400, "invalid-value", "POST x", Rejected),
        (400, "", "PUT x", Rejected),
        (400, "unknown-element", "PUT x", Busy),  # its models may not be loaded yet
        (400, "unknown-element", "GET x", Busy),
        (401, "", "GET x", NotPermitted),
        (403, "access-denied", "PUT x", NotPermitted),
        (409, "data-missing", "PUT x", Busy),
        (500, "", "PUT x", Busy),
    ],
)
def test_what_becomes_of_it(status, tag, request_, kind):
    error = failure(reply(status, tag), request_, "operator")
    assert type(error) is kind
    assert isinstance(error, Refused) is (kind is Rejected)
    assert not isinstance(error, RetryLater)
    assert str(status) in str(error)


def test_a_refusal_names_the_user_and_a_long_word_is_cut():
    assert "let operator GET x: 401" in str(failure(reply(401), "GET x", "operator"))
    assert len(str(failure(Reply(500, (Said("", "w" * 9999),)), "GET x", "u"))) < 400
