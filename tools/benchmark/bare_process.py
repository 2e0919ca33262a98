"""The processes of the floors, and how the benchmark starts them.

    python -m benchmark.bare_process answer <etcd> <desired> <answers> <records>
    python -m benchmark.bare_process count  <etcd> <prefix> <number> <revision>
    python -m benchmark.bare_process record <etcd> <prefix> <number> <revision> <records>
    python -m benchmark.bare_process load   <etcd> <prefix>...
    python -m benchmark.bare_process apply  <etcd> <desired> <records>

Each prints lines for the benchmark to read, and is ended by it.
"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import uvloop
from msgspec.structs import replace

from benchmark.bare_watch import watch
from gluon.contract import keys
from gluon.contract.keys import ObjectKey
from gluon.contract.records import (
    AppliedRecord,
    BindingAnswer,
    Bound,
    PortAnswer,
    decode_attributes,
    encode,
    split_port,
)
from gluon.etcd import Client, Compare, Endpoints, Put
from gluon.testing.process import ProcessFailed

READY = "ready"
RECORDS_AT_ONCE = 100
"""Records in one transaction, as the shim writes them."""
PATIENCE = 120.0
"""Longest wait for a line of a process, in seconds."""
ENDING = 10.0
"""Longest wait for the end of a process that closed its output, in seconds."""
DETAILS: dict[str, Any] = {"port_filter": False, "bridge_name": "br-gluon"}
Read: TypeAlias = tuple[dict[str, Any], int]
"""What was read of an object: its attributes and its revision."""


# -- for the benchmark ---------------------------------------------------------------------------


class BareProcess:
    """One such process, running."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self._process = process

    async def line(self) -> str:
        """The next line that it prints.

        Raises:
            ProcessFailed: it ended, or is silent for `PATIENCE`.
        """
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE):
                text = await asyncio.to_thread(self._process.stdout.readline)
        except TimeoutError as error:
            self._process.kill()  # Else the thread would never end.
            raise ProcessFailed(f"a process of the floor said nothing for {PATIENCE:g} s") from error
        if not text:
            raise ProcessFailed(f"a process of the floor ended with exit code {self._process.wait(ENDING)}")
        return text.decode().strip()


