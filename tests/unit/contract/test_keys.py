"""The keys: each object has one, and what is no key of ours is told apart."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gluon.contract import keys
from gluon.contract.keys import MAX_KEY_LENGTH, MalformedKey, ObjectKey

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,30}", fullmatch=True)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255)
PORT = ObjectKey("net-l3vpn", "Port", "91bbbb7a-4bc3-4e21-a9f8-0b9dfcc0e3c2")
PREFIXES = {keys.PROTON: keys.desired, keys.CONTROLLER: keys.answer}


@given(NAMES, NAMES, KEYS)
@example("p", "O", "\U0010ffff" * 255)
@example("p", "O", "/")
@example("p", "O", "%2F")
@example("p", "O", "..")
@example("p", "O", "\x00")
@example("p", "O", " ?#+%é")
def test_every_key_is_read_back(proton: str, name: str, key: str) -> None:
    found = ObjectKey(proton, name, key)
    for prefix, path in PREFIXES.items():
        assert keys.parse(path(found), prefix) == found
    controller = "c" * 64
    assert keys.parse(keys.applied(controller, found), keys.applied_prefix(controller)) == found
    assert keys.desired(found).startswith(keys.desired_prefix(proton))
    assert keys.parse(keys.late(controller, found), keys.late_prefix(controller)) == found
    assert keys.parse(keys.status(controller, found), keys.status_prefix(controller)) == found
    assert keys.parse_status(keys.status(controller, found)) == (controller, found)
    assert keys.answer(found).startswith(keys.CONTROLLER)
    assert keys.port_registration(key).count(b"/") == 3


@given(KEYS)
@example("")
@example("@")
@example("a@b/c%2F")
@example("\U0010ffff" * 255)
def test_a_binding_is_named_by_port_and_host(host: str) -> None:
    binding = keys.binding(PORT, host)
    assert keys.is_binding(binding)
    assert not keys.is_binding(PORT)
    assert keys.port_and_host(binding) == (PORT, host)
    path = keys.applied("c" * 64, binding)
    assert len(path) <= MAX_KEY_LENGTH
    assert keys.parse(path, keys.applied_prefix("c" * 64)) == binding
    assert path != keys.applied("c" * 64, PORT)


@given(KEYS, KEYS)
def test_different_objects_have_different_keys(one: str, other: str) -> None:
    paths = {ObjectKey("p", "O", key).path for key in (one, other)}
    assert len(paths) == len({one, other})


@given(st.binary(max_size=60))
@example(b"p/O/%61")
@example(b"p/O/%2f")
@example(b"p/O/%")
@example(b"p/O/%zz")
@example(b"p/O/\xc3\xa9")
def test_what_is_read_is_the_key_that_would_be_written(tail: bytes) -> None:
    """A second spelling of a key would be a second owner: its delete would delete the object."""
    try:
        found = keys.parse(keys.PROTON + tail, keys.PROTON)
    except MalformedKey:
        return
    assert keys.desired(found) == keys.PROTON + tail


@pytest.mark.parametrize(
    ("tail", "problem"),
    [
        (b"", "expected /proton/<proton>/<Object>/<key>"),
        (b"p", "expected /proton/<proton>/<Object>/<key>"),
        (b"p/O", "expected /proton/<proton>/<Object>/<key>"),
        (b"p/O/", "expected /proton/<proton>/<Object>/<key>"),
        (b"p//k", "expected /proton/<proton>/<Object>/<key>"),
        (b"/O/k", "expected /proton/<proton>/<Object>/<key>"),
        (b"p/O/k/more", "expected /proton/<proton>/<Object>/<key>"),
        (b"p/O/\xff", "not UTF-8"),
        (b"p/O/%ff", "not UTF-8"),
        (b"p/\xff/k", "not UTF-8"),
        (b"p/O/%61", "expected /proton/p/O/a, got .* names the same object"),
        (b"p/O/" + b"k" * MAX_KEY_LENGTH, f"longer than {MAX_KEY_LENGTH}"),
    ],
)
def test_a_malformed_key_is_told(tail: bytes, problem: str) -> None:
    with pytest.raises(MalformedKey, match=problem):
        keys.parse(keys.PROTON + tail, keys.PROTON)


def test_a_message_never_grows_with_the_key() -> None:
    with pytest.raises(MalformedKey) as caught:
        keys.parse(keys.PROTON + b"k" * 1_000_000, keys.PROTON)
    assert len(str(caught.value)) < 200


def test_the_prefix_of_one_proton_holds_no_other() -> None:
    assert not keys.desired(ObjectKey("net-l3vpn-2", "Port", "k")).startswith(keys.desired_prefix("net-l3vpn"))
    assert not keys.applied("a-b", ObjectKey("p", "O", "k")).startswith(keys.applied_prefix("a"))


@pytest.mark.parametrize(
    "path",
    [b"/status/", b"/status//p/O/k", b"/status/c/", b"/status/c/p/O", b"/status/c/p/O/k/more", b"/status/\xff",
     b"/status/c/p/O/%61"],
)  # fmt: skip
def test_a_malformed_status_key_is_told(path: bytes) -> None:
    with pytest.raises(MalformedKey):
        keys.parse_status(path)


def test_the_status_of_a_controller_is_told_from_those_of_its_objects() -> None:
    assert keys.parse_status(keys.controller_status("SimServer")) == ("SimServer", None)
    assert keys.parse_status(keys.status("SimServer", PORT)) == ("SimServer", PORT)
    assert not keys.controller_status("a-b").startswith(keys.status_prefix("a"))


def test_everything_that_programs_share_has_its_place() -> None:
    places = [keys.PROTON, keys.CONTROLLER, keys.STATUS, keys.PORT_REGISTRATION, keys.PUBLISHER, keys.SHIM]
    places += [keys.EPOCH, keys.SERIAL]
    assert not [a for a in places for b in places if a != b and a.startswith(b)]
    assert keys.leader("c") == b"/shim/c/leader"
    assert keys.term("c") == b"/shim/c/term"
    assert keys.applied_prefix("c") == b"/shim/c/applied/"
    assert keys.late_prefix("c") == b"/shim/c/late/"
    assert keys.request("c", "r") == keys.requests_prefix("c") + b"r" == b"/shim/c/requests/r"
    assert keys.result("c", "r") == b"/shim/c/results/r"
    assert keys.controller_status("c") == b"/status/c"
    assert keys.publisher("s") == b"/gluon/publisher/s"
