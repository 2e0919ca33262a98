"""Which answers are news, and when an absent one means something."""

from __future__ import annotations

import json

import pytest

from gluon.contract.keys import ObjectKey
from gluon.contract.records import NOBODY
from gluon.etcd import Event
from gluon.models import catalog
from gluon.proton.answers.ports import PortBook

PORT = ObjectKey("net-l3vpn", "Port", "p")
PATH = b"/controller/net-l3vpn/Port/p"
CLAIM = {"controller": "c", "host_id": "h", "token": "t"}
BOUND = {**CLAIM, "vif_type": "ovs"}
OTHER = {"controller": "d", "host_id": "g", "token": "u", "vif_type": "ovs"}


@pytest.fixture
def book():
    made = PortBook(catalog.load(["net-l3vpn"]))
    made.begin()
    return made


def tell(book, value, *, listing=False, path=PATH) -> bool:
    """Whether the port is to be looked at after this event."""
    book.dirty.clear()
    raw = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
    book.take(Event(path, raw, 1), listing=listing)
    return PORT in book.dirty


def level(book):
    (found,) = book.levels({PORT: ""})
    return found


@pytest.mark.parametrize(
    ("before", "after", "news"),
    [
        (None, CLAIM, False),
        (CLAIM, BOUND, True),
        (BOUND, BOUND, False),
        (BOUND, {**BOUND, "vif_type": "hw_veb"}, True),
        (BOUND, {**CLAIM, "token": "t2"}, False),
        (BOUND, {}, True),
        (BOUND, None, True),
        (BOUND, {**BOUND, "host_id": "h2"}, True),
        (BOUND, {**BOUND, "inactive": [OTHER]}, True),
        ({**BOUND, "inactive": [OTHER]}, BOUND, True),
        ({**BOUND, "inactive": [OTHER]}, {**OTHER, "inactive": [BOUND]}, False),
        ({}, None, False),
        (BOUND, b"not json", True),
        (b"not json", None, True),
        (b"not json", CLAIM, True),
    ],
)
def test_what_is_news(book, before, after, news):
    if before is not None:
        tell(book, before)
    assert tell(book, after) is news


def test_a_list_is_no_news_by_itself(book):
    assert not tell(book, BOUND, listing=True)
    assert book.known() == [PORT]
    assert book.answer(PORT).vif_type == "ovs"


def test_an_absent_answer_is_certain_once_it_was_seen_to_go_or_had_its_time(book):
    assert not level(book).certain
    tell(book, BOUND, listing=True)
    assert not level(book).certain
    tell(book, None)
    assert level(book).certain
    book.begin()
    assert not level(book).certain
    book.confirmed()
    assert level(book).certain


@pytest.mark.parametrize(
    ("before", "after", "dropped"),
    [
        (CLAIM, {}, {("h", "c")}),
        (BOUND, None, {("h", "c")}),
        (CLAIM, BOUND, set()),
        (BOUND, {**BOUND, "controller": "d"}, {("h", "c")}),
        ({**BOUND, "inactive": [OTHER]}, BOUND, {("g", "d")}),
        ({**BOUND, "inactive": [OTHER]}, {**OTHER, "inactive": [BOUND]}, set()),
        (BOUND, b"not json", set()),
    ],
)
def test_entries_that_go_are_known_as_dropped(book, before, after, dropped):
    tell(book, before, listing=True)
    tell(book, after)
    assert book.dropped == {(PORT, *each) for each in dropped}
    book.begin()
    assert book.dropped == set()


def test_a_list_drops_nothing(book):
    tell(book, BOUND)
    tell(book, {}, listing=True)
    assert book.dropped == set()


def test_a_new_list_begins_with_nothing(book):
    tell(book, BOUND)
    book.begin()
    assert book.answer(PORT) == NOBODY
    assert book.known() == []


@pytest.mark.parametrize(
    "value",
    [
        b"not json",
        {**BOUND, "vif_type": 7},
        {**BOUND, "vif_type": "x" * 65},
        {"vif_type": "ovs"},
        {"vif_type": "ovs", "controller": "c"},
        {"controller": "c"},
        {"host_id": "h"},
        {"inactive": [{"vif_type": "ovs"}]},
    ],
)
def test_an_answer_that_can_not_be_used_is_a_problem_and_no_answer(book, value):
    tell(book, value)
    assert level(book).problem
    assert book.answer(PORT) == NOBODY
    tell(book, BOUND)
    assert not level(book).problem


@pytest.mark.parametrize(
    "path", [b"/controller/junk", b"/controller/x/Port/p", b"/controller/net-l3vpn/Interface/p", b"/controller/\xff"]
)
def test_keys_that_are_not_ours_are_left_out(book, path):
    book.take(Event(path, b"{}", 1), listing=False)
    assert book.known() == []
    assert not book.dirty
