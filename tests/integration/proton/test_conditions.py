"""revision_number, ETags and conditions."""

from __future__ import annotations

import uuid

import pytest

TENANT = "5b1a2d3c-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def server(shared_etcd, tmp_path_factory, server_class):
    made = server_class(tmp_path_factory.mktemp("conditions"), shared_etcd.endpoint)
    made.start()
    yield made
    made.end()


@pytest.fixture
def port(server):
    """A port, and its ETag."""
    made = server.create_port(name="first")
    return made, server.client.get(f"/ports/{made['id']}").headers["etag"]


def put(server, port, tag, **values):
    return server.client.put(f"/ports/{port['id']}", json=values, headers={"If-Match": tag})


def test_revision_and_etag_grow_with_each_change(server):
    answer = server.client.post("/ports", json={"tenant_id": TENANT, "mac_address": "c8:2a:14:04:43:80"})
    seen = [(answer.json()["revision_number"], answer.headers["etag"])]
    path = f"/ports/{answer.json()['id']}"
    for name in ("a", "b"):
        answer = server.client.put(path, json={"name": name})
        seen.append((answer.json()["revision_number"], answer.headers["etag"]))
        shown = server.client.get(path)
        assert (shown.json()["revision_number"], shown.headers["etag"]) == seen[-1]
    assert [number for number, _ in seen] == [1, 2, 3]
    assert len({tag for _, tag in seen}) == 3
    same = server.client.put(path, json={"name": "b"})
    assert (same.json()["revision_number"], same.headers["etag"]) == seen[-1]
    listed = server.client.get("/ports", params={"id": answer.json()["id"]}).json()["ports"]
    assert listed[0]["revision_number"] == 3


@pytest.mark.parametrize("date", ["Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT", "x"])
def test_a_date_protects_from_nothing_so_it_is_refused(server, port, date):
    made, tag = port
    path, alone = f"/ports/{made['id']}", {"If-Unmodified-Since": date}
    for answer in (
        server.client.put(path, json={"name": "second"}, headers=alone),
        server.client.delete(path, headers=alone),
    ):
        assert answer.status_code == 412
        assert "send If-Match" in answer.json()["error"]["message"]
    assert server.port(made["id"])["name"] == "first"
    both = {**alone, "If-Match": tag}
    assert server.client.put(path, json={"name": "second"}, headers=both).status_code == 200  # RFC 9110, 13.2.2


def test_a_change_with_the_etag_is_made_once(server, port):
    made, tag = port
    assert put(server, made, tag, name="second").status_code == 200
    refused = put(server, made, tag, name="third")
    assert refused.status_code == 412
    assert refused.json()["error"]["code"] == "precondition_failed"
    assert "revision_number is 2" in refused.json()["error"]["message"]
    assert server.port(made["id"])["name"] == "second"


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("*", 200),
        ("{tag}", 200),
        ('"other", {tag}', 200),
        ("revision_number=1", 200),
        ("revision_number=2", 412),
        ("W/{tag}", 412),
        ('"other"', 412),
        ('"1"', 412),
        ('"a,b"', 412),
        ("{unquoted}", 412),
        ("", 412),
        ("*, {tag}", 412),
        ("revision_number=x", 412),
    ],
)
def test_each_form_of_if_match(server, port, condition, status):
    made, tag = port
    given = condition.format(tag=tag, unquoted=tag.strip('"'))
    assert put(server, made, given, name="new").status_code == status
    assert server.port(made["id"])["name"] == ("new" if status == 200 else "first")


def test_a_deletion_holds_to_its_condition(server, port):
    made, tag = port
    path = f"/ports/{made['id']}"
    server.client.put(path, json={"name": "newer"})
    assert server.client.delete(path, headers={"If-Match": tag}).status_code == 412
    now = server.client.get(path).headers["etag"]
    assert server.client.delete(path, headers={"If-Match": now}).status_code == 204
    assert server.client.delete(path, headers={"If-Match": now}).status_code == 404


def test_another_object_of_the_same_key_has_another_etag(server, port):
    made, tag = port
    path = f"/ports/{made['id']}"
    server.client.delete(path)
    again = server.create_port(id=made["id"], name="first")
    assert again["revision_number"] == 1
    assert put(server, made, tag, name="new").status_code == 412


def test_a_read_with_the_etag_has_no_body(server, port):
    made, tag = port
    path = f"/ports/{made['id']}"
    same = server.client.get(path, headers={"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    server.client.put(path, json={"name": "newer"})
    assert server.client.get(path, headers={"If-None-Match": tag}).status_code == 200
    assert server.client.get(path, headers={"If-Match": tag}).status_code == 412


def test_where_there_is_no_etag_a_condition_is_refused(server, port):
    made, tag = port
    for method, path in (
        ("POST", "/ports"),
        ("POST", f"/ports/{made['id']}/bindings"),
        ("PUT", f"/ports/{made['id']}/bindings/h/activate"),
        ("DELETE", f"/ports/{made['id']}/bindings/h"),
    ):
        answer = server.client.request(method, path, json={}, headers={"If-Match": tag})
        assert answer.status_code == 412, path


def test_of_changes_at_once_with_one_etag_one_is_made(server, port, in_background):
    made, tag = port
    answers = [in_background(put, server, made, tag, name=f"n{number}") for number in range(20)]
    statuses = sorted(answer.result().status_code for answer in answers)
    assert statuses == [200] + [412] * 19
    assert server.port(made["id"])["revision_number"] == 2


def test_what_controllers_say_is_a_change_too(own_etcd, make_server):
    server = make_server(own_etcd)
    server.start_in_step()
    made = server.create_port()
    own_etcd.alive()
    own_etcd.status(f"Port/{made['id']}", failure="no such VRF")
    assert server.has(made["id"], status_reason="TestShim: no such VRF")["revision_number"] > made["revision_number"]


def test_revisions_survive_a_restart(own_etcd, make_server):
    server = make_server(own_etcd)
    server.start_in_step()
    made = server.create_port()
    server.client.put(f"/ports/{made['id']}", json={"name": str(uuid.uuid4())})
    before = server.client.get(f"/ports/{made['id']}")
    server.stop()
    server.start_in_step()
    after = server.client.get(f"/ports/{made['id']}")
    assert (after.json(), after.headers["etag"]) == (before.json(), before.headers["etag"])
    assert after.json()["revision_number"] == 2
