"""The doors: limits and deadlines of requests, over raw sockets against a real server."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import time

import httpx
import pytest

from gluon.testing.waiting import until

PATH = b"/proton/net-l3vpn/v1.0/ports"
HEAD = b"POST " + PATH + b" HTTP/1.1\r\nHost: gluon\r\nContent-Type: application/json\r\n"
GET = b"GET " + PATH + b"?limit=1 HTTP/1.1\r\nHost: gluon\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
DEADLINE = 1.0


@pytest.fixture(scope="module")
def server(shared_etcd, tmp_path_factory, server_class):
    made = server_class(
        tmp_path_factory.mktemp("doors"),
        shared_etcd.endpoint,
        header_timeout=DEADLINE,
        body_timeout=DEADLINE,
        max_connections=60,
    )
    made.start()
    yield made
    made.end()


@pytest.fixture
def dial(server):
    """Opens connections."""
    host, _, port = server.root.removeprefix("http://").rpartition(":")
    with contextlib.ExitStack() as stack:

        def connect() -> socket.socket:
            made = socket.create_connection((host, int(port)), timeout=15)
            return stack.enter_context(contextlib.closing(made))

        yield connect


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        assert more, f"closed after {data!r}"
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return int(first.split()[1]), headers, body


def refused(connection: socket.socket, status: int, code: str) -> dict:
    """The error that it answers, after which it closes."""
    found, headers, body = answer(connection)
    assert (found, headers["connection"]) == (status, "close"), body
    error = json.loads(body)["error"]
    assert (error["status"], error["code"]) == (status, code)
    assert connection.recv(1) == b""
    return error


def pour(connection: socket.socket, data: bytes) -> None:
    """Sends all of it, as far as it is taken."""
    with contextlib.suppress(ConnectionError):
        connection.sendall(data)


def calm(server) -> None:
    """No error stands in the log."""
    log = server.log.read_text()
    assert "Traceback" not in log
    assert " ERROR " not in log


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(GET[:-2] + b"X-Long: " + b"a" * 40_000 + b"\r\n\r\n", id="one value"),
        pytest.param(GET[:-2] + b"".join(b"x-%d: y\r\n" % i for i in range(4000)) + b"\r\n", id="many"),
        pytest.param(b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: gluon\r\n\r\n", id="path"),
        pytest.param(GET[:-2] + b"x" * 40_000 + b": y\r\n\r\n", id="name"),
        pytest.param(GET[:-2] + b"X-Long: " + b"a" * 20_000_000, id="without an end"),
        pytest.param(b"\r\n" * 50_000, id="empty lines"),
        pytest.param(CHUNKED + b"0\r\nX-Long: " + b"a" * 5_000_000, id="trailer"),
        pytest.param(CHUNKED + b"1;" + b"a" * 5_000_000, id="chunk extension"),
    ],
)
def test_a_header_has_a_limit(dial, server, head):
    connection = dial()
    pour(connection, head)
    refused(connection, 431, "header_too_large")
    calm(server)


def test_a_body_in_chunks_of_one_byte_is_taken(dial):
    connection = dial()
    body = json.dumps({"no such": "x" * 40_000}).encode()
    pour(connection, CHUNKED + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
    status, _, said = answer(connection)
    assert (status, json.loads(said)["error"]["code"]) == (400, "invalid_attributes")


def test_a_member_given_twice_after_very_many_is_found_at_once(dial):
    connection = dial()
    members = ",".join(f'"{number}":0' for number in [*range(80_000), 1]).encode()
    pour(connection, HEAD + b"Content-Length: %d\r\n\r\n{%s}" % (len(members) + 2, members))
    status, _, said = answer(connection)
    assert (status, b"given twice" in said) == (400, True)


def test_a_header_below_the_limit_is_taken(dial):
    connection = dial()
    connection.sendall(GET[:-2] + b"X-Long: " + b"a" * 30_000 + b"\r\n\r\n")
    assert answer(connection)[0] == 200


@pytest.mark.parametrize(
    ("part", "named"),
    [
        pytest.param(GET[:20], "header", id="request line"),
        pytest.param(GET[:-2], "header", id="header"),
        pytest.param(HEAD + b"Content-Length: 10\r\n\r\n{", "body", id="body"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{", "body", id="chunk"),
        pytest.param(GET + GET[:20], None, id="second"),
    ],
)
def test_a_half_request_is_answered_and_closed(dial, server, part, named):
    connection = dial()
    connection.sendall(part)
    if named is None:
        assert answer(connection)[0] == 200
    error = refused(connection, 408, "timeout")
    assert (named or "header") in error["message"]
    calm(server)


def test_a_silent_connection_is_closed(dial):
    assert dial().recv(1) == b""


def test_a_request_that_trickles_is_closed(dial):
    connection = dial()
    with pytest.raises(ConnectionError):
        while True:
            connection.sendall(b"a")
            time.sleep(0.05)


def test_a_kept_connection_has_no_deadline(dial):
    connection = dial()
    connection.sendall(GET)
    assert answer(connection)[0] == 200
    time.sleep(2 * DEADLINE)
    connection.sendall(GET + GET)
    assert answer(connection)[0] == 200


def test_the_rest_of_a_refused_body_is_not_waited_for(dial, server):
    connection = dial()
    pour(connection, b"POST " + PATH + b" HTTP/1.1\r\nHost: gluon\r\nContent-Length: 9000000000\r\n\r\n")
    found, _, _ = answer(connection)
    assert found in (413, 415)
    with contextlib.suppress(ConnectionError):
        while connection.recv(65536):
            pass
    calm(server)


def test_an_answer_to_a_long_body_arrives(dial):
    connection = dial()
    pour(connection, HEAD + b"Content-Length: 60000000\r\n\r\n" + b" " * 60_000_000)
    assert answer(connection)[0] == 413


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="none"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", id="two"),
        pytest.param(b"GET / HTTP/1.1\r\nHost:\r\n\r\n", id="empty"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", id="path"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", id="blank in path"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n", id="line without colon"),
        pytest.param(HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", id="two lengths"),
        pytest.param(HEAD + b"Content-Length: -1\r\n\r\n", id="negative length"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="bad chunk"),
    ],
)
def test_what_is_no_request_is_refused(dial, server, head):
    connection = dial()
    pour(connection, head)
    refused(connection, 400, "bad_request")
    calm(server)


def test_a_request_of_http_1_0_needs_no_host(dial):
    connection = dial()
    connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert answer(connection)[0] == 200


def test_an_offer_of_another_protocol_is_declined(dial, server):
    connection = dial()
    connection.sendall(GET[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert answer(connection)[0] == 200
    connection = dial()
    connection.sendall(
        GET[:-2]
        + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert answer(connection)[0] == 200
    calm(server)


def test_pipelined_requests_are_answered_in_order(dial):
    connection = dial()
    connection.sendall(GET * 200 + b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    data = b""
    while more := connection.recv(65536):
        data += more
    assert data.count(b"HTTP/1.1 200") == 201
    assert data.endswith(b'{"status":"ok"}')


@pytest.mark.parametrize("part", [b"", GET[:30], HEAD + b"Content-Length: 10\r\n\r\n{"])
def test_half_requests_keep_nobody_out(dial, server, part):
    for number in range(1100):
        pour(dial(), part)
        if number % 100 == 0:
            assert httpx.get(server.root + "/healthz", trust_env=False, timeout=5).status_code == 200
    assert server.client.get("/ports", params={"limit": 1}).status_code == 200
    calm(server)
    assert server.log.read_text().count("connections are open") <= 1


def test_idle_connections_keep_nobody_out(dial, server):
    for _ in range(100):
        connection = dial()
        connection.sendall(GET)
        assert answer(connection)[0] == 200
    calm(server)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(GET, id="before the answer"),
        pytest.param(HEAD + b"Content-Length: 100\r\n\r\n{", id="within the body"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", id="before the body"),
        pytest.param(GET[:9], id="within the header"),
        pytest.param(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 20, id="within the answer"),
    ],
)
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_goes_away_is_no_failure(dial, server, part, how):
    for _ in range(5):
        connection = dial()
        if how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        connection.sendall(part)
        connection.close()
    metrics = httpx.get(server.root + "/metrics", trust_env=False).text
    assert 'status="500"' not in metrics
    calm(server)


def test_out_of_descriptors_is_said_once_and_ends(own_etcd, make_server):
    server = make_server(own_etcd)
    server.start_in_step()
    open_now = len(os.listdir(f"/proc/{server.process.pid}/fd"))  # noqa: PTH208 - names are enough
    soft, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (open_now + 5, hard))
    host, _, port = server.root.removeprefix("http://").rpartition(":")
    held = [socket.create_connection((host, int(port)), timeout=5) for _ in range(40)]
    until(lambda: "out of file descriptors" in server.log.read_text(), "it says so")
    time.sleep(1)
    for each in held:
        each.close()
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
    until(lambda: httpx.get(server.root + "/healthz", trust_env=False).status_code == 200, "it serves again")
    assert server.create_port()["id"]
    log = server.log.read_text()
    assert log.count("out of file descriptors") == 1, log
    assert "Traceback" not in log


@pytest.mark.parametrize("lose", [lambda file: file.unlink(), lambda file: file.with_name(f"{file.name}-wal").unlink()])
def test_no_answer_shows_the_path_of_the_database(own_etcd, make_server, lose):
    server = make_server(own_etcd)
    server.start_in_step()
    lose(server.database)
    with httpx.Client(base_url=server.root, trust_env=False) as client:
        port = {"tenant_id": "5b1a2d3c-0000-4000-8000-000000000001", "mac_address": "c8:2a:14:04:43:80"}
        answers = [
            server.client.get("/ports"),
            server.client.post("/ports", json=port),
            client.get("/readyz"),
            client.get("/metrics"),
        ]
    assert [answer.status_code for answer in answers[:3]] == [503] * 3
    for answer in answers:
        assert str(server.database.parent) not in answer.text
        assert "sqlite" not in answer.text
