"""Two shims that both match a host: one binds, the other holds InUse."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from gluon.testing.process import ServerProcess
from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

from .observing import api, create_port, dump, get, put, status
from .recording import Recording

PORTS = 20


def _binders(recording: Recording, port: str) -> list[str]:
    return [e.controller for e in recording.entries() if e.key == port and e.callback == "bind_port"]


def _in_use(shim: ServerProcess) -> dict[str, str]:
    """Objects that the shim holds back, and why; none while it does not lead."""
    return dict(status(shim)["protons"].get("net-l3vpn", {}).get("held_objects", {}))


def _is_held(loser: ServerProcess, port: dict[str, Any], won: str) -> bool:
    return _in_use(loser).get(f"net-l3vpn/Port/{port['id']}") == f"is in use by controller {won}"


def _winner(port: dict[str, Any]) -> str:
    assert port["vif_type"] == "ovs", port
    return str(port["vif_details"]["bridge_name"].removeprefix("br-"))


def test_exactly_one_binds_and_the_other_holds_in_use(tmp_path: Path, recording: Recording) -> None:
    north = recording.options(controller="north", leader_ttl=2)
    south = recording.options(controller="south", leader_ttl=2)
    with LocalStack(tmp_path, shim=north, environment=recording.environment) as stack:
        other = stack.shim_server("other-shim", south)
        with other, api(stack) as client:
            shims = {"north": stack.shim, "south": other}
            ports = [create_port(client, host_id="compute-1", device_id="vm-1") for _ in range(PORTS)]
            for port in ports:
                won = _winner(port)
                assert _binders(recording, port["id"]) == [won]
                answer = dump(stack.etcd, "/controller/net-l3vpn/Port/")[port["id"]]
                assert (answer["controller"], answer["host_id"]) == (won, "compute-1")
                loser = shims["south" if won == "north" else "north"]
                until(
                    partial(_is_held, loser, port, won),
                    f"{loser.name} holds InUse",
                )
            _assert_the_other_takes_over_only_what_is_free(shims, recording, client, ports[0])


def _assert_the_other_takes_over_only_what_is_free(
    shims: dict[str, ServerProcess], recording: Recording, client: Any, port: dict[str, Any]
) -> None:
    won = _winner(port)
    loser = "south" if won == "north" else "north"
    path = f"/ports/{port['id']}"
    # The loser is told of every change, and still leaves the port to the one that has it.
    renamed = put(client, path, name="renamed")
    assert _winner(renamed) == won
    unbound = put(client, path, host_id=None, device_id=None)
    assert unbound["vif_type"] == "unbound"
    until(lambda: "unbind_port" in recording.callbacks(port["id"]), "it is unbound")
    assert shims[won].stop(5) == 0
    bound = put(client, path, host_id="compute-1", device_id="vm-2")
    assert _winner(bound) == loser
    assert _binders(recording, port["id"]) == [won, loser]
    assert Counter(e.controller for e in recording.entries() if e.callback == "unbind_port") == {won: 1}
    shims[won].start()
    shims[won].wait_ready()
    until(lambda: _is_held(shims[won], port, loser), "the winner of old holds InUse now")
    assert _winner(get(client, path)) == loser
    assert _binders(recording, port["id"]) == [won, loser]
    _assert_a_kill_frees_nothing(shims[loser], recording, client, port["id"])


def _assert_a_kill_frees_nothing(holder: ServerProcess, recording: Recording, client: Any, port: str) -> None:
    binders = _binders(recording, port)
    holder.kill()
    another = create_port(client, host_id="compute-1", device_id="vm-3")
    assert another["vif_type"] == "ovs"
    assert _winner(another) != binders[-1]
    assert _binders(recording, port) == binders
    assert _winner(get(client, f"/ports/{port}")) == binders[-1]
