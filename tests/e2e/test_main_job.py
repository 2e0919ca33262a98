"""The main job: from the command line to the backend and back, through three real processes."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

from .observing import MAC, TENANT, dump, protonclient, wait_until_empty

VIF_DETAILS = {"port_filter": False, "bridge_name": "br-gluon"}
ROUTE_TARGET = "65000:100"


class Vpn:
    """One VPN with two ports, built by commands."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.ports = [str(uuid.uuid4()), str(uuid.uuid4())]
        self.vpn = str(uuid.uuid4())

    def run(self, *arguments: str) -> Any:
        return protonclient(self.stack, "--api", "net-l3vpn", *arguments)

    def create(self) -> None:
        owner = ("--tenant_id", TENANT)
        self.run("vpnafconfig-create", "--vrf_rt_value", ROUTE_TARGET, "--vrf_rt_type", "both", *owner)
        self.run("vpn-create", "--id", self.vpn, "--name", "blue", "--ipv4_family", ROUTE_TARGET, *owner)
        for number, port in enumerate(self.ports, 10):
            self.run("port-create", "--id", port, "--name", f"p{number}", "--mac_address", MAC, *owner)
            address = ("--ipaddress", f"10.0.0.{number}", "--subnet_prefix", "24", "--gateway", "10.0.0.1")
            self.run("vpnbinding-create", "--interface_id", port, "--service_id", self.vpn, *address, *owner)

    def bind(self, port: str, host: str) -> dict[str, Any]:
        return dict(self.run("port-update", port, "--host_id", host, "--device_id", "vm-1"))

    def callbacks(self) -> list[str]:
        """All callbacks so far: what the dummy backend logged."""
        return re.findall(r"gluon\.shim\.backends\.dummy: (.*)", self.stack.shim.log)

    def callbacks_of(self, key: str) -> list[str]:
        return [line.split(" ")[0] for line in self.callbacks() if key in line.split(":")[0]]

    def wanted(self) -> dict[str, Any]:
        return dump(self.stack.etcd, "/proton/net-l3vpn/")

    def answer(self, port: str) -> Any:
        return dump(self.stack.etcd, "/controller/net-l3vpn/Port/").get(port)

    def applied(self) -> dict[str, Any]:
        return dump(self.stack.etcd, "/shim/SimServer/applied/net-l3vpn/")

    def wait_quiet(self, expected: set[str]) -> None:
        until(lambda: self.applied().keys() == expected, f"applied are {expected}")


def assert_bound(port: dict[str, Any], host: str) -> None:
    shown = {
        name: port[name] for name in ("host_id", "device_id", "vif_type", "vif_details", "status", "status_reason")
    }
    assert shown == {
        "host_id": host,
        "device_id": "vm-1",
        "vif_type": "ovs",
        "vif_details": VIF_DETAILS,
        "status": "ACTIVE",
        "status_reason": None,
    }


def test_a_port_is_created_bound_moved_unbound_and_deleted(tmp_path: Path) -> None:
    with LocalStack(tmp_path) as stack:
        vpn = Vpn(stack)
        vpn.create()
        first, second = vpn.ports
        of_ports = {f"{kind}/{port}" for kind in ("Port", "Interface") for port in vpn.ports}
        of_vpn = {f"VpnService/{vpn.vpn}", f"VpnAfConfig/{ROUTE_TARGET}"}
        members = {f"VpnBinding/{port}" for port in vpn.ports}
        vpn.wait_quiet(of_ports | of_vpn)
        until(lambda: vpn.wanted().keys() == of_ports | of_vpn | members, "everything is published")
        published = vpn.wanted()
        assert published[f"VpnBinding/{first}"] == {
            "interface_id": first,
            "service_id": vpn.vpn,
            "anycast": False,
            "tenant_id": TENANT,
            "ipaddress": "10.0.0.10",
            "subnet_prefix": 24,
            "gateway": "10.0.0.1",
        }
        owner = dump(stack.etcd, "/gluon/port/")[first]
        assert owner == {"tenant_id": TENANT, "service": "net-l3vpn", "url": stack.url}

        assert_bound(vpn.bind(first, "compute-1"), "compute-1")
        assert_bound(vpn.bind(second, "compute-1"), "compute-1")
        assert_bound(vpn.run("port-show", first), "compute-1")
        vpn.wait_quiet(of_ports | of_vpn | members | {f"Port.binding/{port}@compute-1" for port in vpn.ports})
        answer = vpn.answer(first)
        assert answer.pop("revision") > 0
        assert answer == {
            "token": vpn.wanted()[f"Port/{first}"]["binding:token"],
            "controller": "SimServer",
            "host_id": "compute-1",
            "vif_type": "ovs",
            "vif_details": VIF_DETAILS,
        }

        assert_bound(vpn.bind(first, "compute-2"), "compute-2")
        until(lambda: vpn.callbacks_of(first)[-1] == "modify_service_binding", "it joins its VPN again")
        unbound = vpn.run("port-update", first, "--unset", "host_id", "--unset", "device_id")
        assert (unbound["vif_type"], unbound["vif_details"], unbound["status"]) == ("unbound", {}, "DOWN")
        until(lambda: vpn.answer(first) == {}, "the answer of an unbound port")
        until(lambda: vpn.callbacks_of(first)[-1] == "modify_port", "the unbound port is applied")

        assert vpn.callbacks_of(first) == [
            "modify_port", "modify_interface",
            "bind_port", "modify_service_binding",
            "delete_service_binding", "unbind_port", "bind_port", "modify_service_binding",
            "delete_service_binding", "unbind_port", "modify_port",
        ]  # fmt: skip
        vpn.run("vpnbinding-delete", first)
        vpn.run("port-delete", first)
        until(lambda: vpn.callbacks_of(first)[-1] == "delete_port", "the port is gone from the backend")
        assert vpn.callbacks_of(first)[-2:] == ["delete_interface", "delete_port"]

        _delete_the_rest(vpn, second)
        for prefix in ("/proton/", "/controller/", "/gluon/port/", "/shim/SimServer/applied/", "/status/SimServer/"):
            wait_until_empty(stack.etcd, prefix)


def _delete_the_rest(vpn: Vpn, bound_port: str) -> None:
    """Deletes a bound port: the backend is told to unbind it first."""
    vpn.run("vpnbinding-delete", bound_port)
    vpn.run("port-delete", bound_port)
    vpn.run("vpn-delete", vpn.vpn)
    vpn.run("vpnafconfig-delete", ROUTE_TARGET)
    until(lambda: vpn.callbacks_of(bound_port)[-1] == "delete_port", "the port is gone from the backend")
    assert vpn.callbacks_of(bound_port) == [
        "modify_port", "modify_interface",
        "bind_port", "modify_service_binding",
        "delete_service_binding", *vpn.callbacks_of(bound_port)[5:-1], "delete_port",
    ]  # fmt: skip
    assert sorted(vpn.callbacks_of(bound_port)[5:-1]) == ["delete_interface", "unbind_port"]
    until(lambda: "delete_service" in vpn.callbacks_of(vpn.vpn), "the VPN is gone from the backend")
    until(lambda: f"delete_object VpnAfConfig {ROUTE_TARGET}" in vpn.callbacks(), "so is the route target")
    named = [line.split(" ")[0] for line in vpn.callbacks() if vpn.vpn in line or ROUTE_TARGET in line]
    assert [name for name in named if "service_binding" not in name] == [
        "modify_object", "modify_service", "delete_service", "delete_object",
    ]  # fmt: skip
