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
from msgspec import Struct

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import (
    UNBOUND_ANSWER,
    Answer,
    AppliedRecord,
    MalformedRecord,
    PortBinding,
    PortRegistration,
    decode,
    decode_answer,
    decode_attributes,
    encode,
    encode_attributes,
)

GOLDEN = Path(__file__).parent / "golden"

KEY = "91bbbb7a-4bc3-4e21-a9f8-0b9dfcc0e3c2"
PORT = ObjectKey("net-l3vpn", "Port", KEY)
TARGET = ObjectKey("net-l3vpn", "VpnAfConfig", "65000:100")
LABEL = ObjectKey("test", "Label", "50 % / más")
DETAILS: dict[str, Any] = {"port_filter": False, "bridge_name": "br-gluon"}

RECORDS: dict[str, tuple[bytes, Any]] = {
    "port": (
        keys.desired(PORT),
        {
            "id": KEY,
            "host_id": "host-1",
            "device_id": None,
            "mtu": 1500,
            "admin_state_up": True,
            "profile": {"a": [1.5]},
        },
    ),
    "label": (keys.desired(LABEL), {"text": "50 % / más"}),
    "answer-claimed": (keys.answer(PORT), Answer(controller="SimServer", revision=7, host_id="host-1")),
    "answer-bound": (
        keys.answer(PORT),
        Answer(controller="SimServer", revision=7, host_id="host-1", vif_type="ovs", vif_details=DETAILS),
    ),
    "answer-refused": (
        keys.answer(PORT),
        Answer(controller="SimServer", revision=7, host_id="host-1", vif_type="binding_failed", reason="no bridge"),
    ),
    "answer-unbound": (keys.answer(PORT), None),
    "answer-not-applied": (keys.answer(TARGET), Answer(controller="SimServer", revision=7, reason="ValueError: no")),
    "registration": (
        keys.port_registration(KEY),
        PortRegistration(tenant_id="t", service="net-l3vpn", url="http://127.0.0.1:2705/proton/net-l3vpn/v1.0"),
    ),
    "applied": (keys.applied("SimServer", TARGET), AppliedRecord(attributes={"vrf_rt_value": "65000:100"}, revision=7)),
    "applied-claimed": (
        keys.applied("SimServer", TARGET),
        AppliedRecord(attributes={"vrf_rt_value": "65000:100"}, revision=7, claimed=True),
    ),
    "applied-change-attempted": (
        keys.applied("SimServer", TARGET),
        AppliedRecord(attributes={"vrf_rt_type": None}, revision=7, attempted={"vrf_rt_type": "both"}),
    ),
    "applied-delete-attempted": (
        keys.applied("SimServer", TARGET),
        AppliedRecord(attributes={"vrf_rt_type": None}, revision=7, attempted={}),
    ),
    "applied-references": (
        keys.applied("SimServer", ObjectKey("net-l3vpn", "VpnService", KEY)),
        AppliedRecord(attributes={"id": KEY}, revision=7, references={"VpnAfConfig/65000:100": "00ff"}),
    ),
    "applied-bound": (
        keys.applied("SimServer", PORT),
        AppliedRecord(
            attributes={"id": KEY},
            revision=7,
            binding=PortBinding(host_id="host-1", device_id="vm", vif_type="ovs", vif_details=DETAILS),
        ),
    ),
    "applied-refused": (
        keys.applied("SimServer", PORT),
        AppliedRecord(
            attributes={"id": KEY},
            revision=7,
            claimed=True,
            binding=PortBinding(host_id="host-1", device_id="vm", vif_type="binding_failed", reason="no bridge"),
        ),
    ),
    "leader": (keys.leader("SimServer"), b"127.0.0.1 *"),
    "publisher": (keys.publisher("5f3a"), b""),
}


def encoded(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if value is None:
        return UNBOUND_ANSWER
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
    if isinstance(value, Answer) or value is None:
        assert decode_answer(data) == value
    elif isinstance(value, Struct):
        assert decode(type(value), data) == value
    elif isinstance(value, dict):
        assert decode_attributes(data) == value


def test_no_golden_file_is_left_over() -> None:
    assert {file.stem for file in GOLDEN.glob("*.json")} == set(RECORDS)


def test_members_of_a_later_version_are_ignored() -> None:
    later = b'{"controller":"c","revision":7,"vif_type":"ovs","shape":{"a":1}}'
    assert decode_answer(later) == Answer(controller="c", revision=7, vif_type="ovs")


@pytest.mark.parametrize("data", [b"{}", b" {}\n", b"{ }", b"{\n}"])
def test_an_empty_answer_is_that_of_an_unbound_port(data: bytes) -> None:
    assert decode_answer(data) is None


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"5", b'"text"', b"\xff\xfe", b'{"revision":7}', b'{"controller":1,"revision":7}',
     b'{"controller":"c","revision":"7"}', b'{"controller":"c","revision":7,"vif_details":[]}'],
)  # fmt: skip
def test_a_malformed_answer_is_told(data: bytes) -> None:
    with pytest.raises(MalformedRecord, match="Answer: "):
        decode_answer(data)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"5", b'"text"', b"\xff\xfe", b'{"a":1e999}', b"{}x"])
def test_malformed_attributes_are_told(data: bytes) -> None:
    with pytest.raises(MalformedRecord, match="expected a JSON object"):
        decode_attributes(data)


def test_equal_records_are_equal_bytes() -> None:
    one = AppliedRecord(attributes={"a": 1, "b": {"d": 1, "c": 2}}, revision=1)
    other = AppliedRecord(attributes={"b": {"c": 2, "d": 1}, "a": 1}, revision=1)
    assert encode(one) == encode(other)
