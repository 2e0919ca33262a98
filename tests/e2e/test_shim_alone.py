"""A real shim and a real etcd; the test writes what proton-server would."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gluon.etcd import Client, Delete, Endpoints, Put
from gluon.testing.process import ServerProcess
from gluon.testing.stack import LocalStack

from .observing import MAC, TENANT, dump, status, wait_for
from .recording import Account, Recording

WRITERS = 8
WRITES = 5000
KEYS = 2000
RECORDS = "/shim/SimServer/applied/net-l3vpn/"


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def port(number: int, **attributes: Any) -> tuple[bytes, bytes]:
    """Key and value of a port, as proton-server publishes them."""
    value = {"id": uuid(number), "tenant_id": TENANT, "mac_address": MAC, "name": f"port-{number}", **attributes}
    return f"/proton/net-l3vpn/Port/{uuid(number)}".encode(), json.dumps(value).encode()


def write(stack: LocalStack, *changes: tuple[bytes, bytes | None]) -> None:
    """Puts keys into etcd, or deletes those without a value, in one transaction."""

    async def run() -> None:
        async with Client(Endpoints((stack.etcd.endpoint,))) as etcd:
            await etcd.txn([], [Delete(key) if value is None else Put(key, value) for key, value in changes])

    asyncio.run(run())


def settled(shim: ServerProcess, applied: int, timeout: float = 60.0) -> dict[str, Any]:
    """Waits until the shim has applied that many objects and nothing is left to do."""

    def look() -> dict[str, Any]:
        seen = status(shim)["protons"].get("net-l3vpn", {})
        return seen if (seen.get("applied"), seen.get("queue")) == (applied, 0) else {}

    return wait_for(look, f"{applied} objects applied", timeout)


@pytest.fixture
def stack(tmp_path: Path, recording: Recording) -> Iterator[LocalStack]:
    """An etcd, and a shim that is not started yet."""
    made = LocalStack(tmp_path, shim=recording.options(leader_ttl=2), environment=recording.environment)
    with made.etcd:
        yield made


@contextmanager
def replaced(old: ServerProcess) -> Iterator[None]:
    """Ends a shim, runs the block, starts it again."""
    assert old.stop(5) == 0
    yield
    old.start()
    old.wait_ready()


async def burst(stack: LocalStack, rng: random.Random) -> dict[int, str]:
    """5,000 writes by 8 writers; returns the last name written for each port."""
    last: dict[int, str] = {}

    async def writer(etcd: Client, name: int, numbers: list[int]) -> None:
        for count in range(WRITES // WRITERS):
            number = rng.choice(numbers)
            last[number] = f"{name}-{count}"
            await etcd.put(*port(number, name=last[number]))

    async with Client(Endpoints((stack.etcd.endpoint,))) as etcd:
        shares = [list(range(name, KEYS, WRITERS)) for name in range(WRITERS)]
        await asyncio.gather(*(writer(etcd, name, numbers) for name, numbers in enumerate(shares)))
    return last


def test_a_burst_of_5000_writes_by_8_writers_reaches_the_backend(stack: LocalStack, recording: Recording) -> None:
    with stack.shim:
        last = asyncio.run(burst(stack, random.Random(1)))
        settled(stack.shim, len(last))
        held = Account(recording.entries()).objects
        assert {key: attributes["name"] for (_, key), attributes in held.items()} == {
            uuid(number): name for number, name in last.items()
        }
        assert {key.removeprefix("Port/"): r["attributes"]["name"] for key, r in dump(stack.etcd, RECORDS).items()} == {
            uuid(number): name for number, name in last.items()
        }


def test_delete_port_is_called_once_with_what_the_port_promises(stack: LocalStack, recording: Recording) -> None:
    """In 2017: `TypeError: delete_port() takes exactly 3 arguments (4 given)`."""
    key, value = port(1, host_id="compute-1", device_id="vm-1")
    with stack.shim:
        write(stack, (key, value))
        settled(stack.shim, 1)
        write(stack, (key, None))
        settled(stack.shim, 0)
        assert recording.callbacks(uuid(1)) == ["bind_port", "unbind_port", "delete_port"]
        [deleted] = [entry for entry in recording.entries() if entry.callback == "delete_port"]
        assert deleted.attributes["name"] == "port-1"
        assert "TypeError" not in stack.shim.log
        assert dump(stack.etcd, RECORDS) == {}
        assert dump(stack.etcd, "/controller/") == {}


def test_what_happened_while_it_was_down_is_dealt_with_at_start_and_nothing_else_is_called(
    stack: LocalStack, recording: Recording
) -> None:
    with stack.shim:
        write(stack, *(port(n, host_id="compute-1", device_id=f"vm-{n}") for n in range(20)))
        settled(stack.shim, 20)
        before = len(recording.entries())
        with replaced(stack.shim):
            write(
                stack,
                (port(0)[0], None),
                port(1, host_id="compute-2", device_id="vm-1"),
                port(2, host_id="compute-1", device_id="vm-2", name="renamed"),
                port(3),
                port(100, host_id="compute-1", device_id="vm-100"),
            )
        settled(stack.shim, 20)
        calls = Counter((entry.callback, entry.key) for entry in recording.entries()[before:])
        assert calls == Counter(
            [
                ("unbind_port", uuid(0)),
                ("delete_port", uuid(0)),
                ("unbind_port", uuid(1)),
                ("bind_port", uuid(1)),
                ("modify_port", uuid(2)),
                ("unbind_port", uuid(3)),
                ("modify_port", uuid(3)),
                ("bind_port", uuid(100)),
            ]
        )


MALFORMED = {
    b"/proton/net-l3vpn/Port/not-json": b"{",
    b"/proton/net-l3vpn/Port/00000000-0000-4000-8000-000000000091": b"[1, 2]",
    b"/proton/net-l3vpn/Port/00000000-0000-4000-8000-000000000092": b'{"tenant_id": 7, "mac_address": true}',
    b"/proton/net-l3vpn/Port/00000000-0000-4000-8000-000000000093": port(94)[1],
    b"/proton/net-l3vpn/Teapot/1": b"{}",
    b"/proton/no-such-proton/Port/1": b"{}",
    b"/proton/net-l3vpn/Port": b"{}",
    b"/proton/net-l3vpn/Port/" + b"x" * 5000: b"{}",
    b"/proton/net-l3vpn/Port/\xff\xfe": b"{}",
}


def test_malformed_values_are_reported_and_skipped_and_everything_else_goes_on(
    stack: LocalStack, recording: Recording
) -> None:
    with stack.shim:
        write(stack, *MALFORMED.items())
        write(stack, port(1, host_id="compute-1", device_id="vm-1"))
        settled(stack.shim, 1)
        reports = [line for line in stack.shim.log.splitlines() if " skipped " in line]
        assert len(reports) == len(MALFORMED), reports
        for what in (
            "not-json",
            "000091",
            "tenant_id",
            "000093",
            "'Teapot'",
            "'no-such-proton'",
            "longer than",
            r"\xff",
        ):
            assert any(what in report for report in reports), what
        with replaced(stack.shim):
            pass
        assert {entry.key for entry in recording.entries()} == {uuid(1)}


def test_garbage_over_a_good_value_leaves_the_object_as_it_was_applied(stack: LocalStack, recording: Recording) -> None:
    key, value = port(1, host_id="compute-1", device_id="vm-1")
    with stack.shim:
        write(stack, (key, value))
        settled(stack.shim, 1)
        write(stack, (key, b"garbage"))
        wait_for(lambda: " skipped " in stack.shim.log, "it is reported")
        with replaced(stack.shim):
            pass
        settled(stack.shim, 1)
        assert recording.callbacks(uuid(1)) == ["bind_port"]
        write(stack, (key, None))
        settled(stack.shim, 0)
        assert recording.callbacks(uuid(1)) == ["bind_port", "unbind_port", "delete_port"]


def test_a_standby_takes_over_from_a_killed_shim_and_does_only_what_is_due(
    stack: LocalStack, recording: Recording
) -> None:
    standby = stack.shim_server("standby", recording.options(leader_ttl=2))
    with stack.shim:
        write(stack, *(port(n, host_id="compute-1", device_id=f"vm-{n}") for n in range(10)))
        settled(stack.shim, 10)
        with standby:
            assert status(standby)["role"] == "standby"
            before = len(recording.entries())
            stack.shim.kill()
            write(stack, port(3, host_id="compute-9", device_id="vm-3"))
            wait_for(lambda: status(standby)["role"] == "active", "the standby leads")
            wait_for(lambda: recording.callbacks(uuid(3))[-1:] == ["bind_port"], "what is due is done")
            settled(standby, 10)
            assert [entry.callback for entry in recording.entries()[before:]] == ["unbind_port", "bind_port"]


def test_a_frozen_shim_steps_down_when_it_thaws(stack: LocalStack, recording: Recording) -> None:
    standby = stack.shim_server("standby", recording.options(leader_ttl=2))
    with stack.shim, standby:
        write(stack, port(1, host_id="compute-1", device_id="vm-1"))
        settled(stack.shim, 1)
        stack.shim.freeze()
        try:
            wait_for(lambda: status(standby)["role"] == "active", "the standby leads", 30)
            write(stack, port(1, host_id="compute-2", device_id="vm-1"))
            wait_for(lambda: len(recording.callbacks(uuid(1))) == 3, "the standby moves the port")
        finally:
            stack.shim.thaw()
        wait_for(lambda: status(stack.shim)["role"] == "standby", "the frozen one steps down", 30)
        settled(standby, 1)
        account = Account(recording.entries())
        assert account.violations == []
        assert account.hosts == {uuid(1): "compute-2"}
        assert dump(stack.etcd, "/controller/net-l3vpn/Port/")[uuid(1)]["host_id"] == "compute-2"


def test_an_etcd_that_lost_its_data_deletes_nothing_at_the_backend(stack: LocalStack, recording: Recording) -> None:
    with stack.shim:
        write(stack, *(port(n, host_id="compute-1", device_id=f"vm-{n}") for n in range(10)))
        settled(stack.shim, 10)
        stack.etcd.kill()
        stack.etcd.wipe()
        stack.etcd.start()
        settled(stack.shim, 0)
        write(stack, *(port(n, host_id="compute-1", device_id=f"vm-{n}") for n in range(10)))
        settled(stack.shim, 10)
        assert {entry.callback for entry in recording.entries()} == {"bind_port"}
        assert stack.shim.is_running


def plugin(directory: Path, source: str) -> dict[str, str]:
    """An installed backend named `theirs`; returns the environment that finds it."""
    info = directory / "theirs-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gluon.shim.backends]\ntheirs = theirs:Theirs\n")
    head = "from gluon.shim.backend import Backend, Binding\n\n\nclass Theirs(Backend):\n"
    (directory / "theirs.py").write_text(head + source)
    return {"PYTHONPATH": str(directory)}


BIND = "    def bind_port(self, port, model):\n        return Binding('ovs')\n"


@pytest.mark.parametrize(
    ("handlers", "source", "said"),
    [
        (
            "net-l3vpn:theirs",
            BIND + "    def delete_port(self, port, model, changes):\n        pass\n",
            (
                "backend 'theirs' (theirs.Theirs): delete_port(self, port, model, changes) can't be called as "
                "delete_port(port, model)"
            ),
        ),
        ("net-l3vpn:theirs", "    pass\n", "backend 'theirs' (theirs.Theirs) does not define bind_port"),
        ("net-l3vpn:theirs", BIND + "    def delete_prot(self, port, model):\n        pass\n", "delete_prot"),
        ("net-l3vpn:theirs", "    import no_such_module\n", "No module named 'no_such_module'"),
        ("net-l3vpn:nobody", BIND, "no backend is named 'nobody'"),
        ("no-such-proton:theirs", BIND, "names proton 'no-such-proton'; available: "),
    ],
)
def test_a_backend_that_can_not_work_is_refused_at_start(handlers: str, source: str, said: str, tmp_path: Path) -> None:
    environment = plugin(tmp_path / "plugin", source)
    shim = LocalStack(tmp_path, shim={"shim": {"handlers": handlers}}, environment=environment).shim
    shim.start()
    wait_for(lambda: not shim.is_running, "it ends")
    assert shim.exit_code == 1
    assert said in shim.log
    assert "Traceback" not in shim.log
