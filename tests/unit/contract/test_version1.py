"""Golden files of the version before: each value that it left in etcd, and what it means now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import (
    AppliedRecord,
    Attempt,
    Bound,
    PortAnswer,
    PortRegistration,
    decode,
    encode,
)
from gluon.contract.version1 import upgraded_record

GOLDEN = Path(__file__).parent / "golden" / "version1"

KEY = "91bbbb7a-4bc3-4e21-a9f8-0b9dfcc0e3c2"
PORT = ObjectKey("net-l3vpn", "Port", KEY)
BINDING = keys.binding(PORT, "host-1")
TARGET = ObjectKey("net-l3vpn", "VpnAfConfig", "65000:100")
DETAILS = {"port_filter": False, "bridge_name": "br-gluon"}
ID = {"id": KEY}
LARGER = {"id": KEY, "mtu": 9000}

UPGRADED: dict[str, dict[ObjectKey, AppliedRecord]] = {
    "applied-change-attempted": {
        TARGET: AppliedRecord(
            attributes={"vrf_rt_type": None},
            revision=7,
            attempt=Attempt(callback="modify_object", attributes={"vrf_rt_type": "both"}),
        )
    },
    "applied-delete-attempted": {
        TARGET: AppliedRecord(
            attributes={"vrf_rt_type": None},
            revision=7,
            attempt=Attempt(callback="delete_object", attributes={"vrf_rt_type": None}),
        )
    },
    "applied-bound": {
        PORT: AppliedRecord(attributes=ID, revision=7),
        BINDING: AppliedRecord(attributes=ID, revision=7, bound=Bound(vif_type="ovs", vif_details=DETAILS)),
    },
    "applied-refused": {
        PORT: AppliedRecord(attributes=ID, revision=7, claimed=True),
        BINDING: AppliedRecord(attributes=ID, revision=7, bound=Bound(vif_type="binding_failed", reason="no bridge")),
    },
    "applied-first-bind-attempted": {
        PORT: AppliedRecord(attributes=ID, revision=7, claimed=True),
        BINDING: AppliedRecord(attributes=ID, revision=7, claimed=True),
    },
    "applied-bind-attempted": {
        PORT: AppliedRecord(attributes=ID, revision=7, attempt=Attempt(callback="modify_object", attributes=LARGER)),
        BINDING: AppliedRecord(attributes=LARGER, revision=7, claimed=True),
    },
    "applied-refused-with-a-change": {
        PORT: AppliedRecord(attributes=ID, revision=7, attempt=Attempt(callback="modify_object", attributes=LARGER)),
        BINDING: AppliedRecord(
            attributes=LARGER, revision=7, bound=Bound(vif_type="binding_failed", reason="no bridge")
        ),
    },
    "applied-modify-of-a-bound-port-attempted": {
        PORT: AppliedRecord(attributes=ID, revision=7, attempt=Attempt(callback="modify_object", attributes=LARGER)),
        BINDING: AppliedRecord(attributes=ID, revision=7, bound=Bound(vif_type="ovs")),
    },
    "applied-unbind-attempted": {
        PORT: AppliedRecord(attributes=ID, revision=7),
        BINDING: AppliedRecord(
            attributes=ID,
            revision=7,
            attempt=Attempt(callback="unbind_port", attributes=ID),
            bound=Bound(vif_type="ovs"),
        ),
    },
}
"""What has another form now."""

SAME = {
    "applied": AppliedRecord(attributes={"vrf_rt_value": "65000:100"}, revision=7),
    "applied-claimed": AppliedRecord(attributes={"vrf_rt_value": "65000:100"}, revision=7, claimed=True),
    "applied-references": AppliedRecord(attributes=ID, revision=7, references={"VpnAfConfig/65000:100": "00ff"}),
    "answer-claimed": PortAnswer(controller="SimServer", revision=7, host_id="host-1"),
    "answer-bound": PortAnswer(
        controller="SimServer", revision=7, host_id="host-1", vif_type="ovs", vif_details=DETAILS
    ),
    "answer-refused": PortAnswer(
        controller="SimServer", revision=7, host_id="host-1", vif_type="binding_failed", reason="no bridge"
    ),
    "answer-unbound": PortAnswer(),
    "answer-not-applied": PortAnswer(controller="SimServer", revision=7, reason="ValueError: no"),
    "registration": PortRegistration(
        tenant_id="t", service="net-l3vpn", url="http://127.0.0.1:2705/proton/net-l3vpn/v1.0"
    ),
}
"""What this version reads as it is."""


def golden(name: str) -> tuple[str, bytes]:
    found = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return found["key"], found["value"].encode()


@pytest.mark.parametrize("name", UPGRADED)
def test_a_record_of_another_form_is_upgraded(name: str) -> None:
    path, value = golden(name)
    key = keys.parse(path.encode(), keys.applied_prefix("SimServer"))
    assert upgraded_record(key, value) == UPGRADED[name]


@pytest.mark.parametrize("name", UPGRADED)
def test_what_was_upgraded_is_of_this_version(name: str) -> None:
    for key, record in UPGRADED[name].items():
        assert upgraded_record(key, encode(record)) is None
        assert decode(AppliedRecord, encode(record)) == record


@pytest.mark.parametrize("name", SAME)
def test_a_value_of_the_same_form_is_read_as_it_is(name: str) -> None:
    _, value = golden(name)
    assert decode(type(SAME[name]), value) == SAME[name]
    if name.startswith("applied"):
        assert upgraded_record(TARGET, value) is None


def test_an_answer_that_only_reported_a_failure_claims_nothing() -> None:
    assert PortAnswer(controller="SimServer", revision=7, reason="ValueError: no").bindings == {}


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"attributes":{}}', b"\xff"])
def test_what_is_malformed_is_of_no_version(data: bytes) -> None:
    assert upgraded_record(TARGET, data) is None


def test_no_golden_file_is_left_over() -> None:
    assert {file.stem for file in GOLDEN.glob("*.json")} == {*UPGRADED, *SAME}
