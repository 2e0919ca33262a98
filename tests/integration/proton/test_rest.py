"""Every row of the REST API, and every way to be refused."""

from __future__ import annotations

import re
import socket
import uuid

import httpx
import pytest

from gluon.testing.waiting import until

TENANT = "5b1a2d3c-0000-4000-8000-000000000001"
MISSING = "00000000-0000-4000-8000-00000000dead"
MAC = "c8:2a:14:04:43:80"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(shared_etcd, tmp_path_factory, request):
    from_conftest = request.getfixturevalue("server_class")
    made = from_conftest(tmp_path_factory.mktemp("rest"), shared_etcd.endpoint, service_list="net-l3vpn,ietf-sfc,test")
    made.start()
    yield made
    made.end()


@pytest.fixture(scope="module")
def client(server):
    return server.client


def error(answer: httpx.Response, status: int, code: str) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()["error"]
    assert (body["status"], body["code"]) == (status, code)
    assert body["message"]
    return body


def test_the_root_lists_versions_as_openstack_services_do(server):
    with httpx.Client(trust_env=False) as client:
        versions = client.get(server.root + "/").raise_for_status().json()["versions"]
        assert {each["proton_service"] for each in versions} == {"ietf-sfc", "net-l3vpn", "test"}
        for each in versions:
            assert (each["id"], each["status"]) == ("v1.0", "CURRENT")
            (link,) = each["links"]
            assert link["rel"] == "self"
            assert client.get(link["href"]).json()["resources"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "text/plain;charset=UTF-8", "Origin": "http://evil.example"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=application/json"},
        {"Content-Type": "text/plain; application/json"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json-patch+json"},
        {"Content-Type": "application/xml"},
        {"Content-Type": "application/json, text/plain"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": "application/json", "Content-Encoding": "identity, br"},
        [("Content-Type", "application/json"), ("Content-Type", "text/plain")],
    ],
)
def test_a_body_that_is_not_said_to_be_plain_json_is_refused(server, client, headers):
    before = len(client.get("/ports").json()["ports"])
    body = f'{{"tenant_id": "{TENANT}", "mac_address": "{MAC}"}}'
    error(client.post("/ports", content=body, headers=headers), 415, "unsupported_media_type")
    port = server.create_port(name="kept")
    error(client.put(f"/ports/{port['id']}", content='{"name": "new"}', headers=headers), 415, "unsupported_media_type")
    assert server.port(port["id"])["name"] == "kept"
    client.delete(f"/ports/{port['id']}")
    assert len(client.get("/ports").json()["ports"]) == before


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "Application/JSON; Charset=utf-8",
        "application/json; odata=verbose",
    ],
)
def test_json_in_each_spelling_is_taken(client, media_type):
    body = f'{{"tenant_id": "{TENANT}", "mac_address": "{MAC}"}}'
    answer = client.post("/ports", content=body, headers={"Content-Type": media_type, "Content-Encoding": "identity"})
    assert answer.status_code == 201


def test_a_page_of_another_origin_gets_no_leave(client):
    for method in ("POST", "PUT", "DELETE"):
        asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": method}
        answer = client.options("/ports", headers=asked)
        assert answer.status_code == 405
        assert not [name for name in answer.headers if name.startswith("access-control")]
    read = client.get("/ports", headers={"Origin": "http://evil.example"})
    assert not [name for name in read.headers if name.startswith("access-control")]


GIVEN = "req-5b1a2d3c-0000-4000-8000-0000000000AA"


def test_a_request_id_goes_in_through_the_log_and_out(server, client):
    answer = client.post(
        "/ports", json={"tenant_id": TENANT, "mac_address": MAC}, headers={"X-Openstack-Request-Id": GIVEN}
    )
    assert answer.headers["x-openstack-request-id"] == GIVEN
    line = f"[{GIVEN}] POST /proton/net-l3vpn/v1.0/ports: 201 {answer.headers['location']} in"
    until(lambda: line in server.log.read_text(), "the log has it")


