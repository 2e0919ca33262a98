"""A proton of the user's own, and ietf-sfc: from YAML to the backend and the command line, no code written."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

from .observing import MAC, TENANT, api, create, dump, get, protonclient, status, wait_until_empty, write

MODEL = """
file_version: "1.0"
imports: base.yaml
info: {name: lab-bridge, version: "1.0", description: Ports that share a bridge}
objects:
  Socket:
    extends: BasePort
    api: {name: socket}
    attributes:
      speed: {type: integer, min: 1, max: 400, default: 10, description: Gbit/s}
  Wire:
    extends: BaseInterface
    api: {name: wire, parent: Socket, parent_key: port_id}
    attributes:
      port_id: {type: Socket}
  Bridge:
    extends: BaseService
    api: {name: bridge}
    attributes:
      ageing_time: {type: integer, min: 10, max: 1000000, default: 300, description: Seconds}
  Member:
    extends: BaseServiceBinding
    api: {name: member}
    attributes:
      interface_id: {type: Wire}
      service_id: {type: Bridge}
      isolated: {type: boolean, default: false, description: Whether it sees other members}
  Mirror:
    extends: BaseObject
    api: {name: mirror, plural_name: mirrors}
    attributes:
      source: {type: Socket, required: true, description: What is mirrored}
      filters: {type: string, format: json, description: What of it}
