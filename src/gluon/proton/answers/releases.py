"""Sees to it that a binding that was released is undone at its controller, through any loss of etcd.

A shim that lives undoes it by itself, and its entry goes from the port's answer.  But etcd may come back
from before the bind, and the shim may have died as well: then neither the applied records nor the
published objects tell of it.  The database does (`Transaction.releases`).  An entry that a running watch
has seen go is undone.  Where that was not seen, the controller is left a note, and its leader makes sure
of the port as of any call that ended late (docs/adr/0011-late-calls.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from msgspec import Struct

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import encode
from gluon.etcd import Client, EtcdError, Op, Put
from gluon.proton.answers.ports import PortBook
from gluon.proton.service import possible_calls
from gluon.proton.storage import BindingState, Database, DatabaseUnavailable, StoredBinding, StoredRelease, Transaction
from gluon.schema import Proton

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks."""
SETTLE = 3.0
"""Seconds that an entry has to be gone for.  A watch that goes on in an etcd from a backup may show the
same; the publisher notices that within a second."""
AT_ONCE = 50
"""Bindings of one transaction in etcd; each has up to two notes."""
FORGOTTEN_AT_ONCE = 500
"""Bindings of one transaction in the database: requests want to write as well."""


class Open(Struct, frozen=True):
    """What the database knows of released bindings."""

    epoch: str
    """The filling of etcd that it belongs to."""
    rows: Sequence[tuple[StoredRelease, StoredBinding | None]]
    """Each with the port's binding to that host now, if it has one again."""


class Releases:
    """Follows the released bindings; `run` ends when it is cancelled."""

    def __init__(
        self,
        database: Database,
        client: Client,
        protons: Mapping[str, Proton],
        ports: PortBook,
        is_certain: Callable[[], bool],
        *,
        grace: float,
    ) -> None:
        """Puts it together.

        Args:
            database: remembers them.
            client: etcd.
            protons: whose ports.
            ports: the controllers' answers.
            is_certain: whether etcd holds what the database has, and the answers are followed.
            grace: time that controllers have from then on to answer, in seconds.
        """
        self._database = database
        self._client = client
        self._protons = protons
        self._ports = ports
        self._is_certain = is_certain
        self._grace = max(grace, SETTLE)
        self._era: tuple[int, str] | None = None
        """The list, and the epoch, in which the following was seen."""
        self._absent: dict[StoredRelease, float] = {}
        """Since when an entry is known to be absent."""
        self._undone: set[StoredRelease] = set()
        """Those whose entry was seen to go."""

    async def run(self) -> None:
        """Looks again and again."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                await self._look()
            except (DatabaseUnavailable, EtcdError) as error:
                log.debug("released bindings are looked at later: %s", error)

    async def _look(self) -> None:
        found = await self._database.read(partial(_read, protons=self._protons))
        await self._name(found)
        era = (self._ports.listed, found.epoch)
        before, self._era = self._era or era, era
        if not self._is_certain() or era != before:
            self._ports.dropped.clear()
            self._absent.clear()
            self._undone.clear()
            return
        done, doubtful = self._judge(found)
        await self._leave_notes(doubtful)
        forgotten = [*done, *doubtful]
        for start in range(0, len(forgotten), FORGOTTEN_AT_ONCE):
            part = forgotten[start : start + FORGOTTEN_AT_ONCE]
            await self._database.write(partial(_forget, releases=part))

    async def _name(self, found: Open) -> None:
        """Takes note of the controllers that have begun to bind, before that can be lost."""
        named = {each: self._holder(each) for each, _ in found.rows if not each.controller}
        named = {each: controller for each, controller in named.items() if controller}
        if named:
            await self._database.write(partial(_name, named=named))

    def _judge(self, found: Open) -> tuple[list[StoredRelease], list[StoredRelease]]:
        """Which are done with, and of which nobody knows."""
        done: list[StoredRelease] = []
        doubtful: list[StoredRelease] = []
        dropped, self._ports.dropped = self._ports.dropped, set()
        now = asyncio.get_running_loop().time()
        for each, binding in found.rows:
            holder = self._holder(each)
            if holder and holder == (each.controller or holder):
                self._absent.pop(each, None)
                self._undone.discard(each)
                if _is_bound_by(binding, each.controller):
                    done.append(each)  # It is wanted there again, and its controller knows.
                continue
            if (self._port(each), each.host, each.controller) in dropped:
                self._undone.add(each)
            absent = now - self._absent.setdefault(each, now)
            if each in self._undone and absent >= SETTLE:
                done.append(each)
            elif absent >= self._grace and (binding is None or binding.state is not BindingState.PENDING):
                (doubtful if each.controller else done).append(each)
        rows = {each for each, _ in found.rows}.difference(done, doubtful)
        self._absent = {each: since for each, since in self._absent.items() if each in rows}
        self._undone &= rows
        return done, doubtful

    def _port(self, release: StoredRelease) -> ObjectKey:
        return ObjectKey(release.proton, self._protons[release.proton].port.name, release.port)

    def _holder(self, release: StoredRelease) -> str:
        """The controller that has the port on this host, as far as is known; empty for none."""
        entry = self._ports.answer(self._port(release)).bindings.get(release.host)
        return entry.controller if entry is not None else ""

    async def _leave_notes(self, releases: Sequence[StoredRelease]) -> None:
        """Leaves each controller a note; one that is left twice does no harm.

        Raises:
            EtcdError, DatabaseUnavailable: some may be left.
        """
        for start in range(0, len(releases), AT_ONCE):
            part = releases[start : start + AT_ONCE]
            notes = await self._database.read(partial(_notes, releases=part, protons=self._protons))
            await self._client.txn([], notes)
            for each in part:
                log.warning(
                    "%s: it was released from host %s, and controller %s has not confirmed that; its next leader makes "
                    "sure of it",
                    self._port(each),
                    each.host,
                    each.controller,
                )


def _is_bound_by(binding: StoredBinding | None, controller: str) -> bool:
    return binding is not None and binding.state is BindingState.BOUND and binding.controller == controller


def _read(tx: Transaction, *, protons: Mapping[str, Proton]) -> Open:
    rows = [each for each in tx.releases.all() if each.proton in protons]
    for proton in {each.proton for each in rows}:
        tx.bindings(proton).of_many(list({each.port for each in rows if each.proton == proton}))  # All at once.
    bindings = [tx.bindings(each.proton).get(each.port, each.host) for each in rows]
    return Open(tx.deployment.get().epoch, list(zip(rows, bindings, strict=True)))


def _name(tx: Transaction, *, named: Mapping[StoredRelease, str]) -> None:
    for release, controller in named.items():
        tx.releases.name(release, controller)


def _forget(tx: Transaction, *, releases: Sequence[StoredRelease]) -> None:
    tx.releases.remove(releases)


def _notes(tx: Transaction, *, releases: Iterable[StoredRelease], protons: Mapping[str, Proton]) -> list[Op]:
    return [
        Put(keys.late(each.controller, key), encode(attempt))
        for each in releases
        for key, attempt in possible_calls(tx, protons[each.proton], each).items()
    ]
