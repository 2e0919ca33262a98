"""Requests, answers, timeouts, statuses and activations in any order, on a real database.

After each step the columns that a port shows are what its rows say, a port has at most one active
binding, and that is on its host; nothing but a new request changes a token.
"""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from gluon.contract.keys import ObjectKey
from gluon.contract.records import NOBODY, BindingAnswer, PortAnswer, Status
from gluon.models import catalog
from gluon.proton.service import Conflict, NotFound, Target, apply_answer, binding, refresh
from gluon.proton.service.answers import apply_status
from gluon.proton.service.binding_changes import Given, activate
from gluon.proton.service.binding_changes import create as prepare
from gluon.proton.service.binding_changes import delete as remove_binding
from gluon.proton.service.changes import create, delete, new_attributes, update
from gluon.proton.service.port_state import project
from gluon.proton.storage import BindingState, StoredBinding
from gluon.proton.storage.circumstances import Circumstances
from gluon.proton.storage.tables import Tables
from gluon.proton.storage.transaction import Transaction

PROTONS = catalog.load(["net-l3vpn"])
L3VPN = PROTONS["net-l3vpn"]
PORT = Target(proton=L3VPN, object_type=L3VPN.port)
KEY = "00000000-0000-4000-8000-000000000001"
NAME = PORT.key(KEY)
VALUES = {"id": KEY, "tenant_id": KEY, "mac_address": "c8:2a:14:04:43:80"}
DERIVED = ("vif_type", "vif_details", "status")

hosts = st.sampled_from(["h1", "h2"])
requests = st.fixed_dictionaries(
    {},
    optional={
        "host_id": st.sampled_from([None, "h1", "h2"]),
        "device_id": st.sampled_from([None, "d1", "d1", "d2"]),
        "profile": st.sampled_from([None, {}, {"a": 1}]),
        "vnic_type": st.sampled_from(["normal", "direct"]),
        "mac_address": st.sampled_from(["c8:2a:14:04:43:80", "c8:2a:14:04:43:81"]),
        "admin_state_up": st.booleans(),
        "name": st.sampled_from(["a", "b"]),
    },
)


