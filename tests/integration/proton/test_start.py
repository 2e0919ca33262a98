"""Starting and ending: one sentence when it can't, one line when it can."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest

from gluon.testing.process import console_script


def run(
    directory: Path, text: str, program: str = "proton-server", *arguments: str
) -> subprocess.CompletedProcess[str]:
    config = directory / "proton.conf"
    config.write_text(text)
    command = [console_script(program), *arguments, "--config-file", str(config)]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[api]\nport = 0\n[database]\nconnection = nonsense\n", "database URL"),
        ("[api]\nport = 0\n[database]\nconnection = postgresql+nodriver://u:hunter2@127.0.0.1/x\n", "only SQLite"),
        ("[api]\nport = 0\nservice_list = nothing\n", "net-l3vpn"),
        ("[api]\nport = 0\nmodel_dirs = /no/such/directory\n", "/no/such/directory"),
        ("[api]\nport = 99999\n", "option port"),
        ("[api]\nport = 0\netcd_password = hunter2\n", "user"),
        ("[api]\nport = 0\netcd_ca_file = /no/such/file\n", "/no/such/file"),
    ],
)
def test_what_keeps_it_from_starting_is_one_sentence(tmp_path, text, words):
    ended = run(tmp_path, text)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1, said
    assert words in said
    assert "Traceback" not in said
    assert "hunter2" not in said
    assert len(said.strip().splitlines()) == 1


def test_a_port_that_is_taken_is_one_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run(tmp_path, f"[api]\nport = {port}\n")
    assert ended.returncode == 1
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_table_that_does_not_fit_is_one_sentence(server, tmp_path):
    assert server.stop() == 0
    connection = sqlite3.connect(server.database)
    connection.executescript("ALTER TABLE net_l3vpn_port DROP COLUMN mtu")
    connection.close()
    ended = run(tmp_path, server.config.read_text())
    assert ended.returncode == 1
    assert "net_l3vpn_port" in ended.stderr
    assert "mtu" in ended.stderr


def test_a_missing_configuration_file_is_named(tmp_path):
    command = [console_script("proton-server"), "--config-file", "absent.conf"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert "absent.conf" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_ready_line_says_where_everything_is(server, etcd):
    line = next(line for line in server.log.read_text().splitlines() if "ready" in line)
    for part in (server.root, "net-l3vpn", "gluon.db", etcd.etcd.endpoint):
        assert part in line


def test_only_a_host_that_others_reach_is_warned_of(etcd, make_server, server):
    assert "not authenticated" not in server.log.read_text()
    open_to_all = make_server(etcd, host="0.0.0.0")
    open_to_all.start()
    assert "not authenticated" in open_to_all.log.read_text()


def test_sigterm_ends_an_idle_server_cleanly(server, etcd):
    port = server.create_port()
    assert server.stop(timeout=5) == 0
    assert server.log.read_text().splitlines()[-1].endswith("stopped")
    server.start()
    assert server.port(port["id"]) == port
    server.assert_in_step(etcd)
    assert len(etcd.dump_keys("/gluon/publisher/")) == 1, "the session of the first run is gone"


def test_sigterm_while_etcd_is_frozen_ends_in_time(own_etcd, make_server):
    server = make_server(own_etcd)
    server.start()
    own_etcd.etcd.freeze()
    try:
        server.create_port()
        assert server.stop(timeout=5) == 0
    finally:
        own_etcd.etcd.thaw()
