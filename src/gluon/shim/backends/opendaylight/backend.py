"""The callbacks: what of the model goes where in OpenDaylight."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from gluon.shim.backend import Backend, Binding, Context, Held, Model, Object, Refused, RetryLater
from gluon.shim.backends.opendaylight import holding, names, networks, options, peering, wanted
from gluon.shim.backends.opendaylight.errors import ModelsMissing, NotPermitted, Unreachable
from gluon.shim.backends.opendaylight.session import Session
from gluon.shim.backends.opendaylight.watching import Watching

log = logging.getLogger(__name__)

_NORMAL = "normal"
_LOOK_AGAIN = 1.0
"""Seconds after which an OpenDaylight that lacks its models at start is asked again: it may be starting."""


class OpenDaylightBackend(Backend):
    """Drives OpenDaylight with netvirt (Boron to Aluminium) for net-l3vpn.

    A port is written with the first VPN that it takes part in: what it has to be plugged, it is told by
    `bind_port` alone.  Interfaces and VpnAfConfigs are parts of what names them.
    """

    options: ClassVar[Mapping[str, Sequence[Any]]] = {options.SECTION: options.OPTIONS}
    listed_types: ClassVar[frozenset[str] | None] = holding.TYPES

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings, self._password = options.read(context.conf)
        self._session: Session
        self._watch: asyncio.Task[None]

    async def start(self) -> None:
        """Finds OpenDaylight out, if it is there.

        Raises:
            ModelsMissing: it is, and has no netvirt.
        """
        self._session = Session(self._settings, self._password)
        try:
            await self._find()
        except (Unreachable, NotPermitted) as error:
            log.warning("%s", error)
        except BaseException:
            await self._session.close()
            raise
        watching = Watching(self._session, self.context, self._settings.poll_interval)
        self._watch = asyncio.create_task(watching.watch())

    async def _find(self) -> None:
        """An OpenDaylight that is starting lists its models one after the other."""
        deadline = asyncio.get_running_loop().time() + self._settings.settle_timeout
        while True:
            try:
                odl = await self._session.find()
            except ModelsMissing:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(_LOOK_AGAIN)
            else:
                log.info("OpenDaylight at %s speaks %s", self._settings.url, odl.speech)
                return

    async def stop(self) -> None:
        """Ends all requests."""
        self._watch.cancel()
        await asyncio.gather(self._watch, return_exceptions=True)
        await self._session.close()

    # -- ports ---------------------------------------------------------------------------------------

    async def bind_port(self, port: Object, model: Model) -> Binding:
        """A port that is in a VPN already follows to the host; one that is only prepared does not.

        netvirt has one host of a port, so a second binding is answered, and written when it is active.
        """
        if port["vnic_type"] != _NORMAL:
            raise Refused(f"netvirt plugs ports of vnic_type {_NORMAL} only, not {port['vnic_type']}")
        if port.active:
            await self._rehost(port, model)
        return Binding("ovs", {"port_filter": False, "bridge_name": self._settings.bridge})

    async def modify_port(self, port: Object, previous: Object | None, model: Model) -> None:
        """The Neutron ports of a bound port are written again."""
        await self._rehost(port, model)

    async def _rehost(self, port: Object, model: Model) -> None:
        for member in wanted.members_on(port, model):
            await (await self._session.ready()).vpns.rehost(member)

    async def modify_interface(self, interface: Object, previous: Object | None, model: Model) -> None:
        """A VLAN that has changed moves its member to another Neutron port."""
        if previous is None or _segment(previous) == _segment(interface):
            return
        vpns = (await self._session.ready()).vpns
        for binding in model.service_bindings_of(interface):
            member = wanted.found_member(binding, model)
            for plug in {str(interface["port_id"]), interface.key} - ({member.plug} if member else set()):
                await vpns.leave(binding.key, str(binding["service_id"]), plug, str(interface["port_id"]))
            wanted.vlan_of(interface)
            if member:
                await vpns.join(member)

    # -- VPNs ----------------------------------------------------------------------------------------

    async def modify_service(self, service: Object, previous: Object | None, model: Model) -> None:
        """The VPN, with its route distinguishers and its route targets."""
        vpn = wanted.vpn_of(service, model, self._settings.rd_as)
        vpns = (await self._session.ready()).vpns
        await vpns.modify_vpn(vpn, wanted.members_of(service, model))

    async def delete_service(self, service: Object, model: Model) -> None:
        """The VPN and whatever network of it is left."""
        await (await self._session.ready()).vpns.delete_vpn(service.key)

    async def modify_service_binding(self, binding: Object, previous: Object | None, model: Model) -> None:
        """Network, subnet, port and vpn-interface."""
        member = wanted.member_of(binding, model)
        vpns = (await self._session.ready()).vpns
        await vpns.join(member)
        if member.address is None:
            self.context.report(binding, "DOWN", "it has no ipaddress, so OpenDaylight has no route to it")
        elif previous is not None and not previous["ipaddress"]:
            self.context.report(binding, "ACTIVE")
        if previous is not None and previous["service_id"] != binding["service_id"]:
            await vpns.sweep(str(previous["service_id"]))

    async def delete_service_binding(self, binding: Object, model: Model) -> None:
        """The same, in reverse; network and subnet with the last that uses them."""
        vpn = str(binding["service_id"] or "")
        interface, port = model.interface_of(binding), model.port_of(binding)
        vpns = (await self._session.ready()).vpns
        plug = _plug(interface, port)
        await vpns.leave(binding.key, vpn, plug, port.key if port else None)
        if port is not None and plug == port.key:
            vlans = [each for each in wanted.members_on(port, model) if each.vlan is not None]
            if vlans:
                await vpns.carry_vlans(port.key, [each.plug for each in vlans])
        if vpn and not wanted.has_companion(binding, model):
            await vpns.sweep(vpn)

    # -- BGP and tunnels -----------------------------------------------------------------------------

    async def modify_object(self, obj: Object, previous: Object | None, model: Model) -> None:
        """A BGPPeering or a DataplaneTunnel; a VpnAfConfig is written with the VPNs that name it."""
        tenant = str(obj["tenant_id"])
        if obj.type == peering.PEERING:
            await (await self._session.ready()).peerings.modify_peering(obj.key, tenant, peering.peering_of(obj))
        elif obj.type == peering.TUNNEL:
            tunnel = peering.tunnel_of(obj, self._settings.tunnel_type)
            await (await self._session.ready()).peerings.modify_tunnel(obj.key, tenant, tunnel)

    async def delete_object(self, obj: Object, model: Model) -> None:
        """The same, gone."""
        if obj.type == peering.PEERING:
            await (await self._session.ready()).peerings.delete_peering(obj.key)
        elif obj.type == peering.TUNNEL:
            await (await self._session.ready()).peerings.delete_tunnel(obj.key)

    # -- questions -----------------------------------------------------------------------------------

    async def inventory(self) -> list[Held]:
        """All that has a mark of ours.

        It is asked again for its models: one that is starting answers 404 to everything.
        """
        odl = await self._session.find()
        held = await holding.read(odl.restconf, odl.speech, self._settings.mode)
        return holding.listed(held, self._settings.mode)

    def fingerprint(self, obj: Object, model: Model) -> str | None:
        """What is written for the object, as `inventory` shows it; None before OpenDaylight was found out."""
        speech = self._session.speech
        return holding.fingerprint(obj, model, speech, self._settings) if speech else None

    async def health(self) -> str | None:
        """Asks for the shim's own note."""
        try:
            restconf = (await self._session.ready()).restconf
            await restconf.get(networks.network_path(names.shim(self.context.controller)))
        except RetryLater as error:
            self._session.doubt()
            return error.reason
        return None


def _segment(interface: Object) -> tuple[Any, Any]:
    return interface["segmentation_type"], interface["segmentation_id"]


def _plug(interface: Object | None, port: Object | None) -> str | None:
    """The Neutron port of a member; None: nobody knows any more."""
    if interface is None or port is None:
        return None
    try:
        return port.key if wanted.vlan_of(interface) is None else interface.key
    except Refused:
        return None
