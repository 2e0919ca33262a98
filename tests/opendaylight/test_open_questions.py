"""What neither OpenDaylight's documents nor its models tell (docs/reference/opendaylight.md, What a real one does)."""

from __future__ import annotations

import collections
import concurrent.futures
import time
import urllib.error
import urllib.request

import pytest

from lab.controller import OpenDaylight
from standins.opendaylight.exchanges import INSTANCES, NETWORKS, Exchange, delete, get, instance, network, put
from standins.opendaylight.playing import DRAFT02, FLAVOURS, RFC8040, Player

WRITERS = 8
EACH = 40
SHARED = "23232323-2222-4222-8222-222222222222"
LAG = 3.0
"""Seconds after which what was answered with 201 is on disk: OpenDaylight answers first."""
THERE, MADE, GONE = 200, 201, 404


@pytest.mark.timeout(400)
def test_it_serves_with_the_configuration_it_is_shipped_with_on_every_address(controller: OpenDaylight):
    shipped = (controller.assembly.karaf / "etc" / "jetty.xml").read_text()
    assert (controller.directory / "etc" / "jetty.xml").read_text() == shipped

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen("http://127.0.0.2:8181/restconf/modules", timeout=30)

    with refused.value:
        assert refused.value.code == 401


@pytest.mark.timeout(400)
def test_writers_of_one_item_are_told_of_each_other_as_denied_never_as_locked(controller: OpenDaylight):
    player = Player(controller.url, DRAFT02)

    def write(_writer: int) -> list[tuple[str, int, str]]:
        exchanges = (
            put("make", NETWORKS + SHARED, network(SHARED)),
            get("read", NETWORKS + SHARED),
            delete("delete", NETWORKS + SHARED),
        )
        return [_said(exchange, player) for _ in range(EACH) for exchange in exchanges]

    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        answers = collections.Counter(said for one in pool.map(write, range(WRITERS)) for said in one)

    print(f"{DRAFT02}, {WRITERS} writers of one item: {dict(answers)}")
    done = {("PUT", 200, ""), ("PUT", 201, ""), ("GET", 200, ""), ("DELETE", 200, "")}
    absent = {("GET", 404, "data-missing"), ("DELETE", 404, "data-missing")}
    assert set(answers) <= done | absent | {("PUT", 409, "resource-denied"), ("DELETE", 409, "resource-denied")}


def _said(exchange: Exchange, player: Player) -> tuple[str, int, str]:
    """What was asked, the status, and the error's tag."""
    answer = player.send(exchange)
    errors = (answer["body"] or {}).get("errors", {}).get("error", [{}])
    return exchange.method, answer["status"], errors[0].get("error-tag", "")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_writers_of_different_items(controller: OpenDaylight, flavour: str):
    player = Player(controller.url, flavour)

    def write(number: int) -> list[tuple[str, int]]:
        key = f"d0000000-0000-4000-8000-{number:012d}"
        made = player.send(put("make", NETWORKS + key, network(key)))
        read = player.send(get("read", NETWORKS + key))
        gone = player.send(delete("delete", NETWORKS + key))
        return [("PUT", made["status"]), ("GET", read["status"]), ("DELETE", gone["status"])]

    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        answers = collections.Counter(pair for said in pool.map(write, range(200)) for pair in said)
    print(f"{flavour}, {WRITERS} writers of items of their own: {answers}, {time.monotonic() - started:.1f} s")
    failed = sum(count for (_, status), count in answers.items() if status >= 500)
    assert (failed > 0) == (flavour == RFC8040), "a shared transaction chain fails, or no longer does"
    for number in range(200):  # a request that failed may have been carried out, or not
        Player(controller.url, DRAFT02).send(delete("tidy", NETWORKS + f"d0000000-0000-4000-8000-{number:012d}"))


@pytest.mark.timeout(900)
def test_data_outlive_a_kill_and_a_stop_and_are_gone_when_wiped(controller: OpenDaylight):
    player = Player(controller.url, DRAFT02)
    for name in ("kept", "last"):
        assert player.send(put("make", INSTANCES + name, instance(name)))["status"] == MADE
        time.sleep(LAG if name == "kept" else 0.0)

    controller.kill()
    controller.start()
    print("written just before a kill:", player.send(get("last", INSTANCES + "last"))["status"])
    assert player.send(get("after a kill", INSTANCES + "kept"))["status"] == THERE

    controller.stop()
    controller.start()
    assert player.send(get("after a stop", INSTANCES + "kept"))["status"] == THERE

    controller.kill()
    controller.wipe()
    controller.start()
    assert player.send(get("after a wipe", INSTANCES + "kept"))["status"] == GONE
