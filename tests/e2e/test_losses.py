"""etcd comes back older, empty or full, the database comes back older: in the end all parties agree."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from gluon.testing.etcd import LocalEtcd
from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

from .agreement import wait_for_agreement
from .observing import MAC, TENANT, api, checks, create, create_port, dump, get, manage, put, shows, status
from .recording import Recording

pytestmark = pytest.mark.disaster

PROTON = {"api": {"bind_timeout": 1.5, "answer_grace": 3, "etcd_timeout": 2}}
SHIM: dict[str, Any] = {"leader_ttl": 2, "retry_min": 0.05, "retry_max": 0.3, "report_after": 0.4, "etcd_timeout": 2}
BOUND = {"vif_type": "ovs", "status": "ACTIVE", "status_reason": None}
ON_H1 = {"host_id": "h1", "device_id": "vm-1"}
UNBOUND = {"host_id": None, "device_id": None}


def in_step(stack: LocalStack) -> bool:
    """proton-server has published everything, and says so."""
    code, said = checks(stack.proton)
    return code == 200 and said["etcd"] == "connected"


@pytest.mark.parametrize("shim", ["alive", "dead"])
def test_etcd_from_a_backup_binds_what_is_wanted_and_keeps_nothing_else(
    tmp_path: Path, recording: Recording, shim: str
) -> None:
    options = recording.options(handlers="net-l3vpn:listed", **SHIM)
    with (
        LocalStack(tmp_path, proton=PROTON, shim=options, environment=recording.environment) as stack,
        api(stack) as client,
    ):
        old, deleted = (create_port(client, **ON_H1)["id"] for _ in range(2))
        stack.etcd.backup(tmp_path / "backup")
        until(lambda: in_step(stack), "etcd is back from the backup's pause")
        kept, before, meanwhile = (create_port(client, **ON_H1)["id"] for _ in range(3))
        put(client, f"/ports/{before}", **UNBOUND)
        until(lambda: before not in recording.account().hosts, "it is unbound before the loss")
        if shim == "dead":
            stack.shim.kill()
        stack.etcd.kill()
        if shim == "alive":
            until(lambda: status(stack.shim)["role"] == "standby", "its lease runs out before etcd is back")
        put(client, f"/ports/{meanwhile}", **UNBOUND)
        assert client.delete(f"/ports/{deleted}").status_code == 204
        stack.etcd.restore(tmp_path / "backup")
        stack.etcd.start()
        if shim == "dead":
            stack.shim.start()
        until(lambda: recording.account().hosts == {old: ["h1"], kept: ["h1"]}, "bound is what is wanted")
        for port in (old, kept):
            shows(client, port, **BOUND)
        for port in (before, meanwhile):
            shows(client, port, vif_type="unbound", status="DOWN", status_reason=None)
        until(lambda: in_step(stack), "proton-server is in step with etcd")
        wait_for_agreement(stack, recording)
        if shim == "alive":
            assert recording.callbacks(old).count("bind_port") == 1


def test_an_empty_etcd_is_filled_again_at_once_and_the_backend_hears_nothing(
    tmp_path: Path, recording: Recording
) -> None:
    options = recording.options(**SHIM)
    with (
        LocalStack(tmp_path, proton=PROTON, shim=options, environment=recording.environment) as stack,
        api(stack) as client,
    ):
        vpn = create(client, "vpns", name="blue")["id"]
        ports = [create_port(client, **ON_H1)["id"] for _ in range(12)]
        for port in ports:
            create(client, "vpnbindings", interface_id=port, service_id=vpn)
        wait_for_agreement(stack, recording)
        called = recording.entries()
        stack.etcd.kill()
        stack.etcd.wipe()
        stack.etcd.start()
        # No client asks for anything: it is noticed all the same.
        until(lambda: dump(stack.etcd, "/proton/net-l3vpn/Port/").keys() == set(ports), "etcd is filled again")
        until(lambda: in_step(stack), "proton-server is in step with etcd")
        wait_for_agreement(stack, recording)
        for port in ports:
            assert BOUND.items() <= get(client, f"/ports/{port}").items()
        assert recording.entries() == called
        put(client, f"/ports/{ports[0]}", **UNBOUND)
        wait_for_agreement(stack, recording)


def test_an_older_database_deletes_nothing_until_an_operator_says_so_twice(
    tmp_path: Path, recording: Recording
) -> None:
    options = recording.options(**SHIM)
    with (
        LocalStack(tmp_path, proton=PROTON, shim=options, environment=recording.environment) as stack,
        api(stack) as client,
    ):
        old = create_port(client, **ON_H1)["id"]
        wait_for_agreement(stack, recording)
        stack.proton.stop()
        shutil.copy(tmp_path / "gluon.db", tmp_path / "older.db")
        stack.proton.start()
        stack.proton.wait_ready()
        new = [create_port(client, **ON_H1)["id"] for _ in range(12)]
        wait_for_agreement(stack, recording)
        stack.proton.kill()
        restore_database(tmp_path / "older.db", tmp_path / "gluon.db")
        stack.proton.start()
        until(lambda: "the database is older than etcd" in stack.proton.log, "it says so at start")
        code, said = until(lambda: answering(stack), "proton-server answers")
        assert code == 503
        assert "the database is older than etcd" in said["etcd"]
        refused = client.post("/ports", json={"tenant_id": TENANT, "mac_address": MAC})
        assert refused.status_code == 503
        assert "gluon-manage resync" in refused.text
        assert client.get(f"/ports/{old}").status_code == 200
        dry = manage(stack, "resync", "--dry-run")
        assert dry.returncode == 0, dry.stderr
        assert "objects that only etcd has, to be deleted there: 24" in dry.stdout
        assert manage(stack, "resync").returncode == 1
        assert len(dump(stack.etcd, "/proton/net-l3vpn/Port/")) == 13
        assert manage(stack, "resync", "--yes").returncode == 0
        stack.proton.wait_ready()
        until(lambda: "more than 25 %" in status(stack.shim)["brake"], "the shim holds the deletions back")
        assert "gluon-manage accept" in checks(stack.shim)[1]["brake"]
        assert recording.account().hosts.keys() == {old, *new}
        accepted = manage(stack, "accept")
        assert accepted.returncode == 0, accepted.stderr
        until(lambda: recording.account().hosts == {old: ["h1"]}, "what the database lacks is gone")
        wait_for_agreement(stack, recording)


def restore_database(backup: Path, target: Path) -> None:
    """Puts a backup in the database's place; no server may run."""
    for suffix in ("-wal", "-shm"):
        Path(f"{target}{suffix}").unlink(missing_ok=True)
    with sqlite3.connect(backup) as source:  # The backup itself stays as it is.
        source.execute("SELECT 1")
    source.close()
    shutil.copy(backup, target)


