"""etcd's events into the state: what can't be read changes nothing at the backend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import (
    NOBODY,
    AppliedRecord,
    Attempt,
    BindingAnswer,
    PortAnswer,
    WantedBinding,
    encode,
    encode_attributes,
    encode_port,
)
from gluon.etcd import Event
from gluon.shim.plan import Call, next_steps
from gluon.shim.state import HeldAnswer, Object, State
from gluon.shim.terms.feed import Feed

from .samples import L3VPN, OURS, PROTONS, applied, bound, name, port, sample, values, vpn_binding

P, S = port().id, name("VpnService", 1)
ON_1, ON_2 = keys.binding(P, "host-1"), keys.binding(P, "host-2")
PREFIX = keys.applied_prefix("ours")
AT_HOST_1 = {"host_id": "host-1", "device_id": "vm"}


class Fed:
    """A feed of one handled proton, and what it has woken."""

    def __init__(self) -> None:
        self.state = State(L3VPN)
        self.woken: set[ObjectKey] = set()
        self.feed = Feed(PROTONS, {L3VPN.name: self.state}, self._wake)

    def _wake(self, proton: str, concerned: Iterable[ObjectKey]) -> None:
        assert proton == L3VPN.name
        self.woken |= set(concerned)

    def has_applied(self, **records: Any) -> None:
        for key, record in records.items():
            self.state.record({"port": P, "on_1": ON_1, "on_2": ON_2, "service": S}[key], record)

    def desired(self, key: ObjectKey, value: bytes | None, revision: int = 5) -> None:
        self.feed.desired(Event(keys.desired(key), value, revision))

    def answered(self, value: bytes | None, revision: int = 5, key: ObjectKey = P) -> None:
        self.feed.answer(Event(keys.answer(key), value, revision))

    def calls(self, key: ObjectKey) -> list[str]:
        return [str(step) for step in next_steps(key, self.state, OURS) if isinstance(step, Call)]


UNREADABLE = {
    "no JSON": b"{",
    "no object": b"[]",
    "not UTF-8": b'{"name": "\xff"}',
    "a wrong attribute": b'{"tenant_id": 5}',
    "a wrong token": encode_port(values("Port", 1, **AT_HOST_1), "t").replace(b'"t"', b"5"),
    "a wrong list of bindings": encode_port(values("Port", 1, **AT_HOST_1), "t")[:-1] + b',"binding:inactive":[5]}',
}


def test_a_port_is_wanted_with_its_bindings() -> None:
    fed = Fed()
    others = (WantedBinding(host_id="host-2", token="i", vnic_type="direct"),)
    fed.desired(P, encode_port(values("Port", 1, **AT_HOST_1), "a", others))
    wishes = fed.state.wishes(P)
    assert {host: wish.token for host, wish in wishes.items()} == {"host-1": "a", "host-2": "i"}
    assert wishes["host-2"].port["vnic_type"] == "direct"
    assert fed.state.desired.find(P) == port(revision=5)
    assert fed.woken == {P}
    fed.desired(P, None)
    assert P not in fed.state.desired
    assert not fed.state.wishes(P)


@pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE)
def test_a_port_that_can_not_be_read_stays_as_it_is_at_the_backend(
    value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    fed = Fed()
    fed.has_applied(port=applied(port()), on_1=bound(port(), token="a"), on_2=bound(port(host="host-2"), token="i"))
    fed.desired(P, value)
    assert fed.calls(P) == []
    assert {host: wish.token for host, wish in fed.state.wishes(P).items()} == {"host-1": "a", "host-2": "i"}
    assert fed.state.unreadable == {P}
    assert f"skipped {keys.desired(P).decode()}" in caplog.text
    fed.desired(P, encode_port(values("Port", 1, **AT_HOST_1), "b"))
    assert fed.state.unreadable == set()
    assert fed.calls(P)[0] in {f"bind_port {P} on host-1", f"unbind_port {P} on host-2"}


@pytest.mark.parametrize("record", [None, applied(sample("VpnService", 1), claimed=True)], ids=["new", "claimed"])
def test_what_was_never_applied_and_can_not_be_read_is_not_wanted(record: AppliedRecord | None) -> None:
    fed = Fed()
    fed.desired(S, encode_attributes(values("VpnService", 1)))
    if record is not None:
        fed.has_applied(service=record)
    fed.woken.clear()
    fed.desired(S, b"{")
    assert S not in fed.state.desired
    assert S in fed.woken


def test_an_object_that_can_not_be_read_any_more_goes_back_to_what_was_applied() -> None:
    """Not to what was wanted last: after a restart nobody knows that, and the outcome must be the same."""
    fed = Fed()
    fed.has_applied(service=applied(sample("VpnService", 1, name="applied")))
    fed.desired(S, encode_attributes(values("VpnService", 1, name="wanted")))
    fed.desired(S, b"{")
    assert fed.calls(S) == []


@pytest.mark.parametrize(
    "path",
    [
        b"/proton/unheard/Port/1",
        b"/proton/net-l3vpn/Unheard/1",
        b"/proton/net-l3vpn/Port",
        b"/proton/net-l3vpn/Port/%41",
        b"/proton/net-l3vpn/Port/\xff",
    ],
)
def test_a_key_that_names_no_object_is_skipped_and_said(path: bytes, caplog: pytest.LogCaptureFixture) -> None:
    fed = Fed()
    fed.feed.desired(Event(path, b"{}", 5))
    fed.feed.desired(Event(path, None, 6))
    assert fed.woken == set()
    assert len(fed.state.desired) == 0
    assert "skipped" in caplog.text


def test_another_shims_proton_is_skipped_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    fed = Fed()
    fed.feed.desired(Event(b"/proton/ietf-sfc/Port/1", b"{", 5))
    fed.feed.answer(Event(b"/controller/ietf-sfc/Port/1", b"{", 5))
    assert caplog.text == ""


# -- answers -------------------------------------------------------------------------------------------------


def test_an_answer_is_heard_and_its_end_too() -> None:
    fed = Fed()
    answer = PortAnswer.of(
        BindingAnswer(controller="theirs", host_id="h"), [BindingAnswer(controller="x", host_id="i")]
    )
    fed.answered(encode(answer))
    assert fed.state.answer(P) == HeldAnswer(answer, 5)
    fed.answered(None, 6)
    assert not fed.state.answer(P).exists
    assert fed.woken == {P}


def test_an_answer_that_can_not_be_read_is_nobodys_claim() -> None:
    fed = Fed()
    fed.desired(P, encode_port(values("Port", 1, **AT_HOST_1), "t"))
    fed.answered(b'{"controller": 5}', 7)
    assert fed.state.answer(P) == HeldAnswer(NOBODY, 7)  # With its revision, so that a claim can replace it.
    assert fed.calls(P) == [f"bind_port {P} on host-1"]


def test_what_the_version_before_said_of_other_objects_is_left_over() -> None:
    fed = Fed()
    fed.answered(b'{"controller": "ours", "reason": "broken"}', key=S)
    assert set(fed.feed.leftovers) == {keys.answer(S)}
    assert fed.woken == set()


# -- records -------------------------------------------------------------------------------------------------


def test_records_are_read_those_of_bindings_too() -> None:
    fed = Fed()
    records = {P: applied(port()), ON_1: bound(port(), token="t"), S: applied(sample("VpnService", 1))}
    for key, record in records.items():
        fed.feed.record(keys.applied("ours", key), encode(record), PREFIX)
    assert fed.state.records == records
    assert set(fed.state.hosts(P)) == {"host-1"}
    assert fed.feed.upgraded == {}


def test_a_record_of_the_version_before_is_read_as_this_version_has_it() -> None:
    fed = Fed()
    old = {
        "attributes": dict(port().attributes),
        "revision": 3,
        "binding": {"host_id": "host-1", "device_id": "vm", "vif_type": "ovs"},
    }
    fed.feed.record(keys.applied("ours", P), msgspec.json.encode(old), PREFIX)
    assert set(fed.feed.upgraded) == {P, ON_1}
    assert fed.state.records == fed.feed.upgraded
    bound_ = fed.state.records[ON_1].bound
    assert bound_ is not None
    assert bound_.vif_type == "ovs"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (keys.applied("ours", S), b"{"),
        (keys.applied("ours", S), b'{"attributes": {}}'),
        (PREFIX + b"net-l3vpn/Unheard/1", encode(applied(port()))),
        (PREFIX + b"net-l3vpn/Port", encode(applied(port()))),
    ],
)
def test_a_record_that_can_not_be_read_is_skipped_and_said(
    path: bytes, value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    fed = Fed()
    fed.feed.record(path, value, PREFIX)
    assert fed.state.records == {}
    assert "skipped" in caplog.text


def test_an_attempt_comes_back_as_it_was_written() -> None:
    fed = Fed()
    attempt = Attempt(callback="delete_service_binding", attributes=dict(vpn_binding().attributes))
    record = applied(vpn_binding(), attempt=attempt)
    fed.feed.record(keys.applied("ours", vpn_binding().id), encode(record), PREFIX)
    assert fed.state.records[vpn_binding().id] == record
    assert isinstance(fed.state.applied.find(vpn_binding().id), Object)
