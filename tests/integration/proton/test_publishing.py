"""From the database to etcd: outages, several servers, kills.  At the end etcd equals the database."""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import time
import uuid

import httpx
import pytest

from gluon.testing.waiting import until

TENANT = "5b1a2d3c-0000-4000-8000-000000000001"
TARGETS = [f"64512:{number}" for number in range(8)]


def churn(server, seed: int, seconds: float) -> dict[str, str | None]:
    """Creates, updates and deletes VpnAfConfigs of few keys; the names of those whose last answer was 2xx."""
    rng, mine = random.Random(seed), {}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        key, name = rng.choice(TARGETS), uuid.uuid4().hex
        body = {"tenant_id": TENANT, "vrf_rt_type": "both", "import_route_policy": name}
        kind = rng.randrange(3)
        try:
            if kind == 0:
                answer = server.client.post("/vpnafconfigs", json={**body, "vrf_rt_value": key})
            elif kind == 1:
                answer = server.client.put(f"/vpnafconfigs/{key}", json=body)
            else:
                answer = server.client.delete(f"/vpnafconfigs/{key}")
        except httpx.TransportError:
            mine[key] = "unknown"
            continue
        assert answer.status_code in (200, 201, 204, 404, 409, 503), answer.text
        assert "locked" not in answer.text
        if answer.status_code in (200, 201, 204):
            mine[key] = name if kind < 2 else None
    return mine


def test_while_etcd_is_down_the_api_answers_and_changes_wait(own_etcd, make_server):
    own_etcd.etcd.stop()
    server = make_server(own_etcd)
    server.start()
    kept, gone = server.create_port(name="kept"), server.create_port()
    assert server.client.delete(f"/ports/{gone['id']}").status_code == 204
    failed = server.client.put(f"/ports/{kept['id']}", json={"host_id": "h", "device_id": "d"}).json()
    assert failed["vif_type"] == "binding_failed"
    with httpx.Client(base_url=server.root, trust_env=False) as client:
        ready = client.get("/readyz")
        assert ready.status_code == 200
        assert not ready.json()["checks"]["etcd"]["ok"]
    own_etcd.etcd.start()
    server.assert_in_step(own_etcd)
    assert own_etcd.get(f"/proton/net-l3vpn/Port/{gone['id']}") is None
    log = server.log.read_text()
    assert log.count("changes wait in the outbox") == 1
    assert log.count("etcd is back") == 1


def test_etcd_killed_under_load_ends_in_step(own_etcd, make_server, in_background):
    server = make_server(own_etcd)
    server.start()
    load = [in_background(churn, server, seed, 4) for seed in range(4)]
    for _ in range(2):
        time.sleep(0.8)
        own_etcd.etcd.kill()
        own_etcd.etcd.start()
    for each in load:
        each.result(30)
    server.assert_in_step(own_etcd)


def test_two_servers_on_one_database_end_in_step(etcd, make_server, in_background):
    servers = [make_server(etcd), make_server(etcd)]
    for server in servers:
        server.start_in_step()
    load = [in_background(churn, server, seed, 4) for seed, server in enumerate(servers * 3)]
    for each in load:
        each.result(30)
    servers[0].assert_in_step(etcd)


def test_a_killed_servers_changes_are_published_by_the_other(etcd, make_server, in_background):
    doomed, other = make_server(etcd), make_server(etcd)
    doomed.start()
    other.start()
    load = [in_background(churn, server, seed, 3) for seed, server in enumerate([doomed, doomed, other, other])]
    time.sleep(1.5)
    doomed.kill()
    for each in load:
        each.result(30)
    other.assert_in_step(etcd)


def test_a_frozen_servers_late_writes_are_fenced_off(etcd, make_server, in_background):
    frozen, other = make_server(etcd), make_server(etcd)
    frozen.start()
    other.start()
    load = [in_background(churn, server, seed, 2) for seed, server in enumerate([frozen, frozen])]
    time.sleep(1)
    freeze_outside_a_transaction(frozen)
    until(lambda: len(etcd.dump_keys("/gluon/publisher/")) == 1, "its lease is over")
    until(other.outbox_is_empty, "the other has taken its changes over")
    load += [in_background(churn, other, 7, 2)]
    load[-1].result(30)
    frozen.signal(signal.SIGCONT)
    for each in load:
        each.result(40)
    other.assert_in_step(etcd)


