from __future__ import annotations

import re
import shlex
import uuid
from pathlib import Path

import pytest

from gluon.sdk import Client, Conflict, NotFound, RequestRefused, UsageError

GUIDE = Path(__file__).parents[3] / "docs/how-to/command-line.md"

MAC = "c8:2a:14:04:43:80"


@pytest.fixture
def tenant():
    """A project of this test alone, so that tests share one server."""
    return str(uuid.uuid4())


@pytest.fixture
def route_target():
    return f"65000:{uuid.uuid4().int % 2**31}"


def test_the_protons(run):
    result = run("proton-list", "-f", "value", "-c", "name")
    assert (result.code, sorted(result.out.split())) == (0, ["ietf-sfc", "net-l3vpn"])


def test_the_main_job(do, run, tenant, route_target):
    do("vpnafconfig-create", "--vrf_rt_value", route_target, "--vrf_rt_type", "both", "--tenant_id", tenant)
    vpn = do("vpn-create", "--name", "blue", "--tenant_id", tenant, "--ipv4_family", route_target)
    port = do("port-create", "--mac_address", MAC, "--tenant_id", tenant, "--name", "p1")
    assert (port["status"], port["vif_type"], port["mtu"], port["admin_state_up"]) == ("DOWN", "unbound", 1500, True)
    interface = do("interface-show", port["id"])
    assert (interface["port_id"], interface["name"]) == (port["id"], "p1_default")
    binding = do(
        "vpnbinding-create", "--interface_id", port["id"], "--service_id", vpn["id"], "--tenant_id", tenant,
        "--ipaddress", "10.0.0.5", "--subnet_prefix", "24", "--gateway", "10.0.0.1",
    )  # fmt: skip
    assert binding["subnet_prefix"] == 24

    bound = do("port-update", port["id"], "--host_id", "compute-1", "--device_id", str(uuid.uuid4()))
    assert (bound["vif_type"], bound["status"]) == ("ovs", "ACTIVE")
    assert bound["vif_details"] == {"port_filter": False, "bridge_name": "br-gluon"}
    assert run("port-show", port["id"], "-f", "value", "-c", "vif_details").out == (
        '{"bridge_name":"br-gluon","port_filter":false}\n'
    )

    unbound = do("port-update", port["id"], "--unset", "host_id", "--unset", "device_id")
    assert (unbound["vif_type"], unbound["status"], unbound["host_id"]) == ("unbound", "DOWN", None)
    in_use = run("port-delete", port["id"])
    assert in_use.code == 1
    assert "VpnBinding" in in_use.err
    for command, key in (
        ("vpnbinding-delete", port["id"]),
        ("port-delete", port["id"]),
        ("vpn-delete", vpn["id"]),
        ("vpnafconfig-delete", route_target),
    ):
        result = run(command, key)
        assert (result.code, result.err) == (0, "")
    gone = run("port-show", port["id"])
    assert gone.code == 1
    assert port["id"] in gone.err


def test_a_bind_that_nobody_answers(do, tenant):
    port = do(
        "port-create", "--mac_address", MAC, "--tenant_id", tenant, "--host_id", "compute-9",
        "--device_id", str(uuid.uuid4()),
    )  # fmt: skip
    assert (port["vif_type"], port["status"]) == ("binding_failed", "ERROR")
    assert port["status_reason"]


