"""Mode bgpvpn: BGPVPNs of Neutron are written, of which netvirt makes vpn-instances and vpn-interfaces."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from gluon.shim.backends.opendaylight import dialects, networks
from gluon.shim.backends.opendaylight.errors import NotSettled
from gluon.shim.backends.opendaylight.resources import Body, Resource, differs
from gluon.shim.backends.opendaylight.vpns import Vpns
from gluon.shim.backends.opendaylight.wanted import Member, Vpn


class Bgpvpn(Vpns):
    """Lets netvirt make them.  IPv4 and IPv6 have one set of route targets."""

    async def _held_vpn(self, vpn: Vpn) -> Body | None:
        return await self._restconf.get(networks.bgpvpn_path(vpn.key))

    def _is_otherwise(self, held: Body | None, vpn: Vpn) -> bool:
        return differs(held, networks.bgpvpn(vpn))

    async def _strangers(self, vpn: Vpn, members: Sequence[Member]) -> list[Body]:
        """None: netvirt makes all of them again."""
        return []

    async def _take_down(self, key: str, held: Body) -> None:
        await self._restconf.delete(networks.bgpvpn_path(key))
        if not await self._writing.vpn_instances.has_gone(key):
            raise NotSettled(f"netvirt still has the vpn-instance of BGPVPN {key}")
        await self._data_has_gone(key)

    async def _put_vpn(self, vpn: Vpn, before: Body | None) -> None:
        """With the networks that somebody else has put into it; its own come when netvirt has made the VPN.

        A network that comes with the BGPVPN may come before its operational data, and then has no VPN:
        netvirt fails with a NullPointerException (Neon, on a busy machine).
        """
        wanted, listed = networks.bgpvpn(vpn), set((before or {}).get("networks", []))
        if listed:
            listed -= await self._own_networks(vpn.key)
            wanted = Resource(wanted.path, {**wanted.body, **({"networks": sorted(listed)} if listed else {})})
        await self._restconf.put(wanted)

    async def _settled_in(self, vpn: Vpn) -> None:
        """The VPN has its networks, by their marks."""
        own = await self._own_networks(vpn.key)
        if not self._writing.speech.has_associations:
            await self._change_networks(vpn.key, add=own)
            return
        for network in sorted(own):
            await self._writing.ensure(networks.association(vpn.key, network))

    async def _own_networks(self, vpn: str) -> set[str]:
        held = await self._restconf.entries(networks.NETWORKS)
        return {str(each["uuid"]) for each in held if networks.vpn_of_network(each) == vpn}

    async def _await_vpn(self, vpn: Vpn) -> None:
        if not await self._writing.vpn_instances.has_come(vpn.key):
            first, *_ = vpn.instance.distinguishers
            raise NotSettled(f"netvirt has made no vpn-instance of BGPVPN {vpn.key}: is {first} taken?")
        await self._await_data(vpn)

    async def _join_again(self, vpn: Vpn, members: Sequence[Member]) -> list[Member]:
        """Gives those that netvirt has lost: their ports are to be made again."""
        results = await asyncio.gather(*map(self._await_interface, members), return_exceptions=True)
        for each in results:
            if isinstance(each, BaseException) and not isinstance(each, NotSettled):
                raise each
        return [member for member, each in zip(members, results, strict=True) if each is not None]

    async def _remove_vpn(self, key: str) -> None:
        held = await self._restconf.get(networks.bgpvpn_path(key))
        if held is not None and networks.vpn_of_note(held) == key:
            await self._restconf.delete(networks.bgpvpn_path(key))
            await self._writing.vpn_instances.has_gone(key)

    # -- members -----------------------------------------------------------------------------------

    async def _join_network(self, member: Member, *, has_new_subnet: bool) -> None:
        """Netvirt takes the subnets that a network has when it joins, and none that come later (Neon)."""
        if has_new_subnet:
            await self._leave_network(member.vpn, member.network)
            await self._have_left(member.network)
        if self._writing.speech.has_associations:
            await self._writing.ensure(networks.association(member.vpn, member.network))
            return
        await self._change_networks(member.vpn, add={member.network})

    async def _have_left(self, network: str) -> None:
        """The ports of a network are in no VPN any more."""
        ports = [each["uuid"] for each in await self._restconf.entries(networks.PORTS) if each["network-id"] == network]
        await asyncio.gather(*map(self._writing.vpn_interfaces.has_gone, ports))

    async def _leave_network(self, vpn: str, network: str) -> None:
        if self._writing.speech.has_associations:
            await self._restconf.delete(networks.association_path(vpn, network))
            return
        await self._change_networks(vpn, remove={network})

    async def _change_networks(self, vpn: str, add: frozenset[str] | set[str] = frozenset(), remove: Any = ()) -> None:
        """The list of networks is a member of the BGPVPN: read, changed, and written by one at a time."""
        async with self._turns.alone(f"networks of {vpn}"):
            held = await self._restconf.get(networks.bgpvpn_path(vpn))
            if held is None:
                if add:
                    raise NotSettled(f"BGPVPN {vpn} is not there")
                return
            listed = set(held.get("networks", []))
            wanted = (listed | add) - set(remove)
            if wanted != listed:
                body = {name: value for name, value in held.items() if name != "networks"}
                body |= {"networks": sorted(wanted)} if wanted else {}
                await self._restconf.put(Resource(networks.bgpvpn_path(vpn), body))

    def _is_misplaced(self, held: Body, member: Member) -> bool:
        """A change of address as well: of a port on which it changes, netvirt may lose the vpn-interface (Neon)."""
        has_moved = networks.addresses_of(held) != ({member.address} if member.address else set())
        return has_moved or super()._is_misplaced(held, member)

    async def _attach(self, member: Member, *, is_new: bool) -> None:
        if member.vpn_interface is not None:
            await self._await_interface(member)

    async def _await_interface(self, member: Member) -> None:
        """Waits until netvirt has made the member's vpn-interface, with the address that it has now."""
        if not member.vpn_interface:
            return
        if not await self._writing.vpn_interfaces.has_come(member.plug):
            raise NotSettled(f"netvirt has made no vpn-interface of port {member.plug} in BGPVPN {member.vpn}")
        path = dialects.interface_path(self._dialect, member.plug)
        made = dialects.vpns_of(await self._restconf.get(path) or {})
        if member.vpn not in made:
            raise NotSettled(f"netvirt has port {member.plug} in {', '.join(made) or 'no VPN'}, not in {member.vpn}")

    async def _detach(self, plug: str) -> None:
        """Nothing to do: netvirt takes the vpn-interface away with the port."""

    async def _detached(self, plug: str) -> None:
        if not await self._writing.vpn_interfaces.has_gone(plug):
            await self._restconf.delete(dialects.interface_path(self._dialect, plug))  # one that it has left behind

    # -- VLANs -------------------------------------------------------------------------------------

    async def _join_trunk(self, member: Member) -> None:
        if not self._writing.speech.has_trunks:
            return
        held = await self._sub_ports(member.port)
        others = [each for each in held or [] if each.get("port-id") != member.plug]
        await self._writing.ensure(
            networks.trunk_with(member.port, member.tenant, [*others, networks.sub_port(member)])
        )

    async def _leave_trunk(self, plug: str, port: str) -> None:
        held = await self._restconf.get(networks.trunk_path(port)) if self._writing.speech.has_trunks else None
        if held is None:
            return
        others = [each for each in held.get("sub-ports", []) if each.get("port-id") != plug]
        if others:
            await self._restconf.put(networks.trunk_with(port, str(held["tenant-id"]), others))
        else:
            await self._restconf.delete(networks.trunk_path(port))

    async def _sub_ports(self, port: str) -> list[Body]:
        held = await self._restconf.get(networks.trunk_path(port))
        return list((held or {}).get("sub-ports", []))