class OnePort(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.tables = Tables(PROTONS)
        self.engine = create_engine("sqlite://", poolclass=StaticPool)
        self.tables.metadata.create_all(self.engine)
        self.tokens = (f"t{number}" for number in itertools.count())
        self.clock = itertools.cycle([5, 3, 9, 1, 7])
        self.all_tokens: set[str] = set()
        self.last_updated = ""
        self.hosts: set[str] = set()
        self.run(lambda tx: create(tx, PORT, new_attributes(PORT, VALUES), next(self.tokens)))

    def teardown(self) -> None:
        self.engine.dispose()

    def run(self, work: Any) -> Any:
        circumstances = Circumstances(clock=lambda: f"2026-01-01T00:00:00.{next(self.clock)}00000Z")
        with self.engine.begin() as connection:
            return work(Transaction(connection, self.tables, circumstances))

    def rows(self) -> list[StoredBinding]:
        return self.run(lambda tx: tx.bindings("net-l3vpn").of(KEY))

    def tokens_now(self) -> dict[str, str]:
        return {each.host: each.token for each in self.rows()}

    def exists(self) -> bool:
        return self.run(lambda tx: tx.objects("net-l3vpn", "Port").exists(KEY))

    @rule(values=requests)
    def request(self, values: dict[str, Any]) -> None:
        if not self.exists():
            return
        before = self.rows()
        try:
            stored, asked = self.run(lambda tx: update(tx, PORT, KEY, values, next(self.tokens)))
        except Conflict:
            assert any(each.vif_type for each in before)
            assert self.rows() == before
            return
        active = binding.active(self.rows())
        assert (active is not None) == bool(stored.attributes["host_id"] and stored.attributes["device_id"]) or (
            active is None and not binding.is_wanted(stored.attributes)
        )
        if asked is not None:
            assert active is not None
            assert (active.host, active.token, active.state) == (*asked, BindingState.PENDING)

    @rule()
    def delete_and_make_again(self) -> None:
        if self.exists():
            before = set(self.tokens_now().values())
            self.run(lambda tx: delete(tx, PORT, KEY))
            assert self.rows() == []
            values = {**VALUES, "host_id": "h1", "device_id": "d1"}
            self.run(lambda tx: create(tx, PORT, new_attributes(PORT, values), next(self.tokens)))
            self.last_updated = ""
            assert not before & set(self.tokens_now().values())

    @rule(host=hosts)
    def prepare_binding(self, host: str) -> None:
        before = self.rows()
        possible = binding.active(before) is not None and host not in self.tokens_now()
        try:
            made, _ = self.run(lambda tx: prepare(tx, PORT, KEY, Given(host=host)))
        except Conflict:
            assert not possible
        else:
            assert possible
            assert [each for each in self.rows() if each != made] == before

    @rule(host=hosts)
    def activate_binding(self, host: str) -> None:
        before = {each.host: each for each in self.rows()}
        try:
            self.run(lambda tx: activate(tx, PORT, KEY, host))
        except (Conflict, NotFound):
            row = before.get(host)
            assert row is None or row.active or row.state is not BindingState.BOUND
            return
        for each in self.rows():
            former = before[each.host]
            assert each.active == (each.host == host)
            assert each.vif_type == former.vif_type
            assert (each.token != former.token) == (each.host == host)

    @rule(host=hosts)
    def delete_binding(self, host: str) -> None:
        before = self.tokens_now()
        try:
            self.run(lambda tx: remove_binding(tx, PORT, KEY, host))
        except NotFound:
            assert host not in before
        else:
            assert self.tokens_now() == {other: token for other, token in before.items() if other != host}

    @rule(
        host=hosts,
        current=st.booleans(),
        vif_type=st.sampled_from(["", "unbound", "binding_failed", "ovs", "tap"]),
        controller=st.sampled_from(["c", "d"]),
        reason=st.sampled_from(["", "r"]),
    )
    def answer(self, host: str, vif_type: str, controller: str, reason: str, *, current: bool) -> None:
        before = self.tokens_now()
        token = before.get(host, "") if current else "other"
        given = BindingAnswer(controller=controller, host_id=host, token=token, vif_type=vif_type, reason=reason)
        self.run(lambda tx: apply_answer(tx, L3VPN, NAME, PortAnswer.of(given, [])))
        assert self.tokens_now() == before

    @rule(gone=st.sampled_from(["", "nobody has confirmed it"]))
    def nobody_has_it(self, gone: str) -> None:
        before = self.tokens_now()
        self.run(lambda tx: apply_answer(tx, L3VPN, NAME, NOBODY, gone=gone))
        assert self.tokens_now() == before
        assert not any(each.state is BindingState.BOUND for each in self.rows())

    @rule(
        controller=st.sampled_from(["c", "d"]),
        state=st.sampled_from(["", "ACTIVE", "DOWN", "ERROR"]),
        reason=st.sampled_from(["", "x"]),
    )
    def status(self, controller: str, state: Any, reason: str) -> None:
        self.run(lambda tx: apply_status(tx, L3VPN, NAME, controller, Status(state=state, reason=reason)))

    @rule(held=st.booleans())
    def timeout(self, *, held: bool) -> None:
        def give_up(tx: Transaction) -> None:
            for each in tx.bindings("net-l3vpn").of(KEY):
                if each.state is BindingState.PENDING:
                    tx.bindings("net-l3vpn").put(binding.given_up(each, "late", held=held, moment=tx.moment()))
            refresh(tx, L3VPN, NAME)

        self.run(give_up)
        assert not any(each.state is BindingState.PENDING for each in self.rows())

    @invariant()
    def what_a_port_shows_is_what_its_rows_say(self) -> None:
        stored = self.run(lambda tx: tx.objects("net-l3vpn", "Port").get(KEY))
        rows, statuses = self.rows(), self.run(lambda tx: tx.statuses.of(ObjectKey(*NAME)))
        derived = project(stored.attributes, rows, statuses)
        assert {name: stored.attributes[name] for name in DERIVED} | {"status_reason": stored.status_reason} == derived
        bound = stored.attributes["vif_type"] not in ("unbound", "binding_failed")
        assert bound or stored.attributes["status"] != "ACTIVE"

    @invariant()
    def the_active_binding_is_that_of_the_port(self) -> None:
        stored, rows = self.run(lambda tx: tx.objects("net-l3vpn", "Port").get(KEY)), self.rows()
        active = [each for each in rows if each.active]
        assert len(active) == binding.is_wanted(stored.attributes)
        for each in active:
            shown = stored.attributes
            assert (each.host, each.device_id, each.vnic_type) == (
                shown["host_id"],
                shown["device_id"],
                shown["vnic_type"],
            )
            assert (each.profile or None) == (shown["profile"] or None)

    @invariant()
    def a_row_is_plugged_only_while_bound_or_bound_again(self) -> None:
        for each in self.rows():
            assert bool(each.vif_type) == (each.state is BindingState.BOUND) or (
                each.vif_type and each.state is BindingState.PENDING
            )
            assert bool(each.reason) or each.state not in (BindingState.FAILED, BindingState.LOST)

    @invariant()
    def a_binding_that_has_ended_is_remembered(self) -> None:
        hosts = {each.host for each in self.rows()}
        released = {each.host for each in self.run(lambda tx: tx.releases.all())}
        assert self.hosts - hosts <= released
        self.hosts |= hosts

    @invariant()
    def time_never_goes_back(self) -> None:
        stored = self.run(lambda tx: tx.objects("net-l3vpn", "Port").get(KEY))
        assert stored.created_at <= stored.updated_at
        assert self.last_updated <= stored.updated_at
        self.last_updated = stored.updated_at


TestOnePort = OnePort.TestCase
TestOnePort.settings = settings(
    max_examples=50, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
