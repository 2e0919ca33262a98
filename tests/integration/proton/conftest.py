"""A real proton-server on a real SQLite file and a real etcd; the tests play the shim."""

from __future__ import annotations

import base64
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from gluon.testing.etcd import LocalEtcd

TENANT = "5b1a2d3c-0000-4000-8000-000000000001"
START_TIMEOUT = 20.0
ANSWER_TIMEOUT = 15.0


def wait_for(condition: Callable[[], Any], what: str, timeout: float = ANSWER_TIMEOUT) -> Any:
    """The first true value of `condition`."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {timeout:g} s: {what}")


class EtcdView:
    """Reads and writes keys as an operator with etcdctl would."""

    def __init__(self, etcd: LocalEtcd) -> None:
        self.etcd = etcd

    def get(self, key: str) -> tuple[Any, int] | None:
        """Value and mod_revision."""
        found = self.etcd.call("kv/range", key=_b64(key)).get("kvs", [])
        return (json.loads(base64.b64decode(found[0]["value"])), int(found[0]["mod_revision"])) if found else None

    def put(self, key: str, value: Any) -> None:
        raw = value if isinstance(value, str) else json.dumps(value)
        self.etcd.call("kv/put", key=_b64(key), value=_b64(raw))

    def delete(self, key: str) -> None:
        self.etcd.call("kv/deleterange", key=_b64(key))

    def clear(self) -> None:
        self.etcd.call("kv/deleterange", key=_b64("/"), range_end=_b64("0"))

    def dump(self, prefix: str) -> dict[str, Any]:
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        found = self.etcd.call("kv/range", key=_b64(prefix), range_end=_b64(end)).get("kvs", [])
        return {base64.b64decode(kv["key"]).decode(): json.loads(base64.b64decode(kv["value"])) for kv in found}

    def dump_keys(self, prefix: str) -> list[str]:
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        found = self.etcd.call("kv/range", key=_b64(prefix), range_end=_b64(end), keys_only=True)
        return [base64.b64decode(kv["key"]).decode() for kv in found.get("kvs", [])]

    def wanted(self, port: str, **attributes: Any) -> int:
        """The revision at which the port is published with these attributes."""
        key = f"/proton/net-l3vpn/Port/{port}"

        def published() -> int:
            found = self.get(key)
            return found[1] if found and attributes.items() <= found[0].items() else 0

        return int(wait_for(published, f"{key} has {attributes}"))

    def answer(self, port: str, revision: int, **members: Any) -> None:
        self.put(f"/controller/net-l3vpn/Port/{port}", {"controller": "TestShim", "revision": revision, **members})


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Server:
    """One proton-server process."""

    def __init__(self, directory: Path, etcd: str, name: str = "proton", **api: Any) -> None:
        self.database = directory / "gluon.db"
        self.config = directory / f"{name}.conf"
        self.log = directory / f"{name}.log"
        options = {"port": 0, "bind_timeout": 0.5, "etcd_endpoints": etcd, "etcd_timeout": 2, **api}
        lines = [f"{option} = {value}" for option, value in options.items()]
        text = "\n".join(["[api]", *lines, "[database]", f"connection = sqlite:///{self.database}", ""])
        self.config.write_text(text)
        self.process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client()
        self._readies = 0

    def start(self) -> None:
        command = [str(Path(sys.executable).parent / "proton-server"), "--config-file", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.config.parent)
        self._readies += 1
        wait_for(self._ready, "proton-server ready", START_TIMEOUT)
        ready = [line for line in self.log.read_text().splitlines() if "ready: http" in line][-1]
        self.root = ready.split("ready: ")[1].split(",")[0]
        self.client.close()
        self.client = httpx.Client(base_url=f"{self.root}/proton/net-l3vpn/v1.0", trust_env=False, timeout=30)

    def _ready(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.log.read_text()
        return self.log.read_text().count("ready: http") == self._readies

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.process
        self.process.wait(10)

    def stop(self, timeout: float = 5.0) -> int:
        """SIGTERM; the exit code."""
        assert self.process
        self.process.terminate()
        return self.process.wait(timeout)

    def signal(self, number: int) -> None:
        assert self.process
        os.kill(self.process.pid, number)

    def end(self) -> None:
        self.client.close()
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(10)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.database, timeout=10)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def create_port(self, **attributes: Any) -> dict[str, Any]:
        body = {"tenant_id": TENANT, "mac_address": "c8:2a:14:04:43:80", **attributes}
        return dict(self.client.post("/ports", json=body).raise_for_status().json())

    def port(self, key: str) -> dict[str, Any]:
        return dict(self.client.get(f"/ports/{key}").raise_for_status().json())

    def outbox_is_empty(self) -> bool:
        return self.rows("SELECT count(*) FROM outbox") == [(0,)]

    def assert_in_step(self, etcd: EtcdView, timeout: float = 30.0) -> None:
        """etcd holds exactly what the database holds."""
        wait_for(self.outbox_is_empty, f"the outbox is empty: {self.rows('SELECT * FROM outbox LIMIT 5')}", timeout)
        wanted: dict[str, Any] = {}
        for name, plural in {"Port": "ports", "Interface": "interfaces", "VpnAfConfig": "vpnafconfigs"}.items():
            read_only = {"status", "vif_type", "vif_details", "created_at", "updated_at", "status_reason"}
            key = "vrf_rt_value" if name == "VpnAfConfig" else "id"
            for shown in self.client.get(f"/{plural}").raise_for_status().json()[plural]:
                attributes = {member: value for member, value in shown.items() if member not in read_only}
                wanted[f"/proton/net-l3vpn/{name}/{shown[key]}"] = attributes
        published = etcd.dump("/proton/net-l3vpn/")
        assert published == wanted
        ports = {key.rpartition("/")[2] for key in wanted if "/Port/" in key}
        assert {key.rpartition("/")[2] for key in etcd.dump("/gluon/port/")} == ports


@pytest.fixture(scope="session")
def shared_etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEtcd]:
    with LocalEtcd(tmp_path_factory.mktemp("etcd")) as etcd:
        yield etcd


@pytest.fixture
def etcd(shared_etcd: LocalEtcd) -> EtcdView:
    view = EtcdView(shared_etcd)
    view.clear()
    return view


@pytest.fixture
def own_etcd(tmp_path: Path) -> Iterator[EtcdView]:
    """An etcd to mistreat."""
    with LocalEtcd(tmp_path / "etcd") as etcd:
        yield EtcdView(etcd)


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes servers, not started; all on one database."""
    servers: list[Server] = []

    def make(view: EtcdView, **options: Any) -> Server:
        servers.append(Server(tmp_path, view.etcd.endpoint, f"proton{len(servers)}", **options))
        return servers[-1]

    yield make
    for server in servers:
        server.end()


