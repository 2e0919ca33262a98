"""Gluon beside the real OpenDaylight: proton-server, etcd and a shim with the backend, as real processes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from conformance.on_opendaylight import L3VPN, OnOpenDaylight
from e2e.observing import TENANT, api, create, put, status
from gluon.contract.keys import ObjectKey
from gluon.models import catalog
from gluon.shim.backend import Model, Object
from gluon.testing.conformance.picture import Picture
from gluon.testing.process import console_script
from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until
from lab.controller import OpenDaylight

from .real import Real

unproven = pytest.mark.unproven
"""A test that a fresh machine must not rely on."""

PATIENCE = 120.0
"""Seconds in which what was asked for must be there, on a machine that has much else to do."""
AUDIT_TIMEOUT = 300.0
PROTON = "net-l3vpn"
OTHER_TENANT = "5b1a2d3c-0000-4000-8000-000000000002"
WRITE = re.compile(r" (PUT|POST|DELETE) (/\S+)")
"""As the shim logs each request with `debug`."""
LOG_END = 6000

SHIM = {"handlers": f"{PROTON}:odl", "retry_max": 5, "health_interval": 2, "leader_ttl": 5}
VNIS = "100:131"
"""As the pictures of the conformance suite expect them."""


class Account(OnOpenDaylight):
    """What is expected of the real one, and what it holds."""

    dialect = "C"

    def __init__(self, real: Real, mode: str) -> None:
        self.odl: Any = real
        self.theirs = real.foreign()
        self.mode = mode


class Running:
    """A stack, its API, and OpenDaylight beside it."""

    def __init__(self, stack: LocalStack, client: httpx.Client, odl: OpenDaylight, account: Account) -> None:
        self.stack, self.client, self.odl, self.account = stack, client, odl, account
        self.real: Real = account.odl
        self._proton = catalog.load([PROTON], ())[PROTON]
        self._ports = 0

    # -- what is asked for -------------------------------------------------------------------------

    def create(self, plural: str, **attributes: Any) -> str:
        """Creates an object; returns its key."""
        made = create(self.client, plural, **attributes)
        return str(made.get("id") or made.get("interface_id") or made.get("vrf_rt_value"))

    def vpn(self, **attributes: Any) -> str:
        """Creates a VPN."""
        return self.create("vpns", **attributes)

    def target(self, value: str, kind: str = "both") -> str:
        """Creates a route target."""
        return self.create("vpnafconfigs", vrf_rt_value=value, vrf_rt_type=kind)

    def port(self, host: str = "h1", **attributes: Any) -> str:
        """Creates a port that is bound."""
        self._ports += 1
        mac = f"fa:16:3e:00:{self._ports // 256:02x}:{self._ports % 256:02x}"
        bound = {"mac_address": mac, "host_id": host, "device_id": f"vm-{self._ports}"}
        return self.create("ports", **{**bound, **attributes})

    def bind(self, interface: str, vpn: str, address: str, **attributes: Any) -> str:
        """Puts an interface into a VPN, in a /24 whose first address is the gateway."""
        gateway = f"{address.rpartition('.')[0]}.1"
        given = {"subnet_prefix": 24, "gateway": gateway, **attributes}
        return self.create("vpnbindings", interface_id=interface, service_id=vpn, ipaddress=address, **given)

    def put(self, path: str, **attributes: Any) -> None:
        """Changes an object."""
        put(self.client, path, **attributes)

    def delete(self, path: str) -> None:
        """Deletes an object."""
        answer = self.client.delete(path)
        assert answer.status_code == 204, answer.text

    def listed(self, plural: str) -> list[dict[str, Any]]:
        """All objects of a type."""
        return list(self.client.get(f"/{plural}").raise_for_status().json()[plural])

    def delete_all(self) -> None:
        """Deletes every object, first what names others."""
        for object_type in reversed(self._in_order()):
            plural, key = object_type.api.plural_name, object_type.primary_key.name
            ports = {port["id"] for port in self.listed("ports")}
            for each in self.listed(plural):
                if plural != "interfaces" or each["id"] not in ports:  # a default one goes with its port
                    self.delete(f"/{plural}/{each[key]}")

    def _in_order(self) -> list[Any]:
        order = ("Port", "Interface", "VpnAfConfig", "VpnService", "VpnBinding", "BGPPeering", "DataplaneTunnel")
        return [self._proton.objects[name] for name in order]

    # -- what comes of it --------------------------------------------------------------------------

    def model(self) -> Model:
        """What the API has, without members whose port is not bound."""
        model = Model(self._proton)
        bound = {port["id"] for port in self.listed("ports") if port["host_id"] and port["device_id"]}
        interfaces = {each["id"]: each["port_id"] for each in self.listed("interfaces")}
        for object_type in self._in_order():
            for each in self.listed(object_type.api.plural_name):
                if object_type.name == "VpnBinding" and interfaces[each["interface_id"]] not in bound:
                    continue
                key = ObjectKey(PROTON, object_type.name, str(each[object_type.primary_key.name]))
                model = model.having(Object(key, object_type.base, each, 1))
        return model

    def difference(self) -> str:
        """How OpenDaylight differs from what the API has; empty where it does not."""
        expected = self.account.expected(self.model())
        try:
            held = self.account.held()
        except (AssertionError, KeyError, ValueError) as error:  # something is half there
            return f"half there: {error!r}"
        return Picture(lambda _: expected, lambda: held).difference(None)  # type: ignore[arg-type]

    def agrees(self, timeout: float = PATIENCE) -> None:
        """Waits until OpenDaylight holds what the API has, and the shim has nothing more to do."""
        seen: list[str] = []

        def is_so() -> bool:
            seen[:] = [self.difference() or self._busy()]
            return seen == [""]

        try:
            until(is_so, "OpenDaylight holds what the API has", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}: {seen}") from None

    def _busy(self) -> str:
        said = status(self.stack.shim)
        about = said["protons"].get(PROTON, {})
        idle = said["in_sync"] and not any(about.get(name) for name in ("queue", "waiting", "failing"))
        return "" if idle else f"the shim is at work: {said}"

    def port_shows(self, port: str, **attributes: Any) -> None:
        """Waits until the API shows the port with these attributes."""
        seen: dict[str, Any] = {}

        def look() -> bool:
            seen.update(self.client.get(f"/ports/{port}").raise_for_status().json())
            return attributes.items() <= seen.items()

        try:
            until(look, f"port {port} shows {attributes}", PATIENCE)
        except AssertionError as error:
            raise AssertionError(f"{error}: {seen}") from None

    def audit(self) -> str:
        """`gluon-manage audit`, which must succeed; what it says."""
        config = ("--config-file", str(self.stack.directory / "proton-server.conf"))
        command = [console_script("gluon-manage"), "audit", "--timeout", str(AUDIT_TIMEOUT), *config]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=AUDIT_TIMEOUT + 30,
            check=False,
            cwd=self.stack.directory,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def writes(self, since: int = 0) -> list[str]:
        """Each write to OpenDaylight that the shim has logged after so many characters."""
        return [" ".join(found) for found in WRITE.findall(self.stack.shim.log[since:])]

    @property
    def mark(self) -> int:
        """Characters that the shim has logged."""
        return len(self.stack.shim.log)

    def away(self) -> bool:
        """Whether the shim can't reach OpenDaylight."""
        return bool(status(self.stack.shim)["controllers_away"])

    def sees_opendaylight(self) -> None:
        """Waits until the shim can reach OpenDaylight, and has nothing more to do."""
        until(lambda: not self.away(), "the shim reaches OpenDaylight", PATIENCE)
        until(lambda: not self._busy(), "the shim has nothing to do", PATIENCE)

    @property
    def logs(self) -> Mapping[str, str]:
        """The ends of the servers' logs, for a test that fails."""
        servers = (self.stack.shim, self.stack.proton)
        return {server.name: _without_requests(server.log)[-LOG_END:] for server in servers}


@contextmanager
def running(odl: OpenDaylight, directory: Path, mode: str = L3VPN) -> Iterator[Running]:
    """A stack beside an OpenDaylight that runs."""
    options = {
        "odl_user": odl.user,
        "odl_passwd": odl.password,
        "odl_mode": mode,
        "odl_poll_interval": 1,
        "vni_range": VNIS,
    }
    shim = {"DEFAULT": {"debug": "true"}, "shim": SHIM, "shim_odl": options}
    with Real(odl.url, odl.user, odl.password) as real:
        account = Account(real, mode)
        with LocalStack(directory, shim=shim) as stack, api(stack) as client:
            yield Running(stack, client, odl, account)


def _without_requests(log: str) -> str:
    """Without the lines of reads that found what they asked for: they are most of it."""
    return "\n".join(line for line in log.splitlines() if not re.search(r" GET /\S+: (200|404) ", line))


__all__ = ["OTHER_TENANT", "TENANT", "Account", "Running", "running"]
