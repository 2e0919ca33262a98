"""netvirt: what becomes of configuration later, and of which of it nothing becomes.

Nothing of this is ever answered to a request: what fails, fails silently.
"""

from __future__ import annotations

import functools
import heapq
import ipaddress
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from .datastore import Datastore, Path, Tree, find
from .releases import Release

Entry = Mapping[str, Any]
Handler = Callable[[str, Entry | None, Entry | None], None]

_NEUTRON = "neutron:neutron"
_INTERFACES: Path = ("ietf-interfaces:interfaces", "interface")
_STATES: Path = ("ietf-interfaces:interfaces-state", "interface")
_ELANS: Path = ("elan:elan-instances", "elan-instance")
_ELAN_INTERFACES: Path = ("elan:elan-interfaces", "elan-interface")
_SUBNETMAPS: Path = ("neutronvpn:subnetmaps", "subnetmap")
_VPN_MAPS: Path = ("neutronvpn:vpnMaps", "vpnMap")
_INSTANCE_DATA: Path = ("odl-l3vpn:vpn-instance-op-data", "vpn-instance-op-data-entry")
_INTERFACE_DATA: Path = ("odl-l3vpn:vpn-interface-op-data", "vpn-interface-op-data-entry")
_VPN_IDS: Path = ("odl-l3vpn:vpn-instance-to-vpn-id", "vpn-instance")

_OF_A_MEMBER = ("vlan-id", "parent-interface", "override-split-horizon-protection")
_LEFT_FOR = 20
"""An elan-interface outlives its port so many delays."""
_SLOWER = 3
"""So much longer than its making takes the end of a vpn-instance's operational data."""


