"""Database and etcd of the version before, taken over at the start: tests/data/version1."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from gluon.testing.waiting import until

DATA = Path(__file__).parents[2] / "data" / "version1"


def port(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def load(server, etcd) -> None:
    connection = sqlite3.connect(server.database)
    connection.executescript((DATA / "database.sql").read_text())
    connection.close()
    for key, value in json.loads((DATA / "etcd.json").read_text()).items():
        etcd.put(key, json.dumps(value, separators=(",", ":"), sort_keys=True))  # Byte for byte as it was.


def test_what_is_bound_stays_bound_and_is_not_touched(etcd, make_server):
    server = make_server(etcd, answer_grace=1, bind_timeout=5)
    load(server, etcd)
    before = {key: etcd.raw(key) for key in etcd.dump_keys("/proton/")}
    server.start_in_step()
    until(server.outbox_is_empty, "all is published")
    assert "those of the version before" in server.log.read_text()
    after = {key: etcd.raw(key) for key in etcd.dump_keys("/proton/")}
    waiting = f"/proton/net-l3vpn/Port/{port(4)}"
    assert etcd.published(port(4))["binding:token"], "its bind was asked for, and is again"
    assert {key for key in before if after.get(key) != before[key]} <= {waiting}
    assert after.keys() == before.keys()
    assert {value["url"] for value in etcd.dump("/gluon/port/").values()} == {server.root}
    assert etcd.epoch["complete"]
    # Past the grace: the answers of that version confirm what they bound.
    server.has(port(4), vif_type="binding_failed")
    assert server.port(port(1))["status"] == "ACTIVE"
    assert server.port(port(5))["vif_type"] == "ovs"
    assert server.stop(8) == 0
    server.start_in_step()
    assert server.port(port(1))["status"] == "ACTIVE"


def test_only_the_database_of_the_version_before(etcd, make_server):
    server = make_server(etcd)
    load(server, etcd)
    etcd.clear()
    server.start_in_step()
    assert f"/proton/net-l3vpn/Port/{port(1)}" in etcd.dump_keys("/proton/")


def test_only_the_etcd_of_the_version_before(etcd, make_server):
    """A server with a new database must not delete everything."""
    server = make_server(etcd)
    for key, value in json.loads((DATA / "etcd.json").read_text()).items():
        etcd.put(key, value)
    before = etcd.dump("/proton/")
    server.start()
    until(lambda: server.ready()[0] == 503, "it refuses")
    assert "does not say which database" in server.etcd_state()
    assert etcd.dump("/proton/") == before