def test_a_live_migration(do, run, tenant):
    port = do(
        "port-create", "--mac_address", MAC, "--tenant_id", tenant, "--host_id", "compute-1", "--device_id", "vm",
    )["id"]  # fmt: skip
    made = do("port-binding-create", port, "compute-2", "--profile", '{"migrating_to": "compute-2"}')
    assert (made["status"], made["vif_type"], made["status_reason"]) == ("INACTIVE", "ovs", None)
    assert made["profile"] == {"migrating_to": "compute-2"}
    shown = do("port-show", port)
    assert (shown["host_id"], shown["vif_type"], shown["status"]) == ("compute-1", "ovs", "ACTIVE")

    assert do("port-binding-activate", port, "compute-2")["status"] == "ACTIVE"
    shown = do("port-show", port)
    assert (shown["host_id"], shown["vif_type"], shown["status"]) == ("compute-2", "ovs", "ACTIVE")
    rows = do("port-binding-list", port)
    assert [(row["host"], row["status"], row["vif_type"]) for row in rows] == [
        ("compute-2", "ACTIVE", "ovs"), ("compute-1", "INACTIVE", "ovs"),
    ]  # fmt: skip
    refused = run("port-binding-activate", port, "compute-2")
    assert refused.code == 1
    assert "compute-2" in refused.err

    assert run("port-binding-delete", port, "compute-1").code == 0
    gone = run("port-binding-show", port, "compute-1")
    assert gone.code == 1
    assert "compute-1" in gone.err
    assert do("port-show", port)["vif_type"] == "ovs"
    assert run("port-delete", port).code == 0


def test_a_host_that_no_controller_takes(do, run, tenant):
    port = do(
        "port-create", "--mac_address", MAC, "--tenant_id", tenant, "--host_id", "compute-1", "--device_id", "vm",
    )["id"]  # fmt: skip
    made = do("port-binding-create", port, "compute-9")
    assert (made["status"], made["vif_type"]) == ("INACTIVE", "binding_failed")
    assert made["status_reason"]
    assert run("port-binding-activate", port, "compute-9").code == 1
    assert do("port-show", port)["vif_type"] == "ovs"


def test_every_resource_of_the_proton_lists_and_helps(run, stack):
    with Client(stack.url, api="net-l3vpn") as client:
        resources = list(client.resources())
    assert {"port", "interface", "vpn", "vpnbinding", "vpnafconfig", "bgppeering", "dataplanetunnel"} <= set(resources)
    for name in resources:
        assert run(f"{name}-list", "--long", "-f", "json").code == 0
        for verb in ("create", "list", "show", "update", "delete"):
            assert run("help", f"{name}-{verb}").code == 0


def test_the_other_objects(do, run, tenant):
    peering = do(
        "bgppeering-create", "--tenant_id", tenant, "--local_ip_address", "10.1.1.1",
        "--peer_ip_address", "10.1.1.2", "--as_number", "65000",
    )  # fmt: skip
    assert peering["peer_as_number"] == 65000
    assert do("bgppeering-update", peering["id"], "--peer_as_number", "65001")["peer_as_number"] == 65001
    tunnel = do(
        "dataplanetunnel-create", "--tenant_id", tenant, "--local_tunnel_endpoint", "2001:db8::1",
        "--remote_tunnel_endpoint", "2001:db8::2",
    )  # fmt: skip
    assert do("dataplanetunnel-show", tunnel["id"]) == tunnel
    for command, key in (("bgppeering-delete", peering["id"]), ("dataplanetunnel-delete", tunnel["id"])):
        assert run(command, key).code == 0


def test_another_proton_with_the_same_program(run, tenant):
    result = run("--api", "ietf-sfc", "port-create", "--mac_address", MAC, "--tenant_id", tenant, "-f", "json")
    assert (result.code, result.err) == (0, "")
    assert run("--api", "ietf-sfc", "port-delete", result.json["id"]).code == 0


def test_filters_pages_and_order(do, tenant):
    ports = [
        do("port-create", "--mac_address", MAC, "--tenant_id", tenant, "--name", f"p{n}", "--mtu", str(1400 + n))["id"]
        for n in range(4)
    ]
    mine = ("port-list", "--tenant_id", tenant, "-c", "id")

    def keys(*options):
        return [p["id"] for p in do(*mine, *options)]

    assert keys() == sorted(ports)
    assert keys("--limit", "2") == sorted(ports)[:2]
    assert keys("--limit", "2", "--marker", sorted(ports)[1]) == sorted(ports)[2:]
    assert keys("--mtu", "1402") == [ports[2]]
    assert keys("--name", "p1", "--admin_state_up", "true", "--status", "DOWN") == [ports[1]]
    assert keys("--admin_state_up", "false") == []
    assert keys("--sort-column", "mtu", "--sort-descending") == ports[::-1]


