"""Values and keys that can't be read are reported once and skipped; everything else goes on."""

from __future__ import annotations

import pytest

from gluon.contract import keys
from gluon.contract.records import encode_attributes
from gluon.testing.waiting import auntil

from .ground import Ground, name, port

GOOD = encode_attributes(port(1))
KEY = name("Port", 1).key

MALFORMED: dict[bytes, tuple[bytes, str]] = {
    b"/proton/net-l3vpn/Port/not-json": (b"{not json", "JSON is malformed"),
    b"/proton/net-l3vpn/Port/empty": (b"", "Input data was truncated"),
    b"/proton/net-l3vpn/Port/array": (b"[1, 2]", "Expected `object`, got `array`"),
    b"/proton/net-l3vpn/Port/null": (b"null", "Expected `object`, got `null`"),
    b"/proton/net-l3vpn/Port/binary": (b"\xff\xfe\x00", "expected a JSON object"),
    b"/proton/net-l3vpn/Port/number": (b'{"mtu":1e999}', "Number out of range"),
    b"/proton/net-l3vpn/Port/types": (b'{"mtu":"large","tenant_id":5}', "mtu: expected an integer 68..65535"),
    b"/proton/net-l3vpn/Port/mismatch": (GOOD, "expected the key that it is stored under"),
    b"/proton/net-l3vpn/Port/" + KEY.upper().encode(): (GOOD, "expected"),
    b"/proton/net-l3vpn/Port/%" + KEY.encode().hex()[:2].encode() + KEY[1:].encode(): (GOOD, "names the same object"),
    b"/proton/net-l3vpn/VpnBinding/" + KEY.encode(): (b'{"subnet_prefix":24}', "service_id: required"),
    b"/proton/net-l3vpn/VpnAfConfig/1:1": (
        b'{"tenant_id":"00000000-0000-4000-8000-000000000001"}',
        "vrf_rt_type: required",
    ),
    b"/proton/net-l3vpn/DataplaneTunnel/" + KEY.encode(): (
        (
            b'{"tenant_id":"00000000-0000-4000-8000-000000000001",'
            b'"local_tunnel_endpoint":"10.0.0.1","remote_tunnel_endpoint":"10.0.0.1"}'
        ),
        "remote_tunnel_endpoint: expected another value than that of local_tunnel_endpoint",
    ),
    b"/proton/unheard-of/Port/x": (GOOD, "unknown proton 'unheard-of'; known: "),
    b"/proton/net-l3vpn/Router/x": (GOOD, "net-l3vpn has no object 'Router'; it has Port, "),
    b"/proton/net-l3vpn/Port/" + b"k" * 5000: (GOOD, "longer than 4096"),
    b"/proton/net-l3vpn/Port/\xff\xfe": (GOOD, "not UTF-8"),
    b"/proton/net-l3vpn/Port/a/b": (GOOD, "expected /proton/<proton>/<Object>/<key>"),
    b"/proton/net-l3vpn/Port/": (GOOD, "expected /proton/<proton>/<Object>/<key>"),
    b"/proton/": (GOOD, "expected /proton/<proton>/<Object>/<key>"),
    b"/controller/net-l3vpn/Port/" + name("Port", 60).key.encode(): (b"{", "PortAnswer: Input data was truncated"),
    b"/controller/net-l3vpn/Nothing/x": (b"{}", "net-l3vpn has no object 'Nothing'"),
}


def reports(log: str, key: bytes) -> list[str]:
    shown = (key if len(key) <= 200 else key[:200] + b"...").decode(errors="backslashreplace")
    return [line for line in log.splitlines() if f"skipped {shown}: " in line]


@pytest.mark.asyncio
@pytest.mark.parametrize("when", ["listed", "watched"])
async def test_what_is_malformed_is_reported_once_and_everything_else_goes_on(ground: Ground, when: str) -> None:
    if when == "listed":
        for key, (value, _) in MALFORMED.items():
            await ground.client.put(key, value)
    shim = await ground.active()
    if when == "watched":
        for key, (value, _) in MALFORMED.items():
            await ground.client.put(key, value)
    others = range(50, 70)
    await ground.want_ports(others, "host-1")
    await auntil(lambda: ground.bound(others), "everything else is bound")
    for key, (_, problem) in MALFORMED.items():
        [line] = await auntil(lambda key=key: reports(shim.log, key), f"{key[:80]!r} is reported")
        assert problem in line
    for key in MALFORMED:
        await ground.client.delete(key)
    await ground.convergence()
    assert "Traceback" not in shim.log


@pytest.mark.asyncio
async def test_a_record_of_ours_that_is_malformed_is_reported_and_written_again(ground: Ground) -> None:
    shim = await ground.active()
    await ground.want(name("Port", 1), port(1, "host-1"))
    await ground.convergence()
    shim.kill()
    await ground.client.put(keys.applied("SimServer", name("Port", 1)), b"[]")
    shim.start()
    await ground.in_sync(shim)
    await ground.convergence()
    assert "skipped /shim/SimServer/applied/net-l3vpn/Port" in shim.log


@pytest.mark.asyncio
async def test_garbage_over_a_good_object_leaves_it_applied_until_it_is_good_or_gone(ground: Ground) -> None:
    shim = await ground.active()
    await ground.want_ports(range(1, 4), "host-1")
    await ground.convergence()
    called = ground.called()
    for number in range(1, 4):
        await ground.want(name("Port", number), b"garbage")
    await ground.want(name("Port", 4), port(4, "host-1"))
    await auntil(lambda: ground.bound(range(1, 5)), "another port is bound")
    shim.kill()
    shim.start()
    await ground.in_sync(shim)
    await ground.want(name("Port", 5), port(5, "host-1"))
    await auntil(lambda: ground.bound(range(1, 6)), "another port is bound")
    assert set(ground.called() - called) == {("bind_port", name("Port", n).key) for n in (4, 5)}

    await ground.want(name("Port", 1), port(1, "host-1"))
    await ground.want(name("Port", 2), port(2, "host-2"))
    await ground.want(name("Port", 3), None)
    await ground.convergence()
    since = ground.called() - called
    assert not [key for _, key in since if key == name("Port", 1).key]
    assert since["unbind_port", name("Port", 2).key] == since["bind_port", name("Port", 2).key] == 1
    assert since["delete_port", name("Port", 3).key] == 1
