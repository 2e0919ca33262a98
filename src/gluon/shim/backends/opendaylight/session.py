"""One OpenDaylight: found out how to speak to it, and the parts that do."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from gluon.shim.backends.opendaylight.bgpvpn import Bgpvpn
from gluon.shim.backends.opendaylight.discovery import Speech, discover
from gluon.shim.backends.opendaylight.l3vpn import L3vpn
from gluon.shim.backends.opendaylight.options import Mode, Settings
from gluon.shim.backends.opendaylight.peering import Peerings
from gluon.shim.backends.opendaylight.restconf import Connection, Restconf
from gluon.shim.backends.opendaylight.turns import Turns
from gluon.shim.backends.opendaylight.vpns import Vpns
from gluon.shim.backends.opendaylight.writing import Writing


class Odl(Struct, frozen=True):
    """The parts, once it is known how OpenDaylight speaks."""

    speech: Speech
    restconf: Restconf
    writing: Writing
    vpns: Vpns
    peerings: Peerings


class Session:
    """Finds OpenDaylight, and finds it out again after it was away: another release may have come back.

    Args:
        settings: the options.
        password: the user's.
    """

    def __init__(self, settings: Settings, password: str) -> None:
        self._settings = settings
        self._connection = Connection(settings, password)
        self._turns = Turns()
        self._finding = asyncio.Lock()
        self._odl: Odl | None = None
        self._is_sure = False

    @property
    def speech(self) -> Speech | None:
        """How it was spoken to last; None: not yet."""
        return self._odl.speech if self._odl else None

    def doubt(self) -> None:
        """It was away: whoever comes next finds it out again."""
        self._is_sure = False

    async def ready(self) -> Odl:
        """The parts.

        Raises:
            Unreachable, NotPermitted, ModelsMissing: it can't be spoken to.
        """
        if self._odl is None or not self._is_sure:
            async with self._finding:
                if self._odl is None or not self._is_sure:
                    return await self._find()
        return self._odl

    async def find(self) -> Odl:
        """The same, asked again."""
        async with self._finding:
            return await self._find()

    async def close(self) -> None:
        """Ends everything."""
        if self._odl is not None:
            await self._odl.writing.stop()
        await self._connection.close()

    async def _find(self) -> Odl:
        speech = await discover(self._connection, self._settings)
        if self._odl is None or self._odl.speech != speech:
            self._odl = self._made(speech)
        self._is_sure = True
        return self._odl

    def _made(self, speech: Speech) -> Odl:
        restconf = Restconf(self._connection, speech.flavour, self._settings.user, one_at_a_time=speech.one_at_a_time)
        writing = Writing(restconf, speech, self._settings, self._turns)
        vpns = Bgpvpn(writing) if self._settings.mode is Mode.BGPVPN else L3vpn(writing)
        return Odl(speech, restconf, writing, vpns, Peerings(writing))
