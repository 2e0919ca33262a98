"""Both clients, by the same tests."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gluon.sdk import (
    AsyncClient,
    Client,
    ClientError,
    Conflict,
    NoAnswer,
    NotFound,
    RequestRefused,
    ServerFailed,
    ServerUnreachable,
    UnexpectedAnswer,
    UsageError,
)

PORT = {"mac_address": "c8:2a:14:04:43:80", "tenant_id": "t"}


class Awaited:
    """An `AsyncClient` whose calls are awaited at once, so that both clients pass the same tests."""

    def __init__(self, *args, **kwargs):
        self._client = AsyncClient(*args, **kwargs)
        self._runner = asyncio.Runner()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._runner.run(self._client.close())
        self._runner.close()

    def __repr__(self):
        return repr(self._client)

    def __getattr__(self, name):
        method = getattr(self._client, name)
        return lambda *args, **kwargs: self._runner.run(method(*args, **kwargs))


@pytest.fixture(params=[Client, Awaited], ids=["blocking", "async"])
def client_class(request):
    return request.param


@pytest.fixture
def client(client_class, server):
    with client_class(server.url, timeout=10) as client:
        yield client


def test_create_show_update_delete(client, server):
    created = client.create("port", PORT)
    key = created["id"]
    assert created["mac_address"] == PORT["mac_address"]
    assert client.show("port", key) == created
    assert client.update("port", key, {"device_id": None, "mtu": 9000})["mtu"] == 9000
    assert server.requests[-1].body == {"device_id": None, "mtu": 9000}
    assert client.delete("port", key) is None
    with pytest.raises(NotFound, match="no Port"):
        client.show("port", key)


def test_create_sends_only_what_was_given(client, server):
    client.create("port", PORT)
    assert server.requests[-1].body == PORT


def test_list_sends_filters_as_the_server_reads_them(client, server):
    client.create("port", PORT)
    ports = client.list("port", limit=5, marker="m", admin_state_up=True, mtu=1500, tenant_id="t")
    assert [p["tenant_id"] for p in ports] == ["t"]
    assert server.requests[-1].query == {
        "admin_state_up": "true", "mtu": "1500", "tenant_id": "t", "limit": "5", "marker": "m",
    }  # fmt: skip


@pytest.mark.parametrize("value", [None, [], {}])
def test_a_filter_by_what_a_query_cannot_say_is_refused(client, server, value):
    with pytest.raises(UsageError, match="host_id"):
        client.list("port", host_id=value)
    assert not [r for r in server.requests if r.path.endswith("ports")]


def test_protons_and_resources(client_class, client, server):
    server.protons["ietf-sfc"] = ()
    assert [p.proton_service for p in client.protons()] == ["net-l3vpn", "ietf-sfc"]
    with client_class(server.url, api="net-l3vpn") as chosen:
        assert chosen.resources()["interface"].parent == "port"


def test_the_schema_is_asked_for_once(client_class, server):
    with client_class(server.url, api="net-l3vpn") as client:
        for _ in range(3):
            client.list("port")
    schema_requests = [r for r in server.requests if not r.path.endswith("ports")]
    assert [r.path for r in schema_requests] == ["/proton/net-l3vpn/v1.0/"]


def test_a_proton_of_another_version_is_found(client, server):
    server.version = "v2.1"
    client.create("port", PORT)
    assert server.requests[-1].path == "/proton/net-l3vpn/v2.1/ports"


@pytest.mark.parametrize("key", ["10.0.0.0/8", "a b", "a%2Fb", "ü", "?x#y", "2001:db8::/32"])
def test_keys_are_percent_encoded(client, server, key):
    client.create("static-route", {"destination": key})
    assert client.show("static-route", key)["destination"] == key
    assert server.requests[-1].path.count("/") == 5


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(min_size=1, max_size=40).filter(lambda key: key not in (".", "..")))
def test_any_key_arrives_as_it_is(client, server, key):
    server.objects["static-routes"] = {key: {"destination": key}}
    assert client.show("static-route", key) == {"destination": key}


@pytest.mark.parametrize("key", ["", ".", "..", "\udcff"])
def test_a_key_that_would_name_another_path_is_refused(client, server, key):
    client.resources()
    asked = len(server.requests)
    with pytest.raises(UsageError, match="key of a port"):
        client.delete("port", key)
    assert len(server.requests) == asked


def test_an_unknown_resource_lists_those_there_are(client):
    with pytest.raises(UsageError, match="no resource 'prot'; it has interface, port, static-route"):
        client.create("prot", {})


def test_an_unknown_proton_lists_those_there_are(client_class, server):
    server.protons["ietf-sfc"] = ()
    with (
        client_class(server.url, api="net-l2") as client,
        pytest.raises(UsageError, match=r"'net-l2'.*ietf-sfc, net-l3vpn"),
    ):
        client.resources()


def test_one_of_several_protons_must_be_chosen(client, server):
    server.protons["ietf-sfc"] = ()
    with pytest.raises(UsageError, match="several protons, ietf-sfc, net-l3vpn"):
        client.list("port")


def test_a_server_without_protons(client, server):
    server.protons.clear()
    with pytest.raises(UsageError, match="service_list"):
        client.resources()


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, RequestRefused), (404, NotFound), (409, Conflict), (413, RequestRefused), (500, ServerFailed),
     (503, ServerFailed)],
)  # fmt: skip
def test_error_answers(client, server, answer_error, status, error):
    client.resources()
    server.canned = lambda _: answer_error(status, "some_code", "It can't be.", mac_address="expected a MAC")
    with pytest.raises(error) as caught:
        client.create("port", {})
    assert type(caught.value) is error
    assert (caught.value.status, caught.value.code) == (status, "some_code")
    assert caught.value.details[0].attribute == "mac_address"
    assert str(caught.value) == "It can't be.\n  mac_address: expected a MAC"


def test_a_detail_that_the_message_holds_is_not_repeated(client, server, answer_error):
    client.resources()
    server.canned = lambda _: answer_error(409, "in_use", "No: p is in use.", port_id="p is in use", mtu="too low")
    with pytest.raises(Conflict) as caught:
        client.delete("port", "p")
    assert str(caught.value) == "No: p is in use.\n  mtu: too low"
    assert [d.attribute for d in caught.value.details] == ["port_id", "mtu"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((200, b"<html>"), UnexpectedAnswer),
        ((200, b"[]"), UnexpectedAnswer),
        ((200, b"\xff"), UnexpectedAnswer),
        ((200, b""), UnexpectedAnswer),
        ((302, b""), UnexpectedAnswer),
        ((404, b"<html>"), NotFound),
        ((502, b"<html>"), ServerFailed),
        ((502, b'{"error": "no"}'), ServerFailed),
    ],
)
def test_answers_of_something_else(client, server, answer_raw, answer, error):
    client.resources()
    server.canned = lambda _: answer_raw(*answer)
    with pytest.raises(error, match=server.url):
        client.show("port", "x")


@pytest.mark.parametrize("body", [b'{"port": []}', b'{"ports": {}}', b'{"ports": [1]}', b"{}"])
def test_a_list_without_its_collection(client, server, answer_raw, body):
    client.resources()
    server.canned = lambda _: answer_raw(200, body)
    with pytest.raises(UnexpectedAnswer):
        client.list("port")


def test_unreachable(client_class, closed_port):
    url = f"http://127.0.0.1:{closed_port}"
    with client_class(url) as client, pytest.raises(ServerUnreachable, match=f"{url} .Connection refused.; check"):
        client.protons()


def test_no_answer_in_time(client_class, server, answer_raw):
    with client_class(server.url, timeout=1) as client:
        client.resources()
        server.canned = lambda _: answer_raw(200, silent=True)
        with pytest.raises(NoAnswer, match="no answer within 1 s; the server may have carried it out"):
            client.create("port", PORT)
        with pytest.raises(NoAnswer, match=r"within 1 s$"):
            client.show("port", "x")


def test_a_broken_connection(client, server, answer_raw):
    client.resources()
    server.canned = lambda _: answer_raw(0)
    with pytest.raises(NoAnswer, match=r"before the connection broke.*may have carried it out"):
        client.delete("port", "x")


class Token(httpx.Auth):
    """As Keystone's: asks for a token once, then sends it along."""

    def __init__(self, keystone):
        self.keystone = keystone
        self.token = ""

    def auth_flow(self, request):
        if not self.token:
            answer = yield httpx.Request("GET", self.keystone)
            self.token = f"token {answer.status_code}"
        request.headers["X-Auth-Token"] = self.token
        yield request