def answering(stack: LocalStack) -> tuple[int, dict[str, Any]] | None:
    """What `/readyz` of proton-server says; None while nobody answers."""
    try:
        return checks(stack.proton)
    except httpx.TransportError:
        return None


def test_an_etcd_out_of_space_is_said_in_those_words(tmp_path: Path, recording: Recording) -> None:
    options = recording.options(**SHIM)
    with LocalEtcd(tmp_path / "etcd", quota=4_000_000) as etcd:
        stack = LocalStack(tmp_path, proton=PROTON, shim=options, etcd=etcd, environment=recording.environment)
        with stack, api(stack) as client:
            port, leaving = (create_port(client, **ON_H1)["id"] for _ in range(2))
            etcd.fill()
            until(lambda: "out of space" in checks(stack.shim)[1]["etcd"], "the shim says so, with nothing to write")
            assert checks(stack.shim)[0] == 503
            failed = create_port(client, **ON_H1)
            assert failed["vif_type"] == "binding_failed"
            assert "out of space" in failed["status_reason"]
            until(lambda: "out of space" in checks(stack.proton)[1]["etcd"], "proton-server says so")
            put(client, f"/ports/{leaving}", **UNBOUND)
            for shown in (get(client, f"/ports/{leaving}"), *get(client, f"/ports?id={leaving}")["ports"]):
                assert shown["status_reason"].startswith("not published yet: "), shown
                assert "out of space" in shown["status_reason"]
            assert leaving in recording.account().hosts
            recording.says("report", "Port", port, "DOWN", "the link is down")
            etcd.make_room()
            shows(client, leaving, vif_type="unbound", status_reason=None)
            until(lambda: leaving not in recording.account().hosts, "it is unbound after all")
            shows(client, failed["id"], **BOUND)
            shows(client, port, status="DOWN", status_reason="SimServer: the link is down")
            until(lambda: in_step(stack), "proton-server is in step with etcd")
