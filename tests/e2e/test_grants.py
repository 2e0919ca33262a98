"""gluon-manage on an etcd with users: its own user for what the server's may not do."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

from gluon.testing.etcd import LocalEtcd
from gluon.testing.process import console_script
from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

from .observing import api, create_port, put

EVERYTHING = dict.fromkeys(("/proton/", "/controller/", "/status/", "/gluon/", "/shim/"), "READWRITE")
GRANTS = {
    "proton-server": {"/proton/": "READWRITE", "/controller/": "READ", "/status/": "READ", "/gluon/": "READWRITE"},
    "proton-shim-server": {**EVERYTHING, "/proton/": "READ", "/gluon/": "READ"},
    "gluon-manage": EVERYTHING,
}


def guarded(directory: Path) -> LocalEtcd:
    etcd = LocalEtcd(directory / "etcd", root_password="root")
    etcd.start()
    for user, rights in GRANTS.items():
        etcd.add_user(user, user)
        for prefix, permission in rights.items():
            end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
            key, range_end = (base64.b64encode(text.encode()).decode() for text in (prefix, end))
            etcd.call("auth/role/grant", name=user, perm={"permType": permission, "key": key, "range_end": range_end})
    return etcd


def login(user: str) -> dict[str, object]:
    return {"etcd_user": user, "etcd_password": user}


def test_the_main_job_and_every_command_of_gluon_manage(tmp_path: Path) -> None:
    etcd = guarded(tmp_path)
    own = tmp_path / "manage.conf"
    own.write_text("[api]\netcd_user = gluon-manage\netcd_password = gluon-manage\n")

    def manage(*words: str) -> str:
        files = ["--config-file", str(tmp_path / "proton-server.conf"), "--config-file", str(own)]
        command = [console_script("gluon-manage"), *words, *files]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    try:
        proton = {"api": {**login("proton-server"), "bind_timeout": 3.0}}
        shim = {"shim": {**login("proton-shim-server"), "controller": "south", "leader_ttl": 2}}
        with LocalStack(tmp_path, proton=proton, shim=shim, etcd=etcd) as stack, api(stack) as client:
            port = create_port(client, host_id="h1", device_id="vm-1")
            assert port["vif_type"] == "ovs"
            assert "south" in manage("audit", "--reapply")
            manage("accept")
            manage("resync", "--yes")
            stack.shim.stop()
            released = manage("release", "net-l3vpn", port["id"])
            assert "released from controller south, host h1" in released
            assert "note:" not in released
            assert "records deleted: " in manage("release", "--controller", "south")
            stack.shim.start()
            until(lambda: put(client, f"/ports/{port['id']}", name="n")["vif_type"] == "ovs", "it is bound again")
    finally:
        etcd.stop()


def test_a_user_without_rights_is_told_which_ones_are_needed(tmp_path: Path) -> None:
    etcd = guarded(tmp_path)
    try:
        proton = {"api": login("proton-server")}
        shim = {"shim": {**login("proton-shim-server"), "controller": "south"}}
        with LocalStack(tmp_path, proton=proton, shim=shim, etcd=etcd) as stack, api(stack) as client:
            port = create_port(client, host_id="h1", device_id="vm-1")
            stack.shim.stop()
            config = ["--config-file", str(tmp_path / "proton-server.conf")]
            command = [console_script("gluon-manage"), "release", "net-l3vpn", port["id"], *config]
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=tmp_path)
            assert done.returncode == 1
            assert "Traceback" not in done.stderr
            assert "a user of its own" in done.stderr
    finally:
        etcd.stop()