def test_pluggable_authentication(client_class, server):
    with client_class(server.url, auth=Token(server.url + "/proton/")) as client:
        client.list("port")
    assert "x-auth-token" not in server.requests[0].headers
    assert {r.headers["x-auth-token"] for r in server.requests[1:]} == {"token 200"}


def test_an_authentication_that_cannot_be_reached_is_named(client_class, server, closed_port):
    keystone = f"http://127.0.0.1:{closed_port}"
    with client_class(server.url, auth=Token(keystone)) as client:
        with pytest.raises(ServerUnreachable, match=f"{keystone}, which the authentication asks .Connection refused"):
            client.create("port", PORT)
    assert server.requests == []


def test_a_refused_authentication(client, server, answer_raw):
    server.canned = lambda _: answer_raw(401, b"")
    with pytest.raises(RequestRefused, match=r"401 Unauthorized.*check the credentials"):
        client.protons()


def test_the_bindings_of_a_port(client, server):
    made = client.create_port_binding("a b", "compute/2", vnic_type="direct", profile={"migrating_to": "compute-2"})
    assert server.requests[-1].path == "/proton/net-l3vpn/v1.0/ports/a%20b/bindings"
    assert server.requests[-1].body == {
        "binding": {"host": "compute/2", "vnic_type": "direct", "profile": {"migrating_to": "compute-2"}}
    }
    assert (made["host"], made["status"]) == ("compute/2", "INACTIVE")
    other = client.create_port_binding("a b", "compute-3")
    assert server.requests[-1].body == {"binding": {"host": "compute-3"}}
    assert client.list_port_bindings("a b") == [made, other]
    assert client.show_port_binding("a b", "compute/2") == made
    assert client.activate_port_binding("a b", "compute/2")["status"] == "ACTIVE"
    assert server.requests[-1][:2] == ("PUT", "/proton/net-l3vpn/v1.0/ports/a%20b/bindings/compute%2F2/activate")
    assert client.delete_port_binding("a b", "compute/2") is None
    with pytest.raises(NotFound):
        client.show_port_binding("a b", "compute/2")
    with pytest.raises(UsageError, match=r"'\.\.' can't be the host of a binding"):
        client.delete_port_binding("a b", "..")


