"""The id of a request, from its header through the logs of both servers, and out."""

from __future__ import annotations

import uuid

import httpx

from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

from .observing import MAC, TENANT


def test_an_id_goes_through_both_logs(tmp_path):
    identity = f"req-{uuid.uuid4()}"
    with LocalStack(tmp_path) as stack, httpx.Client(base_url=stack.url, trust_env=False) as client:
        path = "/proton/net-l3vpn/v1.0/ports"
        quiet = client.post(path, json={"tenant_id": TENANT, "mac_address": MAC}).json()["id"]
        made = client.post(
            path, json={"tenant_id": TENANT, "mac_address": MAC}, headers={"X-Openstack-Request-Id": identity}
        )
        assert made.headers["x-openstack-request-id"] == identity
        port = made.json()["id"]
        until(lambda: f"[{identity}] POST {path}: 201" in stack.proton.log, "proton-server's log has it")

        def shim_lines() -> list[str]:
            return [line for line in stack.shim.log.splitlines() if f"[{identity}]" in line]

        until(lambda: any(port in line for line in shim_lines()), "the shim's log has it")
        assert not any(quiet in line for line in shim_lines())