@pytest.mark.parametrize(
    "given", [None, "", "x", "req-x", GIVEN + "x", "req-" + "a" * 5000, GIVEN[4:], f"{GIVEN}, {GIVEN}"]
)
def test_every_answer_has_an_id_that_can_be_trusted(server, client, given):
    headers = {} if given is None else {"X-Openstack-Request-Id": given}
    for path in ("/ports", "/ports/none", server.root + "/healthz"):
        out = client.get(path, headers=headers).headers["x-openstack-request-id"]
        assert re.fullmatch("req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", out)
        assert out != given


def test_protons_versions_and_resources_are_listed(server):
    with httpx.Client(base_url=server.root, trust_env=False) as client:
        protons = client.get("/proton/").json()["protons"]
        assert sorted(p["proton_service"] for p in protons) == ["ietf-sfc", "net-l3vpn", "test"]
        assert protons[0]["links"][0]["href"].startswith("/proton/")
        versions = client.get("/proton/net-l3vpn/").json()
        assert versions["default_version"]["id"] == "v1.0"
        assert [version["id"] for version in versions["versions"]] == ["v1.0"]
        resources = client.get("/proton/net-l3vpn/v1.0/").json()["resources"]
        port = next(resource for resource in resources if resource["resource_name"] == "port")
        assert port["plural_name"] == "ports"
        assert port["primary_key"] == "id"


def test_create_answers_the_whole_object_with_defaults_and_canonical_values(client):
    answer = client.post(
        "/ports", json={"tenant_id": TENANT.replace("-", "").upper(), "mac_address": "C8-2A-14-04-43-80", "name": "p1"}
    )
    assert answer.status_code == 201
    port = answer.json()
    assert str(uuid.UUID(port["id"])) == port["id"]
    assert port["tenant_id"] == TENANT.replace("-", "")  # as Keystone writes it, and as it was given
    assert port["mac_address"] == MAC
    assert (port["status"], port["vif_type"], port["vif_details"]) == ("DOWN", "unbound", {})
    assert (port["mtu"], port["vnic_type"], port["admin_state_up"]) == (1500, "normal", True)
    assert port["created_at"] == port["updated_at"]
    assert port["created_at"].endswith("Z")
    assert answer.headers["location"] == f"/proton/net-l3vpn/v1.0/ports/{port['id']}"
    assert client.get(answer.headers["location"].removeprefix("/proton/net-l3vpn/v1.0")).json() == port


def test_update_changes_what_it_names_and_leaves_the_rest(server, client):
    port = server.create_port(name="before", mtu=9000)
    changed = client.put(f"/ports/{port['id']}", json={"name": "after"}).json()
    assert changed["name"] == "after"
    assert changed["mtu"] == 9000
    assert changed["created_at"] == port["created_at"]
    assert changed["updated_at"] > port["updated_at"]
    assert client.put(f"/ports/{port['id']}", json={"name": None}).json()["name"] is None


def test_update_that_changes_nothing_leaves_updated_at(server, client):
    port = server.create_port(name="same")
    assert client.put(f"/ports/{port['id']}", json={"name": "same", "id": port["id"]}).json() == port


def test_json_values_that_python_finds_equal_are_still_changes(server, client):
    port = server.create_port(profile={"trusted": 1})
    assert client.put(f"/ports/{port['id']}", json={"profile": {"trusted": True}}).json()["profile"] == {
        "trusted": True
    }
    assert server.port(port["id"])["profile"] == {"trusted": True}


def test_delete_answers_204_and_the_object_is_gone(server, client):
    port = server.create_port()
    assert client.delete(f"/ports/{port['id']}").status_code == 204
    error(client.get(f"/ports/{port['id']}"), 404, "not_found")
    error(client.delete(f"/ports/{port['id']}"), 404, "not_found")
    error(client.put(f"/ports/{port['id']}", json={"name": "x"}), 404, "not_found")