def test_a_proton_without_ports_has_no_bindings(client, server):
    server.protons["net-l3vpn"] = server.protons["net-l3vpn"][1:]
    with pytest.raises(UsageError, match="no ports"):
        client.list_port_bindings("p")


@pytest.mark.parametrize("body", [b"{}", b'{"bindings": {}}', b'{"binding": []}', b"[]"])
def test_a_binding_that_cannot_be_read(client, server, answer_raw, body):
    client.resources()
    server.canned = lambda _: answer_raw(200, body)
    with pytest.raises(UnexpectedAnswer):
        client.show_port_binding("p", "h")


def test_many_tasks_share_a_client(server):
    async def main():
        async with AsyncClient(server.url) as client:
            ports = await asyncio.gather(*(client.create("port", PORT | {"id": str(n)}) for n in range(8)))
            assert await client.list("port") == sorted(
                ports, key=lambda port: list(server.objects["ports"]).index(port["id"])
            )

    asyncio.run(main())


@pytest.mark.parametrize("url", ["ftp://h", "127.0.0.1:2705", "http://", "http://h:port", "http://a b", ""])
def test_a_url_that_is_none_is_refused(client_class, url):
    with pytest.raises(UsageError, match="URL"):
        client_class(url)


def test_the_password_in_a_url_is_sent_and_never_shown(client_class, server, caplog, answer_error):
    caplog.set_level("DEBUG")
    url = server.url.replace("http://", "http://alice:s3cret@")
    server.canned = lambda _: answer_error(401, "unauthorized", "Who are you?")
    with client_class(url) as client:
        with pytest.raises(ClientError) as caught:
            client.protons()
        shown = repr(client) + str(caught.value) + caplog.text
    assert server.requests[0].headers["authorization"].startswith("Basic ")
    assert "s3cret" not in shown
    with pytest.raises(UsageError) as refused:
        client_class("http://alice:s3cret@host:port")
    assert "s3cret" not in str(refused.value)


def test_no_proxy_for_loopback(client_class, server, monkeypatch, closed_port):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    with client_class(server.url) as client:
        assert client.protons()


def test_a_proxy_for_other_hosts(client_class, server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    with client_class("http://api.example.org") as client:
        assert client.protons()
    assert server.requests[0].headers["host"] == "api.example.org"


def test_importing_the_command_line_loads_nothing_of_a_server():
    heavy = "sqlalchemy", "grpc", "starlette", "uvicorn", "oslo_config", "cmd2"
    code = f"import sys, gluon.cli.app; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
