"""What the real OpenDaylight holds, read in the form in which the stand-in tells it, and changed by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import httpx

from gluon.testing.waiting import until
from standins.opendaylight import foreign

CONTAINERS = (
    "neutron:neutron",
    "l3vpn:vpn-instances",
    "l3vpn:vpn-interfaces",
    "ietf-interfaces:interfaces",
    "ebgp:bgp",
)
"""What is read: where the backend writes, and netvirt beside it."""

KEYS: Mapping[str, Sequence[str]] = {
    "adjacency": ("ip_address",),
    "elan-instance": ("elan-instance-name",),
    "fixed-ips": ("subnet-id", "ip-address"),
    "interface": ("name",),
    "neighbors": ("address",),
    "vpn-instance": ("vpn-instance-name",),
    "vpn-instance-names": ("vpn-name",),
    "vpn-interface": ("name",),
    "vpnTarget": ("vrfRTValue",),
    **dict.fromkeys(("bgpvpn", "network", "port", "security-group", "subnet", "trunk"), ("uuid",)),
}
"""The keys of lists."""

MADE: Mapping[str, Sequence[str]] = {
    "network": ("elan:elan-instances/elan-instance",),
    "port": ("ietf-interfaces:interfaces/interface",),
    "bgpvpn": ("l3vpn:vpn-instances/vpn-instance",),
}
"""What netvirt makes of an entry, by the same key."""

MARK = "gluon:"
TIMEOUT = 60.0
"""Seconds for one request, on a machine that has much else to do."""


class Real:
    """Asks over draft-02, beside everybody else.

    Args:
        url: OpenDaylight's.
        user: who asks.
        password: that user's.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self._http = httpx.Client(
            base_url=f"{url}/restconf", auth=(user, password), timeout=TIMEOUT, trust_env=False, verify=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._http.close()

    @property
    def port(self) -> int:
        """Where it serves."""
        return int(self.url.rpartition(":")[2])

    def settle(self) -> None:
        """netvirt does not tell when it has followed: who looks has to look again."""

    def read(self, path: str, store: str = "config") -> Any:
        """A container or an entry, canonical; None: it is absent."""
        answer = self._http.get(f"/{store}/{path}", headers={"Accept": "application/json"})
        if answer.status_code == 404:
            return None
        content = next(iter(answer.raise_for_status().json().values()))
        return canonical(content[0] if isinstance(content, list) else content)

    def config(self, *, foreign_too: bool = True) -> dict[str, Any]:
        """All that is read."""
        held = {name: content for name in CONTAINERS if (content := self.read(name)) is not None}
        return held if foreign_too else dict(foreign.without(held))

    def put(self, path: str, name: str, entry: Mapping[str, Any]) -> None:
        """Writes an entry of a list by hand."""
        self._http.put(f"/config/{path}", json={name: [entry]}).raise_for_status()

    def change(self, path: str, name: str, **changed: Any) -> None:
        """Changes members of an entry by hand; a `__` stands for the prefix's colon, a `_` for a hyphen."""
        answer = self._http.get(f"/config/{path}", headers={"Accept": "application/json"})
        [entry] = next(iter(answer.raise_for_status().json().values()))
        given = {member.replace("__", ":").replace("_", "-"): value for member, value in changed.items()}
        self.put(path, name, {**entry, **given})

    def delete(self, path: str) -> None:
        """Deletes by hand what must be there."""
        self._http.delete(f"/config/{path}").raise_for_status()

    # -- what others have --------------------------------------------------------------------------

    def add_foreign(self) -> None:
        """Puts in what others have, where it is not; netvirt is given time, since it drops what comes too early."""
        for containers, name, entry in foreign.foreign_bodies("C", "l3vpn", associations=False):
            [key] = KEYS[name]
            module = containers[0].partition(":")[0]
            path = "/".join((*containers, name, str(entry[key])))
            if self.read(path) is None:
                # a BGPVPN of theirs has no networks: netvirt now and then makes nothing of those that come with it
                alone = {member: value for member, value in entry.items() if member != "networks"}
                self.put(path, f"{module}:{name}", alone)
                for made in MADE.get(name, ()):
                    self.has(f"{made}/{entry[key]}")

    def has(self, path: str) -> None:
        """Waits until it is there."""
        until(lambda: self.read(path), f"netvirt has made {path}", TIMEOUT)

    def foreign(self) -> dict[str, Any]:
        """What others have."""
        return foreign.only(self.config())

    # -- what is ours ------------------------------------------------------------------------------

    def ours(self) -> list[str]:
        """Everything that is not of others, but for the shim's note and OpenDaylight's own AS number."""
        config = self.config(foreign_too=False)
        neutron = config.pop("neutron:neutron", {})
        bgp = config.pop("ebgp:bgp", {})
        lists = {name: entries for container in neutron.values() for name, entries in container.items()}
        left = [f"{name} {key}" for name, entries in lists.items() for key in entries if isinstance(entries, dict)]
        left += [f"{name} {key}" for name, within in config.items() for entries in within.values() for key in entries]
        notes = {
            key for key, each in lists.get("network", {}).items() if each.get("name", "").startswith("gluon:shim ")
        }
        left += [f"neighbor {key}" for key in bgp.get("neighbors", {})]
        return [each for each in left if each.partition(" ")[2] not in notes]

    @property
    def tunnels(self) -> set[str]:
        """The far ends of DataplaneTunnels, by their notes: without a switch nothing else shows them."""
        networks = (self.read("neutron:neutron/networks") or {}).get("network", {}).values()
        words = [str(each.get("name", "")).split(" ") for each in networks]
        return {each[3] for each in words if each[0] == f"{MARK}DataplaneTunnel"}


def canonical(value: Any) -> Any:
    """Without prefixes of members, entries by their keys, leaf-lists sorted."""
    if not isinstance(value, Mapping):
        return sorted(value) if isinstance(value, list) and all(isinstance(each, str) for each in value) else value
    return {(local := name.rpartition(":")[2]): _member(local, item) for name, item in value.items()}


def _member(name: str, value: Any) -> Any:
    if name in KEYS and isinstance(value, list):
        return {"/".join(str(each[key]) for key in KEYS[name]): canonical(each) for each in value}
    return canonical(value)