def test_list_is_sorted_filtered_and_paged(server, client):
    tenant = str(uuid.uuid4())
    made = sorted(server.create_port(tenant_id=tenant, name=f"n{i % 2}", admin_state_up=i > 0)["id"] for i in range(5))

    def keys(**query) -> list[str]:
        return [port["id"] for port in client.get("/ports", params={"tenant_id": tenant, **query}).json()["ports"]]

    assert keys() == made
    assert keys(limit=2) == made[:2]
    assert keys(limit=2, marker=made[1]) == made[2:4]
    assert len(keys(name="n1")) == 2
    assert len(keys(admin_state_up="false")) == 1
    assert len(keys(mtu="1500", vif_type="unbound")) == 5
    assert keys(name="absent") == []


@pytest.mark.parametrize(
    ("query", "attribute"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"limit": "9" * 30}, "limit"),
        ({"limit": ["1", "2"]}, "limit"),
        ({"marker": "x"}, "marker"),
        ({"colour": "red"}, "colour"),
        ({"mtu": "many"}, "mtu"),
        ({"admin_state_up": "maybe"}, "admin_state_up"),
        ({"tenant_id": "x"}, "tenant_id"),
    ],
)
def test_a_bad_query_is_refused_and_named(client, query, attribute):
    body = error(client.get("/ports", params=query), 400, "invalid_attributes")
    assert [detail["attribute"] for detail in body["details"]] == [attribute]


def test_all_bad_attributes_are_named_at_once(client):
    values = {"mac_address": "x", "mtu": 12, "colour": "red", "status": "ACTIVE", "admin_state_up": "yes"}
    body = error(client.post("/ports", json=values), 400, "invalid_attributes")
    assert {detail["attribute"] for detail in body["details"]} == {*values, "tenant_id"}
    assert "68..65535" in body["message"]


def test_a_refused_update_changes_nothing(server, client):
    port = server.create_port(name="kept")
    error(client.put(f"/ports/{port['id']}", json={"name": "new", "mtu": 1}), 400, "invalid_attributes")
    assert server.port(port["id"]) == port


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "JSON object"),
        (b'"text"', "JSON object"),
        (b'{"name": "a", "name": "b"}', "given twice"),
        (b'{"name": NaN}', "not JSON"),
        (b'{"name": "\xff"}', "not JSON"),
        (b'{"name": "\\ud800"}', "not JSON"),
        (b"[" * 100_000, "nested"),
    ],
)
def test_a_body_that_is_no_json_object_is_a_bad_request(client, body, words):
    assert words in error(client.post("/ports", content=body, headers=JSON), 400, "bad_request")["message"]


@pytest.mark.parametrize("number", ["9" * 400, "1e999", "-9223372036854775809"])
def test_numbers_out_of_range_are_the_clients_mistake(client, number):
    body = f'{{"tenant_id": "{TENANT}", "mac_address": "{MAC}", "mtu": {number}}}'
    answer = client.post("/ports", content=body, headers=JSON)
    assert answer.status_code == 400, answer.text


def test_a_body_that_is_too_long_is_refused(client):
    error(client.post("/ports", content=b" " * (2**20 + 1), headers=JSON), 413, "too_large")

    def chunks():
        for _ in range(17):
            yield b" " * 2**16

    error(client.post("/ports", content=chunks(), headers=JSON), 413, "too_large")


def test_unknown_paths_and_methods_have_the_same_error_body(server, client):
    error(client.get("/nothing"), 404, "not_found")
    error(client.get("/ports/not-a-uuid"), 404, "not_found")
    error(client.get("/ports/%ff"), 404, "not_found")
    answer = client.patch("/ports", json={})
    error(answer, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))
    with httpx.Client(base_url=server.root, trust_env=False) as root:
        error(root.get("/v2.0"), 404, "not_found")
        error(root.get("/proton/unknown/"), 404, "not_found")


@pytest.mark.parametrize("path", ["/ports", "/ports/"])
def test_a_slash_at_the_end_makes_no_difference(client, path):
    assert client.get(path).status_code == 200
    assert client.post(path, json={"tenant_id": TENANT, "mac_address": MAC}).status_code == 201


