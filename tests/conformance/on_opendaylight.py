"""The conformance suite for the OpenDaylight backend, against a stand-in of OpenDaylight."""

from __future__ import annotations

import ipaddress
import uuid
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from gluon.schema import Base
from gluon.shim.backend import Model, Object
from gluon.shim.backends.opendaylight import OpenDaylightBackend
from gluon.shim.plan.steps import Callback
from gluon.testing.conformance import BackendConformance, Driver, Samples
from gluon.testing.stack import Options
from standins.opendaylight import Fault, StandIn

L3VPN, BGPVPN = "l3vpn", "bgpvpn"
AS = 65000
FLAGS = {"A", "B1"}
MAKE = {Base.PORT: Callback.BIND_PORT}


class OnOpenDaylight(BackendConformance):
    """What is expected is told in the words of the API, and read from the stand-in's data."""

    backend = OpenDaylightBackend
    registered_as = "odl"
    faults = (Fault.UNAVAILABLE.name,)

    dialect: str
    flavour: str
    mode: str
    vlan: int | None = None
    associations: bool | None = None
    poll_interval: float = 60
    settle_timeout: float = 3

    @pytest.fixture
    def options(self) -> Iterator[Options]:
        release = {"dialect": self.dialect, "flavours": (self.flavour,), "associations": self.associations}
        with StandIn(**release, delay=0.002) as self.odl:
            self.theirs = self.odl.add_foreign()
            port = self.odl.port
            yield {
                "shim_odl": {
                    "odl_port": port,
                    "odl_passwd": "admin",
                    "odl_timeout": 0.3,
                    "odl_retries": 0,
                    "odl_settle_timeout": self.settle_timeout,
                    "odl_poll_interval": self.poll_interval,
                    "odl_mode": self.mode,
                    "odl_restconf": self.flavour,
                    "odl_profile": self.dialect,
                    "vni_range": "100:131",
                }
            }

    def attributes(self, object_type: str) -> Mapping[str, Any]:
        """One AS number for all sessions is all that OpenDaylight has; its neighbors have IPv4."""
        if object_type == "Interface" and self.vlan:
            return {"segmentation_type": "vlan", "segmentation_id": self.vlan}
        return {"as_number": AS} if object_type == "BGPPeering" else {}

    # -- what the API says -----------------------------------------------------------------------

    def expected(self, model: Model) -> dict[str, Any]:
        bindings = model.all("VpnBinding")
        return {
            "vpns": {vpn.key: self.expected_vpn(vpn, model) for vpn in model.all("VpnService")},
            "members": {each.key: self.expected_member(each, model) for each in bindings},
            "networks": len({(each["service_id"], each["tenant_id"]) for each in bindings}),
            "subnets": len({(each["service_id"], each["tenant_id"], cidr(each)) for each in bindings if cidr(each)}),
            "sessions": {
                each["peer_ip_address"]: each["peer_as_number"] or each["as_number"] for each in model.all("BGPPeering")
            },
            "tunnels": {each["remote_tunnel_endpoint"] for each in model.all("DataplaneTunnel")},
            "what others have": self.theirs,
        }

    def expected_vpn(self, vpn: Object, model: Model) -> dict[str, Any]:
        given = [rd for rd in (vpn["route_distinguishers"] or "").split(",") if rd]
        distinguishers = given or [f"64512:{zlib.crc32(vpn.key.encode())}"]
        families = {
            family: {key: model.get("VpnAfConfig", key)["vrf_rt_type"] for key in vpn[f"{family}_family"].split(",")}
            for family in ("ipv4", "ipv6")
            if vpn[f"{family}_family"]
        }
        if self.mode == BGPVPN or self.dialect == "E":  # one set for both
            united = {**families.get("ipv4", {}), **families.get("ipv6", {})}
            families = {"ipv4": united} if united else {}
        return {
            "distinguishers": distinguishers[:1] if self.dialect == "A" else sorted(distinguishers),
            "targets": {family: targets for family, targets in families.items() if targets},
        }

    def expected_member(self, binding: Object, model: Model) -> dict[str, Any]:
        port, address = model.port_of(binding), binding["ipaddress"]
        vlan = self.vlan_of(binding, model)
        plug = binding.key if vlan else port.key
        whole = address and ipaddress.ip_address(address).max_prefixlen
        return {
            "plug": plug,
            "host": port["host_id"],
            "mac": port["mac_address"],
            "device": port["device_id"],
            "is up": port["admin_state_up"],
            "tenant": str(uuid.UUID(binding["tenant_id"])),
            "address": address,
            "cidr": cidr(binding),
            "gateway": binding["gateway"] if address else None,
            "network of": binding["service_id"],
            "routed by": [binding["service_id"], f"{address}/{whole}", port["mac_address"]] if address else None,
            "vlan": [vlan, port.key] if vlan else None,
        }

    @staticmethod
    def vlan_of(binding: Object, model: Model) -> Any:
        interface = model.interface_of(binding)
        return interface["segmentation_id"] if interface["segmentation_type"] == "vlan" else None

    # -- what OpenDaylight has -------------------------------------------------------------------

    def held(self) -> dict[str, Any]:
        self.odl.settle()
        config = self.odl.config(foreign_too=False)
        neutron = config.get("neutron:neutron", {})
        networks = entries(neutron, "networks", "network")
        numbers = {key: int(each["segmentation-id"]) for key, each in networks.items() if "network-type" in each}
        assert len(set(numbers.values())) == len(numbers)
        assert all(100 <= number <= 131 for number in numbers.values())
        bgp = config.get("ebgp:bgp", {})
        assert bgp.get("as-id", {}).get("local-as", AS) == AS
        neighbors = bgp.get("neighbors") or bgp.get("neighborsContainer", {}).get("neighbors", {})
        return {
            "vpns": {key: self.held_vpn(each) for key, each in self.of_l3vpn(config, "instance").items()},
            "members": {
                port["name"].removeprefix("gluon:port "): self.held_member(port, config)
                for port in entries(neutron, "ports", "port").values()
            },
            "networks": len(numbers),
            "subnets": len(entries(neutron, "subnets", "subnet")),
            "sessions": {key: each["remote-as"] for key, each in neighbors.items()},
            "tunnels": set(self.odl.tunnels),
            "what others have": self.odl.foreign(),
        }

    def of_l3vpn(self, config: Mapping[str, Any], kind: str) -> dict[str, Any]:
        module = "l3vpn-instances-interfaces" if self.dialect in {"D", "E"} else "l3vpn"
        return entries(config, f"{module}:vpn-{kind}s", f"vpn-{kind}")

    def held_vpn(self, instance: Mapping[str, Any]) -> dict[str, Any]:
        families = {name: instance[f"{name}-family"] for name in ("ipv4", "ipv6") if f"{name}-family" in instance}
        families = families or {"ipv4": instance}
        rds = next(iter(families.values())).get("route-distinguisher", [])
        targets = {
            name: {rt: target["vrfRTType"] for rt, target in family["vpnTargets"]["vpnTarget"].items()}
            for name, family in families.items()
            if "vpnTargets" in family
        }
        return {"distinguishers": [rds] if isinstance(rds, str) else sorted(rds), "targets": targets}

    def held_member(self, port: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
        neutron, plug = config["neutron:neutron"], port["uuid"]
        network = entries(neutron, "networks", "network").get(port["network-id"], {"name": "none", "uuid": "none"})
        [address] = list(port.get("fixed-ips", {}).values()) or [{}]
        subnet = entries(neutron, "subnets", "subnet").get(address.get("subnet-id"), {})
        assert subnet.get("network-id", port["network-id"]) == port["network-id"]
        interface = self.of_l3vpn(config, "interface").get(plug)
        genius = entries(config, "ietf-interfaces:interfaces", "interface").get(plug, {})
        return {
            "plug": plug,
            "host": port["host-id"],
            "mac": port["mac-address"],
            "device": port["device-id"],
            "is up": port["admin-state-up"],
            "tenant": port["tenant-id"],
            "address": address.get("ip-address"),
            "cidr": subnet.get("cidr"),
            "gateway": subnet.get("gateway-ip"),
            "network of": network["name"].removeprefix("gluon:network "),
            "routed by": self.held_interface(interface) if interface else None,
            "vlan": [genius["vlan-id"], genius["parent-interface"]] if "vlan-id" in genius else None,
        }

    def held_interface(self, interface: Mapping[str, Any]) -> list[str]:
        [vpn] = interface.get("vpn-instance-names", {interface.get("vpn-instance-name"): None})
        [adjacency] = interface["adjacency"].values()
        kind = adjacency["primary-adjacency"] if self.dialect in FLAGS else adjacency["adjacency_type"]
        assert kind in (True, "primary-adjacency")
        return [vpn, adjacency["ip_address"], adjacency["mac_address"]]

    def left_behind(self) -> list[str]:
        """But for the shim's own note, and the AS number, on which the neighbor of others may rely."""
        self.odl.settle()
        config = self.odl.config(foreign_too=False)
        notes = entries(config.get("neutron:neutron", {}), "networks", "network").values()
        left = [each["name"] for each in notes if not each["name"].startswith("gluon:shim ")]
        allowed = {"neutron:neutron", "ebgp:bgp", "elan:elan-interfaces"}
        return [*left, *(name for name in config if name not in allowed)]

    # -- disturbances ----------------------------------------------------------------------------

    def break_controller(self, fault: str) -> None:
        self.odl.break_down(Fault[fault])

    def break_after(self, fault: str, requests: int) -> None:
        self.odl.break_down(Fault[fault], after=requests)

    def mend_controller(self) -> None:
        self.odl.mend()

    def empty_controller(self) -> None:
        self.odl.empty()
        self.theirs = self.odl.add_foreign()


def cidr(binding: Object) -> str | None:
    address, length = binding["ipaddress"], binding["subnet_prefix"]
    if not address:
        return None
    whole = ipaddress.ip_address(address).max_prefixlen
    return str(ipaddress.ip_network((address, whole if length is None else length), strict=False))


def entries(tree: Mapping[str, Any], container: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = tree.get(container, {}).get(name, {})
    return found


class Lives(OnOpenDaylight):
    """Of the suite only the life of every object, changed and faulted as in the other classes."""

    def test_life(self, driver: Driver, samples: Samples) -> None:
        network = samples.network(1)
        driver.apply(network)
        for obj in network:
            driver.modify(samples.changed(obj))
        driver.bind(samples.port(1, profile={"migrating_to": self.hosts[1]}))
        driver.crash()
        driver.forget_all()
        driver.delete_all()


for name in dir(BackendConformance):
    if name.startswith("test_"):
        setattr(Lives, name, None)
