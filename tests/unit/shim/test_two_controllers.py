"""Two controllers on one etcd, one of which has host-1 and the other host-2: a port migrates between them.

What is simulated: etcd as a dictionary, events that arrive later, callbacks that take time, crashes.
What is real: the feed, the state, the plan and the reconciler of each.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import deque
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import (
    NOBODY,
    PortAnswer,
    WantedBinding,
    decode,
    encode,
    encode_attributes,
    encode_port,
)
from gluon.etcd import Event
from gluon.shim.backend import Binding
from gluon.shim.plan import Call, Callback, Drop, Identity, Refresh, next_steps
from gluon.shim.plan.outcome import Writes
from gluon.shim.reconcile.reconciler import Pace, Reconciler
from gluon.shim.reconcile.recorder import Written
from gluon.shim.reconcile.statuses import Statuses
from gluon.shim.state import Object, State
from gluon.shim.terms.feed import Feed

from . import virtual_time
from .samples import L3VPN, name, values

PACE = Pace(workers=2, retry_min=0.02, retry_max=0.5, report_after=0.3, callback_timeout=30.0)
STEP = 0.02
"""Longest time that one thing takes, in virtual seconds."""
HOSTS = {"one": "host-1", "two": "host-2"}
P, B = name("Port", 1), name("VpnBinding", 1)


class Network:
    """The SDN controller of one shim."""

    name = "simulated"

    def __init__(self, member: Member) -> None:
        self._member = member
        self.bound: dict[str, Object] = {}
        self.objects: dict[ObjectKey, Object] = {}

    async def make(self, call: Call, model: Any, fence: int) -> Binding | None:  # noqa: ARG002 - the port's
        both = self._member.both
        both.calls.append(f"{self._member.controller}: {call}")
        if call.callback is Callback.BIND_PORT:
            both.judge_bind(self._member, call)
        await both.pause()
        if call.callback is Callback.BIND_PORT:
            self.bound[call.host] = call.object
        elif call.callback is Callback.UNBIND_PORT:
            self.bound.pop(call.host, None)
        if call.callback.removes and call.callback is not Callback.UNBIND_PORT:
            self.objects.pop(call.object.id, None)
        else:
            self.objects[call.object.id] = call.object
        await both.pause()
        return Binding("ovs") if call.callback is Callback.BIND_PORT else None

    def cancels(self, callback: Callback) -> bool:
        return callback is Callback.BIND_PORT


class Member:
    """One shim, its SDN controller, and what it knows."""

    alive = True
    fence = 1

    def __init__(self, both: Both, controller: str) -> None:
        self.both = both
        self.controller = controller
        self.identity = Identity(controller=controller, hosts=frozenset({HOSTS[controller]}))
        self.network = Network(self)
        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self.state = State(L3VPN)
        self.events: deque[Event] = deque()
        feed = Feed({L3VPN.name: L3VPN}, {L3VPN.name: self.state}, lambda _, keys: self.reconciler.wake(keys))
        self.reconciler = Reconciler(
            self.state,
            self.network,
            self,
            self,
            Statuses(),
            self.identity,
            PACE,  # type: ignore[arg-type]
        )
        prefix = keys.applied_prefix(self.controller)
        for path, (value, revision) in list(self.both.etcd.items()):
            if path.startswith(prefix):
                feed.record(path, value, prefix)
            else:
                self._feed(feed, Event(path, value, revision))
        self.reconciler.wake(self.state.keys())
        self.tasks = [asyncio.create_task(self.reconciler.run()), asyncio.create_task(self._follow(feed))]

    async def _follow(self, feed: Feed) -> None:
        while True:
            await self.both.pause()
            if self.events:
                self._feed(feed, self.events.popleft())

    def _feed(self, feed: Feed, event: Event) -> None:
        if event.key.startswith(keys.PROTON):
            feed.desired(event)
        elif event.key.startswith(keys.CONTROLLER):
            feed.answer(event)

    async def write(self, writes: Writes) -> Written:
        """As the recorder."""
        await self.both.pause()
        written = self.both.transact(self.controller, writes)
        await self.both.pause()
        return written

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    @property
    def is_at_rest(self) -> bool:
        queue = self.reconciler.queue
        return queue.is_empty and not self.events


class Both:
    """Both shims, and the etcd between them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.etcd: dict[bytes, tuple[bytes, int]] = {}
        self.revision = 1
        self.calls: list[str] = []
        self.complaints: list[str] = []
        self.members = {controller: Member(self, controller) for controller in HOSTS}

    async def __aenter__(self) -> Self:
        for member in self.members.values():
            member.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for member in self.members.values():
            await member.stop()

    async def pause(self) -> None:
        await asyncio.sleep(self.random.uniform(0, STEP))

    def put(self, path: bytes, value: bytes | None) -> None:
        self.revision += 1
        if value is not None:
            self.etcd[path] = (value, self.revision)
        elif self.etcd.pop(path, None) is None:
            return
        for member in self.members.values():
            if path.startswith((keys.PROTON, keys.CONTROLLER)):
                member.events.append(Event(path, value, self.revision))

    def transact(self, controller: str, writes: Writes) -> Written:
        change = writes.answer
        answered = True
        if change is not None:
            expected = change.held.revision if change.held.exists else 0
            answered = self.etcd.get(keys.answer(change.port), (b"", 0))[1] == expected
        if answered or not writes.claim:
            for key, record in writes.records.items():
                self.put(keys.applied(controller, key), encode(record) if record else None)
        if change is not None and answered:
            self.put(keys.answer(change.port), encode(change.answer) if change.answer is not None else None)
        return Written(self.revision, answered=answered)

    def publish(self, object_type: str, attributes: dict[str, Any] | None = None) -> None:
        key = name(object_type, 1)
        self.put(keys.desired(key), encode_attributes(values(object_type, 1, **(attributes or {}))))

    def want(self, host: str | None, token: str = "", inactive: str = "", **more: Any) -> None:
        """The port is to be bound on the host, and prepared on the other one."""
        device = "vm" if host else None
        others = (WantedBinding(host_id=inactive, token=f"{token}@{inactive}", vnic_type="normal"),) if inactive else ()
        value = encode_port(values("Port", 1, host_id=host, device_id=device, **more), token, others)
        self.put(keys.desired(P), value)

    def judge_bind(self, member: Member, call: Call) -> None:
        """Nobody is known to have the port where it is not wanted any more."""
        for host, entry in member.state.answer(P).answer.bindings.items():
            if entry.controller != member.controller and host not in member.state.wishes(P):
                self.complaints.append(f"{member.controller}: {call}, while {entry.controller} has it on {host}")

    async def crash(self, controller: str) -> None:
        """The shim dies, whatever is under way, and starts again."""
        await self.members[controller].stop()
        self.members[controller].start()

    async def advance(self, steps: int) -> None:
        await asyncio.sleep(steps * STEP / 2)

    async def settle(self) -> None:
        async with asyncio.timeout(3600):
            while True:
                await asyncio.sleep(10 * STEP)
                if all(member.is_at_rest for member in self.members.values()):
                    break
        for member in self.members.values():
            for key in set(member.state.keys()):
                for step in next_steps(key, member.state, member.identity):
                    assert not isinstance(step, Call | Refresh | Drop), f"{member.controller} was not woken for {step}"

    @property
    def answer(self) -> PortAnswer:
        value = self.etcd.get(keys.answer(P))
        return decode(PortAnswer, value[0]) if value else NOBODY

    def check(self) -> None:
        """At rest each controller has the port just where it is wanted, and the answer says so."""
        assert not self.complaints, self.complaints
        wishes = self.members["one"].state.wishes(P)
        assert self.members["two"].state.wishes(P).keys() == wishes.keys()
        told = self.answer
        assert set(told.bindings) == set(wishes)
        for controller, host in HOSTS.items():
            network = self.members[controller].network
            assert set(network.bound) == ({host} & set(wishes)), f"{controller} has it on {list(network.bound)}"
            if host not in wishes:
                continue
            wish, entry = wishes[host], told.bindings[host]
            assert (entry.controller, entry.token, entry.vif_type) == (controller, wish.token, "ovs")
            assert network.bound[host].active == wish.port.active
            assert network.bound[host]["profile"] == wish.port["profile"]
            if wish.port.active:
                assert told.active == entry
        self._check_objects(wishes.keys())

    def _check_objects(self, hosts: Any) -> None:
        desired = self.members["one"].state.desired
        for controller, host in HOSTS.items():
            objects = self.members[controller].network.objects
            port = desired.find(P)
            assert (P in objects) == (port is not None and (not port["host_id"] or host in hosts)), controller
            assert (B in objects) == (B in desired and host in hosts), f"{controller}: {list(objects)}"


