"""The rules of docs/adr/0003-outbox.md, in every order that hypothesis finds.

Two servers share one real SQLite database and one etcd, which here is a dict that checks fences.
Any step of a server may be delayed, repeated by another, or cut off by the end of its session; a
write whose outcome is unknown may land much later.  At the end etcd holds what the database holds.
"""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import create_engine, event
from sqlalchemy.pool import StaticPool

from gluon.contract.keys import ObjectKey
from gluon.contract.records import decode_attributes
from gluon.models import catalog
from gluon.proton.publish.item import Item, read_round
from gluon.proton.service import Target
from gluon.proton.service.changes import create, delete, new_attributes, update
from gluon.proton.storage.circumstances import Circumstances
from gluon.proton.storage.tables import Tables
from gluon.proton.storage.transaction import Transaction

PROTONS = catalog.load(["net-l3vpn"])
TARGET = Target(proton=PROTONS["net-l3vpn"], object_type=PROTONS["net-l3vpn"].objects["VpnAfConfig"])
TENANT = "5b1a2d3c-0000-4000-8000-000000000001"
NAMES = list(PROTONS)

servers = st.integers(0, 1)
keys = st.sampled_from(["64512:1", "64512:1", "64512:2"])


class Server:
    def __init__(self) -> None:
        self.session: str | None = None
        self.forget()

    def forget(self) -> None:
        self.read: list[Item] = []
        self.unsettled: list[Item] = []
        self.owners: set[str | None] | None = None
        self.dead: list[str] | None = None


class TwoServers(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.tables = Tables(PROTONS)
        self.engine = create_engine("sqlite://", poolclass=StaticPool)
        event.listen(self.engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"))
        self.tables.metadata.create_all(self.engine)
        self.servers = [Server(), Server()]
        self.sessions = (f"s{number}" for number in itertools.count())
        self.names = (f"n{number}" for number in itertools.count())
        self.living: set[str] = set()
        self.etcd: dict[ObjectKey, bytes] = {}
        self.on_its_way: list[tuple[str, list[Item]]] = []
        for number in range(2):
            self.open_session(number)

    def teardown(self) -> None:
        for _ in range(2):
            for number in range(2):
                self.open_session(number)
                self.look_at_owners(number)
                self.look_at_living(number)
                self.adopt(number)
        for number in (0, 1, 0, 1, 0, 1):
            self.read(number)
            self.write(number)
            self.settle(number)
        while self.on_its_way:
            self.land()
        assert self._run(lambda tx: tx.outbox.size(NAMES)) == 0
        self.nothing_pending_means_in_step()
        self.engine.dispose()

    def _run(self, work: Any, session: str | None = None) -> Any:
        with self.engine.begin() as connection:
            return work(Transaction(connection, self.tables, Circumstances(session=session)))

    @rule(number=servers, key=keys, kind=st.sampled_from(["create", "update", "delete"]))
    def change(self, number: int, key: str, kind: str) -> None:
        session = self.servers[number].session
        exists = self._run(lambda tx: tx.objects("net-l3vpn", "VpnAfConfig").exists(key))
        values: dict[str, Any] = {"tenant_id": TENANT, "vrf_rt_type": "both", "import_route_policy": next(self.names)}
        if kind == "create" and not exists:
            attributes = new_attributes(TARGET, {**values, "vrf_rt_value": key})
            self._run(lambda tx: create(tx, TARGET, attributes), session)
        elif kind == "update" and exists:
            self._run(lambda tx: update(tx, TARGET, key, values), session)
        elif kind == "delete" and exists:
            self._run(lambda tx: delete(tx, TARGET, key), session)

    def open_session(self, number: int) -> None:
        server = self.servers[number]
        if server.session is not None:
            self.living.discard(server.session)
        server.forget()
        server.session = next(self.sessions)
        self.living.add(server.session)

    @rule(
        number=servers,
        kind=st.sampled_from(
            [
                "open_session",
                "lease_expires_unnoticed",
                "look_at_owners",
                "look_at_living",
                "adopt",
                "write_with_unknown_outcome",
                "land",
            ]
        ),
    )
    def trouble(self, number: int, kind: str) -> None:
        """One rule for all, so that plain work is more likely."""
        getattr(self, kind)(number)

    @invariant()
    def nothing_pending_means_in_step(self) -> None:
        if self._run(lambda tx: tx.outbox.size(NAMES)) or any(server.read for server in self.servers):
            return
        stored = self._run(lambda tx: tx.objects("net-l3vpn", "VpnAfConfig").find({}))
        assert {key.key: decode_attributes(value) for key, value in self.etcd.items()} == {
            row.attributes["vrf_rt_value"]: row.attributes for row in stored
        }

    @rule(number=servers)
    def write_and_settle(self, number: int) -> None:
        self.write(number)
        self.settle(number)

    @rule(number=servers, key=keys)
    def change_and_read(self, number: int, key: str) -> None:
        exists = self._run(lambda tx: tx.objects("net-l3vpn", "VpnAfConfig").exists(key))
        self.change(number, key, "update" if exists else "create")
        self.read(number)

    def lease_expires_unnoticed(self, number: int) -> None:
        self.living.discard(self.servers[number].session or "")

    def look_at_owners(self, number: int) -> None:
        if self.servers[number].session is not None:
            self.servers[number].owners = self._run(lambda tx: tx.outbox.sessions(NAMES))

    def look_at_living(self, number: int) -> None:
        server = self.servers[number]
        if server.owners is not None:
            server.dead = [owner for owner in server.owners if owner is not None and owner not in self.living]

    def adopt(self, number: int) -> None:
        server = self.servers[number]
        if server.dead is not None and server.session is not None:
            dead, session = server.dead, server.session
            self._run(lambda tx: tx.outbox.adopt(dead, session, NAMES))
            server.dead = server.owners = None

    @rule(number=servers)
    def read(self, number: int) -> None:
        server = self.servers[number]
        if server.session is None:
            return
        session = server.session
        found = self._run(lambda tx: read_round(tx, session=session, limit=100, url="http://u"))
        published = {item.key: item.ids[-1] for item in server.unsettled}
        server.read = [item for item in found.items if item.ids[-1] > published.get(item.key, 0)]

    @rule(number=servers)
    def write(self, number: int) -> None:
        server = self.servers[number]
        if not server.read or server.session is None:
            return
        if self._land(server.session, server.read):
            server.unsettled += server.read
            server.read = []
        else:
            self.open_session(number)

    def write_with_unknown_outcome(self, number: int) -> None:
        server = self.servers[number]
        if server.read and server.session is not None:
            self.on_its_way.append((server.session, server.read))
            self.open_session(number)

    def land(self, _number: int = 0) -> None:
        if self.on_its_way:
            self._land(*self.on_its_way.pop(0))

    @rule(number=servers)
    def settle(self, number: int) -> None:
        server = self.servers[number]
        if server.session is not None:
            session, ids = server.session, [row for item in server.unsettled for row in item.ids]
            self._run(lambda tx: tx.outbox.remove(ids, session))
            server.unsettled = []

    def _land(self, session: str, items: list[Item]) -> bool:
        if session not in self.living:
            return False
        for item in items:
            if item.value is None:
                self.etcd.pop(item.key, None)
            else:
                self.etcd[item.key] = item.value
        return True


TestTwoServers = TwoServers.TestCase
TestTwoServers.settings = settings(
    max_examples=60, stateful_step_count=35, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
