"""VPNs and their members: what is done in both modes, in which order, and who may do it when.

A VPN is worked on by one call alone, or by many members that come and go together; a port by one.
Order: network, subnet, port, interface, and last what makes it a member; taken away in reverse.
"""

from __future__ import annotations

import abc
import asyncio
import logging
from collections.abc import Sequence

from gluon.shim.backends.opendaylight import dialects, networks, resources
from gluon.shim.backends.opendaylight.errors import NotSettled
from gluon.shim.backends.opendaylight.resources import Body
from gluon.shim.backends.opendaylight.wanted import Member, Vpn
from gluon.shim.backends.opendaylight.writing import Writing

log = logging.getLogger(__name__)


class Vpns(abc.ABC):
    """Writes VPNs and their members.

    Args:
        writing: reads and writes.
    """

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._restconf = writing.restconf
        self._dialect = writing.speech.dialect
        self._turns = writing.turns

    # -- VPNs --------------------------------------------------------------------------------------

    async def modify_vpn(self, vpn: Vpn, members: Sequence[Member]) -> None:
        """The VPN is there as wanted, and whoever was a member is one again.

        Args:
            vpn: the VPN.
            members: who shall be one; only those whose port is held already are.
        """
        async with self._turns.alone(vpn.key):
            held = await self._held_vpn(vpn)
            if self._is_otherwise(held, vpn) or not await self._has_settled(vpn):
                await self._make_vpn(vpn, held, members)
            lost = await self._join_again(vpn, await self._present(members))
            await self._writing.sweep_alone(vpn.key, lambda network: self._leave_network(vpn.key, network))
        await asyncio.gather(*map(self.join, lost))

    async def _has_settled(self, vpn: Vpn) -> bool:
        """Whether netvirt has made something of a VPN that is there; else it has lost it, and is told again."""
        try:
            await self._await_vpn(vpn)
        except NotSettled as error:
            log.warning("%s: it is made again", error)
            return False
        return True

    async def _make_vpn(self, vpn: Vpn, held: Body | None, members: Sequence[Member]) -> None:
        """Deleted first if it is there: netvirt ignores targets that change on a live one (seen in packets, Neon)."""
        strangers = await self._strangers(vpn, members) if held else []
        if held:
            await self._take_down(vpn.key, held)
        await self._check_distinguishers(vpn)
        await self._put_vpn(vpn, held)
        await self._await_vpn(vpn)
        await self._settled_in(vpn)
        for stranger in strangers:
            path = dialects.interface_path(self._dialect, stranger["name"])
            await self._restconf.put(resources.Resource(path, stranger))

    async def delete_vpn(self, key: str) -> None:
        """The VPN is gone, with its networks."""
        async with self._turns.alone(key):
            await self._remove_vpn(key)
            await self._writing.sweep_alone(key, lambda network: self._leave_network(key, network))

    async def _present(self, members: Sequence[Member]) -> list[Member]:
        """The members whose ports are held, each on the network of this VPN."""
        if not members:
            return []
        held = {port["uuid"]: port for port in await self._restconf.entries(networks.PORTS)}
        return [
            each for each in members if each.vpn_interface and held.get(each.plug, {}).get("network-id") == each.network
        ]

    async def _check_distinguishers(self, vpn: Vpn) -> None:
        """Refuses a second VPN of one route distinguisher: netvirt takes it, and deleting it harms the first (Neon)."""
        wanted = set(vpn.instance.distinguishers)
        for each in await self._restconf.entries(dialects.instances(self._dialect)):
            taken = wanted & set(dialects.distinguishers_of(each))
            if taken and each.get("vpn-instance-name") != vpn.key:
                raise NotSettled(
                    f"route distinguisher {min(taken)} is that of another VPN in OpenDaylight, "
                    f"{each.get('vpn-instance-name')}"
                )

    async def _await_data(self, vpn: Vpn) -> None:
        if not await self._writing.instance_data.has_come(vpn.key):
            first, *_ = vpn.instance.distinguishers
            raise NotSettled(f"netvirt has made nothing of vpn-instance {vpn.key} with route distinguisher {first}")

    async def _data_has_gone(self, key: str) -> None:
        """Waits for the end of a vpn-instance; what netvirt forgets to remove is not waited for any longer."""
        if not await self._writing.instance_data.has_gone(key):
            log.warning("netvirt has left operational data of vpn-instance %s behind", key)

    @abc.abstractmethod
    async def _held_vpn(self, vpn: Vpn) -> Body | None: ...

    @abc.abstractmethod
    def _is_otherwise(self, held: Body | None, vpn: Vpn) -> bool: ...

    @abc.abstractmethod
    async def _strangers(self, vpn: Vpn, members: Sequence[Member]) -> list[Body]: ...

    @abc.abstractmethod
    async def _take_down(self, key: str, held: Body) -> None: ...

    @abc.abstractmethod
    async def _put_vpn(self, vpn: Vpn, before: Body | None) -> None: ...

    @abc.abstractmethod
    async def _settled_in(self, vpn: Vpn) -> None: ...

    @abc.abstractmethod
    async def _await_vpn(self, vpn: Vpn) -> None: ...

    @abc.abstractmethod
    async def _join_again(self, vpn: Vpn, members: Sequence[Member]) -> list[Member]: ...

    @abc.abstractmethod
    async def _remove_vpn(self, key: str) -> None: ...

    # -- members -----------------------------------------------------------------------------------

    async def join(self, member: Member) -> None:
        """The member is there as wanted, on the host of its port."""
        left: str | None = None
        async with self._turns.alone(member.port):
            held = await self._restconf.get(networks.port_path(member.plug))
            if held is not None and self._is_misplaced(held, member):
                left = await self._take_away(member.plug, held)
                held = None
            async with self._turns.shared(member.vpn):
                await self._join_surely(member, held)
        if held is not None and networks.subnets_of(held) - {member.subnet}:
            await self.sweep(member.vpn)
        if left:
            await self.sweep(left)

    async def _join_surely(self, member: Member, held: Body | None) -> None:
        """Writes it; a port of which netvirt makes nothing is made again.

        Such a port had come before its network, or somebody has deleted by hand what netvirt made of it.
        """
        try:
            await self._join(member, held)
        except NotSettled:
            if held is None:
                raise
            log.warning("netvirt has made nothing of port %s, which is there: it is made again", member.plug)
            await self._take_away(member.plug, held)
            await self._join_network_again(member)
            await self._join(member, None)

    async def _join_network_again(self, member: Member) -> None:
        async def again() -> None:
            await self._join_network(member, has_new_subnet=True)

        ground = f"ground of {member.network}"
        await self._writing.together.do(f"{member.network} joins again", ground, again)

    async def _join(self, member: Member, held: Body | None) -> None:
        """Writes it.

        Where the port is not there and its subnet is, that subnet's network is taken for granted: if
        somebody has deleted it by hand, no interface comes, and the next try looks at everything.
        """
        await self._ground(member, is_new=held is None)
        wanted = networks.port(member)
        if resources.differs(held, wanted):
            await self._restconf.put(wanted)
        if member.vlan is not None:
            await self._make_vlan(member)
        await self._attach(member, is_new=held is None)

    async def _ground(self, member: Member, *, is_new: bool) -> None:
        """Network, subnet, and the network's place in the VPN: looked at once for all that come together."""

        async def lay() -> None:
            if is_new and await self._writing.has_subnet(member):
                return
            await self._writing.ensure_network(member)
            await self._join_network(member, has_new_subnet=await self._writing.ensure_subnet(member))

        ground = f"{'new' if is_new else 'known'} ground in {member.network} {member.cidr} {member.gateway}"
        await self._writing.together.do(ground, f"ground of {member.network}", lay)

    async def _take_away(self, plug: str, held: Body) -> str | None:
        """Deletes a port that is to be made elsewhere; gives the VPN whose network it leaves."""
        network = await self._restconf.get(networks.network_path(str(held.get("network-id"))))
        await self._detach(plug)
        await self._restconf.delete(networks.port_path(plug))
        await self._detached(plug)
        if not await self._writing.interfaces.has_gone(plug):
            await self._restconf.delete(networks.interface_path(plug))  # one that netvirt has left behind
        return networks.vpn_of_network(network or {})

    def _is_misplaced(self, held: Body, member: Member) -> bool:
        """Whether it has to go first.

        No change of a port's network is followed by netvirt, nor is one that had no address when it came.
        """
        return held.get("network-id") != member.network or bool(networks.subnets_of(held)) != bool(member.subnet)

    async def rehost(self, member: Member) -> None:
        """The port of a member is as the model has it, if it is there: its host, its device."""
        async with self._turns.alone(member.port):
            held = await self._restconf.get(networks.port_path(member.plug))
            wanted = networks.port(member)
            is_there = held is not None and networks.member_of_port(held) == member.key
            if held and is_there and not self._is_misplaced(held, member) and resources.differs(held, wanted):
                await self._restconf.put(wanted)

    async def leave(self, key: str, vpn: str, plug: str | None, port: str | None) -> None:
        """The member is gone.

        Args:
            key: of the VpnBinding.
            vpn: of the VpnService.
            plug: uuid of its Neutron port; None: not known, it is looked for by its mark.
            port: the port's id, if it is known.
        """
        found = {plug} if plug else set()
        for each in [] if plug else await self._restconf.entries(networks.PORTS):
            if networks.member_of_port(each) == key:
                found.add(str(each["uuid"]))
        for each_plug in sorted(found):
            async with self._turns.alone(port or each_plug), self._turns.shared(vpn):
                await self._leave(key, each_plug)

    async def _leave(self, key: str, plug: str) -> None:
        held = await self._restconf.get(networks.port_path(plug))
        if held is not None and networks.member_of_port(held) != key:
            return  # another member has the port by now
        is_vlan = plug == key
        parent = await self._restconf.get(networks.interface_path(plug)) if is_vlan else None
        await self._detach(plug)
        if held is not None:
            await self._restconf.delete(networks.port_path(plug))
        await self._detached(plug)
        if is_vlan:
            await self._remove_vlan(plug, networks.parent_of(parent or {}))

    async def sweep(self, vpn: str) -> None:
        """Removes networks and subnets of a VPN that no port uses any more."""
        await self._writing.sweep(vpn, lambda network: self._leave_network(vpn, network))

    @abc.abstractmethod
    async def _join_network(self, member: Member, *, has_new_subnet: bool) -> None: ...

    @abc.abstractmethod
    async def _leave_network(self, vpn: str, network: str) -> None: ...

    @abc.abstractmethod
    async def _attach(self, member: Member, *, is_new: bool) -> None: ...

    @abc.abstractmethod
    async def _detach(self, plug: str) -> None: ...

    @abc.abstractmethod
    async def _detached(self, plug: str) -> None: ...

    # -- VLANs -------------------------------------------------------------------------------------

    async def _make_vlan(self, member: Member) -> None:
        """The interface of the member's VLAN over that of the port, which is made if the port has none."""
        if member.vpn_interface and not await self._writing.interfaces.has_come(member.plug):
            raise NotSettled(f"netvirt has made no interface of port {member.plug}")
        if await self._restconf.get(networks.interface_path(member.port)) is None:
            await self._restconf.put(networks.parent_interface(member.port))
        await self._join_trunk(member)
        await self._writing.ensure(networks.vlan_interface(member))

    async def _remove_vlan(self, plug: str, port: str | None) -> None:
        await self._restconf.delete(networks.interface_path(plug))
        if port is None:
            return
        await self._leave_trunk(plug, port)
        others = await self._restconf.entries(networks.INTERFACES)
        is_used = any(networks.parent_of(each) == port and each.get("name") != plug for each in others)
        if not is_used and await self._restconf.get(networks.port_path(port)) is None:
            await self._restconf.delete(networks.interface_path(port))

    async def carry_vlans(self, port: str, plugs: Sequence[str]) -> None:
        """The VLANs of a port whose own interface netvirt has removed have one to lie over again."""
        async with self._turns.alone(port):
            await self._writing.interfaces.has_gone(port)
            held = [await self._restconf.get(networks.port_path(plug)) for plug in plugs]
            if any(held) and await self._restconf.get(networks.interface_path(port)) is None:
                await self._restconf.put(networks.parent_interface(port))

    @abc.abstractmethod
    async def _join_trunk(self, member: Member) -> None: ...

    @abc.abstractmethod
    async def _leave_trunk(self, plug: str, port: str) -> None: ...