@asynccontextmanager
async def bare_process(*arguments: str) -> AsyncIterator[BareProcess]:
    """Starts one, and ends it.

    By subprocess and not by the event loop: uvloop forks, which gRPC's threads make dangerous.
    """
    with subprocess.Popen(  # noqa: ASYNC220 - it returns within a millisecond or two
        [sys.executable, "-m", "benchmark.bare_process", *arguments],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield BareProcess(process)
        finally:
            process.kill()


# -- what they do --------------------------------------------------------------------------------


async def answer(endpoint: str, desired: str, answers: str, records: str) -> None:
    """Answers each port with the two transactions of a shim: the claim, and the result."""
    async with Client(Endpoints((endpoint,))) as etcd, asyncio.TaskGroup() as tasks:
        async for response in watch(endpoint, desired.encode()):
            if response.created:
                say(READY)
            for event in response.events:
                bind = Bind(keys.parse(event.kv.key, desired.encode()), event.kv.value, event.kv.mod_revision)
                tasks.create_task(_answer(etcd, answers.encode(), records.encode(), bind))


class Bind(NamedTuple):
    """A port that is to be bound."""

    port: ObjectKey
    value: bytes
    revision: int


async def _answer(etcd: Client, answers: bytes, records: bytes, bind: Bind) -> None:
    answer_key = answers + bind.port.path
    attributes = decode_attributes(bind.value)
    token, _ = split_port(attributes)
    host = str(attributes["host_id"])
    ours = records + bind.port.path, records + keys.binding(bind.port, host).path
    claim = BindingAnswer(controller="bare", host_id=host, token=token, revision=bind.revision)
    record = AppliedRecord(attributes=attributes, revision=bind.revision, claimed=True)
    claimed = await etcd.txn(
        [Compare.absent(answer_key)],
        [*(Put(key, encode(record)) for key in ours), Put(answer_key, encode(PortAnswer.of(claim, ())))],
    )
    applied = replace(record, claimed=False)
    bound = replace(applied, bound=Bound(token=token, vif_type="ovs", vif_details=DETAILS))
    said = PortAnswer.of(replace(claim, vif_type="ovs", vif_details=DETAILS), ())
    await etcd.txn(
        [Compare.mod_revision(answer_key, claimed.revision)],
        [Put(ours[0], encode(applied)), Put(ours[1], encode(bound)), Put(answer_key, encode(said))],
    )


async def count(endpoint: str, prefix: str, number: str, revision: str) -> None:
    """Counts events; says when it began and when it had seen so many."""
    began, seen = time.monotonic(), 0
    async with aclosing(watch(endpoint, prefix.encode(), revision=int(revision))) as responses:
        async for response in responses:
            if response.created:
                say(READY)
            seen += len(response.events)
            if seen >= int(number):
                say(f"{began} {time.monotonic()}")
                return


async def record(endpoint: str, prefix: str, number: str, revision: str, records: str) -> None:
    """As `count`, and writes the two records of each object that a shim would."""
    began, seen = time.monotonic(), 0
    async with (
        Client(Endpoints((endpoint,))) as etcd,
        aclosing(watch(endpoint, prefix.encode(), revision=int(revision))) as responses,
    ):
        async for response in responses:
            if response.created:
                say(READY)
            found = {
                event.kv.key.removeprefix(prefix.encode()): (decode_attributes(event.kv.value), event.kv.mod_revision)
                for event in response.events
            }
            await _write_records(etcd, records.encode(), found)
            seen += len(found)
            if seen >= int(number):
                say(f"{began} {time.monotonic()}")
                return


async def load(endpoint: str, *prefixes: str) -> None:
    """Lists keys, decodes their values and keeps them."""
    kept = await _listed(endpoint, *prefixes)
    say(str(len(kept)))
    await asyncio.sleep(PATIENCE)  # Its memory is looked at from outside.


async def apply(endpoint: str, desired: str, records: str) -> None:
    """Lists what is wanted and writes the two records of each object that a shim would."""
    kept = await _listed(endpoint, desired)
    async with Client(Endpoints((endpoint,))) as etcd:
        await _write_records(etcd, records.encode(), {k.removeprefix(desired.encode()): v for k, v in kept.items()})
    say(str(len(kept)))


async def _listed(endpoint: str, *prefixes: str) -> dict[bytes, Read]:
    gc.disable()  # It would walk all that is kept, again and again.
    kept: dict[bytes, Read] = {}
    async with Client(Endpoints((endpoint,), timeout=30)) as etcd:
        for prefix in prefixes:
            async for page in etcd.pages(prefix.encode()):
                for item in page.items:
                    kept[item.key] = decode_attributes(item.value), item.mod_revision
    return kept


async def _write_records(etcd: Client, prefix: bytes, found: Mapping[bytes, Read]) -> None:
    """A claim, then a result, of each object; many in one transaction."""
    items = list(found.items())
    for start in range(0, len(items), RECORDS_AT_ONCE):
        for claimed in (True, False):
            records = {
                key: AppliedRecord(attributes=attributes, revision=revision, claimed=claimed)
                for key, (attributes, revision) in items[start : start + RECORDS_AT_ONCE]
            }
            await etcd.txn([], [Put(prefix + key, encode(each)) for key, each in records.items()])


def say(line: str) -> None:
    """Prints a line for the benchmark."""
    print(line, flush=True)


if __name__ == "__main__":
    commands = {each.__name__: each for each in (answer, count, record, load, apply)}
    uvloop.run(commands[sys.argv[1]](*sys.argv[2:]))