def test_the_same_key_twice_is_a_duplicate(server, client):
    port = server.create_port()
    body = error(
        client.post("/ports", json={"id": port["id"], "tenant_id": TENANT, "mac_address": MAC}), 409, "duplicate"
    )
    assert port["id"] in body["message"]


def test_the_key_never_changes(server, client):
    port = server.create_port()
    error(client.put(f"/ports/{port['id']}", json={"id": MISSING}), 400, "invalid_attributes")


def test_a_missing_reference_is_named(server, client):
    port = server.create_port()
    binding = {"tenant_id": TENANT, "interface_id": port["id"], "service_id": MISSING}
    body = error(client.post("/vpnbindings", json=binding), 409, "reference_missing")
    assert "service_id" in body["message"]
    assert MISSING in body["message"]
    assert body["details"][0]["attribute"] == "service_id"
    vpn = {"tenant_id": TENANT, "ipv4_family": "64512:1,64512:2"}
    client.post(
        "/vpnafconfigs", json={"tenant_id": TENANT, "vrf_rt_value": "64512:1", "vrf_rt_type": "both"}
    ).raise_for_status()
    body = error(client.post("/vpns", json=vpn), 409, "reference_missing")
    assert "64512:2" in body["message"]
    assert client.get("/vpns").json()["vpns"] == []


def test_an_object_that_others_name_cannot_be_deleted(client):
    client.post(
        "/vpnafconfigs", json={"tenant_id": TENANT, "vrf_rt_value": "64512:9", "vrf_rt_type": "both"}
    ).raise_for_status()
    vpn = client.post("/vpns", json={"tenant_id": TENANT, "ipv4_family": "64512:9"}).raise_for_status().json()
    body = error(client.delete("/vpnafconfigs/64512:9"), 409, "in_use")
    assert vpn["id"] in body["message"]
    assert "ipv4_family" in body["message"]
    client.put(f"/vpns/{vpn['id']}", json={"ipv4_family": None}).raise_for_status()
    assert client.delete("/vpnafconfigs/64512:9").status_code == 204
    assert client.delete(f"/vpns/{vpn['id']}").status_code == 204


def test_the_default_interface_comes_and_goes_with_its_port(server, client):
    port = server.create_port(name="web")
    path = f"/interfaces/{port['id']}"
    interface = client.get(path).json()
    assert interface["name"] == "web_default"
    assert (interface["port_id"], interface["tenant_id"]) == (port["id"], port["tenant_id"])
    assert (interface["segmentation_type"], interface["segmentation_id"]) == ("none", 0)
    assert port["id"] in error(client.delete(path), 409, "conflict")["message"]
    other = server.create_port()
    error(client.put(path, json={"port_id": other["id"]}), 409, "conflict")
    assert client.delete(f"/ports/{port['id']}").status_code == 204
    error(client.get(path), 404, "not_found")


@pytest.mark.parametrize(("name", "expected"), [(None, "default"), ("x" * 64, "x" * 56 + "_default")])
def test_the_default_interfaces_name_fits(server, client, name, expected):
    port = server.create_port(name=name)
    assert client.get(f"/interfaces/{port['id']}").json()["name"] == expected


def test_a_port_in_use_is_kept_whole(server, client):
    port = server.create_port()
    body = {"tenant_id": TENANT, "port_id": port["id"], "segmentation_type": "vlan", "segmentation_id": 5}
    interface = client.post("/interfaces", json=body).raise_for_status().json()
    assert interface["id"] in error(client.delete(f"/ports/{port['id']}"), 409, "in_use")["message"]
    assert client.get(f"/interfaces/{port['id']}").status_code == 200
    client.delete(f"/interfaces/{interface['id']}").raise_for_status()
    vpn = client.post("/vpns", json={"tenant_id": TENANT}).raise_for_status().json()
    binding = {"tenant_id": TENANT, "interface_id": port["id"], "service_id": vpn["id"]}
    client.post("/vpnbindings", json=binding).raise_for_status()
    body = error(client.delete(f"/ports/{port['id']}"), 409, "in_use")
    assert "VpnBinding" in body["message"]
    assert client.delete(f"/vpnbindings/{port['id']}").status_code == 204
    assert client.delete(f"/ports/{port['id']}").status_code == 204
    assert client.delete(f"/vpns/{vpn['id']}").status_code == 204