class Netvirt:
    """Follows the changes of the configuration, each a delay after it was made."""

    def __init__(self, release: Release, config: Datastore, operational: Datastore, lock: threading.RLock) -> None:
        self.delay = 0.02
        self.alive = True
        self.plugged: set[str] = set()
        """The interfaces that a switch has told of."""
        self._release, self._config, self._operational = release, config, operational
        l3vpn = release.schema.l3vpn
        self._instances: Path = (f"{l3vpn}:vpn-instances", "vpn-instance")
        self._vpn_interfaces: Path = (f"{l3vpn}:vpn-interfaces", "vpn-interface")
        self._handlers: dict[Path, Handler] = {
            (_NEUTRON, "networks", "network"): self._network,
            (_NEUTRON, "subnets", "subnet"): self._subnet,
            (_NEUTRON, "ports", "port"): self._port,
            (_NEUTRON, "bgpvpns", "bgpvpn"): self._bgpvpn,
            (_NEUTRON, "bgpvpn-network-associations", "bgpvpn-network-association"): self._association,
            (_NEUTRON, "trunks", "trunk"): self._trunk,
            self._instances: self._instance,
            self._vpn_interfaces: self._vpn_interface,
        }
        self._ids = itertools.count(100000)
        self._order = itertools.count()
        self._jobs: list[tuple[float, int, Callable[[], None]]] = []
        self._late: list[tuple[float, int, Callable[[], None]]] = []
        self._changed = threading.Condition(lock)
        self._abandoned: set[str] = set()
        self._ended = False
        config.watch(self._follow)
        threading.Thread(target=self._work, name="netvirt", daemon=True).start()

    def end(self) -> None:
        """Does nothing more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def settle(self, timeout: float) -> bool:
        """Waits until everything so far has been followed; says whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs, timeout)

    def restart(self) -> None:
        """Begins again with what the configuration holds, as after a start of the controller."""
        with self._changed:
            self._jobs.clear()
            self._late.clear()
            self._operational.clear()
            self._follow({}, self._config.tree)

    def plug(self, name: str, *, present: bool) -> None:
        """A switch has an interface of this `iface-id`, or has it no more."""
        with self._changed:
            (self.plugged.add if present else self.plugged.discard)(name)
            self._later(lambda: self._show(name))

    # -- the queue -----------------------------------------------------------------------------------

    def _follow(self, before: Tree, after: Tree) -> None:
        for path, handler in self._handlers.items():
            for key, old, new in _differences(find(before, path) or {}, find(after, path) or {}):
                self._later(functools.partial(handler, key, old, new))

    def _later(self, job: Callable[[], None], delay: float | None = None) -> None:
        if self.alive:
            due = time.monotonic() + (self.delay if delay is None else delay)
            heapq.heappush(self._jobs, (due, next(self._order), job))
            self._changed.notify_all()

    def _work(self) -> None:
        with self._changed:
            while not self._ended:
                queue = min(filter(None, (self._jobs, self._late)), default=None)
                wait = queue[0][0] - time.monotonic() if queue else None
                if queue is None or (wait is not None and wait > 0):
                    self._changed.wait(wait)
                    continue
                heapq.heappop(queue)[2]()
                self._changed.notify_all()

    # -- Neutron -------------------------------------------------------------------------------------

    def _network(self, key: str, _: Entry | None, new: Entry | None) -> None:
        if new is None:
            self._config.delete((*_ELANS, (key,)))
        elif _has_type(new) and self._config.read((*_ELANS, (key,))) is None:
            self._config.write((*_ELANS, (key,)), _elan_of(key, new, next(self._ids)))

    def _subnet(self, key: str, _: Entry | None, new: Entry | None) -> None:
        if new is None:
            self._config.delete((*_SUBNETMAPS, (key,)))
            return
        names = {"subnet-ip": "cidr", "tenant-id": "tenant-id", "network-id": "network-id"}
        known = {name: new[source] for name, source in names.items() if source in new}
        self._config.write((*_SUBNETMAPS, (key,)), {"id": key, **known})

    def _port(self, key: str, old: Entry | None, new: Entry | None) -> None:
        if new is None:
            self._port_gone(key)
        elif old is None or not old.get("fixed-ips"):
            self._port_made(key, new)
        elif old.get("fixed-ips") != new.get("fixed-ips") and self._config.read((*_INTERFACES, (key,))):
            self._join_port(key, new)

    def _port_made(self, key: str, port: Entry) -> None:
        if self._neutron("ports", "port", key) is None:
            self._left_behind(key, port)
            return
        network = self._neutron("networks", "network", port.get("network-id", ""))
        if network is None or not _has_type(network) or not port.get("fixed-ips"):
            return  # silently
        self._abandoned.discard(key)
        interface = {"name": key, "type": "iana-if-type:l2vlan", "enabled": True, "l2vlan-mode": "trunk"}
        self._config.write((*_INTERFACES, (key,)), interface)
        self._config.write((*_ELAN_INTERFACES, (key,)), _elan_interface_of(key, port))
        self._join_port(key, port)
        self._show(key)

    def _left_behind(self, key: str, port: Entry) -> None:
        """A port that was gone before it was followed leaves its elan-interface for good."""
        if "network-id" in port:
            self._abandoned.add(key)
            self._config.write((*_ELAN_INTERFACES, (key,)), _elan_interface_of(key, port))

    def _port_gone(self, key: str) -> None:
        self._config.delete((*_INTERFACES, (key,)))
        held = self._config.read((*self._vpn_interfaces, (key,)))
        if held and any(self._made_here(vpn) for vpn in _vpns_of(held)):
            self._config.delete((*self._vpn_interfaces, (key,)))
        self._show(key)
        elan: Path = (*_ELAN_INTERFACES, (key,))
        left = (time.monotonic() + self.delay * _LEFT_FOR, next(self._order), lambda: self._drop_unused_elan(key, elan))
        heapq.heappush(self._late, left)

    def _drop_unused_elan(self, key: str, elan: Path) -> None:
        if self._neutron("ports", "port", key) is None and key not in self._abandoned:
            self._config.delete(elan)

    def _trunk(self, _: str, old: Entry | None, new: Entry | None) -> None:
        before, after = (trunk.get("sub-ports", {}) if trunk else {} for trunk in (old, new))
        for (port,) in before.keys() - after.keys():
            self._edit_interface(port, {"l2vlan-mode": "trunk"}, without=_OF_A_MEMBER)
        if new is None or "port-id" not in new:
            return
        for (port,), sub_port in after.items():
            vlan = {"vlan-id": sub_port["segmentation-id"]} if "segmentation-id" in sub_port else {}
            member = {"l2vlan-mode": "trunk-member", "parent-interface": new["port-id"], **vlan}
            self._edit_interface(port, {**member, "override-split-horizon-protection": True})

    def _edit_interface(self, name: str, members: Entry, without: tuple[str, ...] = ()) -> None:
        path: Path = (*_INTERFACES, (name,))
        if held := self._config.read(path):
            kept = {member: value for member, value in held.items() if member not in without}
            self._config.write(path, {**kept, **members})

    # -- BGPVPNs -------------------------------------------------------------------------------------

    def _bgpvpn(self, key: str, old: Entry | None, new: Entry | None) -> None:
        if new is None:
            self._bgpvpn_gone(key)
        elif old is None:
            self._bgpvpn_made(key, new)
        elif self._config.read((*_VPN_MAPS, (key,))):
            self._bgpvpn_changed(key, new)

    def _bgpvpn_made(self, key: str, bgpvpn: Entry) -> None:
        distinguishers = bgpvpn.get("route-distinguishers", ())
        taken = {rd for held in self._held(self._instances).values() for rd in _distinguishers(held)}
        if not distinguishers or taken & set(distinguishers) or any(" " in rd for rd in distinguishers):
            return  # silently
        self._config.write((*self._instances, (key,)), self._instance_of(key, bgpvpn))
        known = {name: bgpvpn[name] for name in ("name", "tenant-id") if name in bgpvpn}
        self._config.write((*_VPN_MAPS, (key,)), {"vpn-id": key, **known})
        self._join_networks(key)

    def _bgpvpn_changed(self, key: str, bgpvpn: Entry) -> None:
        """Adds route distinguishers and follows the networks; the targets stay as they were."""
        if self._release.dialect == "E" and not (_targets(bgpvpn) and self._networks_wanted(key)):
            return  # Aluminium fails on an update with empty targets or networks
        path: Path = (*self._instances, (key,))
        instance = self._config.read(path)
        added = set(bgpvpn.get("route-distinguishers", ())) - set(_distinguishers(instance or {}))
        if instance and added and self._release.dialect != "A":
            self._config.write(path, _with_distinguishers(instance, bgpvpn["route-distinguishers"]))
        self._join_networks(key)

    def _bgpvpn_gone(self, key: str) -> None:
        if self._config.delete((*_VPN_MAPS, (key,))):
            for (name,), held in self._held(self._vpn_interfaces).items():
                if key in _vpns_of(held):
                    self._config.delete((*self._vpn_interfaces, (name,)))
            self._config.delete((*self._instances, (key,)))

    def _association(self, _: str, old: Entry | None, new: Entry | None) -> None:
        for association in filter(None, (old, new)):
            if "bgpvpn-id" in association and self._config.read((*_VPN_MAPS, (association["bgpvpn-id"],))):
                self._join_networks(association["bgpvpn-id"])

    def _join_networks(self, key: str) -> None:
        """Makes the ports of a VPN's networks its members, and those of others no more."""
        path: Path = (*_VPN_MAPS, (key,))
        known = {name: value for name, value in self._config.read(path).items() if name != "network_ids"}
        others = {network for held in self._held(_VPN_MAPS).values() for network in held.get("network_ids", ())}
        own = set(self._config.read(path).get("network_ids", ()))
        networks: tuple[str, ...] = ()
        for item in sorted(self._networks_wanted(key), key=lambda item: item not in own):
            if item in own or not (item in others or self._overlaps(item, networks)):
                networks = (*networks, item)
        self._config.write(path, {**known, **({"network_ids": networks} if networks else {})})
        for (port_id,), port in self._held((_NEUTRON, "ports", "port")).items():
            if port.get("network-id") in networks:
                self._join_port(port_id, port)
            elif port.get("network-id") in own:
                self._config.delete((*self._vpn_interfaces, (port_id,)))

    def _overlaps(self, network: str, others: tuple[str, ...]) -> bool:
        ranges = [
            (held.get("network-id"), _range(held)) for held in self._held((_NEUTRON, "subnets", "subnet")).values()
        ]
        theirs = [held for owner, held in ranges if held and owner in others]
        return any(held.overlaps(other) for owner, held in ranges if held and owner == network for other in theirs)

    def _networks_wanted(self, key: str) -> tuple[str, ...]:
        """From Aluminium SR1 on, associations say it and the bgpvpn's own list does not count."""
        if not self._release.schema.associations:
            bgpvpn = self._neutron("bgpvpns", "bgpvpn", key) or {}
            return tuple(bgpvpn.get("networks", ()))
        held = self._held((_NEUTRON, "bgpvpn-network-associations", "bgpvpn-network-association")).values()
        return tuple(item["network-id"] for item in held if item.get("bgpvpn-id") == key and "network-id" in item)

    def _join_port(self, key: str, port: Entry) -> None:
        vpn = next((vpn for (vpn,), held in self._held(_VPN_MAPS).items() if _is_on(held, port)), None)
        if vpn and self._config.read((*_INTERFACES, (key,))):
            self._config.write((*self._vpn_interfaces, (key,)), self._vpn_interface_of(key, port, vpn))

    def _made_here(self, vpn: str) -> bool:
        return self._config.read((*_VPN_MAPS, (vpn,))) is not None

    # -- VPN instances and interfaces ----------------------------------------------------------------

    def _instance(self, key: str, old: Entry | None, new: Entry | None) -> None:
        if new is None and old is not None:
            self._later(lambda: self._instance_gone(key, old), self.delay * _SLOWER)
        elif old is None and new is not None:
            self._instance_made(key, new)

    def _instance_made(self, key: str, instance: Entry) -> None:
        distinguishers = _distinguishers(instance)
        known = self._config.read((*_VPN_IDS, (key,)))
        identifier, vrf = known["vpn-id"] if known else next(self._ids), distinguishers[0] if distinguishers else key
        if self._operational.read((*_INSTANCE_DATA, (vrf,))):
            return  # the first one of a route distinguisher keeps the place
        data = {
            "vrf-id": vrf,
            "vpn-instance-name": key,
            "vpn-id": identifier,
            "vpn-state": "created",
            "bgpvpn-type": "BGPVPNExternal",
            "ipv4-configured": self._made_here(key),
            "ipv6-configured": False,
            "rd": distinguishers,
            "vpnTargets": _vpn_targets(instance),
            **{name: instance[name] for name in ("type", "l3vni") if name in instance},
        }
        present = {name: value for name, value in data.items() if value not in ((), {})}
        self._operational.write((*_INSTANCE_DATA, (vrf,)), present)
        self._config.write((*_VPN_IDS, (key,)), {"vpn-instance-name": key, "vpn-id": identifier, "vrf-id": vrf})

    def _instance_gone(self, key: str, instance: Entry) -> None:
        """Looks for the data by the route distinguisher alone, whosever they are."""
        distinguishers = _distinguishers(instance)
        self._config.delete((*_VPN_IDS, (key,)))
        vrf = distinguishers[0] if distinguishers else key
        held = self._operational.read((*_INSTANCE_DATA, (vrf,)))
        if held and held.get("rd", ()) == distinguishers:  # of one whose RDs had changed, they are left
            self._operational.delete((*_INSTANCE_DATA, (vrf,)))

    def _vpn_interface(self, key: str, old: Entry | None, _: Entry | None) -> None:
        for vpn in _vpns_of(old or {}):
            self._operational.delete((*_INTERFACE_DATA, (key, vpn)))
        self._show(key)

    def _show(self, name: str) -> None:
        """The operational data that need a switch."""
        held = self._config.read((*_INTERFACES, (name,)))
        up = bool(held) and name in self.plugged
        if up:
            state = {"name": name, "type": held["type"], "admin-status": "up", "oper-status": "up"}
            self._operational.write((*_STATES, (name,)), state)
        else:
            self._operational.delete((*_STATES, (name,)))
        interface = self._config.read((*self._vpn_interfaces, (name,))) or {}
        for vpn in _vpns_of(interface):
            path: Path = (*_INTERFACE_DATA, (name, vpn))
            if up and self._config.read((*self._instances, (vpn,))):
                shown = {"name": name, "vpn-instance-name": vpn, "dpn-id": 1, "lport-tag": 1}
                self._operational.write(path, {**shown, "adjacency": interface.get("adjacency", {})})
            else:
                self._operational.delete(path)

    # -- making entries ------------------------------------------------------------------------------

    def _instance_of(self, key: str, bgpvpn: Entry) -> Entry:
        targets = _targets(bgpvpn)
        folded = {"vpnTargets": {"vpnTarget": targets}} if targets else {}
        distinguishers = tuple(bgpvpn["route-distinguishers"])
        if self._release.dialect == "A":
            return {
                "vpn-instance-name": key,
                "ipv4-family": {"route-distinguisher": distinguishers[0], **folded},
            }
        if self._release.dialect == "E":
            return {
                "vpn-instance-name": key,
                "route-distinguisher": distinguishers,
                **folded,
                "bgpvpn-type": "BGPVPN",
                "ip-address-family-configured": "ipv4",
            }
        return {
            "vpn-instance-name": key,
            "type": "l3",
            "l3vni": 0,
            "ipv4-family": {"route-distinguisher": distinguishers, **folded},
        }

    def _vpn_interface_of(self, key: str, port: Entry, vpn: str) -> Entry:
        adjacency = dict(self._adjacency_of(port, address) for address in port.get("fixed-ips", {}).values())
        made = {"name": key, "adjacency": adjacency}
        if self._release.dialect in {"A", "B1", "B2"}:
            return {**made, "vpn-instance-name": vpn}
        names = {(vpn,): {"vpn-name": vpn, "associated-subnet-type": "V4AndV6Subnets"}}
        network = self._neutron("networks", "network", port["network-id"]) or {}
        return {**made, "vpn-instance-names": names, "router-interface": False, **_network_attributes(network)}

    def _adjacency_of(self, port: Entry, address: Entry) -> tuple[tuple[str], Entry]:
        ip = address["ip-address"]
        prefix = f"{ip}/{128 if ':' in ip else 32}"
        older = self._release.dialect in {"A", "B1"}
        primary = {"primary-adjacency": True} if older else {"adjacency_type": "primary-adjacency"}
        mac = {"mac_address": port["mac-address"]} if "mac-address" in port else {}
        return (prefix,), {"ip_address": prefix, **mac, "subnet_id": address["subnet-id"], **primary}

    # -- reading ---------------------------------------------------------------------------------------

    def _held(self, path: Path) -> Mapping[Any, Any]:
        return self._config.read(path) or {}

    def _neutron(self, container: str, name: str, key: str) -> Any:
        return self._config.read((_NEUTRON, container, name, (key,)))


