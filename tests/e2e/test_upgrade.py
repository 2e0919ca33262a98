"""Database and etcd of the version before, taken over by the servers of this one: tests/data/version1.

Both were dumped after the servers of that version were killed.  Port 1 is bound and in a VPN, 2 failed
for lack of a controller, 3 was never to be bound, 4 had just been asked for, 5 is bound and
administratively down.  What that version left in rarer states is added here.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from gluon.testing.etcd import LocalEtcd
from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

from .observing import TENANT, api, dump, put
from .recording import Recording

pytestmark = pytest.mark.disaster

DATA = Path(__file__).parents[1] / "data" / "version1"
VPN = "00000000-0000-4000-8000-000000000101"
SERVED = "c1,c2,c6,c7"
OVS = {"bridge_name": "br-gluon", "port_filter": False}
RECORDS = "/shim/SimServer/applied/net-l3vpn/"
RECORD_MEMBERS = {"attributes", "revision", "claimed", "attempt", "references", "bound"}


def port(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def attributes(number: int, host: str | None) -> dict[str, Any]:
    return {
        "id": port(number),
        "tenant_id": TENANT,
        "name": f"p{number}",
        "mac_address": f"c8:2a:14:04:43:{number:02}",
        "admin_state_up": True,
        "vnic_type": "normal",
        "mtu": 1500,
        "vlan_transparency": False,
        "profile": None,
        "device_id": f"vm{number}" if host else None,
        "device_owner": None,
        "host_id": host,
    }


REFUSED, UNBINDING = port(6), port(7)

ROWS = f"""
INSERT INTO net_l3vpn_port VALUES ('{REFUSED}', '{TENANT}', 'p6', 'c8:2a:14:04:43:06', 1, 'ERROR', 'normal', 1500, 0,
  NULL, 'vm6', NULL, 'c6', 'binding_failed', '{{}}', '2026-11-25T14:14:58.000000Z', '2026-11-25T14:14:58.000000Z',
  'the device is full', 12, 30);
INSERT INTO net_l3vpn_port VALUES ('{UNBINDING}', '{TENANT}', 'p7', 'c8:2a:14:04:43:07', 1, 'DOWN', 'normal', 1500, 0,
  NULL, NULL, NULL, NULL, 'unbound', '{{}}', '2026-11-25T14:14:58.000000Z', '2026-11-25T14:14:58.000000Z',
  NULL, NULL, NULL);
