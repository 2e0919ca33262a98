"""BGP sessions and data-plane tunnels.

OpenDaylight has no place for a mark at either, and nothing that would tell them from those of others,
so each has a note: a network that netvirt leaves alone (`networks.note`).
"""

from __future__ import annotations

import ipaddress
from typing import Any

from msgspec import Struct

from gluon.shim.backend import Object, RetryLater
from gluon.shim.backends.opendaylight import names, networks
from gluon.shim.backends.opendaylight.names import Mark
from gluon.shim.backends.opendaylight.options import Dialect
from gluon.shim.backends.opendaylight.paths import Path
from gluon.shim.backends.opendaylight.resources import Body, Resource, differs
from gluon.shim.backends.opendaylight.writing import Writing

PEERING, TUNNEL = "BGPPeering", "DataplaneTunnel"

BGP = Path.of("ebgp:bgp")
_AS = BGP.to("as-id")
_CONTAINER = "neighborsContainer"
_BGP_TURN, _TUNNEL_TURN = "bgp", "tunnels"
_OTHER_AS_DELAY = 10.0


class Peering(Struct, frozen=True):
    """A BGPPeering."""

    local_as: int
    local: str
    peer_as: int
    peer: str

    @property
    def details(self) -> tuple[str, ...]:
        """As its note has them."""
        return (str(self.local_as), self.local, str(self.peer_as), self.peer)


class Tunnel(Struct, frozen=True):
    """A DataplaneTunnel."""

    local: str
    remote: str
    type: str

    @property
    def details(self) -> tuple[str, ...]:
        """As its note has them."""
        return (self.local, self.remote, self.type)


def peering_of(obj: Object) -> Peering:
    """A BGPPeering of the model."""
    peer_as = obj["peer_as_number"] or obj["as_number"]
    return Peering(
        int(str(obj["as_number"])), str(obj["local_ip_address"]), int(str(peer_as)), str(obj["peer_ip_address"])
    )


def tunnel_of(obj: Object, kind: str) -> Tunnel:
    """A DataplaneTunnel of the model."""
    return Tunnel(str(obj["local_tunnel_endpoint"]), str(obj["remote_tunnel_endpoint"]), kind)


def peering_in(mark: Mark) -> Peering | None:
    """What a note tells of."""
    match mark.more:
        case (local_as, local, peer_as, peer) if local_as.isdecimal() and peer_as.isdecimal():
            return Peering(int(local_as), local, int(peer_as), peer)
    return None


def tunnel_in(mark: Mark) -> Tunnel | None:
    """What a note tells of."""
    return Tunnel(*mark.more) if len(mark.more) == len(Tunnel.__struct_fields__) else None


def neighbors(dialect: Dialect) -> Path:
    """The parent of the list of neighbors."""
    return BGP.to(_CONTAINER) if dialect in (Dialect.D, Dialect.E) else BGP


def neighbor(dialect: Dialect, peering: Peering) -> Resource:
    """The neighbor of a session."""
    path = neighbors(dialect).to("neighbors", peering.peer)
    return Resource(path, {"address": peering.peer, "remote-as": peering.peer_as})


def own_as(peering: Peering) -> Resource:
    """Whom OpenDaylight's BGP speaks for: one AS for all its sessions."""
    body: dict[str, Any] = {"local-as": peering.local_as}
    if ipaddress.ip_address(peering.local).version == 4:  # noqa: PLR2004
        body["router-id"] = peering.local
    return Resource(_AS, body)


def neighbors_in(bgp: Body) -> dict[str, Body]:
    """The neighbors in the container of BGP, by address, in any dialect."""
    listed = bgp.get("neighbors") or (bgp.get(_CONTAINER) or {}).get("neighbors") or []
    return {str(each["address"]): each for each in listed}