def _differences(before: Tree, after: Tree) -> Iterator[tuple[str, Entry | None, Entry | None]]:
    if before is after:
        return
    for keys in [*(keys for keys in before if keys not in after), *after]:
        old, new = before.get(keys), after.get(keys)
        if old is not new and old != new:
            yield "/".join(keys), old, new


def _range(subnet: Entry) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    with suppress(ValueError):  # the model takes any string
        return ipaddress.ip_network(subnet.get("cidr", ""), strict=False)
    return None


def _has_type(network: Entry) -> bool:
    return "network-type" in network or bool(network.get("segments"))


def _kind(network: Entry) -> str:
    """`vxlan`, `vlan`, `gre` or `flat`."""
    return str(network.get("network-type", "")).rpartition("-")[2]


def _segment(network: Entry) -> Entry:
    number = network.get("segmentation-id", "")
    return {"segmentation-id": int(number)} if number.isdigit() else {}


def _elan_of(key: str, network: Entry, tag: int) -> Entry:
    fixed = {"elan-instance-name": key, "elan-tag": tag, "mac-timeout": 300, "external": False}
    return {**fixed, "segment-type": f"elan:segment-type-{_kind(network)}", **_segment(network)}


def _elan_interface_of(key: str, port: Entry) -> Entry:
    mac = port.get("mac-address", "")
    entries = {
        (mac, address["ip-address"]): {"mac-address": mac, "ip-prefix": address["ip-address"]}
        for address in port.get("fixed-ips", {}).values()
    }
    return {"name": key, "elan-instance-name": port["network-id"], "static-mac-entries": entries}


