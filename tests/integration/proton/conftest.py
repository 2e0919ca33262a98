"""A real proton-server on a real SQLite file and a real etcd; the tests play the shim."""

from __future__ import annotations

import base64
import json
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from gluon.testing.etcd import LocalEtcd
from gluon.testing.process import ServerProcess, console_script
from gluon.testing.waiting import until

TENANT = "5b1a2d3c-0000-4000-8000-000000000001"
TOKEN = "binding:token"


class EtcdView:
    """Reads and writes keys as an operator with etcdctl would, and answers as a shim does."""

    def __init__(self, etcd: LocalEtcd) -> None:
        self.etcd = etcd

    def raw(self, key: str) -> tuple[bytes, int] | None:
        """Value and mod_revision."""
        found = self.etcd.call("kv/range", key=_b64(key)).get("kvs", [])
        return (base64.b64decode(found[0].get("value", "")), int(found[0]["mod_revision"])) if found else None

    def get(self, key: str) -> tuple[Any, int] | None:
        """Value and mod_revision."""
        found = self.raw(key)
        return (json.loads(found[0]), found[1]) if found else None

    def put(self, key: str, value: Any, *, lease: int = 0) -> None:
        raw = value if isinstance(value, str) else json.dumps(value)
        self.etcd.call("kv/put", key=_b64(key), value=_b64(raw), lease=lease)

    def delete(self, key: str) -> None:
        self.etcd.call("kv/deleterange", key=_b64(key))

    def clear(self) -> None:
        self.etcd.call("kv/deleterange", key=_b64("/"), range_end=_b64("0"))

    def dump(self, prefix: str) -> dict[str, Any]:
        found = self.etcd.call("kv/range", key=_b64(prefix), range_end=_b64(_end(prefix))).get("kvs", [])
        return {base64.b64decode(kv["key"]).decode(): json.loads(base64.b64decode(kv["value"])) for kv in found}

    def dump_keys(self, prefix: str) -> list[str]:
        found = self.etcd.call("kv/range", key=_b64(prefix), range_end=_b64(_end(prefix)), keys_only=True)
        return [base64.b64decode(kv["key"]).decode() for kv in found.get("kvs", [])]

    @property
    def epoch(self) -> dict[str, Any]:
        """Which database filled it; empty for none."""
        found = self.get("/gluon/epoch")
        return found[0] if found else {}

    def is_filled(self, but: str) -> bool:
        """Whether the latest epoch is complete, and another one than `but`."""
        epoch = self.epoch
        return bool(epoch.get("complete")) and epoch["id"] != but

    @property
    def serial(self) -> int:
        found = self.raw("/gluon/serial")
        return int(found[0]) if found else 0

    def published(self, port: str) -> dict[str, Any]:
        """The port as a shim sees it; empty for none."""
        found = self.get(f"/proton/net-l3vpn/Port/{port}")
        return found[0] if found else {}

    def wanted(self, port: str, *, but: str = "", **attributes: Any) -> str:
        """The token of the port once it is published with these attributes, and with another one than `but`."""

        def token() -> str | None:
            value = self.published(port)
            return value.get(TOKEN, "") if value and attributes.items() <= value.items() else None

        def news() -> bool:
            return token() not in (None, but or None)

        until(news, f"port {port} is published with {attributes}")
        return str(token())

    def answer(self, port: str, token: str, *, controller: str = "TestShim", **members: Any) -> None:
        """Answers for one binding, and keeps no other."""
        self.put(f"/controller/net-l3vpn/Port/{port}", {"controller": controller, "token": token, **members})

    def unbind(self, port: str) -> None:
        """As a shim that has the port no more."""
        self.put(f"/controller/net-l3vpn/Port/{port}", {})

    def status(self, key: str, *, controller: str = "TestShim", **members: Any) -> None:
        """Says something of an object, e.g. `Port/<uuid>`; without members: nothing any more."""
        path = f"/status/{controller}/net-l3vpn/{key}"
        if members:
            self.put(path, members)
        else:
            self.delete(path)

    def alive(self, controller: str = "TestShim", *protons: str) -> None:
        """Gives the controller a leader that handles these protons; by default net-l3vpn."""
        handlers = dict.fromkeys(protons or ["net-l3vpn"], "test")
        status = {"controller": controller, "leader": "test", "fence": 1, "handlers": handlers, "hosts": []}
        self.put(f"/status/{controller}", status)
        self.put(f"/shim/{controller}/leader", {"controller": controller})

    def dead(self, controller: str = "TestShim") -> None:
        """Takes the leader away."""
        self.delete(f"/status/{controller}")
        self.delete(f"/shim/{controller}/leader")


