"""Reads what is held, writes what differs, removes what nothing uses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from gluon.shim.backend import RetryLater
from gluon.shim.backends.opendaylight import dialects, names, networks
from gluon.shim.backends.opendaylight.discovery import Speech
from gluon.shim.backends.opendaylight.options import Settings
from gluon.shim.backends.opendaylight.paths import Store
from gluon.shim.backends.opendaylight.resources import Body, Resource, differs
from gluon.shim.backends.opendaylight.restconf import Restconf
from gluon.shim.backends.opendaylight.settling import Settling
from gluon.shim.backends.opendaylight.turns import Together, Turns
from gluon.shim.backends.opendaylight.wanted import Member

_VNIS = "vnis"


class Writing:
    """What both modes write alike.

    Args:
        restconf: makes the requests.
        speech: how OpenDaylight is spoken to.
        settings: the options.
        turns: who may work on a VPN or a port.
    """

    def __init__(self, restconf: Restconf, speech: Speech, settings: Settings, turns: Turns) -> None:
        self.restconf, self.speech, self.settings, self.turns = restconf, speech, settings, turns
        timeout = settings.settle_timeout
        self.interfaces = Settling(restconf, networks.INTERFACES, "interface", "name", timeout)
        vpn_interfaces = dialects.interfaces(speech.dialect)
        self.vpn_interfaces = Settling(restconf, vpn_interfaces, "vpn-interface", "name", timeout)
        vpn_instances = dialects.instances(speech.dialect)
        self.vpn_instances = Settling(restconf, vpn_instances, "vpn-instance", "vpn-instance-name", timeout)
        # their key is one of the vpn-instance's route distinguishers, and not always the first (Neon)
        data, entry, name = dialects.INSTANCE_DATA, "vpn-instance-op-data-entry", "vpn-instance-name"
        self.instance_data = Settling(restconf, data, entry, name, timeout, Store.OPERATIONAL, is_key=False)
        self.together = Together(turns)

    async def stop(self) -> None:
        """Ends what is under way on its own."""
        waits = (self.interfaces, self.vpn_interfaces, self.vpn_instances, self.instance_data)
        await asyncio.gather(*(wait.stop() for wait in waits), self.together.stop())

    async def ensure(self, wanted: Resource) -> bool:
        """Writes it if it differs from what is held; says whether it did."""
        if not differs(await self.restconf.get(wanted.path), wanted):
            return False
        await self.restconf.put(wanted)
        return True

    # -- the ground that a member stands on --------------------------------------------------------

    async def has_subnet(self, member: Member) -> bool:
        """Whether the subnet of a member is held as wanted."""
        subnet = networks.subnet(member)
        return subnet is not None and not differs(await self.restconf.get(subnet.path), subnet)

    async def ensure_subnet(self, member: Member) -> bool:
        """The subnet of a member is there, if it has one; says whether it is new."""
        subnet = networks.subnet(member)
        if subnet is None:
            return False
        held = await self.restconf.get(subnet.path)
        if differs(held, subnet):
            await self.restconf.put(subnet)
        return held is None

    async def ensure_network(self, member: Member) -> None:
        """The network of a member is there, with a VXLAN identifier of its own."""
        wanted = networks.network(member)
        held = await self.restconf.get(wanted.path)
        if differs(held, wanted) or networks.vni_of(held or {}) is None:
            async with self.turns.alone(_VNIS):  # two networks must not take the same one
                await self._make_network(member, await self.restconf.entries(networks.NETWORKS))

    async def _make_network(self, member: Member, held: Sequence[Body]) -> None:
        others = {networks.vni_of(each) for each in held if each.get("uuid") != member.network}
        own = next((networks.vni_of(each) for each in held if each.get("uuid") == member.network), None)
        taken = {each for each in others if each is not None}
        vni = own if own is not None and own not in taken else names.vni(member.network, self.settings.vnis, taken)
        if vni is None:
            raise RetryLater(f"all of vni_range is taken: {len(self.settings.vnis)} networks", 10.0)
        await self.restconf.put(networks.network(member, vni))

    # -- what nothing uses -------------------------------------------------------------------------

    async def sweep(self, vpn: str, leave: Callable[[str], Awaitable[None]]) -> None:
        """Removes a VPN's subnets and networks that no port uses, counted from what is held.

        Args:
            vpn: the VpnService's key.
            leave: takes a network out of the VPN.
        """
        await self.together.do(f"sweep of {vpn}", vpn, lambda: self.sweep_alone(vpn, leave))

    async def sweep_alone(self, vpn: str, leave: Callable[[str], Awaitable[None]]) -> None:
        """The same, for whoever is alone with the VPN already."""
        held = await self.restconf.entries(networks.NETWORKS)
        own = {str(each["uuid"]) for each in held if networks.vpn_of_network(each) == vpn}
        ports = [each for each in await self.restconf.entries(networks.PORTS) if each.get("network-id") in own]
        used = {subnet for port in ports for subnet in networks.subnets_of(port)}
        for each in await self.restconf.entries(networks.SUBNETS):
            if networks.vpn_of_subnet(each) == vpn and each["uuid"] not in used:
                await self.restconf.delete(networks.subnet_path(each["uuid"]))
        for network in sorted(own - {port["network-id"] for port in ports}):
            await leave(network)
            await self.restconf.delete(networks.network_path(network))