@pytest.fixture
def server(etcd: EtcdView, make_server: Callable[..., Server]) -> Server:
    made = make_server(etcd)
    made.start()
    return made


@pytest.fixture
def in_background() -> Iterator[Callable[..., Future[Any]]]:
    """Runs a call in a thread and gives its future."""
    with ThreadPoolExecutor(64) as pool:
        yield pool.submit


class AutoShim(threading.Thread):
    """Binds every port that wants it, as the dummy backend would."""

    def __init__(self, view: EtcdView) -> None:
        super().__init__(daemon=True)
        self.view = view
        self.done = threading.Event()

    def run(self) -> None:
        answered: dict[str, str] = {}
        while not self.done.wait(0.01):
            for key, port in self.view.dump("/proton/net-l3vpn/Port/").items():
                wanted = json.dumps(port)
                if port["host_id"] and port["device_id"] and answered.get(key) != wanted:
                    found = self.view.get(key)
                    if found and found[0] == port:
                        details = {"host_id": port["host_id"], "vif_type": "ovs"}
                        self.view.answer(port["id"], found[1], **details)
                        answered[key] = wanted


@pytest.fixture
def auto_shim(etcd: EtcdView) -> Iterator[AutoShim]:
    shim = AutoShim(etcd)
    shim.start()
    yield shim
    shim.done.set()
    shim.join(10)


@pytest.fixture(scope="session")
def server_class() -> type[Server]:
    """For servers of a wider scope than a test."""
    return Server


@pytest.fixture(scope="session")
def view_class() -> type[EtcdView]:
    """For views that leave the keys as they are."""
    return EtcdView