def test_an_interface_with_the_uuid_of_a_port_to_come_is_a_duplicate(server, client):
    port, taken = server.create_port(), str(uuid.uuid4())
    vlan = {"segmentation_type": "vlan", "segmentation_id": 5}
    client.post(
        "/interfaces", json={"id": taken, "tenant_id": TENANT, "port_id": port["id"], **vlan}
    ).raise_for_status()
    body = error(client.post("/ports", json={"id": taken, "tenant_id": TENANT, "mac_address": MAC}), 409, "duplicate")
    assert "Interface" in body["message"]
    error(client.get(f"/ports/{taken}"), 404, "not_found")


def test_children_below_their_parent(server, client):
    port, other = server.create_port(), server.create_port()
    path = f"/ports/{port['id']}/interfaces"
    vlans = [{"tenant_id": TENANT, "segmentation_type": "vlan", "segmentation_id": n} for n in (5, 6)]
    made = client.post(path, json=vlans[0]).raise_for_status().json()
    assert made["port_id"] == port["id"]
    given = client.post(path, json={**vlans[1], "port_id": port["id"].upper()}).raise_for_status().json()
    assert given["port_id"] == port["id"]
    assert {i["id"] for i in client.get(path).json()["interfaces"]} == {port["id"], made["id"], given["id"]}
    assert client.get(f"{path}/{made['id']}").json() == made
    assert client.put(f"{path}/{made['id']}", json={"name": "n"}).json()["name"] == "n"
    body = error(client.post(path, json={"tenant_id": TENANT, "port_id": other["id"]}), 400, "invalid_attributes")
    assert body["details"][0]["attribute"] == "port_id"
    error(client.put(f"{path}/{made['id']}", json={"port_id": other["id"]}), 400, "invalid_attributes")
    wrong = f"/ports/{other['id']}/interfaces"
    for answer in (
        client.get(f"{wrong}/{made['id']}"),
        client.put(f"{wrong}/{made['id']}", json={}),
        client.delete(f"{wrong}/{made['id']}"),
        client.get(f"/ports/{MISSING}/interfaces"),
        client.post(f"/ports/{MISSING}/interfaces", json={"tenant_id": TENANT}),
    ):
        error(answer, 404, "not_found")
    assert client.delete(f"{path}/{made['id']}").status_code == 204


@pytest.fixture
def bound_nowhere(server) -> dict:
    """A port that is to be on compute-1; no controller runs here."""
    return server.create_port(host_id="compute-1", device_id="vm")


def test_the_bindings_of_a_port(client, bound_nowhere):
    path = f"/ports/{bound_nowhere['id']}/bindings"
    answer = client.post(path, json={"binding": {"host": "compute-2", "profile": {"migrating_to": "compute-2"}}})
    assert answer.status_code == 201
    made = answer.json()["binding"]
    assert made.pop("status_reason")
    assert made == {
        "host": "compute-2", "vnic_type": "normal", "profile": {"migrating_to": "compute-2"},
        "vif_type": "binding_failed", "vif_details": {}, "status": "INACTIVE",
    }  # fmt: skip
    bare = client.post(path, json={"host": "compute/3", "vnic_type": "direct"})
    assert bare.status_code == 201
    assert bare.json()["binding"]["vnic_type"] == "direct"
    listed = client.get(path).json()["bindings"]
    assert [(each["host"], each["status"]) for each in listed] == [
        ("compute-1", "ACTIVE"), ("compute-2", "INACTIVE"), ("compute/3", "INACTIVE"),
    ]  # fmt: skip
    assert client.get(path, params={"status": "INACTIVE", "vnic_type": "direct"}).json()["bindings"] == listed[2:]
    assert client.get(f"{path}/compute%2F3").json() == bare.json()
    assert client.delete(f"{path}/compute%2F3").status_code == 204
    assert [each["host"] for each in client.get(path).json()["bindings"]] == ["compute-1", "compute-2"]


