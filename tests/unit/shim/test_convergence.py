"""Whatever happens in whatever order, the backend ends with what is wanted, and is asked nothing wrong on the way."""

from __future__ import annotations

import logging
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gluon.contract.keys import ObjectKey
from gluon.contract.records import WantedBinding, decode_attributes
from gluon.schema import Proton, conform

from . import virtual_time
from .samples import L3VPN, SFC, name, values
from .simulation import REFUSED, World

log = logging.getLogger(__name__)

SETTINGS = settings(
    max_examples=int(os.environ.get("GLUON_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

NUMBERS = st.integers(1, 2)
TOKEN, INACTIVE = "token", "inactive"
"""Of a port: what goes with it beside its attributes."""
HOSTS = st.sampled_from([None, "host-1", "host-2", "foreign"])


@st.composite
def port(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "host_id": draw(HOSTS),
        "device_id": draw(st.sampled_from(["vm", "vm", None])),
        "name": draw(st.sampled_from("ab")),
        "vnic_type": draw(st.sampled_from(["normal", "normal", "direct", REFUSED])),
        "profile": draw(st.sampled_from([None, None, {"migrating_to": "host-2"}])),
        TOKEN: draw(st.sampled_from(["t1", "t1", "t2"])),
        INACTIVE: draw(st.sampled_from([(), (), (), ("host-1",), ("host-2",), ("foreign",)])),
    }


@st.composite
def interface(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "port_id": name("Port", draw(NUMBERS)).key,
        "segmentation_type": "vlan",
        "segmentation_id": draw(st.integers(1, 2)),
    }


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
    "BGPPeering": st.fixed_dictionaries(
        {"as_number": st.integers(1, 2), "peer_ip_address": st.sampled_from(["10.0.1.1", "10.0.1.2"])}
    ),
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
losses = st.tuples(st.just("lose_etcd"), st.lists(st.tuples(OBJECTS, NUMBERS), max_size=2))
usurpers = st.just(("usurp",))


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
LOST = scripts(others, crashes, losses, losses)
USURPED = scripts(crashes, usurpers, usurpers)


def publish(world: World, object_type: str, number: int, attributes: dict[str, Any] | None, **more: Any) -> None:
    """As proton-server publishes an object; a port with its token and its inactive bindings."""
    key = name(object_type, number, world.proton)
    if attributes is None:
        world.want(key, None)
        return
    given = {**attributes, **more}
    token, hosts = given.pop(TOKEN, ""), given.pop(INACTIVE, ())
    if given.get("device_id") is None:
        hosts = ()
    inactive = tuple(
        WantedBinding(host_id=host, token=f"{token}@{host}", vnic_type=given.get("vnic_type") or "normal")
        for host in hosts
        if host != given.get("host_id")
    )
    world.want(key, values(object_type, number, world.proton, **given), token, inactive)


async def play(world: World, script: list[tuple[Any, ...]]) -> None:
    log.info("script %s", script)
    for action, *arguments in script:
        match action:
            case "want":
                publish(world, *arguments)
            case "garbage":
                world.troubled = True
                world.want(name(*arguments), b"{" if arguments[1] == 1 else b'{"tenant_id": 5}')
            case "other_claims":
                world.other_claims(name("Port", arguments[0]), "host-1")
            case "other_releases":
                world.other_releases(name("Port", arguments[0]))
            case "lose_etcd":
                await world.lose_etcd([name(*each) for each in arguments[0]])
            case "advance":
                await world.advance(arguments[0])
            case _:
                await getattr(world, action)()


OF_ONE_ALONE = {
    "Interface": lambda number: {"segmentation_type": "vlan", "segmentation_id": 100 + number},
    "VpnBinding": lambda number: {"ipaddress": f"10.9.0.{number}"},
    "BGPPeering": lambda number: {"peer_ip_address": f"10.9.0.{number}"},
}
"""Values that no other object has, where only one can have them."""


def mend(world: World) -> None:
    """Makes the end plain: no unreadable value is left, no list names what is missing, and no two have the same.

    What such objects are at the backend depends, on purpose, on what they were before.
    """
    for number in (1, 2):
        for object_type in ATTRIBUTES:
            found = world.wanted.get(name(object_type, number))
            if object_type == "VpnAfConfig" or found in {b"{", b'{"tenant_id": 5}'}:
                more = {"service_id": name("VpnService", 1).key} if object_type == "VpnBinding" else {}
                publish(world, object_type, number, {}, **more)
    for object_type, more_of in OF_ONE_ALONE.items():
        for key in duplicates(world, object_type):
            number = next(number for number in (1, 2) if name(object_type, number) == key)
            attributes = decode_attributes(world.wanted[key])
            publish(world, object_type, number, {**attributes, **more_of(number)})


def duplicates(world: World, object_type: str) -> list[ObjectKey]:
    """The objects that are wanted with what only one can have."""
    type_ = world.proton.objects[object_type]
    wanted = {
        key: conform(type_, decode_attributes(value), key.key)
        for key, value in world.wanted.items()
        if key.object == object_type
    }
    return [
        key
        for key, one in wanted.items()
        if any(type_.clash(rule, one, other) for rule in type_.unique for k, other in wanted.items() if k != key)
    ]


async def empty(world: World) -> None:
    for number in (1, 2):
        world.other_releases(name("Port", number))
        for object_type in ATTRIBUTES:
            world.want(name(object_type, number), None)
    await world.settle()
    assert not world.backend.complaints, world.backend.complaints
    assert not world.backend.objects
    assert not world.backend.bound
    assert not world.records()
    assert not [path for path in world.etcd if path.startswith(b"/controller/")]


async def to_the_end(script: list[tuple[Any, ...]], seed: int, failing: int = 0) -> None:
    async with World(L3VPN, seed, failing) as world:
        try:
            await play(world, script)
            mend(world)
            await world.settle()
            world.check()
            await empty(world)
        except AssertionError as error:
            story = "\n  ".join([f"seed {seed}, failing {failing}", *map(str, script), "calls:", *world.calls])
            raise AssertionError(f"{error}\n  {story}") from error


@SETTINGS
@given(script=CALM, seed=st.integers(0, 2**32))
def test_any_changes_in_any_order_lead_to_what_is_wanted(script: list[tuple[Any, ...]], seed: int) -> None:
    virtual_time.run(to_the_end(script, seed))


@SETTINGS
@given(script=WILD, seed=st.integers(0, 2**32), failing=st.sampled_from([0, 0, 30]))
def test_crashes_failures_and_garbage_leave_no_trace(script: list[tuple[Any, ...]], seed: int, failing: int) -> None:
    virtual_time.run(to_the_end(script, seed, failing))


@SETTINGS
@given(script=LOST, seed=st.integers(0, 2**32), failing=st.sampled_from([0, 0, 30]))
def test_a_lost_etcd_leaves_no_trace(script: list[tuple[Any, ...]], seed: int, failing: int) -> None:
    virtual_time.run(to_the_end(script, seed, failing))


@SETTINGS
@given(script=USURPED, seed=st.integers(0, 2**32), failing=st.sampled_from([0, 0, 30]))
def test_calls_that_end_after_their_term_leave_no_trace(script: list[tuple[Any, ...]], seed: int, failing: int) -> None:
    virtual_time.run(to_the_end(script, seed, failing))


@SETTINGS
@given(script=CALM, seed=st.integers(0, 2**32))
def test_after_a_restart_at_rest_nothing_is_called(script: list[tuple[Any, ...]], seed: int) -> None:
    async def check() -> None:
        async with World(L3VPN, seed) as world:
            await play(world, script)
            mend(world)
            await world.settle()
            calls, etcd = list(world.calls), dict(world.etcd)
            await world.shim.stop()
            await world.restart()
            await world.settle()
            assert world.calls == calls
            assert world.etcd == etcd

    virtual_time.run(check())


@SETTINGS
@given(script=CALM, seed=st.integers(0, 2**32), other=st.integers(0, 2**32))
def test_what_was_missed_while_down_is_dealt_with(script: list[tuple[Any, ...]], seed: int, other: int) -> None:
    """The same changes, all at once after a restart, come to the same end."""

    async def end(schedule: int, *, together: bool) -> Any:
        half = len(script) // 2
        async with World(L3VPN, schedule) as world:
            await play(world, [action for action in script[:half] if action[0] == "want"])
            mend(world)
            await world.settle()
            rest = [action for action in script[half:] if together is False or action[0] == "want"]
            if together:
                await world.shim.stop()
            await play(world, [action for action in rest if not action[0].startswith("other")])
            if together:
                await world.restart()
            mend(world)
            await world.settle()
            world.check()
            return {k: o.attributes for k, o in world.backend.objects.items()}, set(world.backend.bound)

    ends = [virtual_time.run(end(seed, together=False)), virtual_time.run(end(other, together=True))]
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
    "route target changed": ("VpnAfConfig", {}, {"vrf_rt_type": "import_extcommunity"}),
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
    """Changed, crashed at each possible moment, and changed back while down: a record alone looks right then."""
    object_type, before, change = THERE_AND_BACK[what]
    base = {"service_id": name("VpnService", 1).key} if object_type == "VpnBinding" else {}
    start = {**base, **before}
    end = None if change is None else {**start, **change}

    async def crash_at(step: int) -> None:
        async with World(L3VPN, seed=step) as world:
            await play(world, [("want", "VpnAfConfig", 2, {}), ("want", "VpnService", 2, {}), *EVERYTHING])
            publish(world, "Port", 2, {"host_id": "host-1", "device_id": "vm"})
            publish(world, object_type, 1, start)
            await world.settle()
            for _ in range(times):
                publish(world, object_type, 1, end)
                await world.advance(step)
                publish(world, object_type, 1, start)
                await world.crash()
            mend(world)
            await world.settle()
            world.check()
            await empty(world)

    for step in range(0, 30, 3 if times == 2 else 1):
        virtual_time.run(crash_at(step))


P = name("Port", 1)
MIGRATING = {"host_id": "host-1", "device_id": "vm", TOKEN: "a"}
PREPARED = {**MIGRATING, INACTIVE: ("host-2",)}
ACTIVATED = {"host_id": "host-2", "device_id": "vm", TOKEN: "b", INACTIVE: ("host-1",)}
MIGRATIONS = {
    "done": [MIGRATING, PREPARED, ACTIVATED, {**ACTIVATED, INACTIVE: ()}],
    "given up": [MIGRATING, PREPARED, MIGRATING],
    "given up after the activation": [MIGRATING, PREPARED, ACTIVATED, {**PREPARED, TOKEN: "c"}, MIGRATING],
    "the source deleted at once": [MIGRATING, PREPARED, {**ACTIVATED, INACTIVE: ()}],
    "the port deleted while it is prepared": [MIGRATING, PREPARED, None],
    "the port deleted after the activation": [MIGRATING, PREPARED, ACTIVATED, None],
    "prepared with a new profile": [MIGRATING, {**PREPARED, "profile": {"migrating_to": "host-2"}}, ACTIVATED],
}


def hosts_of(stage: dict[str, Any] | None) -> set[str]:
    return set() if stage is None else {stage["host_id"], *stage.get(INACTIVE, ())}


async def migrate(world: World, stages: list[dict[str, Any] | None], moment: int | None, crash_in: int) -> None:
    """Goes through the stages; in one of them the shim crashes at the given moment, if any."""
    before: dict[str, Any] | None = None
    for number, stage in enumerate(stages):
        publish(world, "Port", 1, stage)
        if number == crash_in and moment is not None:
            await world.advance(moment)
            await world.crash()
        await world.settle()
        world.check()
        kept = hosts_of(before) & hosts_of(stage)
        torn = [call for call in world.calls if call in {f"unbind_port {P} on {host}" for host in kept}]
        assert not torn, f"stage {number}: {torn}, though the port is wanted there before and after"
        world.calls.clear()
        before = stage


@pytest.mark.parametrize("what", MIGRATIONS)
def test_a_live_migration_ends_right_wherever_the_shim_crashes(what: str) -> None:
    async def crash(moment: int | None, crash_in: int) -> None:
        async with World(L3VPN, seed=crash_in) as world:
            for object_type, more in (
                ("VpnService", {}),
                ("Interface", {}),
                ("VpnBinding", {"service_id": name("VpnService", 1).key}),
            ):
                publish(world, object_type, 1, more)
            await migrate(world, MIGRATIONS[what], moment, crash_in)
            await empty(world)

    virtual_time.run(crash(None, 0))
    for crash_in in range(1, len(MIGRATIONS[what])):
        for moment in range(0, 24, 2):
            virtual_time.run(crash(moment, crash_in))


def test_a_live_migration_binds_and_unbinds_no_more_than_it_has_to() -> None:
    async def check() -> None:
        async with World(L3VPN, seed=1) as world:
            made = []
            for stage in MIGRATIONS["done"]:
                publish(world, "Port", 1, stage)
                await world.settle()
                made.append([call.replace(f" {P}", "") for call in world.calls if "bind_port" in call])
                world.calls.clear()
        assert made[:2] == [["bind_port on host-1"], ["bind_port on host-2"]]
        assert sorted(made[2]) == ["bind_port on host-1", "bind_port on host-2"]
        assert made[3] == ["unbind_port on host-1"]

    virtual_time.run(check())


SFC_TYPES = ["Port", "Interface", "ServiceFunction", "ServiceFunctionForwarder", "SfDataPlaneLocator", "SffSfBinding"]


@SETTINGS
@given(
    script=st.lists(st.tuples(st.sampled_from(SFC_TYPES), NUMBERS, st.booleans(), st.integers(0, 9)), max_size=30),
    seed=st.integers(0, 2**32),
)
def test_a_second_proton_follows_the_same_rules(script: list[tuple[str, int, bool, int]], seed: int) -> None:
    virtual_time.run(second_proton(SFC, script, seed))


async def second_proton(proton: Proton, script: list[tuple[str, int, bool, int]], seed: int) -> None:
    async with World(proton, seed) as world:
        for object_type, number, wanted, steps in script:
            more: dict[str, Any] = {}
            if object_type == "Port":
                more = {"host_id": "host-1", "device_id": "vm"}
            elif object_type == "SfDataPlaneLocator":
                more = {"service_id": name("ServiceFunction", number, proton).key, "l4_port": 1 + steps}
            elif object_type == "SffSfBinding":
                more = {
                    "service_function_forwarder": name("ServiceFunctionForwarder", number, proton).key,
                    "service_function": name("ServiceFunction", number, proton).key,
                }
            publish(world, object_type, number, more if wanted else None)
            await world.advance(steps)
        await world.settle()
        log.info("calls %s", world.calls)
        world.check()
