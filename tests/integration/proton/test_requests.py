"""gluon-manage audit and accept: requests to the shims, which the tests play."""

from __future__ import annotations

import json
import threading

import pytest


@pytest.fixture
def etcd(shared_etcd, view_class):
    """Not cleared: the server of this module stays for all its tests."""
    view = view_class(shared_etcd)
    yield view
    for key in (*view.dump_keys("/shim/"), *view.dump_keys("/status/")):
        view.delete(key)


@pytest.fixture(scope="module")
def server(shared_etcd, tmp_path_factory, server_class):
    made = server_class(tmp_path_factory.mktemp("proton"), shared_etcd.endpoint)
    made.start_in_step()
    yield made
    made.end()


class Shim(threading.Thread):
    """Answers every request with what it is given, and remembers the requests."""

    def __init__(self, etcd, controller, result):
        super().__init__(daemon=True)
        self.etcd, self.controller, self.result = etcd, controller, result
        self.requests = []
        self.done = threading.Event()

    def __enter__(self):
        self.etcd.alive(self.controller)
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join(10)
        self.etcd.dead(self.controller)

    def run(self):
        prefix = f"/shim/{self.controller}/requests/"
        while not self.done.wait(0.05):
            for key, request in self.etcd.dump(prefix).items():
                self.requests.append(request)
                self.etcd.put(f"/shim/{self.controller}/results/{key.removeprefix(prefix)}", self.result)
                self.etcd.delete(key)


def test_an_audit_is_asked_of_all_that_are_alive_and_shown(server, etcd):
    found = {"ok": True, "message": "audited 12 objects", "missing": ["Port/a"], "orphans": ["Port/b", "Port/c"]}
    with Shim(etcd, "north", found) as north, Shim(etcd, "south", {"ok": True, "message": "nothing"}) as south:
        done = server.manage("audit", "--dry-run", "--object", "Port/a")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "north: audited 12 objects" in done.stdout
    assert "missing at the controller: 1" in done.stdout
    assert "Port/c" in done.stdout
    assert "south: nothing" in done.stdout
    assert north.requests == south.requests == [{"kind": "audit", "object": "Port/a", "dry_run": True}]
    assert etcd.dump("/shim/") == {}, "neither request nor result is left"


def test_what_a_controller_could_not_do_is_an_exit_code(server, etcd):
    with Shim(etcd, "north", {"ok": False, "message": "its backend has no inventory; use --reapply"}) as north:
        done = server.manage("audit", "--controller", "north", "--reapply")
    assert done.returncode == 1
    assert "its backend has no inventory" in done.stdout
    assert north.requests == [{"kind": "audit", "reapply": True}]


def test_accept_is_a_request_as_well(server, etcd):
    with Shim(etcd, "north", {"ok": True, "message": "3 deletions are made now"}) as north:
        done = server.manage("accept", "--controller", "north")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 deletions are made now" in done.stdout
    assert north.requests == [{"kind": "accept"}]


def test_a_controller_that_does_not_answer_is_not_waited_for_without_end(server, etcd):
    etcd.alive("north")
    done = server.manage("audit", "--timeout", "0.5")
    assert done.returncode == 1
    assert "north: no answer within 0.5 s" in done.stdout
    assert etcd.dump("/shim/north/requests/") == {}


@pytest.mark.parametrize("command", ["audit", "accept"])
def test_nobody_to_ask_is_a_sentence(server, etcd, command):
    done = server.manage(command)
    assert done.returncode == 1
    assert "no controller is alive" in done.stderr
    etcd.alive("north")
    done = server.manage(command, "--controller", "south")
    assert done.returncode == 1
    assert "controller south is not alive, so it can't be asked; alive are north" in done.stderr


def test_an_object_that_does_not_exist_is_not_passed_off_as_well(server, etcd):
    port = server.create_port()["id"]
    server.assert_in_step(etcd)
    with Shim(etcd, "north", {"ok": True, "message": "nothing differs"}):
        wrong = server.manage("audit", "--object", "Prt/x")
        absent = server.manage("audit", "--object", "Port/x")
        there = server.manage("audit", "--object", f"Port/{port}")
    assert wrong.returncode == 1
    assert "no model has objects of type Prt; they have" in wrong.stderr
    assert "note: there is no Port x in etcd" in absent.stdout
    assert "note" not in there.stdout


@pytest.mark.parametrize("wrong", [["--object", "Port"], ["--dry-run", "--reapply"], ["--timeout", "0"]])
def test_wrong_usage_of_audit(server, wrong):
    assert server.manage("audit", *wrong).returncode == 2


def test_a_result_that_can_not_be_read_is_named(server, etcd):
    with Shim(etcd, "north", json.dumps("junk")):
        done = server.manage("accept")
    assert done.returncode == 1
    assert "can't be read" in done.stdout
