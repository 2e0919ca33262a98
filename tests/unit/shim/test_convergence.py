"""Whatever happens in whatever order, the backend ends with what is wanted, and is asked nothing wrong on the way."""

from __future__ import annotations

import itertools
import logging
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .samples import L3VPN, SFC, name, values
from .simulation import REFUSED, World

log = logging.getLogger(__name__)

SETTINGS = settings(
    max_examples=int(os.environ.get("GLUON_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

NUMBERS = st.integers(1, 2)
HOSTS = st.sampled_from([None, "host-1", "host-2", "foreign"])


@st.composite
def port(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "host_id": draw(HOSTS),
        "device_id": draw(st.sampled_from(["vm", "vm", None])),
        "name": draw(st.sampled_from("ab")),
        "vnic_type": draw(st.sampled_from(["normal", "normal", "direct", REFUSED])),
    }


@st.composite
def interface(draw: st.DrawFn) -> dict[str, Any]:
    return {"port_id": name("Port", draw(NUMBERS)).key, "segmentation_id": draw(st.integers(0, 1))}


@st.composite
def service(draw: st.DrawFn) -> dict[str, Any]:
    targets = draw(st.lists(NUMBERS, max_size=2, unique=True))
    return {"name": draw(st.sampled_from("ab")), "ipv4_family": ",".join(f"65000:{n}" for n in targets) or None}


ATTRIBUTES = {
    "Port": port(),
    "Interface": interface(),
    "VpnService": service(),
    "VpnAfConfig": st.fixed_dictionaries({"vrf_rt_type": st.sampled_from(["both", "import_extcommunity"])}),
    "VpnBinding": st.builds(
        lambda number, address: {"service_id": name("VpnService", number).key, "ipaddress": address},
        NUMBERS,
        st.sampled_from(["10.0.0.1", "10.0.0.2"]),
    ),
    "BGPPeering": st.fixed_dictionaries({"as_number": st.integers(1, 2)}),
}
OBJECTS = st.sampled_from([*ATTRIBUTES, "Port", "Port", "VpnBinding"])


@st.composite
def changes(draw: st.DrawFn) -> tuple[Any, ...]:
    object_type, number = draw(OBJECTS), draw(NUMBERS)
    if draw(st.integers(0, 4)) == 0:
        return ("want", object_type, number, None)
    return ("want", object_type, number, draw(ATTRIBUTES[object_type]))


pauses = st.tuples(st.just("advance"), st.integers(1, 12))
others = st.tuples(st.sampled_from(["other_claims", "other_releases"]), NUMBERS)
garbage = st.tuples(st.just("garbage"), OBJECTS, NUMBERS)
crashes = st.just(("crash",))


def want(object_type: str, **attributes: Any) -> tuple[Any, ...]:
    return ("want", object_type, 1, attributes)


EVERYTHING: list[tuple[Any, ...]] = [
    want("VpnAfConfig"),
    want("VpnService", ipv4_family="65000:1"),
    want("Port", host_id="host-1", device_id="vm"),
    want("Interface"),
    want("VpnBinding", service_id=name("VpnService", 1).key),
    ("advance", 200),
]
"""One of each, bound and at rest."""


def scripts(*actions: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    action = st.one_of(changes(), changes(), changes(), pauses, *actions)
    beginnings = st.sampled_from([[], EVERYTHING])
    return st.builds(lambda beginning, rest: beginning + rest, beginnings, st.lists(action, max_size=30))


CALM = scripts(others)
WILD = scripts(others, garbage, crashes, crashes)


def play(world: World, script: list[tuple[Any, ...]]) -> None:
    log.info("script %s", script)
    for action, *arguments in script:
        if action == "want":
            object_type, number, attributes = arguments
            given_ = None if attributes is None else values(object_type, number, **attributes)
            world.want(name(object_type, number), given_)
        elif action == "garbage":
            world.troubled = True
            world.want(name(*arguments), b"{" if arguments[1] == 1 else b'{"tenant_id": 5}')
        elif action == "other_claims":
            world.other_claims(name("Port", arguments[0]), "host-1")
        elif action == "other_releases":
            world.other_releases(name("Port", arguments[0]))
        elif action == "crash":
            world.crash()
        else:
            for _ in range(arguments[0]):
                world.advance()


def mend(world: World) -> None:
    """Makes the end plain: no unreadable value is left, and no list names what is missing.

    What such objects are at the backend depends, on purpose, on what they were before.
    """
    for number in (1, 2):
        for object_type in ATTRIBUTES:
            key = name(object_type, number)
            found = world.etcd.get(b"/proton/" + key.path)
            if object_type == "VpnAfConfig" or (found and found[0] in {b"{", b'{"tenant_id": 5}'}):
                more = {"service_id": name("VpnService", 1).key} if object_type == "VpnBinding" else {}
                world.want(key, values(object_type, number, **more))


def empty(world: World) -> None:
    for number in (1, 2):
        world.other_releases(name("Port", number))
        for object_type in ATTRIBUTES:
            world.want(name(object_type, number), None)
    world.settle()
    assert not world.backend.complaints, world.backend.complaints
    assert not world.backend.objects
    assert not world.backend.bound
    assert not world.records()
    assert not [path for path in world.etcd if path.startswith(b"/controller/")]


@SETTINGS
@given(script=CALM, seed=st.integers(0, 2**32))
def test_any_changes_in_any_order_lead_to_what_is_wanted(script: list[tuple[Any, ...]], seed: int) -> None:
    world = World(L3VPN, seed)
    play(world, script)
    mend(world)
    world.settle()
    log.info("calls %s", world.calls)
    world.check()
    empty(world)


@SETTINGS
@given(script=WILD, seed=st.integers(0, 2**32), failing=st.sampled_from([0, 0, 30]))
def test_timesfailures_and_garbage_leave_no_trace(script: list[tuple[Any, ...]], seed: int, failing: int) -> None:
    world = World(L3VPN, seed, failing)
    play(world, script)
    mend(world)
    world.settle()
    log.info("calls %s", world.calls)
    world.check()
    empty(world)


@SETTINGS
@given(script=CALM, seed=st.integers(0, 2**32))
def test_after_a_restart_at_rest_nothing_is_called(script: list[tuple[Any, ...]], seed: int) -> None:
    world = World(L3VPN, seed)
    play(world, script)
    mend(world)
    world.settle()
    calls, etcd = list(world.calls), dict(world.etcd)
    world.restart()
    world.settle()
    assert world.calls == calls
    assert world.etcd == etcd


@SETTINGS
@given(script=CALM, seed=st.integers(0, 2**32), other=st.integers(0, 2**32))
def test_what_was_missed_while_down_is_dealt_with(script: list[tuple[Any, ...]], seed: int, other: int) -> None:
    """The same changes, all at once after a restart, come to the same end."""
    half = len(script) // 2
    ends = []
    for schedule, together in ((seed, False), (other, True)):
        world = World(L3VPN, schedule)
        play(world, [action for action in script[:half] if action[0] == "want"])
        mend(world)
        world.settle()
        rest = [action for action in script[half:] if together is False or action[0] == "want"]
        play(world, [action for action in rest if not action[0].startswith("other")])
        if together:
            world.restart()
        mend(world)
        world.settle()
        world.check()
        ends.append(({k: o.attributes for k, o in world.backend.objects.items()}, set(world.backend.bound)))
    # A refused port is there or not as it was there before; all else is the same.
    ports = {name("Port", number) for number in (1, 2)}
    interfaces = {name(t, number) for number in (1, 2) for t in ("Interface", "VpnBinding")}
    for objects, _ in ends:
        for key in ports | interfaces:
            objects.pop(key, None)
    assert ends[0] == ends[1]


THERE_AND_BACK = {
    "port changed": ("Port", {"host_id": None, "device_id": None, "name": "a"}, {"name": "b"}),
    "port bound and unbound": ("Port", {"host_id": None}, {"host_id": "host-1", "device_id": "vm", "name": "b"}),
    "port unbound and bound": ("Port", {"host_id": "host-1", "device_id": "vm"}, {"host_id": None}),
    "port refused and back": ("Port", {"name": "a"}, {"host_id": "host-1", "device_id": "vm", "vnic_type": REFUSED}),
    "port moved to another host": ("Port", {"host_id": "host-1", "device_id": "vm"}, {"host_id": "host-2"}),
    "port moved away": ("Port", {"host_id": "host-1", "device_id": "vm"}, {"host_id": "foreign"}),
    "port deleted": ("Port", {"host_id": "host-1", "device_id": "vm"}, None),
    "interface moved": ("Interface", {}, {"port_id": name("Port", 2).key}),
    "interface deleted": ("Interface", {}, None),
    "service changed": ("VpnService", {"name": "a"}, {"name": "b"}),
    "service deleted": ("VpnService", {"name": "a"}, None),
    "list changed": ("VpnService", {"ipv4_family": "65000:1"}, {"ipv4_family": "65000:2"}),
    "route target changed": ("VpnAfConfig", {}, {"vrf_rt_type": "both"}),
    "binding changed": ("VpnBinding", {"service_id": name("VpnService", 1).key}, {"ipaddress": "10.0.0.1"}),
    "binding moved": (
        "VpnBinding",
        {"service_id": name("VpnService", 1).key},
        {"service_id": name("VpnService", 2).key},
    ),
    "binding deleted": ("VpnBinding", {"service_id": name("VpnService", 1).key}, None),
    "peering changed": ("BGPPeering", {"as_number": 1}, {"as_number": 2}),
    "peering deleted": ("BGPPeering", {"as_number": 1}, None),
}


@pytest.mark.parametrize("what", THERE_AND_BACK)
@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_a_crash_anywhere_forgets_nothing_even_if_the_wish_goes_back(what: str, times: int) -> None:
    """Changed, crashed at each possible step, and changed back while down: a record alone looks right then."""
    object_type, before, change = THERE_AND_BACK[what]
    base = {"service_id": name("VpnService", 1).key} if object_type == "VpnBinding" else {}
    start = values(object_type, 1, **{**base, **before})
    end = None if change is None else {**start, **change}
    for step in itertools.count(0, 3 if times == 2 else 1):
        world = World(L3VPN, seed=step)
        play(world, [("want", "VpnAfConfig", 2, {}), ("want", "VpnService", 2, {}), *EVERYTHING])
        play(world, [("want", "Port", 2, {"host_id": "host-1", "device_id": "vm"})])
        world.want(name(object_type, 1), start)
        world.settle()
        for _ in range(times):
            world.want(name(object_type, 1), end)
            moved = [world.advance() for _ in range(step)]
            world.want(name(object_type, 1), start)
            world.crash()
        mend(world)
        world.settle()
        world.check()
        empty(world)
        if not all(moved):
            return


SFC_TYPES = ["Port", "Interface", "ServiceFunction", "ServiceFunctionForwarder", "SfDataPlaneLocator", "SffSfBinding"]


@SETTINGS
@given(
    script=st.lists(st.tuples(st.sampled_from(SFC_TYPES), NUMBERS, st.booleans(), st.integers(0, 9)), max_size=30),
    seed=st.integers(0, 2**32),
)
def test_a_second_proton_follows_the_same_rules(script: list[tuple[str, int, bool, int]], seed: int) -> None:
    world = World(SFC, seed)
    for object_type, number, wanted, steps in script:
        more: dict[str, Any] = {}
        if object_type == "Port":
            more = {"host_id": "host-1", "device_id": "vm"}
        elif object_type == "SfDataPlaneLocator":
            more = {"service_id": name("ServiceFunction", number, SFC).key, "l4_port": 1 + steps}
        elif object_type == "SffSfBinding":
            more = {
                "service_function_forwarder": name("ServiceFunctionForwarder", number, SFC).key,
                "service_function": name("ServiceFunction", number, SFC).key,
            }
        attributes = values(object_type, number, SFC, **more) if wanted else None
        world.want(name(object_type, number, SFC), attributes)
        for _ in range(steps):
            world.advance()
    world.settle()
    log.info("calls %s", world.calls)
    world.check()
