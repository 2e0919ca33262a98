"""A real etcd, real shims, and what the backend says of itself: the ground that these tests stand on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import urllib.request
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import (
    BINDING_FAILED,
    AppliedRecord,
    BindingAnswer,
    MalformedRecord,
    PortAnswer,
    Status,
    WantedBinding,
    decode,
    decode_attributes,
    encode_attributes,
    encode_port,
    split_port,
)
from gluon.etcd import Client, Endpoints
from gluon.models import catalog
from gluon.schema import conform
from gluon.schema.types import Base
from gluon.testing.etcd import LocalEtcd
from gluon.testing.process import ServerProcess
from gluon.testing.stack import LocalStack
from gluon.testing.waiting import auntil

L3VPN = catalog.load(["net-l3vpn"])["net-l3vpn"]
TENANT = str(uuid.UUID(int=99))
QUICK = {
    "handlers": "net-l3vpn:faulty",
    "leader_ttl": 2,
    "retry_min": 0.05,
    "retry_max": 0.3,
    "report_after": 0.4,
    "callback_timeout": 1.5,
    "etcd_timeout": 2,
}

ENTRY_POINTS = """[gluon.shim.backends]
faulty = faulty_backend:FaultyBackend
plain = faulty_backend:PlainBackend
slow-start = faulty_backend:SlowToStartBackend
slow-stop = faulty_backend:SlowToStopBackend
old = faulty_backend:OldBackend
broken = faulty_backend:BrokenBackend
missing = faulty_backend:Missing
"""


def name(object_type: str, number: int) -> ObjectKey:
    """The name of an object; an interface and its binding have the same key."""
    if object_type == "VpnAfConfig":
        return ObjectKey("net-l3vpn", object_type, f"65000:{number}")
    space = object_type.replace("VpnBinding", "Interface")
    return ObjectKey("net-l3vpn", object_type, str(uuid.uuid5(uuid.NAMESPACE_OID, f"{space} {number}")))


def port(number: int, host: str | None = None, **attributes: Any) -> dict[str, Any]:
    """A port, to be bound on `host`."""
    return {
        "id": name("Port", number).key,
        "tenant_id": TENANT,
        "mac_address": f"fa:16:3e:00:{number // 256:02x}:{number % 256:02x}",
        "host_id": host,
        "device_id": "vm" if host else None,
        **attributes,
    }


class Ground:
    """One etcd with shims on it; `async with Ground(directory) as ground`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.etcd = LocalEtcd(directory / "etcd")
        self.journal_file = directory / "journal"
        self.cured = directory / "cured"
        self.shims: list[ServerProcess] = []
        self._asked: dict[ObjectKey, tuple[object, str]] = {}
        """For each port the bind that is asked for, and its token."""
        site = directory / "site"
        distribution = site / "faulty_backend-1.0.dist-info"
        distribution.mkdir(parents=True)
        shutil.copy(Path(__file__).with_name("faulty_backend.py"), site)
        (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty-backend\nVersion: 1.0\n")
        (distribution / "entry_points.txt").write_text(ENTRY_POINTS)
        self.environment = {
            "PYTHONPATH": str(site),
            "FAULTY_JOURNAL": str(self.journal_file),
            "FAULTY_CURED": str(self.cured),
        }

    async def __aenter__(self) -> Self:
        self.etcd.start()
        self.client = Client(Endpoints((self.etcd.endpoint,), timeout=2.0))
        await self.client.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for shim in self.shims:
            if shim.is_running:
                shim.kill()
        await self.client.__aexit__(*exc_info)
        self.etcd.kill()

    # -- shims -----------------------------------------------------------------------------

    def shim(self, label: str = "shim", **options: object) -> ServerProcess:
        """A shim that is started; it need not be ready."""
        stack = LocalStack(self.directory, etcd=self.etcd, environment=self.environment)
        server = stack.shim_server(label, {"shim": {**QUICK, **options}})
        self.shims.append(server)
        server.start()
        return server

    async def active(self, label: str = "shim", **options: object) -> ServerProcess:
        """A shim that works."""
        server = self.shim(label, **options)
        await self.in_sync(server)
        return server

    async def in_sync(self, server: ServerProcess) -> None:
        """Waits until the shim is active and has loaded everything."""

        def ready() -> bool:
            assert server.is_running, server.log[-3000:]
            return bool(self.status(server).get("in_sync"))

        await auntil(ready, f"{server.name} is active")

    def status(self, server: ServerProcess) -> dict[str, Any]:
        """What the shim says at /status; empty while it does not answer."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{server.health}/status", timeout=5) as response:
                return dict(json.load(response))
        except OSError:
            return {}

    # -- etcd ------------------------------------------------------------------------------

    async def want(
        self,
        key: ObjectKey,
        attributes: Mapping[str, Any] | bytes | None,
        inactive: Sequence[WantedBinding] = (),
    ) -> None:
        """As proton-server publishes; the caller tries again while etcd is away."""
        data = self._published(key, attributes, inactive) if isinstance(attributes, Mapping) else attributes
        if data is None:
            self._asked.pop(key, None)
            await self.client.delete(keys.desired(key))
        else:
            await self.client.put(keys.desired(key), data)

    def _published(self, key: ObjectKey, attributes: Mapping[str, Any], inactive: Sequence[WantedBinding]) -> bytes:
        if key.object != "Port":
            return encode_attributes(attributes)
        return encode_port(attributes, self._token(key, attributes), inactive)

    def _token(self, key: ObjectKey, attributes: Mapping[str, Any]) -> str:
        """A new one for each bind that is asked for."""
        asked = tuple(attributes.get(name) for name in ("host_id", "device_id", "profile"))
        if not attributes.get("host_id"):
            self._asked.pop(key, None)
            return ""
        before = self._asked.get(key)
        if before is None or before[0] != asked:
            self._asked[key] = asked, uuid.uuid4().hex
        return self._asked[key][1]

    async def want_ports(self, numbers: range, host: str | None = None, **attributes: Any) -> None:
        """Many ports at once."""
        await asyncio.gather(*(self.want(name("Port", n), port(n, host, **attributes)) for n in numbers))

    async def items(self, prefix: bytes) -> dict[ObjectKey, bytes]:
        """The values below a prefix, by object; keys that are none of ours are left out."""
        found = {}
        async for page in self.client.pages(prefix):
            for item in page.items:
                try:
                    found[keys.parse(item.key, prefix)] = item.value
                except keys.MalformedKey:
                    continue
        return found

    async def records(self, controller: str = "SimServer") -> dict[ObjectKey, AppliedRecord]:
        """The applied records of a controller."""
        found = await self.items(keys.applied_prefix(controller))
        return {key: decode(AppliedRecord, value) for key, value in found.items()}

    async def answer(self, key: ObjectKey) -> BindingAnswer | None:
        """The answer for the active binding of a port; None when no controller has it."""
        item = await self.client.get(keys.answer(key))
        return decode(PortAnswer, item.value).active if item else None

    async def answers(self) -> dict[ObjectKey, BindingAnswer | None]:
        """All answers that can be read."""
        found: dict[ObjectKey, BindingAnswer | None] = {}
        for key, value in (await self.items(keys.CONTROLLER)).items():
            with contextlib.suppress(MalformedRecord):
                found[key] = decode(PortAnswer, value).active
        return found

    async def said(self, key: ObjectKey, controller: str = "SimServer") -> Status:
        """How the object fares, as the controller says."""
        item = await self.client.get(keys.status(controller, key))
        return decode(Status, item.value) if item else Status()

    async def bound(self, numbers: range) -> bool:
        """Whether all these ports are bound, as the API would hear of it."""
        answers = await self.answers()
        return all((a := answers.get(name("Port", n))) is not None and a.vif_type == "ovs" for n in numbers)

    # -- what came of it -------------------------------------------------------------------

    def journal(self) -> list[dict[str, Any]]:
        """Every callback that did something, in order."""
        if not self.journal_file.exists():
            return []
        whole = self.journal_file.read_text().rpartition("\n")[0]  # a line may be half written
        return [json.loads(line) for line in whole.splitlines()]

    def called(self) -> Counter[tuple[str, str]]:
        """How often each callback was made for each key."""
        return Counter((line["callback"], line["key"]) for line in self.journal())

    def account(self) -> tuple[dict[ObjectKey, dict[str, Any]], dict[str, str]]:
        """What the backend has, by replay of its journal: its objects, and the host of each bound port.

        A journal line that must not be there fails the test.
        """
        objects: dict[ObjectKey, dict[str, Any]] = {}
        hosts: dict[str, str] = {}
        for line in self.journal():
            key = ObjectKey("net-l3vpn", line["type"], line["key"])
            match line["callback"].partition("_")[0]:
                case "bind":
                    host = line["attributes"]["host_id"]
                    assert hosts.get(key.key, host) == host, f"{key} is bound on {hosts[key.key]} and {host}"
                    hosts[key.key] = host
                    objects[key] = line["attributes"]
                case "unbind":
                    hosts.pop(key.key, None)
                case "delete":
                    assert key.key not in hosts or key.object != "Port", f"{key} was deleted while bound"
                    objects.pop(key, None)
                case "modify":
                    objects[key] = line["attributes"]
        return objects, hosts

    async def wanted(self) -> tuple[dict[ObjectKey, dict[str, Any]], dict[str, str]]:
        """What the backend shall have, as `account` tells it; for wishes that are all well-formed."""
        desired = {}
        for key, value in (await self.items(keys.PROTON)).items():
            values = decode_attributes(value)
            split_port(values)
            desired[key] = conform(L3VPN.objects[key.object], values, key.key)
        hosts = {
            key.key: str(values["host_id"])
            for key, values in desired.items()
            if key.object == "Port" and values["host_id"] and values["device_id"]
        }

        def there(key: ObjectKey) -> bool:
            values, object_type = desired.get(key), L3VPN.objects[key.object]
            if values is None:
                return False
            named = [
                ObjectKey(key.proton, a.reference, str(values[a.name])) for a in object_type.references if not a.is_list
            ]
            if not all(there(other) for other in named):
                return False
            if object_type.base is not Base.SERVICE_BINDING:
                return True
            interface = desired[ObjectKey(key.proton, "Interface", str(values["interface_id"]))]
            return interface["port_id"] in hosts

        return {key: values for key, values in desired.items() if there(key)}, hosts

    async def converged(self, controller: str = "SimServer") -> bool:
        """Whether wish, records, answers and the backend's own account agree."""
        objects, hosts = await self.wanted()
        records = await self.records(controller)
        if (objects, hosts) != self.account():
            return False
        sure = {key: r.attributes for key, r in records.items() if not r.claimed and r.attempt is None}
        applied = {key: attributes for key, attributes in sure.items() if not keys.is_binding(key)}
        answered = {key.key: a.host_id for key, a in (await self.answers()).items() if a is not None}
        return len(records) == len(sure) and applied == objects and _bound(records) == hosts and answered == hosts

    async def differences(self, controller: str = "SimServer") -> str:
        """For a person: where `converged` fails."""
        objects, hosts = await self.wanted()
        has, bound = self.account()
        records = await self.records(controller)
        return (
            f"lacking {objects.keys() - has.keys()}, too much {has.keys() - objects.keys()}, "
            f"changed {[k for k in objects.keys() & has.keys() if objects[k] != has[k]]}, "
            f"hosts {set(hosts.items()) ^ set(bound.items())}, "
            f"records {_objects(records) ^ objects.keys()}, "
            f"bindings {set(hosts.items()) ^ set(_bound(records).items())}, "
            f"unsure {[k for k, r in records.items() if r.claimed or r.attempt is not None]}, "
            f"answers {set(hosts) ^ {k.key for k, a in (await self.answers()).items() if a}}"
        )

    async def convergence(self) -> None:
        """Waits for it."""
        try:
            await auntil(self.converged, "agreement")
        except AssertionError as error:
            raise AssertionError(f"{error}: {await self.differences()}\n{self.shims[-1].log[-2000:]}") from None


def _bound(records: Mapping[ObjectKey, AppliedRecord]) -> dict[str, str]:
    """The host of each bound port, by its record."""
    return {
        port.key: host
        for key, record in records.items()
        if keys.is_binding(key) and record.bound is not None and record.bound.vif_type != BINDING_FAILED
        for port, host in [keys.port_and_host(key)]
    }


def _objects(records: Mapping[ObjectKey, AppliedRecord]) -> set[ObjectKey]:
    return {key for key in records if not keys.is_binding(key)}
