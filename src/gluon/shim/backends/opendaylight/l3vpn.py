"""Mode l3vpn: vpn-instances and vpn-interfaces are written."""

from __future__ import annotations

from collections.abc import Sequence

from gluon.shim.backends.opendaylight import dialects, networks
from gluon.shim.backends.opendaylight.errors import NotSettled
from gluon.shim.backends.opendaylight.resources import Body, differs
from gluon.shim.backends.opendaylight.vpns import Vpns
from gluon.shim.backends.opendaylight.wanted import Member, Vpn


class L3vpn(Vpns):
    """Writes them itself.  Route targets of IPv4 and IPv6 may differ, but for Aluminium."""

    async def _held_vpn(self, vpn: Vpn) -> Body | None:
        await self._writing.ensure(networks.vpn_note(vpn))
        return await self._restconf.get(dialects.instance_path(self._dialect, vpn.key))

    def _is_otherwise(self, held: Body | None, vpn: Vpn) -> bool:
        return differs(held, dialects.instance(self._dialect, vpn.instance))

    async def _strangers(self, vpn: Vpn, members: Sequence[Member]) -> list[Body]:
        """vpn-interfaces that somebody else has put into the VPN."""
        own = {each.plug for each in members}
        held = await self._interfaces_of(vpn.key)
        marked = {
            port["uuid"] for port in await self._restconf.entries(networks.PORTS) if networks.member_of_port(port)
        }
        return [each for each in held if each["name"] not in own | marked]

    async def _take_down(self, key: str, held: Body) -> None:
        for each in await self._interfaces_of(key):
            await self._restconf.delete(dialects.interface_path(self._dialect, each["name"]))
        await self._restconf.delete(dialects.instance_path(self._dialect, key))
        await self._data_has_gone(key)

    async def _put_vpn(self, vpn: Vpn, before: Body | None) -> None:
        await self._restconf.put(dialects.instance(self._dialect, vpn.instance))

    async def _settled_in(self, vpn: Vpn) -> None:
        """Its members say themselves that they are in it."""

    async def _await_vpn(self, vpn: Vpn) -> None:
        await self._await_data(vpn)

    async def _join_again(self, vpn: Vpn, members: Sequence[Member]) -> list[Member]:
        held = {each["name"]: each for each in await self._interfaces_of(vpn.key)} if members else {}
        for member in members:
            if member.vpn_interface:
                wanted = dialects.interface(self._dialect, member.vpn_interface)
                if differs(held.get(member.plug), wanted):
                    await self._restconf.put(wanted)
        return []

    async def _remove_vpn(self, key: str) -> None:
        path = dialects.instance_path(self._dialect, key)
        held = await self._restconf.get(path)
        note = await self._restconf.get(networks.network_path(key))
        if held is not None and (note is None or networks.vpn_of_note(note) == key):
            await self._restconf.delete(path)
        if note is not None and networks.vpn_of_note(note) == key:
            await self._restconf.delete(networks.network_path(key))

    async def _interfaces_of(self, vpn: str) -> list[Body]:
        held = await self._restconf.entries(dialects.interfaces(self._dialect))
        return [each for each in held if vpn in dialects.vpns_of(each)]

    # -- members -----------------------------------------------------------------------------------

    async def _join_network(self, member: Member, *, has_new_subnet: bool) -> None:
        """A network is in no VPN of its own."""

    async def _leave_network(self, vpn: str, network: str) -> None:
        """A network is in no VPN of its own."""

    async def _attach(self, member: Member, *, is_new: bool) -> None:
        if member.vpn_interface is None:
            await self._detach(member.plug)
            return
        if not await self._writing.interfaces.has_come(member.plug):
            raise NotSettled(f"netvirt has made no interface of port {member.plug} on network {member.network}")
        wanted = dialects.interface(self._dialect, member.vpn_interface)
        if is_new:
            await self._restconf.put(wanted)
        else:
            await self._writing.ensure(wanted)

    async def _detach(self, plug: str) -> None:
        await self._restconf.delete(dialects.interface_path(self._dialect, plug))

    async def _detached(self, plug: str) -> None:
        """The vpn-interface is gone at once."""

    # -- VLANs -------------------------------------------------------------------------------------

    async def _join_trunk(self, member: Member) -> None:
        """The interface alone makes the VLAN."""

    async def _leave_trunk(self, plug: str, port: str) -> None:
        """The interface alone makes the VLAN."""