"""

ANSWER = {"controller": "SimServer", "revision": 30}
BINDING_7 = {"host_id": "c7", "device_id": "vm7", "vif_type": "ovs", "vif_details": OVS}
ADDED = {
    f"/controller/net-l3vpn/VpnService/{VPN}": {**ANSWER, "reason": "the device is full"},
    f"/proton/net-l3vpn/Port/{REFUSED}": attributes(6, "c6"),
    f"/controller/net-l3vpn/Port/{REFUSED}": {
        **ANSWER, "host_id": "c6", "vif_type": "binding_failed", "reason": "the device is full",
    },
    RECORDS + f"Port/{REFUSED}": {
        "attributes": attributes(6, "c6"),
        "revision": 30,
        "claimed": True,
        "binding": {
            "host_id": "c6", "device_id": "vm6", "vif_type": "binding_failed", "reason": "the device is full",
        },
    },
    f"/proton/net-l3vpn/Port/{UNBINDING}": attributes(7, None),
    f"/controller/net-l3vpn/Port/{UNBINDING}": {**ANSWER, "host_id": "c7", "vif_type": "ovs", "vif_details": OVS},
    RECORDS + f"Port/{UNBINDING}": {
        "attributes": attributes(7, "c7"), "revision": 30, "attempted": {}, "binding": BINDING_7,
    },
}  # fmt: skip
"""A service that fails, a bind that was refused, and an unbind that may have been made."""


class Upgraded(NamedTuple):
    """A stack of this version on the data of the version before."""

    stack: LocalStack
    client: httpx.Client
    recording: Recording

    def port(self, number: int) -> dict[str, Any]:
        return dict(self.client.get(f"/ports/{port(number)}").raise_for_status().json())

    def until_bound(self, number: int) -> None:
        until(lambda: self.port(number)["vif_type"] == "ovs", f"port {number} is bound")

    def binds(self) -> dict[int, list[str]]:
        """The callbacks for bindings so far, by the number of the port."""
        found: dict[int, list[str]] = {}
        for each in self.recording.entries():
            if each.callback in ("bind_port", "unbind_port"):
                found.setdefault(int(each.key[-2:]), []).append(each.callback)
        return found

    def answers(self) -> dict[str, Any]:
        return dump(self.stack.etcd, "/controller/net-l3vpn/")

    def records(self) -> dict[str, Any]:
        return dump(self.stack.etcd, RECORDS)


def load_etcd(etcd: LocalEtcd) -> None:
    whole = {**json.loads((DATA / "etcd.json").read_text()), **ADDED}
    for key, value in whole.items():
        encoded = base64.b64encode(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).decode()
        etcd.call("kv/put", key=base64.b64encode(key.encode()).decode(), value=encoded)


def load_database(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript((DATA / "database.sql").read_text() + ROWS)


@pytest.fixture
def upgraded(request: pytest.FixtureRequest, tmp_path: Path, recording: Recording) -> Iterator[Upgraded]:
    """The servers of this version, once all is taken over; the parameter says which of them starts first."""
    proton = {"api": {"bind_timeout": 3.0, "answer_grace": 1.0}}
    shim = recording.options(host_list=SERVED)
    with LocalEtcd(tmp_path / "etcd") as etcd:
        load_etcd(etcd)
        load_database(tmp_path / "gluon.db")
        stack = LocalStack(tmp_path, proton=proton, shim=shim, etcd=etcd, environment=recording.environment)
        servers = [stack.proton, stack.shim]
        if getattr(request, "param", "proton") == "shim":
            servers.reverse()
        with servers[0], servers[1], api(stack) as client:
            made = Upgraded(stack, client, recording)
            until(lambda: dump(etcd, "/gluon/epoch").get("", {}).get("complete"), "etcd is filled by this version")
            made.until_bound(4)
            until(lambda: made.answers()[f"Port/{UNBINDING}"] == {}, "the unbind that was begun is made sure of")
            yield made


@pytest.mark.parametrize("upgraded", ["proton", "shim"], indirect=True)
def test_each_port_keeps_its_state(upgraded: Upgraded) -> None:
    ports = {number: upgraded.port(number) for number in range(1, 8)}
    shown = {n: (each["vif_type"], each["status"], each["status_reason"]) for n, each in ports.items()}
    assert shown.pop(2)[:2] == ("binding_failed", "ERROR")
    assert shown == {
        1: ("ovs", "ACTIVE", None),
        3: ("unbound", "DOWN", None),
        4: ("ovs", "ACTIVE", None),
        5: ("ovs", "DOWN", None),
        6: ("binding_failed", "ERROR", "the device is full"),
        7: ("unbound", "DOWN", None),
    }
    assert upgraded.port(1)["vif_details"] == OVS
    # Port 4 is bound once more if the shim was first: it then knew of no token.
    assert {n: set(callbacks) for n, callbacks in upgraded.binds().items()} == {4: {"bind_port"}, 7: {"unbind_port"}}
    published = dump(upgraded.stack.etcd, "/proton/net-l3vpn/Port/")
    assert published.keys() == {each["id"] for each in ports.values()}
    for each in ports.values():
        wanted = {name: value for name, value in published[each["id"]].items() if not name.startswith("binding:")}
        assert wanted.items() <= each.items()
    assert {each["url"] for each in dump(upgraded.stack.etcd, "/gluon/port/").values()} == {upgraded.stack.url}
    answers = upgraded.answers()
    assert {key for key in answers if not key.startswith("Port/")} == set(), "failures are told below /status/ now"
    told = {int(key[-2:]): (answer["host_id"], answer["vif_type"]) for key, answer in answers.items() if answer}
    assert told == {1: ("c1", "ovs"), 4: ("c1", "ovs"), 5: ("c2", "ovs"), 6: ("c6", "binding_failed")}


def test_the_records_are_those_of_this_version(upgraded: Upgraded) -> None:
    def outdated() -> dict[str, Any]:
        return {key: each for key, each in upgraded.records().items() if each.keys() - RECORD_MEMBERS}

    until(lambda: not outdated(), "all records are rewritten")
    bindings = {key: each["bound"]["vif_type"] for key, each in upgraded.records().items() if "Port.binding" in key}
    assert bindings == {
        f"Port.binding/{port(1)}@c1": "ovs",
        f"Port.binding/{port(4)}@c1": "ovs",
        f"Port.binding/{port(5)}@c2": "ovs",
        f"Port.binding/{REFUSED}@c6": "binding_failed",
    }


def test_a_restart_after_the_takeover_calls_nobody(upgraded: Upgraded) -> None:
    until(lambda: f"VpnBinding/{port(1)}" in upgraded.records(), "the VPN is as it was")
    stack = upgraded.stack
    for server in (stack.shim, stack.proton):
        server.stop()
    before = upgraded.recording.entries()
    for server in (stack.proton, stack.shim):
        server.start()
        server.wait_ready()
    created = upgraded.client.post("/ports", json={"tenant_id": TENANT, "mac_address": "c8:2a:14:04:43:80"}).json()
    until(lambda: upgraded.recording.callbacks(created["id"]), "the shim works again")
    assert [each for each in upgraded.recording.entries()[len(before) :] if each.key != created["id"]] == []
    assert [upgraded.port(number)["vif_type"] for number in (1, 5, 6)] == ["ovs", "ovs", "binding_failed"]


def test_what_was_taken_over_goes_on_as_any_port(upgraded: Upgraded) -> None:
    client, recording = upgraded.client, upgraded.recording
    client.delete(f"/vpnbindings/{port(1)}").raise_for_status()
    unbound = put(client, f"/ports/{port(1)}", host_id=None, device_id=None)
    assert (unbound["vif_type"], unbound["status"]) == ("unbound", "DOWN")
    until(lambda: upgraded.answers()[f"Port/{port(1)}"] == {}, "port 1 is unbound")
    assert recording.callbacks(port(1)).count("unbind_port") == 1
    client.delete(f"/ports/{port(5)}").raise_for_status()
    until(lambda: recording.callbacks(port(5))[-1:] == ["delete_port"], "port 5 is gone from the backend")
    assert recording.callbacks(port(5)).count("unbind_port") == 1
    assert put(client, f"/ports/{REFUSED}", host_id="c6")["vif_type"] == "ovs", "asking again really asks"
    assert recording.callbacks(REFUSED)[-1] == "bind_port"
    failed = put(client, f"/ports/{port(2)}", host_id="c9")
    assert failed["vif_type"] == "binding_failed"
    assert "serves host c9" in failed["status_reason"]
    assert put(client, f"/ports/{port(2)}", host_id="c2")["vif_type"] == "ovs"
    assert not {key for key in upgraded.records() if port(5) in key}
