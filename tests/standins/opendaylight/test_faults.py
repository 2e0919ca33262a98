"""The stand-in can be disturbed, and others have objects in it."""

from __future__ import annotations

import http.client
import threading
import time

import pytest

from . import DIALECTS, DRAFT02, RFC8040, Fault, StandIn
from .client import Client
from .objects import NETWORK, NETWORKS, SUBNET, SUBNETS, VPN, instance, instances, network, subnet

pytestmark = pytest.mark.opendaylight

HERE = NETWORKS + NETWORK
GONE = (ConnectionError, http.client.HTTPException)


@pytest.mark.parametrize("flavour", [DRAFT02, RFC8040])
def test_503(odl: StandIn, flavour: str) -> None:
    with Client(odl.url, flavour) as client:
        odl.break_down(Fault.UNAVAILABLE)
        assert client.put(HERE, network()).status == 503
        odl.mend()
        assert client.get(HERE).status == 404


@pytest.mark.parametrize("flavour", [DRAFT02, RFC8040])
def test_one_that_starts_says_404_to_everything(odl: StandIn, flavour: str) -> None:
    with Client(odl.url, flavour) as client:
        client.put(HERE, network())
        odl.break_down(Fault.STARTING)
        assert client.get(HERE) == (404, None, "")
        assert client.put(HERE, network()).status == 404
        assert client.request("GET", "/restconf/modules").status == 404
        assert client.request("GET", "/diagstatus").status == 404
        odl.mend()
        assert client.request("GET", "/diagstatus").status == 200
        assert client.get(HERE).status == 200


def test_a_500_that_was_stored(odl: StandIn, client: Client) -> None:
    odl.break_down(Fault.STORED_500, times=1)
    assert client.put(HERE, network()).status == 500
    assert client.get(HERE).status == 200


def test_lock_denied_meets_writes(odl: StandIn, client: Client) -> None:
    odl.break_down(Fault.LOCK_DENIED)
    reply = client.put(HERE, network())
    assert reply.status == 409
    assert reply.content["errors"]["error"][0]["error-tag"] == "lock-denied"
    assert client.get(HERE).status == 404


def test_silence_ends_when_it_is_mended(odl: StandIn, client: Client) -> None:
    odl.break_down(Fault.SILENT)
    threading.Timer(0.1, odl.mend).start()
    began = time.monotonic()
    with pytest.raises(GONE):
        client.put(HERE, network())
    assert time.monotonic() - began > 0.05
    assert odl.config() == {}


@pytest.mark.parametrize("after", [0, 1])
def test_refused_connections(odl: StandIn, client: Client, after: int) -> None:
    odl.break_down(Fault.REFUSED, after)
    assert [client.get(HERE).status for _ in range(after)] == [404] * after
    for _ in range(2):
        with pytest.raises(GONE):
            client.get(HERE)
    odl.mend()
    with Client(odl.url) as again:
        assert again.get(HERE).status == 404


def test_faults_begin_after_some_requests_and_last_for_some(odl: StandIn, client: Client) -> None:
    odl.break_down(Fault.UNAVAILABLE, after=2, times=1)
    assert [client.get(HERE).status for _ in range(4)] == [404, 404, 503, 404]


def test_requests_are_written_down(odl: StandIn, client: Client) -> None:
    client.put(HERE, network())
    (exchange,) = odl.requests
    assert exchange == ("PUT", f"/restconf/config/neutron:neutron/networks/network/{NETWORK}", 201)


def test_it_takes_its_time() -> None:
    with StandIn(latency=0.05) as odl, Client(odl.url) as client:
        began = time.monotonic()
        client.get(HERE)
        assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize("reused", [True, False])
def test_a_stopped_one_keeps_its_configuration(odl: StandIn, client: Client, *, reused: bool) -> None:
    client.put(instances() + VPN, instance())
    odl.settle()
    before = odl.config(), odl.operational()
    odl.stop()
    with Client(odl.url) as other, pytest.raises(GONE):
        (client if reused else other).get(HERE)
    odl.start()
    odl.settle()
    assert (odl.config(), odl.operational()) == before


def test_an_empty_one_has_nothing_and_works(odl: StandIn, client: Client) -> None:
    client.put(HERE, network())
    odl.empty()
    assert odl.config() == {}
    assert odl.operational() == {}
    with Client(odl.url) as again:
        assert again.put(HERE, network()).status == 201
        assert again.request("GET", "/restconf/modules").status == 200


def _at_once(odl: StandIn, flavour: str, count: int = 6) -> list[int]:
    statuses: list[int] = []
    together = threading.Barrier(count)

    def put(number: int) -> None:
        key = f"b0000000-0000-4000-8000-{number:012d}"
        with Client(odl.url, flavour) as client:
            together.wait()
            statuses.append(client.put(NETWORKS + key, network(key)).status)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def test_concurrent_requests_at_rests_fail_in_neon() -> None:
    with StandIn(latency=0.2) as odl:
        statuses = _at_once(odl, RFC8040)
        stored = len(odl.config()["neutron:neutron"]["networks"]["network"])
    assert statuses.count(500) >= 2
    assert stored > statuses.count(201)  # some 500s were stored all the same


@pytest.mark.parametrize(("dialect", "flavour"), [("C", DRAFT02), ("E", RFC8040)])
def test_concurrent_requests_elsewhere(dialect: str, flavour: str) -> None:
    with StandIn(dialect, latency=0.05) as odl:
        assert _at_once(odl, flavour) == [201] * 6


def test_one_request_after_the_other_never_fails() -> None:
    with StandIn() as odl:
        statuses = []
        for _ in range(100):
            with Client(odl.url, RFC8040) as client:
                statuses.append(client.get(HERE).status)
    assert statuses == [404] * 100


# -- foreign objects -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS)
def test_foreign_objects_are_told_from_others(dialect: str) -> None:
    with StandIn(dialect, delay=0.005) as odl, Client(odl.url) as client:
        before = odl.add_foreign()
        assert odl.config(foreign_too=False) == {}
        client.put(HERE, network())
        odl.settle()
        assert odl.foreign() == before
        assert NETWORK in odl.config(foreign_too=False)["neutron:neutron"]["networks"]["network"]
        odl.stop()
        odl.start()
        odl.settle()
        assert odl.foreign() == before


def test_touched_foreign_objects_are_noticed(odl: StandIn) -> None:
    before = odl.add_foreign()
    odl.remove(("ebgp:bgp",), "neighbors", "198.51.100.99")
    assert odl.foreign() != before


def test_what_is_put_behind_everybodys_back_is_checked(odl: StandIn) -> None:
    odl.put(("neutron:neutron", "subnets"), "subnet", subnet()["neutron:subnet"][0])
    assert odl.config()["neutron:neutron"]["subnets"]["subnet"][SUBNET]["cidr"] == "10.0.0.0/24"
    with pytest.raises(Exception, match="colour"):
        odl.put(("neutron:neutron", "subnets"), "subnet", subnet(colour="blue")["neutron:subnet"][0])
    with Client(odl.url) as client:
        assert client.get(SUBNETS + SUBNET).status == 200