def test_a_port_migrates_from_one_controller_to_another() -> None:
    async def check() -> None:
        async with Both(seed=1) as both:
            for object_type, more in (
                ("VpnService", {}),
                ("Interface", {}),
                ("VpnBinding", {"service_id": name("VpnService", 1).key}),
            ):
                both.publish(object_type, more)
            made = []
            for host, token, inactive in (
                ("host-1", "a", ""),
                ("host-1", "a", "host-2"),
                ("host-2", "b", "host-1"),
                ("host-2", "b", ""),
            ):
                both.want(host, token, inactive)
                await both.settle()
                both.check()
                made.append([call.replace(f" {P}", "") for call in both.calls if "bind_port" in call])
                both.calls.clear()
            assert made[0] == ["one: bind_port on host-1"]
            assert made[1] == ["two: bind_port on host-2"]
            assert sorted(made[2]) == ["one: bind_port on host-1", "two: bind_port on host-2"]
            assert made[3] == ["one: unbind_port on host-1"]
            assert both.answer.active is not None
            assert (both.answer.active.controller, both.answer.inactive) == ("two", ())

    virtual_time.run(check())


Stage = tuple[str | None, str, str]
"""Active host, token, inactive host."""

MIGRATIONS: dict[str, list[Stage]] = {
    "done": [("host-1", "a", ""), ("host-1", "a", "host-2"), ("host-2", "b", "host-1"), ("host-2", "b", "")],
    "given up": [("host-1", "a", ""), ("host-1", "a", "host-2"), ("host-1", "a", "")],
    "there and back": [
        ("host-1", "a", "host-2"),
        ("host-2", "b", "host-1"),
        ("host-1", "c", "host-2"),
        ("host-1", "c", ""),
    ],
    "cold": [("host-1", "a", ""), ("host-2", "b", ""), ("host-1", "c", "")],
    "unbound in the midst": [("host-1", "a", "host-2"), ("host-2", "b", "host-1"), (None, "", "")],
}