def _network_attributes(network: Entry) -> Entry:
    known = {"network-id": network["uuid"]} if "uuid" in network else {}
    return {**known, "network-type": _kind(network).upper(), **_segment(network)}


def _is_on(vpn_map: Entry, port: Entry) -> bool:
    return port.get("network-id") in vpn_map.get("network_ids", ())


def _vpns_of(interface: Entry) -> list[str]:
    if "vpn-instance-name" in interface:
        return [interface["vpn-instance-name"]]
    return [vpn for (vpn,) in interface.get("vpn-instance-names", {})]


def _families(instance: Entry) -> list[Entry]:
    named = [instance[name] for name in ("ipv4-family", "ipv6-family") if name in instance]
    return named or [instance]


def _distinguishers(instance: Entry) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for family in _families(instance):
        value = family.get("route-distinguisher", ())
        found |= dict.fromkeys((value,) if isinstance(value, str) else value)
    return tuple(found)


def _with_distinguishers(instance: Entry, distinguishers: tuple[str, ...]) -> Entry:
    name = "ipv4-family" if "ipv4-family" in instance else "ipv6-family"
    holder = instance.get(name, instance)
    added = tuple(dict.fromkeys((*holder.get("route-distinguisher", ()), *distinguishers)))
    extended = {**holder, "route-distinguisher": added}
    # The family is built again, its defaults spelled out.
    defaults = {"vpn-frr": False, "traffic-statistics": False}
    return {**instance, name: {**extended, **defaults}} if name in instance else extended


def _vpn_targets(instance: Entry) -> Entry:
    found: dict[Any, Any] = {}
    for family in _families(instance):
        found |= family.get("vpnTargets", {}).get("vpnTarget", {})
    return {"vpnTarget": found} if found else {}


def _targets(bgpvpn: Entry) -> dict[tuple[str], Entry]:
    """A target that is both imported and exported is `both`: an entry's key is its value."""
    common = bgpvpn.get("route-targets", ())
    imported = {*common, *bgpvpn.get("import-targets", ())}
    exported = {*common, *bgpvpn.get("export-targets", ())}
    types = {
        target: "both"
        if target in exported & imported
        else f"{'import' if target in imported else 'export'}_extcommunity"
        for target in sorted(imported | exported)
    }
    return {(target,): {"vrfRTValue": target, "vrfRTType": kind} for target, kind in types.items()}