class Peerings:
    """Writes BGP sessions and tunnels, one at a time.

    Args:
        writing: reads and writes.
    """

    def __init__(self, writing: Writing) -> None:
        self._writing, self._restconf = writing, writing.restconf
        self._dialect = writing.speech.dialect

    async def modify_peering(self, key: str, tenant: str, wanted: Peering) -> None:
        """The session is configured."""
        async with self._writing.turns.alone(_BGP_TURN):
            before = peering_in(await self._note(key) or Mark("", ""))
            if before and before.peer != wanted.peer:
                await self._remove_neighbor(key, before)
            mark = Mark(PEERING, key, wanted.details)
            await self._writing.ensure(networks.note(mark, key, names.tenant(tenant)))
            await self._speak_for(wanted)
            await self._writing.ensure(neighbor(self._dialect, wanted))

    async def delete_peering(self, key: str) -> None:
        """The session is configured no more."""
        async with self._writing.turns.alone(_BGP_TURN):
            mark = await self._note(key)
            before = peering_in(mark) if mark else None
            if before:
                await self._remove_neighbor(key, before)
                bgp = await self._restconf.get(BGP) or {}
                if not neighbors_in(bgp) and not differs(bgp.get("as-id"), own_as(before)):
                    await self._restconf.delete(_AS)
            if mark:
                await self._restconf.delete(networks.network_path(key))

    async def _speak_for(self, wanted: Peering) -> None:
        """Sets OpenDaylight's own AS, unless other sessions rely on it."""
        bgp = await self._restconf.get(BGP) or {}
        held, asked = bgp.get("as-id"), own_as(wanted)
        if not differs(held, asked):
            return
        others = neighbors_in(bgp).keys() - {wanted.peer}
        if held and others:
            if held.get("local-as") != wanted.local_as:
                raise RetryLater(
                    f"OpenDaylight has one AS number for all BGP sessions, and that is {held.get('local-as')}, "
                    f"not {wanted.local_as}",
                    _OTHER_AS_DELAY,
                )
            return
        await self._restconf.put(asked)

    async def _remove_neighbor(self, key: str, before: Peering) -> None:
        noted = [peering_in(mark) for mark in await self._notes(PEERING, key)]
        if before.peer not in {each.peer for each in noted if each}:
            await self._restconf.delete(neighbor(self._dialect, before).path)

    # -- tunnels -----------------------------------------------------------------------------------

    async def modify_tunnel(self, key: str, tenant: str, wanted: Tunnel) -> None:
        """Each switch has a tunnel to the far end.  netvirt chooses the near end itself."""
        async with self._writing.turns.alone(_TUNNEL_TURN):
            before = tunnel_in(await self._note(key) or Mark("", ""))
            if before and (before.remote, before.type) != (wanted.remote, wanted.type):
                await self._remove_tunnel(key, before)
            mark = Mark(TUNNEL, key, wanted.details)
            await self._writing.ensure(networks.note(mark, key, names.tenant(tenant)))
            await self._restconf.call("itm-rpc:add-external-tunnel-endpoint", _endpoint(wanted))

    async def delete_tunnel(self, key: str) -> None:
        """The tunnels are gone."""
        async with self._writing.turns.alone(_TUNNEL_TURN):
            mark = await self._note(key)
            before = tunnel_in(mark) if mark else None
            if before:
                await self._remove_tunnel(key, before)
            if mark:
                await self._restconf.delete(networks.network_path(key))

    async def _remove_tunnel(self, key: str, before: Tunnel) -> None:
        noted = [tunnel_in(mark) for mark in await self._notes(TUNNEL, key)]
        if (before.remote, before.type) not in {(each.remote, each.type) for each in noted if each}:
            await self._restconf.call("itm-rpc:remove-external-tunnel-endpoint", _endpoint(before))

    # -- notes -------------------------------------------------------------------------------------

    async def _note(self, key: str) -> Mark | None:
        held = await self._restconf.get(networks.network_path(key))
        mark = names.mark_of((held or {}).get("name"))
        return mark if mark and mark.key == key and mark.kind in (PEERING, TUNNEL) else None

    async def _notes(self, kind: str, but: str) -> list[Mark]:
        """The other notes of a kind."""
        marks = [names.mark_of(each.get("name")) for each in await self._restconf.entries(networks.NETWORKS)]
        return [mark for mark in marks if mark and mark.kind == kind and mark.key != but]


def _endpoint(tunnel: Tunnel) -> dict[str, str]:
    return {"destination-ip": tunnel.remote, "tunnel-type": f"odl-interface:tunnel-type-{tunnel.type}"}