def test_bindings_that_are_refused(client, bound_nowhere):
    path = f"/ports/{bound_nowhere['id']}/bindings"
    assert client.post(path, json={"host": "compute-2"}).status_code == 201
    for host in ("compute-1", "compute-2"):
        assert host in error(client.post(path, json={"host": host}), 409, "conflict")["message"]
    error(client.put(f"{path}/compute-1/activate"), 409, "conflict")  # it is the active one
    error(client.put(f"{path}/compute-2/activate"), 409, "conflict")  # nobody has bound it
    for answer in (
        client.get(f"{path}/compute-9"),
        client.delete(f"{path}/compute-9"),
        client.put(f"{path}/compute-9/activate"),
        client.get(f"/ports/{MISSING}/bindings"),
        client.post(f"/ports/{MISSING}/bindings", json={"host": "compute-2"}),
        client.get("/ports/not-a-uuid/bindings"),
        client.get(f"/interfaces/{bound_nowhere['id']}/bindings"),
    ):
        error(answer, 404, "not_found")
    error(client.put(f"{path}/compute-2", json={}), 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ({}, {"host"}),
        ({"binding": {}}, {"host"}),
        ({"host": None}, {"host"}),
        ({"host": ""}, {"host"}),
        ({"host": "c2", "vnic_type": "sriov", "profile": "text", "colour": "red"}, {"vnic_type", "profile", "colour"}),
        ({"binding": {"host": "c2"}, "host": "c2"}, {"binding"}),
        ({"binding": "c2"}, {"host", "binding"}),
    ],
)
def test_all_that_is_wrong_with_a_binding_is_named(client, bound_nowhere, body, attributes):
    path = f"/ports/{bound_nowhere['id']}/bindings"
    refused = error(client.post(path, json=body), 400, "invalid_attributes")
    assert {detail["attribute"] for detail in refused["details"]} == attributes
    assert [each["host"] for each in client.get(path).json()["bindings"]] == ["compute-1"]


@pytest.mark.parametrize("query", [{"colour": "red"}, {"host": ["compute-1", "compute-2"]}])
def test_a_bad_query_for_bindings_is_refused(client, bound_nowhere, query):
    answer = client.get(f"/ports/{bound_nowhere['id']}/bindings", params=query)
    assert error(answer, 400, "invalid_attributes")["details"][0]["attribute"] == next(iter(query))


def test_a_client_that_goes_away_is_no_fault_of_the_server(server):
    with socket.create_connection(server.root.removeprefix("http://").split(":"), timeout=10) as gone:
        head = b"POST /proton/net-l3vpn/v1.0/ports HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        gone.sendall(head + b"Content-Length: 9\r\n\r\n{")
    with httpx.Client(base_url=server.root, trust_env=False) as client:
        counted = 'gluon_proton_requests_total{method="POST",route="/proton/net-l3vpn/v1.0/ports",status="499"}'
        until(lambda: counted in client.get("/metrics").text, "the request is counted")
    assert "Traceback" not in server.log.read_text()


def test_another_protons_objects_are_served_as_well(server):
    with httpx.Client(base_url=f"{server.root}/proton/ietf-sfc/v1.0", trust_env=False) as client:
        port = client.post("/ports", json={"tenant_id": TENANT, "mac_address": MAC}).raise_for_status().json()
        assert client.get(f"/interfaces/{port['id']}").status_code == 200
        assert client.delete(f"/ports/{port['id']}").status_code == 204


def test_health_readiness_and_metrics(server):
    with httpx.Client(base_url=server.root, trust_env=False) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        ready = client.get("/readyz")
        assert ready.status_code == 200
        assert set(ready.json()["checks"]) == {"database", "etcd"}
        metrics = client.get("/metrics").text
        assert "gluon_proton_requests_total" in metrics
        assert "gluon_proton_outbox_pending" in metrics
        assert "gluon_proton_bind_seconds" in metrics