def _end(prefix: str) -> str:
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Server:
    """One proton-server process."""

    def __init__(self, directory: Path, etcd: str, name: str = "proton", **api: Any) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.database = directory / "gluon.db"
        self.config = directory / f"{name}.conf"
        options = {"port": 0, "bind_timeout": 0.5, "etcd_endpoints": etcd, "etcd_timeout": 2, **api}
        lines = [f"{option} = {value}" for option, value in options.items()]
        text = "\n".join(["[api]", *lines, "[database]", f"connection = sqlite:///{self.database}", ""])
        self.config.write_text(text)
        command = [console_script("proton-server"), "--config-file", str(self.config)]
        self.process = ServerProcess(name, command, directory, health="")
        self.log = self.process.log_file
        self.client = httpx.Client()
        self._readies = 0

    def start(self) -> None:
        self.process.start()
        self._readies += 1
        until(self._listens, "proton-server listens")
        ready = [line for line in self.log.read_text().splitlines() if "ready: http" in line][-1]
        self.root = ready.split("ready: ")[1].split(",")[0]
        self.client.close()
        self.client = httpx.Client(base_url=f"{self.root}/proton/net-l3vpn/v1.0", trust_env=False, timeout=30)

    def _listens(self) -> bool:
        assert self.process.is_running, self.process.log
        return self.process.log.count("ready: http") == self._readies

    def start_in_step(self) -> None:
        """Starts it, and waits until etcd is filled."""
        self.start()
        until(self.is_ready, "etcd is filled")

    def ready(self) -> tuple[int, dict[str, Any]]:
        """Status and checks of /readyz."""
        with httpx.Client(base_url=self.root, trust_env=False, timeout=10) as client:
            answer = client.get("/readyz")
        return answer.status_code, answer.json()["checks"]

    def is_ready(self) -> bool:
        """Ready, and connected to etcd."""
        status, checks = self.ready()
        return status == 200 and checks["etcd"]["ok"]

    def etcd_state(self) -> str:
        return str(self.ready()[1]["etcd"]["state"])

    def kill(self) -> None:
        self.process.kill()

    def stop(self, timeout: float = 5.0) -> int:
        """SIGTERM; the exit code, -9 when it did not end in time."""
        return self.process.stop(timeout)

    def signal(self, number: int) -> None:
        self.process.signal(signal.Signals(number))

    def end(self) -> None:
        self.client.close()
        self.process.kill()

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.database, timeout=10)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def backup(self, target: Path) -> None:
        """As an operator makes it, while the server runs."""
        source, copy = sqlite3.connect(self.database), sqlite3.connect(target)
        source.backup(copy)
        copy.close()
        source.close()

    def restore(self, backup: Path) -> None:
        """Puts a backup in the place of the database; the server must not run."""
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.database}{suffix}").unlink(missing_ok=True)
        self.database.write_bytes(backup.read_bytes())

    def manage(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
        """Runs gluon-manage with this server's configuration."""
        command = [console_script("gluon-manage"), *arguments, "--config-file", str(self.config)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, stdin=stdin, cwd=self.config.parent
        )

    def create_port(self, **attributes: Any) -> dict[str, Any]:
        body = {"tenant_id": TENANT, "mac_address": "c8:2a:14:04:43:80", **attributes}
        return dict(self.client.post("/ports", json=body).raise_for_status().json())

    def port(self, key: str) -> dict[str, Any]:
        return dict(self.client.get(f"/ports/{key}").raise_for_status().json())

    def has(self, key: str, **attributes: Any) -> dict[str, Any]:
        """The port, once it shows these attributes."""

        def shows() -> bool:
            return attributes.items() <= self.port(key).items()

        until(shows, f"port {key} has {attributes}")
        return self.port(key)

    def outbox_is_empty(self) -> bool:
        return self.rows("SELECT count(*) FROM outbox") == [(0,)]

    def assert_in_step(self, etcd: EtcdView) -> None:
        """etcd holds exactly what the database holds."""
        until(self.outbox_is_empty, f"the outbox is empty: {self.rows('SELECT * FROM outbox LIMIT 5')}")
        wanted: dict[str, Any] = {}
        tokens = dict(self.rows("SELECT port, token FROM port_binding WHERE active"))
        for name, plural in {"Port": "ports", "Interface": "interfaces", "VpnAfConfig": "vpnafconfigs"}.items():
            read_only = {"status", "vif_type", "vif_details", "created_at", "updated_at", "status_reason"}
            read_only.add("revision_number")
            key = "vrf_rt_value" if name == "VpnAfConfig" else "id"
            for shown in self.client.get(f"/{plural}").raise_for_status().json()[plural]:
                attributes = {member: value for member, value in shown.items() if member not in read_only}
                if name == "Port" and shown["id"] in tokens:
                    attributes[TOKEN] = tokens[shown["id"]]
                wanted[f"/proton/net-l3vpn/{name}/{shown[key]}"] = attributes
        assert etcd.dump("/proton/net-l3vpn/") == wanted
        ports = {key.rpartition("/")[2] for key in wanted if "/Port/" in key}
        assert {key.rpartition("/")[2] for key in etcd.dump("/gluon/port/")} == ports
        until(lambda: etcd.epoch.get("complete"), "the epoch is complete")
        assert self.rows("SELECT id, epoch FROM deployment") == [(etcd.epoch["database"], etcd.epoch["id"])]


@pytest.fixture(scope="module")
def shared_etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEtcd]:
    """One for the tests of a module: an etcd belongs to one database at a time."""
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
    """Makes servers, not started; all on one database, unless they get a directory of their own."""
    servers: list[Server] = []

    def make(view: EtcdView, directory: Path = tmp_path, **options: Any) -> Server:
        servers.append(Server(directory, view.etcd.endpoint, f"proton{len(servers)}", **options))
        return servers[-1]

    yield make
    for server in servers:
        server.end()


@pytest.fixture
def server(etcd: EtcdView, make_server: Callable[..., Server]) -> Server:
    made = make_server(etcd)
    made.start_in_step()
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
        answered: set[str] = set()
        while not self.done.wait(0.01):
            for port in self.view.dump("/proton/net-l3vpn/Port/").values():
                token = port.get(TOKEN)
                if token and token not in answered:
                    self.view.answer(port["id"], token, host_id=port["host_id"], vif_type="ovs")
                    answered.add(token)


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