@pytest.mark.parametrize("what", MIGRATIONS)
@pytest.mark.parametrize("controller", HOSTS)
def test_it_ends_right_wherever_either_crashes(what: str, controller: str) -> None:
    async def crash(moment: int, crash_in: int) -> None:
        async with Both(seed=moment) as both:
            before: set[str] = set()
            for number, (host, token, inactive) in enumerate(MIGRATIONS[what]):
                both.want(host, token, inactive)
                if number == crash_in:
                    await both.advance(moment)
                    await both.crash(controller)
                await both.settle()
                both.check()
                kept = before & {host, inactive}
                before = {each for each in (host, inactive) if each}
                assert not [call for call in both.calls for each in kept if f"unbind_port {P} on {each}" in call]
                both.calls.clear()

    for crash_in in range(len(MIGRATIONS[what])):
        for moment in range(0, 24, 3):
            virtual_time.run(crash(moment, crash_in))


places = st.sampled_from([None, "host-1", "host-2"])
ACTIONS = st.one_of(
    st.tuples(st.just("want"), places, st.sampled_from("ab"), places, st.sampled_from([None, {"migrating_to": "h"}])),
    st.tuples(st.just("want"), places, st.sampled_from("ab"), places, st.none()),
    st.tuples(st.just("advance"), st.integers(1, 12)),
    st.tuples(st.just("crash"), st.sampled_from(list(HOSTS))),
    st.tuples(st.just("delete")),
)


async def play(both: Both, script: list[tuple[Any, ...]]) -> None:
    for object_type, more in (
        ("VpnService", {}),
        ("Interface", {}),
        ("VpnBinding", {"service_id": name("VpnService", 1).key}),
    ):
        both.publish(object_type, more)
    for number, (action, *arguments) in enumerate(script):
        if action == "want":
            host, token, inactive, profile = arguments
            other = inactive if host and inactive != host else ""
            both.want(host, f"{token}{number // 5}" if host else "", other or "", profile=profile)
        elif action == "delete":
            both.put(keys.desired(P), None)
        else:
            await getattr(both, action)(*arguments)


@settings(
    max_examples=int(os.environ.get("GLUON_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(script=st.lists(ACTIONS, max_size=20), seed=st.integers(0, 2**32))
def test_whatever_is_wanted_the_two_end_with_it(script: list[tuple[Any, ...]], seed: int) -> None:
    async def check() -> None:
        async with Both(seed) as both:
            try:
                await play(both, script)
                await both.settle()
                both.check()
                both.put(keys.desired(P), None)
                await both.settle()
                assert not both.etcd.get(keys.answer(P))
                for controller in HOSTS:
                    prefix = keys.applied_prefix(controller)
                    assert not [path for path in both.etcd if path.startswith(prefix) and b"/Port" in path]
            except AssertionError as error:
                raise AssertionError("\n  ".join([str(error), *map(str, script), "calls:", *both.calls])) from error

    virtual_time.run(check())
