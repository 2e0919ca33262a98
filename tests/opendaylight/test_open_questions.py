"""What neither OpenDaylight's documents nor its models tell (docs/reference/opendaylight.md, What a real one does)."""

from __future__ import annotations

import collections
import concurrent.futures
import time
import urllib.error
import urllib.request

import pytest

from lab.controller import OpenDaylight
from standins.opendaylight.exchanges import INSTANCES, NETWORKS, delete, get, instance, network, put
from standins.opendaylight.playing import DRAFT02, FLAVOURS, RFC8040, Player

WRITERS = 8
EACH = 40
MADE, GONE = 201, 404


@pytest.mark.timeout(400)
def test_it_serves_with_the_configuration_it_is_shipped_with_on_every_address(controller: OpenDaylight):
    shipped = (controller.assembly.karaf / "etc" / "jetty.xml").read_text()
    assert (controller.directory / "etc" / "jetty.xml").read_text() == shipped

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen("http://127.0.0.2:8181/restconf/modules", timeout=30)

    assert refused.value.code == 401


@pytest.mark.timeout(400)
def test_many_writers_of_one_item_are_never_told_of_a_lock(controller: OpenDaylight):
    answers = _one_item(Player(controller.url, DRAFT02))

    print(f"{DRAFT02}, {WRITERS} writers of one item: {answers}")
    assert set(answers) <= {("PUT", 200), ("PUT", 201), ("DELETE", 200), ("DELETE", 404), ("GET", 200), ("GET", 404)}


def _one_item(player: Player) -> collections.Counter[tuple[str, int]]:
    """Writers that make, read and delete the same item, all at once."""

    def write(_writer: int) -> list[tuple[str, int]]:
        said = []
        for _ in range(EACH):
            for exchange in (
                put("make", NETWORKS + SHARED, network(SHARED)),
                get("read", NETWORKS + SHARED),
                delete("delete", NETWORKS + SHARED),
            ):
                answer = player.send(exchange)
                said.append((exchange.method, answer["status"]))
                if answer["status"] not in {200, 201, 204, 404}:
                    print(exchange.method, answer)
        return said

    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        return collections.Counter(status for said in pool.map(write, range(WRITERS)) for status in said)


SHARED = "23232323-2222-4222-8222-222222222222"


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
def test_data_outlive_a_stop_and_a_kill_and_are_gone_when_wiped(controller: OpenDaylight):
    player = Player(controller.url, DRAFT02)
    kept, path = instance("kept"), INSTANCES + "kept"
    assert player.send(put("make", path, kept))["status"] == MADE

    controller.kill()
    controller.start()
    assert player.send(get("after a kill", path))["body"] == {"vpn-instance": kept["l3vpn:vpn-instance"]}

    controller.stop()
    controller.start()
    assert player.send(get("after a stop", path))["status"] == 200

    controller.kill()
    controller.wipe()
    controller.start()
    assert player.send(get("after a wipe", path))["status"] == GONE