def test_refusals_name_the_attribute(run, tenant):
    result = run("port-create", "--mac_address", "nonsense", "--tenant_id", tenant, "--mtu", "12")
    assert (result.code, result.out) == (1, "")
    assert result.err.count("mac_address: ") == 1
    assert result.err.count("mtu: expected an integer 68..65535, got 12") == 1


def documented(language):
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    assert blocks
    return blocks


def test_the_documented_commands(run, tenant):
    known = {"<project>": tenant, "<vm>": str(uuid.uuid4()), "<id>": str(uuid.uuid4())}
    lines = [line for block in documented("") for line in block.splitlines() if line.startswith("protonclient ")]
    assert len(lines) > 10
    for line in lines:
        for placeholder, value in known.items():
            line = line.replace(placeholder, value)  # noqa: PLW2901 - one text, step by step
        words = shlex.split(line.partition(" > ")[0])[1:]
        result = run(*words)
        # Right usage: nothing is left to refuse but that there is no such object.
        assert result.code == 0 or "does not exist" in result.err, line


def test_the_documented_migration(do, run, tenant):
    port = do("port-create", "--mac_address", MAC, "--tenant_id", tenant)["id"]
    [block] = [block for block in documented("") if "port-binding-create" in block]
    for line in block.splitlines():
        result = run(*shlex.split(line.replace("<id>", port).replace("<vm>", "vm"))[1:])
        assert (result.code, result.err) == (0, ""), line
    assert do("port-show", port)["host_id"] == "compute-2"


def test_the_documented_python(stack, tenant):
    with Client(stack.url, api="net-l3vpn") as client:
        others = {
            client.create("port", {"id": key, "tenant_id": tenant, "mac_address": f"c8:2a:14:04:44:0{number}"})["id"]
            for number, key in enumerate((str(uuid.UUID(int=1)), str(uuid.UUID(int=2**128 - 1))))
        }
        for block in documented("python"):
            names = {"tenant": tenant, "vm": str(uuid.uuid4())}
            exec(block.replace("http://127.0.0.1:2705", stack.url), names)
            assert names["port"]["mac_address"].startswith("c8:2a:14:04:43")
        left = {port["id"] for port in client.list("port", tenant_id=tenant)}
        # The sample deletes no port but its own, which is bound and so is refused or gone.
        assert others <= left
        for key in others:
            client.delete("port", key)


def test_the_sdk(stack, tenant, route_target):
    with Client(stack.url, api="net-l3vpn") as client:
        port = client.create("port", {"tenant_id": tenant, "mac_address": MAC, "profile": {"a": [1, None]}})
        assert port["profile"] == {"a": [1, None]}
        assert client.list("port", tenant_id=tenant) == [port]
        assert client.update("port", port["id"], {"profile": None})["profile"] is None
        with pytest.raises(Conflict):
            client.create("port", {"id": port["id"], "tenant_id": tenant, "mac_address": MAC})
        with pytest.raises(RequestRefused) as refused:
            client.update("port", port["id"], {"colour": "red"})
        assert [d.attribute for d in refused.value.details] == ["colour"]
        client.delete("port", port["id"])
        with pytest.raises(NotFound):
            client.delete("port", port["id"])
        client.create("vpnafconfig", {"vrf_rt_value": route_target, "vrf_rt_type": "both", "tenant_id": tenant})
        assert client.show("vpnafconfig", route_target)["vrf_rt_value"] == route_target
        client.delete("vpnafconfig", route_target)
    with Client(stack.url, api="no-such") as client, pytest.raises(UsageError, match="ietf-sfc, net-l3vpn"):
        client.resources()