def freeze_outside_a_transaction(server) -> None:
    """A process that is halted while it writes to SQLite keeps every other one from writing."""
    for _ in range(100):
        server.signal(signal.SIGSTOP)
        connection = sqlite3.connect(server.database, timeout=0, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            server.signal(signal.SIGCONT)
            time.sleep(0.01)
        else:
            return
        finally:
            connection.close()
    raise AssertionError("never outside a transaction")


@pytest.mark.parametrize("seed", range(2))
def test_kill_at_a_random_moment_loses_nothing_that_was_answered(etcd, make_server, in_background, seed):
    rng = random.Random(seed)
    server = make_server(etcd)
    server.start()
    created: list[str] = []

    def create() -> None:
        while True:
            try:
                created.append(server.create_port()["id"])
            except httpx.TransportError:
                return

    load = [in_background(create) for _ in range(8)]
    time.sleep(rng.uniform(0.2, 1.2))
    server.kill()
    for each in load:
        each.result(10)
    server.start()
    stored = {port["id"] for port in server.client.get("/ports").json()["ports"]}
    assert set(created) <= stored
    server.assert_in_step(etcd)


def test_fifty_parallel_writers_never_see_a_locked_database(server, etcd, in_background):
    def create(number: int) -> list[int]:
        with httpx.Client(base_url=server.client.base_url, trust_env=False, timeout=30) as client:
            body = {"tenant_id": TENANT, "mac_address": "c8:2a:14:04:43:80", "name": f"n{number}"}
            return [client.post("/ports", json=body).status_code for _ in range(6)]

    load = [in_background(create, number) for number in range(50)]
    assert {status for each in load for status in each.result(60)} == {201}
    assert "locked" not in server.log.read_text()
    server.assert_in_step(etcd)


@pytest.fixture
def wide(tmp_path, etcd, make_server):
    """A server whose model has room for 1.9 MB in one object."""
    model = tmp_path / "models" / "wide"
    model.mkdir(parents=True)
    text = (
        "file_version: '1.0'\n"
        "imports: base.yaml\n"
        "info: {name: wide, version: '1.0', description: d, author: {name: n, url: 'http://n', email: 'n@n.org'}}\n"
        "objects:\n"
        "  Port: {api: {name: port}, extends: BasePort, attributes: {}}\n"
        "  Interface: {api: {name: interface, parent: Port, parent_key: port_id}, extends: BaseInterface,"
        " attributes: {port_id: {type: Port}}}\n"
        "  Service: {api: {name: service}, extends: BaseService,"
        " attributes: {"
        + ", ".join(f"t{number}: {{type: string, length: 65535, description: t}}" for number in range(30))
        + "}}\n"
    )
    (model / "api.yaml").write_text(text)
    server = make_server(etcd, service_list="wide", model_dirs=tmp_path / "models", max_body_size=4_000_000)
    server.start()
    return server


def test_an_object_that_no_controller_could_record_is_refused(wide):
    with httpx.Client(base_url=f"{wide.root}/proton/wide/v1.0", trust_env=False, timeout=30) as client:
        body = {"tenant_id": TENANT, **{f"t{number}": "x" * 65_535 for number in range(14)}, "t3": "é" * 65_535}
        refused = client.post("/services", json=body)
        assert refused.status_code == 400
        (detail,) = refused.json()["error"]["details"]
        assert detail["attribute"] == "t3"
        assert "too large" in detail["message"]
        fits = client.post("/services", json={name: body[name] for name in list(body)[:11]}).raise_for_status().json()
        refused = client.put(f"/services/{fits['id']}", json={"t29": "é" * 65_535})
        assert refused.status_code == 400
        assert client.get(f"/services/{fits['id']}").json()["t29"] is None


def test_a_value_that_etcd_refuses_does_not_hold_up_the_others(etcd, wide):
    server = wide
    with httpx.Client(base_url=f"{server.root}/proton/wide/v1.0", trust_env=False, timeout=30) as client:
        large = client.post("/services", json={"tenant_id": TENANT}).raise_for_status().json()
    assert server.stop(8) == 0
    # Only a version that took such objects can have left one.
    with contextlib.closing(sqlite3.connect(server.database)) as connection, connection:
        values = ", ".join(f"t{number} = '{'x' * 65_535}'" for number in range(30))
        connection.execute(f"UPDATE wide_service SET {values}")
        connection.execute(
            "INSERT INTO outbox (proton, object, key, created_at) VALUES ('wide', 'Service', ?, '')", (large["id"],)
        )
    server.start()
    with httpx.Client(base_url=f"{server.root}/proton/wide/v1.0", trust_env=False, timeout=30) as client:
        small = client.post("/services", json={"tenant_id": TENANT}).raise_for_status().json()
        path = f"/services/{large['id']}"

        def reason():
            return client.get(path).json()["status_reason"]

        until(reason, "the reason is shown")
        assert "refuses" in reason()
        until(lambda: etcd.get(f"/proton/wide/Service/{small['id']}"), "the other one is published")
        # Neither another controller's word nor a restart takes it away.
        etcd.put(f"/status/c/wide/Service/{large['id']}", {"failure": "f"})
        until(lambda: "c: f" in reason(), "both are shown")
        etcd.delete(f"/status/c/wide/Service/{large['id']}")
        until(lambda: "c: f" not in reason(), "the other one is gone")
        assert "refuses" in reason()
    assert server.stop(8) == 0
    server.start()
    with httpx.Client(base_url=f"{server.root}/proton/wide/v1.0", trust_env=False, timeout=30) as client:
        until(server.is_ready, "an object that etcd refuses does not keep the server from being ready")
        assert "refuses" in reason()
        assert client.put(path, json={f"t{number}": None for number in range(30)}).status_code == 200
        until(lambda: not reason(), "the reason is gone")
    assert etcd.get(f"/proton/wide/Service/{large['id']}")[0]["t0"] is None
