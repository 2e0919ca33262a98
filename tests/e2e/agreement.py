"""Whether all parties agree once nothing changes any more: clients, API, database, etcd, shim, backend."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpx

from gluon.testing.process import ServerProcess
from gluon.testing.stack import LocalStack
from gluon.testing.waiting import TIMEOUT, until

from .chaos import Owned
from .observing import api, dump, status
from .recording import Recording

PLURALS = {
    "Port": "ports",
    "Interface": "interfaces",
    "VpnAfConfig": "vpnafconfigs",
    "VpnService": "vpns",
    "VpnBinding": "vpnbindings",
}
KEYS = {"VpnAfConfig": "vrf_rt_value", "VpnBinding": "interface_id"}
SERVER_SETS = {"status", "vif_type", "vif_details", "created_at", "updated_at", "status_reason", "revision_number"}

Objects = dict[str, dict[str, Any]]
"""Attributes by `<Object>/<key>`."""


def wait_for_agreement(
    stack: LocalStack,
    recording: Recording,
    owned: Iterable[Owned] | None = None,
    shared: Iterable[str] = (),
    *,
    shims: Sequence[ServerProcess] = (),
    timeout: float = TIMEOUT,
) -> None:
    """Waits until no two parties differ.

    Args:
        stack: proton-server and etcd.
        recording: what its backend was told.
        owned: what clients know of their objects; None: nobody does.
        shared: objects of no owner, as `<Object>/<key>`.
        shims: one of them leads; empty: the stack's.
        timeout: seconds.

    Raises:
        AssertionError: they still differ, and where.
    """
    found: list[str] = []

    def agree() -> bool:
        found[:] = disagreements(stack, recording, owned, shared, shims or [stack.shim])
        return not found

    try:
        until(agree, "all parties agree", timeout)
    except AssertionError as error:
        raise AssertionError("\n".join([str(error), *found])) from None


def disagreements(
    stack: LocalStack,
    recording: Recording,
    owned: Iterable[Owned] | None,
    shared: Iterable[str],
    shims: Sequence[ServerProcess],
) -> list[str]:
    """Everything on which two parties differ at this moment; see `wait_for_agreement`."""
    try:
        shown = _shown(stack)
        return [
            *([] if owned is None else _of_clients(shown, owned, set(shared))),
            *_of_api(shown),
            *_of_etcd(stack, shown),
            *_of_shim(stack, _leader(shims), shown),
            *_of_backend(recording, shown),
        ]
    except httpx.TransportError as error:
        return [f"a server can't be reached: {error!r}"]


def _shown(stack: LocalStack) -> Objects:
    with api(stack) as client:
        return {
            f"{name}/{each[KEYS.get(name, 'id')]}": each
            for name, plural in PLURALS.items()
            for each in client.get(f"/{plural}").raise_for_status().json()[plural]
        }


def _of_clients(shown: Objects, owned: Iterable[Owned], shared: set[str]) -> list[str]:
    """Every 2xx is kept, and nothing else is there."""
    problems = []
    expected = set(shared)
    for each in owned:
        found = shown.get(str(each))
        if each.state is None:
            if found is not None:
                problems.append(f"{each} is deleted, and the API shows {found}")
            continue
        expected.add(str(each))
        if each.object_type == "Port":
            expected.add(f"Interface/{each.key}")
        wrong = {n: (found or {}).get(n) for n, value in each.state.items() if (found or {}).get(n) != value}
        if wrong:
            problems.append(f"{each} was set to {each.state}, and the API shows {wrong}")
    unexpected = shown.keys() - expected
    return problems + [f"the API shows {name}, which nobody created" for name in sorted(unexpected)]


def _of_api(shown: Objects) -> list[str]:
    """Each port that is to be bound is bound, each other one is not, and nothing else is reported."""
    problems = []
    for name, port in _of_type(shown, "Port"):
        expected = ("ovs", "ACTIVE") if _wants_bind(port) else ("unbound", "DOWN")
        if (port["vif_type"], port["status"]) != expected:
            problems.append(f"the API shows {name} as {port}, expected {expected}")
    return problems + [f"{name}: {each['status_reason']}" for name, each in shown.items() if each["status_reason"]]


def _of_etcd(stack: LocalStack, shown: Objects) -> list[str]:
    wanted = {name: _published(each) for name, each in shown.items()}
    ports = {port["id"]: {"tenant_id": port["tenant_id"]} for _, port in _of_type(shown, "Port")}
    published = dump(stack.etcd, "/proton/net-l3vpn/")
    for each in published.values():
        each.pop("binding:token", None)
    registered = {key: {"tenant_id": each["tenant_id"]} for key, each in dump(stack.etcd, "/gluon/port/").items()}
    answers = dump(stack.etcd, "/controller/net-l3vpn/")
    bound = {
        name: (port["host_id"], port["vif_type"], port["vif_details"])
        for name, port in _of_type(shown, "Port")
        if _wants_bind(port)
    }
    answered = {name: (a.get("host_id"), a.get("vif_type"), a.get("vif_details")) for name, a in answers.items() if a}
    return [
        *_differences("/proton/ and the API", published, wanted),
        *_differences("/gluon/port/ and the API", registered, ports),
        *_differences("/controller/ and the API", answered, bound),
        *(f"/controller/ holds {name}, which does not exist" for name in answers.keys() - shown.keys()),
        *(f"the outbox holds {row}" for row in _outbox(stack)),
    ]


def _leader(shims: Sequence[ServerProcess]) -> dict[str, Any]:
    """What the shim that leads says of itself."""
    found = [status(shim) for shim in shims if shim.is_running]
    return next((each for each in found if each["in_sync"]), {"controller": "nobody", "protons": {}})


def _of_shim(stack: LocalStack, leader: Mapping[str, Any], shown: Objects) -> list[str]:
    controller = leader["controller"]
    records = dump(stack.etcd, f"/shim/{controller}/applied/net-l3vpn/")
    applied = {
        name: record if record.keys() & {"claimed", "attempt"} else record["attributes"]
        for name, record in records.items()
    }
    bindings = {name: applied.pop(name) for name in list(applied) if name.startswith("Port.binding/")}
    wanted = {
        f"Port.binding/{port['id']}@{port['host_id']}" for _, port in _of_type(shown, "Port") if _wants_bind(port)
    }
    numbers = leader["protons"].get("net-l3vpn", {"queue": "standby"})
    busy = {name: numbers[name] for name in ("queue", "failing", "in_use") if numbers.get(name)}
    if leader.get("brake"):
        busy["brake"] = leader["brake"]
    return [
        *_differences("applied records and the API", applied, _at_backend(shown)),
        *(f"records of bindings and the API differ on {name}" for name in sorted(bindings.keys() ^ wanted)),
        *(f"/status/ holds {name}: {said}" for name, said in dump(stack.etcd, f"/status/{controller}/").items()),
        *([str(busy)] if busy else []),
    ]


def _of_backend(recording: Recording, shown: Objects) -> list[str]:
    account = recording.account()
    held = {f"{name}/{key}": each.attributes for (name, key), each in account.objects.items()}
    hosts = {port["id"]: [port["host_id"]] for _, port in _of_type(shown, "Port") if port["vif_type"] == "ovs"}
    return [
        *_differences("the backend and the API", held, _at_backend(shown)),
        *_differences("hosts at the backend and in the API", account.hosts, hosts),
    ]


def _at_backend(shown: Objects) -> Objects:
    """A service binding is at the backend while its port is bound, everything else always."""
    return {
        name: _published(each)
        for name, each in shown.items()
        if not name.startswith("VpnBinding/") or _wants_bind(shown[f"Port/{each['interface_id']}"])
    }


def _published(each: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in each.items() if name not in SERVER_SETS}


def _wants_bind(port: Mapping[str, Any]) -> bool:
    return bool(port["host_id"] and port["device_id"])


def _of_type(shown: Objects, object_type: str) -> list[tuple[str, dict[str, Any]]]:
    return [(name, each) for name, each in shown.items() if name.startswith(f"{object_type}/")]


def _differences(what: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [
        f"{what} differ on {name}: {one.get(name)} and {other.get(name)}"
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name)
    ]


def _outbox(stack: LocalStack) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(stack.directory / "gluon.db", timeout=10)
    try:
        return connection.execute("SELECT * FROM outbox").fetchall()
    finally:
        connection.close()
