"""Golden files: what stands in etcd.  A changed file is a change of the contract between programs.

Each holds one key and its value as they are in etcd.  To add one, add the record to RECORDS and
run with GLUON_WRITE_GOLDEN=1; then read what was written.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import (
    INACTIVE,
    NOBODY,
    TOKEN,
    AppliedRecord,
    Attempt,
    BindingAnswer,
    Bound,
    ControllerStatus,
    Epoch,
    MalformedRecord,
    PortAnswer,
    PortRegistration,
    Request,
    RequestResult,
    Status,
    Term,
    WantedBinding,
    decode,
    decode_attributes,
    encode,
    encode_attributes,
    encode_port,
    split_port,
)
from gluon.models import catalog

GOLDEN = Path(__file__).parent / "golden"

KEY = "91bbbb7a-4bc3-4e21-a9f8-0b9dfcc0e3c2"
PORT = ObjectKey("net-l3vpn", "Port", KEY)
BINDING = keys.binding(PORT, "host-1")
SERVICE = ObjectKey("net-l3vpn", "VpnService", KEY)
TARGET = ObjectKey("net-l3vpn", "VpnAfConfig", "65000:100")
LABEL = ObjectKey("test", "Label", "50 % / más")
DETAILS: dict[str, Any] = {"port_filter": False, "bridge_name": "br-gluon"}
ATTRIBUTES: dict[str, Any] = {
    "id": KEY,
    "host_id": "host-1",
    "device_id": None,
    "mtu": 1500,
    "admin_state_up": True,
    "profile": {"a": [1.5]},
}
PREPARED = WantedBinding(host_id="host-2", token="7d1e", vnic_type="normal", profile={"migrating_to": "host-2"})
CLAIM = BindingAnswer(controller="SimServer", host_id="host-1", token="5f3a", revision=7)
OTHER = BindingAnswer(controller="Second", host_id="host-2", token="7d1e", revision=7, vif_type="ovs")


def bound_as(vif_type: str, reason: str = "") -> PortAnswer:
    details = {} if reason else DETAILS
    return PortAnswer(
        controller="SimServer",
        host_id="host-1",
        token="5f3a",
        revision=7,
        vif_type=vif_type,
        vif_details=details,
        reason=reason,
    )


RECORDS: dict[str, tuple[bytes, Any]] = {
    "port": (keys.desired(PORT), encode_port(ATTRIBUTES, "5f3a")),
    "port-with-two-bindings": (keys.desired(PORT), encode_port(ATTRIBUTES, "5f3a", [PREPARED])),
    "label": (keys.desired(LABEL), {"text": "50 % / más"}),
    "answer-claimed": (keys.answer(PORT), PortAnswer.of(CLAIM, [])),
    "answer-bound": (keys.answer(PORT), bound_as("ovs")),
    "answer-refused": (keys.answer(PORT), bound_as("binding_failed", "no bridge")),
    "answer-two-bindings": (keys.answer(PORT), PortAnswer.of(CLAIM, [OTHER])),
    "answer-only-inactive": (keys.answer(PORT), PortAnswer.of(None, [OTHER])),
    "answer-unbound": (keys.answer(PORT), NOBODY),
    "status-reported": (keys.status("SimServer", PORT), Status(state="DOWN", reason="no carrier")),
    "status-failed": (keys.status("SimServer", TARGET), Status(failure="ValueError: no")),
    "controller": (
        keys.controller_status("SimServer"),
        ControllerStatus(
            controller="SimServer",
            leader="node-1 pid 42",
            fence=3,
            handlers={"net-l3vpn": "dummy"},
            hosts=("host-1", "host-2"),
            health={"net-l3vpn": "no route to host"},
            brake="40 of 100 objects would be deleted",
        ),
    ),
    "registration": (
        keys.port_registration(KEY),
        PortRegistration(tenant_id="t", service="net-l3vpn", url="http://127.0.0.1:2705"),
    ),
    "epoch": (keys.EPOCH, Epoch(database="d1", id="e1", complete=True)),
    "serial": (keys.SERIAL, b"00000000000000000042"),
    "term": (keys.term("SimServer"), Term(number=3, id="t3", epoch="e1")),
    "applied": (keys.applied("SimServer", TARGET), AppliedRecord(attributes={"vrf_rt_value": "65000:100"}, revision=7)),
    "applied-claimed": (
        keys.applied("SimServer", TARGET),
        AppliedRecord(attributes={"vrf_rt_value": "65000:100"}, revision=7, claimed=True),
    ),
    "applied-change-attempted": (
        keys.applied("SimServer", TARGET),
        AppliedRecord(
            attributes={"vrf_rt_type": None},
            revision=7,
            attempt=Attempt(callback="modify_object", attributes={"vrf_rt_type": "both"}),
        ),
    ),
    "applied-delete-attempted": (
        keys.applied("SimServer", TARGET),
        AppliedRecord(
            attributes={"vrf_rt_type": None},
            revision=7,
            attempt=Attempt(callback="delete_object", attributes={"vrf_rt_type": None}),
        ),
    ),
    "applied-references": (
        keys.applied("SimServer", SERVICE),
        AppliedRecord(attributes={"id": KEY}, revision=7, references={"VpnAfConfig/65000:100": "00ff"}),
    ),
    "applied-bound": (
        keys.applied("SimServer", BINDING),
        AppliedRecord(
            attributes={"id": KEY},
            revision=7,
            bound=Bound(token="5f3a", vif_type="ovs", vif_details=DETAILS),
        ),
    ),
    "applied-refused": (
        keys.applied("SimServer", BINDING),
        AppliedRecord(
            attributes={"id": KEY}, revision=7, bound=Bound(token="5f3a", vif_type="binding_failed", reason="no bridge")
        ),
    ),
    "request-audit": (
        keys.request("SimServer", "r1"),
        Request(kind="audit", object=f"Port/{KEY}", dry_run=True, reapply=True),
    ),
    "request-accept": (keys.request("SimServer", "r2"), Request(kind="accept")),
    "result": (
        keys.result("SimServer", "r1"),
        RequestResult(
            ok=True,
            message="1 object was missing",
            missing=(str(PORT),),
            differing=(str(SERVICE),),
            orphans=(str(TARGET),),
        ),
    ),
    "leader": (keys.leader("SimServer"), b"127.0.0.1 *"),
    "publisher": (keys.publisher("5f3a"), b""),
}


def encoded(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return encode(value) if isinstance(value, Struct) else encode_attributes(value)


def golden(name: str) -> dict[str, str]:
    return dict(json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", RECORDS)
def test_what_is_written_is_golden(name: str) -> None:
    key, value = RECORDS[name]
    written = {"key": key.decode(), "value": encoded(value).decode()}
    if os.environ.get("GLUON_WRITE_GOLDEN"):
        text = json.dumps(written, indent=2, ensure_ascii=False) + "\n"
        (GOLDEN / f"{name}.json").write_text(text, encoding="utf-8")
    assert written == golden(name)


@pytest.mark.parametrize("name", RECORDS)
def test_what_is_golden_can_be_read(name: str) -> None:
    _, value = RECORDS[name]
    data = golden(name)["value"].encode()
    if isinstance(value, Struct):
        assert decode(type(value), data) == value
    elif isinstance(value, dict):
        assert decode_attributes(data) == value


def test_no_golden_file_is_left_over() -> None:
    assert {file.stem for file in GOLDEN.glob("*.json")} == set(RECORDS)


def test_equal_records_are_equal_bytes() -> None:
    one = AppliedRecord(attributes={"a": 1, "b": {"d": 1, "c": 2}}, revision=1)
    other = AppliedRecord(attributes={"b": {"c": 2, "d": 1}, "a": 1}, revision=1)
    assert encode(one) == encode(other)


# -- a port and its bindings, as they are wanted ---------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
HOSTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
WANTED = st.lists(
    st.builds(WantedBinding, host_id=HOSTS, token=TEXT, vnic_type=TEXT, profile=JSON),
    max_size=3,
    unique_by=lambda each: each.host_id,
)


@given(st.dictionaries(TEXT.filter(lambda name: ":" not in name), JSON, max_size=5), TEXT, WANTED)
def test_a_port_and_its_bindings_are_read_back(
    attributes: dict[str, Any], token: str, inactive: list[WantedBinding]
) -> None:
    data = encode_port(attributes, token, inactive)
    assert data == encode_port(attributes, token, reversed(inactive))
    values = decode_attributes(data)
    assert split_port(values) == (token, tuple(sorted(inactive, key=lambda each: each.host_id)))
    assert values == attributes


def test_a_port_that_nobody_asks_to_bind_is_published_as_any_object() -> None:
    assert encode_port(ATTRIBUTES, "") == encode_attributes(ATTRIBUTES)


def test_no_attribute_can_have_the_name_of_a_member() -> None:
    names = {name for proton in catalog.load(["*"]).values() for name in proton.port.attributes}
    assert names.isdisjoint({TOKEN, INACTIVE})
    assert all(":" in name for name in (TOKEN, INACTIVE))


@pytest.mark.parametrize(
    "members",
    [
        {TOKEN: None},
        {TOKEN: 5},
        {INACTIVE: None},
        {INACTIVE: {}},
        {INACTIVE: [{}]},
        {INACTIVE: [{"host_id": None}]},
        {INACTIVE: ["host-2"]},
        {INACTIVE: [{"host_id": "host-2", "token": []}]},
    ],
)
def test_malformed_bindings_are_told(members: dict[str, Any]) -> None:
    with pytest.raises(MalformedRecord, match="the port's bindings: "):
        split_port({"id": KEY, **members})


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"5", b'"text"', b"\xff\xfe", b'{"a":1e999}', b"{}x"])
def test_malformed_attributes_are_told(data: bytes) -> None:
    with pytest.raises(MalformedRecord, match="expected a JSON object"):
        decode_attributes(data)


# -- and as they are answered ----------------------------------------------------------------------

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
ENTRIES = st.builds(
    BindingAnswer,
    controller=NAMES,
    host_id=HOSTS,
    token=TEXT,
    revision=st.integers(0, 2**63 - 1),
    vif_type=TEXT,
    vif_details=OBJECTS,
    reason=TEXT,
)
BINDINGS = st.lists(ENTRIES, max_size=4, unique_by=lambda each: each.host_id)


@given(BINDINGS, st.integers(0, 1))
def test_answers_are_read_back(entries: list[BindingAnswer], active_ones: int) -> None:
    active = entries[0] if entries[:active_ones] else None
    inactive = entries[1:] if active else entries
    answer = PortAnswer.of(active, inactive)
    assert decode(PortAnswer, encode(answer)) == answer
    assert answer.active == active
    assert answer.bindings == {each.host_id: each for each in entries}
    assert (answer == NOBODY) == (not entries)
    assert encode(answer) == encode(PortAnswer.of(active, reversed(inactive)))


def test_who_reads_only_the_active_binding_finds_it_at_the_top() -> None:
    """A reader of 2017, or of the version before, knows of one binding."""
    plain = json.loads(encode(PortAnswer.of(OTHER, [CLAIM])))
    assert (plain["controller"], plain["vif_type"]) == ("Second", "ovs")
    assert [each["controller"] for each in plain["inactive"]] == ["SimServer"]


def test_of_two_entries_for_one_host_the_active_one_counts() -> None:
    second = BindingAnswer(controller="Second", host_id="host-1")
    answer = PortAnswer(controller="SimServer", host_id="host-1", inactive=(second,))
    assert [each.controller for each in answer.bindings.values()] == ["SimServer"]


@pytest.mark.parametrize("data", [b"{}", b" {}\n", b"{ }", b"{\n}"])
def test_an_empty_answer_is_that_of_an_unbound_port(data: bytes) -> None:
    assert decode(PortAnswer, data) == NOBODY
    assert not NOBODY.bindings


def test_members_of_a_later_version_are_ignored() -> None:
    later = b'{"controller":"c","host_id":"h","revision":7,"vif_type":"ovs","shape":{"a":1}}'
    assert decode(PortAnswer, later) == PortAnswer(controller="c", host_id="h", revision=7, vif_type="ovs")


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"5", b'"text"', b"\xff\xfe", b'{"controller":1}', b'{"revision":"7"}',
     b'{"vif_details":[]}', b'{"inactive":{}}', b'{"inactive":[5]}', b'{"token":null}'],
)  # fmt: skip
def test_a_malformed_answer_is_told(data: bytes) -> None:
    with pytest.raises(MalformedRecord, match="PortAnswer: "):
        decode(PortAnswer, data)


# -- and beside ----------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b'{"state":"UP"}', b'{"state":null}', b'{"failure":5}', b"[]"])
def test_a_malformed_status_is_told(data: bytes) -> None:
    with pytest.raises(MalformedRecord, match="Status: "):
        decode(Status, data)


@pytest.mark.parametrize("callback", ["delete_port", "unbind_port", "delete_object", "delete_service_binding"])
def test_an_attempt_knows_whether_it_takes_away(callback: str) -> None:
    assert Attempt(callback=callback, attributes={}).removes
    kept = callback.replace("delete", "modify").replace("unbind", "bind")
    assert not Attempt(callback=kept, attributes={}).removes