"""


class Running(NamedTuple):
    """One stack that serves both protons."""

    stack: LocalStack

    def callbacks(self) -> list[str]:
        return re.findall(r"gluon\.shim\.backends\.dummy: (.*)", self.stack.shim.log)

    def assert_called(self, start: str) -> None:
        until(lambda: any(line.startswith(start) for line in self.callbacks()), f"the backend is told {start!r}")

    def run(self, proton: str, *arguments: str) -> Any:
        return protonclient(self.stack, "--api", proton, *arguments)

    def run_together(self, proton: str, commands: Sequence[Sequence[str]]) -> None:
        """Runs commands that do not depend on each other."""
        with ThreadPoolExecutor(2) as pool:
            for _ in pool.map(lambda command: self.run(proton, *command), commands):
                pass

    def wanted(self, proton: str) -> dict[str, Any]:
        return dump(self.stack.etcd, f"/proton/{proton}/")

    def applied(self, proton: str) -> dict[str, Any]:
        return dump(self.stack.etcd, f"/shim/SimServer/applied/{proton}/")

    def assert_empty(self, proton: str) -> None:
        for prefix in (f"/proton/{proton}/", f"/controller/{proton}/", f"/shim/SimServer/applied/{proton}/"):
            wait_until_empty(self.stack.etcd, prefix)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("own")
    model = directory / "models" / "lab-bridge" / "api.yaml"
    model.parent.mkdir(parents=True)
    model.write_text(MODEL)
    models = directory / "models"
    proton = {"api": {"model_dirs": models, "service_list": "ietf-sfc,lab-bridge"}}
    shim = {"shim": {"model_dirs": models, "handlers": "lab-bridge:dummy,ietf-sfc:dummy"}}
    with LocalStack(directory, proton=proton, shim=shim) as stack:
        yield Running(stack)


def test_a_model_alone_makes_a_proton(running: Running) -> None:
    owner = ("--tenant_id", TENANT)
    socket, bridge, mirror = (str(uuid.uuid4()) for _ in range(3))
    served = protonclient(running.stack, "proton-list")
    assert {entry["name"] for entry in served} == {"ietf-sfc", "lab-bridge"}

    running.run_together(
        "lab-bridge",
        [
            ("socket-create", "--id", socket, "--mac_address", MAC, "--speed", "25", *owner),
            ("bridge-create", "--id", bridge, "--name", "br1", *owner),
        ],
    )
    running.run_together(
        "lab-bridge",
        [
            ("member-create", "--interface_id", socket, "--service_id", bridge, "--isolated", "true", *owner),
            ("mirror-create", "--id", mirror, "--source", socket, "--filters", '{"vlan": 7}', *owner),
        ],
    )
    names = {f"Socket/{socket}", f"Wire/{socket}", f"Bridge/{bridge}", f"Member/{socket}", f"Mirror/{mirror}"}
    until(lambda: names <= running.wanted("lab-bridge").keys(), "all of it is published")
    wanted = running.wanted("lab-bridge")
    assert wanted[f"Socket/{socket}"]["speed"] == 25
    assert wanted[f"Wire/{socket}"]["port_id"] == socket
    assert wanted[f"Bridge/{bridge}"]["ageing_time"] == 300
    assert wanted[f"Member/{socket}"]["isolated"] is True
    assert wanted[f"Mirror/{mirror}"]["filters"] == {"vlan": 7}
    assert dump(running.stack.etcd, "/gluon/port/")[socket]["service"] == "lab-bridge"

    bound = running.run("lab-bridge", "socket-update", socket, "--host_id", "compute-1", "--device_id", "vm-1")
    assert (bound["vif_type"], bound["status"], bound["speed"]) == ("ovs", "ACTIVE", 25)
    assert dump(running.stack.etcd, "/controller/lab-bridge/Socket/")[socket]["vif_type"] == "ovs"
    for start in (
        f"bind_port {socket} on compute-1",
        f"modify_interface {socket}",
        f"modify_service {bridge}",
        f"modify_service_binding {socket}: None joins service {bridge}",
        f"modify_object Mirror {mirror}",
    ):
        running.assert_called(start)
    all_of_it = wanted.keys() | {f"Socket.binding/{socket}@compute-1"}
    until(lambda: running.applied("lab-bridge").keys() == all_of_it, "all of it is applied")

    running.run_together("lab-bridge", [("mirror-delete", mirror), ("member-delete", socket)])
    running.run_together("lab-bridge", [("socket-delete", socket), ("bridge-delete", bridge)])
    running.assert_empty("lab-bridge")
    for start in (
        f"unbind_port {socket} from compute-1",
        f"delete_port {socket}",
        f"delete_interface {socket}",
        f"delete_service_binding {socket}",
        f"delete_service {bridge}",
        f"delete_object Mirror {mirror}",
    ):
        running.assert_called(start)


def test_a_model_s_limits_hold_in_the_api(running: Running) -> None:
    with api(running.stack, "lab-bridge") as client:
        answer = client.post("/bridges", json={"tenant_id": TENANT, "ageing_time": 5})
        assert answer.status_code == 400
        assert [detail["attribute"] for detail in answer.json()["error"]["details"]] == ["ageing_time"]


class Chain:
    """Every object of ietf-sfc, as one service chain: a firewall behind a forwarder."""

    def __init__(self) -> None:
        self.ports = [str(uuid.uuid4()), str(uuid.uuid4())]
        self.function, self.forwarder, self.chain, self.hop, self.path, self.classifier, self.attached, self.sent = (
            str(uuid.uuid4()) for _ in range(8)
        )

    def creates(self) -> list[list[tuple[str, ...]]]:
        """Commands; those of one list do not depend on each other."""
        sf, sff = self.function, self.forwarder
        first, second = self.ports
        return [
            [
                *(("port-create", "--id", port, "--mac_address", MAC) for port in self.ports),
                ("servicefunction-create", "--id", sf, "--type", "firewall"),
                ("servicefunctionforwarder-create", "--id", sff, "--ip_mgmt_address", "192.0.2.1"),
            ],
            [
                ("sfdataplanelocator-create", "--interface_id", first, "--service_id", sf, "--l4_port", "4790",
                 "--transport", "vxlan-gpe", "--service_function_forwarder", sff),
                ("sffdataplanelocator-create", "--interface_id", second, "--service_id", sff, "--mac", MAC),
                ("servicefunctionchain-create", "--id", self.chain, "--sfc_service_functions", sf),
                ("servicepathhop-create", "--id", self.hop, "--hop_id", "0", "--sf_name", sf, "--sff_name", sff),
                ("sffsfbinding-create", "--id", self.attached, "--service_function_forwarder", sff,
                 "--service_function", sf),
            ],
            [
                ("servicefunctionclassifier-create", "--id", self.classifier, "--src_ip", "198.51.100.1",
                 "--service_function_chain", self.chain),
                ("servicefunctionpath-create", "--id", self.path, "--service_path_hops", self.hop,
                 "--service_chain_name", self.chain, "--path_id", "7", "--transport_type", "vxlan-gpe"),
            ],
            [
                ("sclsffbinding-create", "--id", self.sent, "--service_function_classifier", self.classifier,
                 "--service_function_forwarder", sff),
            ],
        ]  # fmt: skip

    def paths(self) -> list[str]:
        """Of all objects, in an order in which they can be deleted."""
        commands = [command for group in reversed(self.creates()) for command in group]
        # The key is what the first option gives.
        return [f"/{command[0].removesuffix('-create')}s/{command[2]}" for command in commands]


def test_ietf_sfc_goes_through_all_of_it(running: Running) -> None:
    chain = Chain()
    for commands in chain.creates():
        running.run_together("ietf-sfc", [(*command, "--tenant_id", TENANT) for command in commands])
    types = {
        "Port", "Interface", "ServiceFunction", "ServiceFunctionForwarder", "SfDataPlaneLocator", "SffDataPlaneLocator",
        "SffSfBinding", "SclSffBinding", "ServiceFunctionClassifier", "ServiceFunctionChain", "ServiceFunctionPath",
        "ServicePathHop",
    }  # fmt: skip
    until(lambda: {name.partition("/")[0] for name in running.wanted("ietf-sfc")} == types, "all of it is published")
    wanted = running.wanted("ietf-sfc")
    located = {f"SfDataPlaneLocator/{chain.ports[0]}", f"SffDataPlaneLocator/{chain.ports[1]}"}
    until(lambda: running.applied("ietf-sfc").keys() == wanted.keys() - located, "all but the locators is applied")

    with api(running.stack, "ietf-sfc") as client:
        for port in chain.ports:
            client.put(f"/ports/{port}", json={"host_id": "compute-1", "device_id": "vm-1"}).raise_for_status()
            assert get(client, f"/ports/{port}")["vif_type"] == "ovs"
    all_of_it = wanted.keys() | {f"Port.binding/{port}@compute-1" for port in chain.ports}
    until(lambda: running.applied("ietf-sfc").keys() == all_of_it, "the locators of bound ports are applied")
    running.assert_called(f"modify_service_binding {chain.ports[0]}: None joins service {chain.function}")
    running.assert_called(f"modify_object ServiceFunctionPath {chain.path}")

    with api(running.stack, "ietf-sfc") as client:
        for path in chain.paths():
            assert client.delete(path).status_code == 204
    running.assert_empty("ietf-sfc")
    running.assert_called(f"delete_service {chain.forwarder}")


def test_what_only_one_can_have_is_not_given_to_a_second_that_was_written_by_hand(running: Running) -> None:
    with api(running.stack, "ietf-sfc") as client:
        forwarder = create(client, "servicefunctionforwarders", ip_mgmt_address="192.0.2.2")["id"]
        functions = [create(client, "servicefunctions", type="firewall")["id"] for _ in range(2)]
        first, second = (
            create(client, "sffsfbindings", service_function_forwarder=forwarder, service_function=function)["id"]
            for function in functions
        )
        until(lambda: f"SffSfBinding/{second}" in running.applied("ietf-sfc"), "both are applied")
        written = {**running.wanted("ietf-sfc")[f"SffSfBinding/{second}"], "service_function": functions[0]}
        told = len(running.callbacks())
        write(running.stack.etcd, f"/proton/ietf-sfc/SffSfBinding/{second}", written)
        why = (
            f"waits for ietf-sfc/SffSfBinding/{first}, which has the same service_function_forwarder and "
            "service_function: only one can have that"
        )

        def held() -> dict[str, str]:
            return dict(status(running.stack.shim)["protons"]["ietf-sfc"]["held_objects"])

        until(lambda: held() == {f"ietf-sfc/SffSfBinding/{second}": why}, "it is held back, and why")
        path = f"/sffsfbindings/{second}"
        until(lambda: why in (get(client, path)["status_reason"] or ""), "the API says why")
        assert len(running.callbacks()) == told
        assert running.stack.shim.log.count(why) == 1

        assert client.delete(f"/sffsfbindings/{first}").status_code == 204
        until(
            lambda: (
                running.applied("ietf-sfc")[f"SffSfBinding/{second}"]["attributes"]["service_function"] == functions[0]
            ),
            "it is applied once the first is gone",
        )
        until(lambda: get(client, path)["status_reason"] is None, "there is nothing to say of it any more")
        assert held() == {}
        for gone in (path, *(f"/servicefunctions/{key}" for key in functions)):
            assert client.delete(gone).status_code == 204
        assert client.delete(f"/servicefunctionforwarders/{forwarder}").status_code == 204
    running.assert_empty("ietf-sfc")
