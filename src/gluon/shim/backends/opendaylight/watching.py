"""Notices what happens in OpenDaylight: ports that come up and go down, everything lost."""

from __future__ import annotations

import asyncio
import logging

from gluon.shim.backend import BackendError, Context
from gluon.shim.backends.opendaylight import names, networks
from gluon.shim.backends.opendaylight.names import Mark
from gluon.shim.backends.opendaylight.paths import Store
from gluon.shim.backends.opendaylight.resources import Body
from gluon.shim.backends.opendaylight.restconf import Restconf
from gluon.shim.backends.opendaylight.session import Session

log = logging.getLogger(__name__)

_FEW = 3
_UP, _DOWN = "up", "down"


class Watching:
    """Looks every few seconds.

    Args:
        session: asks.
        context: is told.
        interval: seconds between two looks.
    """

    def __init__(self, session: Session, context: Context, interval: float) -> None:
        self._session, self._context, self._interval = session, context, interval
        self._note = names.shim(context.controller)
        self._has_seen_note = False
        self._ports: dict[str, str] = {}
        """Ports of ours that a switch has told of, and what was last reported of each."""
        self._others: set[str] = set()
        """Interfaces that are not ours, or not of a port as a whole."""

    async def watch(self) -> None:
        """Looks until it is cancelled.  An OpenDaylight that is away is `health`'s to tell."""
        while True:
            try:
                await self._look()
            except BackendError as error:
                log.debug("not looked at: %s", error)
                self._session.doubt()
            except Exception:
                log.exception("OpenDaylight could not be looked at")
            await asyncio.sleep(self._interval)

    async def _look(self) -> None:
        odl = await self._session.ready()
        if odl.speech.one_at_a_time:
            self._session.doubt()  # one that starts serves this RESTCONF some seconds before the better one
        restconf = odl.restconf
        await self._look_for_note(restconf)
        states = await restconf.entries(networks.INTERFACE_STATES, Store.OPERATIONAL)
        await self._compare(restconf, {str(each.get("name")): str(each.get("oper-status")) for each in states})

    async def _look_for_note(self, restconf: Restconf) -> None:
        """A note that was there and is not any more has gone with all else."""
        path = networks.network_path(self._note)
        if await restconf.get(path) is None:
            restconf = (await self._session.find()).restconf  # it may have no models yet: it is starting
            if self._has_seen_note and await restconf.get(path) is None:
                self._ports.clear()
                self._context.lost("OpenDaylight came back without what it held")
            mark = Mark("shim", self._note, (self._context.controller,))
            await restconf.put(networks.note(mark, self._note, self._note))
        self._has_seen_note = True

    async def _compare(self, restconf: Restconf, states: dict[str, str]) -> None:
        new = states.keys() - self._ports.keys() - self._others
        for name, port in (await self._found(restconf, new)).items():
            is_whole_port = port is not None and networks.member_of_port(port) not in (None, name)
            if is_whole_port:
                self._ports[name] = ""
            else:
                self._others.add(name)
        self._others &= states.keys()
        for name in [each for each in self._ports if each not in states]:
            if await restconf.get(networks.port_path(name)) is None:
                del self._ports[name]  # it was unbound
        for name, told in self._ports.items():
            state = states.get(name, _DOWN)
            if state != told:
                self._ports[name] = state
                self._report(name, state)

    async def _found(self, restconf: Restconf, wanted: set[str]) -> dict[str, Body | None]:
        if len(wanted) > _FEW:
            held = {each["uuid"]: each for each in await restconf.entries(networks.PORTS)}
            return {name: held.get(name) for name in wanted}
        return {name: await restconf.get(networks.port_path(name)) for name in wanted}

    def _report(self, port: str, state: str) -> None:
        if state == _UP:
            self._context.report(("Port", port), "ACTIVE")
        else:
            self._context.report(("Port", port), "DOWN", "its switch has no link to it, as OpenDaylight sees it")
