"""A client that openapi-python-client makes from the document has every operation, and drives the server."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

TENANT = "5b1a2d3c-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def server(shared_etcd, tmp_path_factory, server_class):
    made = server_class(
        tmp_path_factory.mktemp("generated"), shared_etcd.endpoint, service_list="net-l3vpn,ietf-sfc,test"
    )
    made.start()
    yield made
    made.end()


@pytest.fixture(scope="module")
def document(server):
    return httpx.get(server.root + "/openapi.json", trust_env=False).json()


@pytest.fixture(scope="module")
def generated(document, tmp_path_factory):
    """The package, made by the generator without a complaint about the document."""
    directory = tmp_path_factory.mktemp("client")
    (directory / "openapi.json").write_text(json.dumps(document))
    (directory / "config.yaml").write_text("post_hooks: []\n")
    command = [Path(sys.executable).with_name("openapi-python-client"), "generate", "--meta", "none"]
    done = subprocess.run(
        [*command, "--path", "openapi.json", "--config", "config.yaml", "--output-path", "gluon_made"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert "arning" not in done.stdout + done.stderr, done.stdout + done.stderr
    sys.path.insert(0, str(directory))
    yield directory / "gluon_made"
    sys.path.remove(str(directory))


def test_it_has_every_operation(document, generated):
    wanted = [method for path in document["paths"].values() for method in path if method != "parameters"]
    made = [file for file in (generated / "api").rglob("*.py") if file.name != "__init__.py"]
    assert len(made) == len(wanted)


@pytest.mark.usefixtures("generated")
def test_it_drives_the_server(server):
    with importlib.import_module("gluon_made").Client(base_url=server.root) as client:
        drive(client)


def drive(client):
    def call(operation: str, /, *arguments, **named):
        module = importlib.import_module(f"gluon_made.api.net_l3vpn.net_l3vpn_{operation}")
        return module.sync_detailed(*arguments, client=client, **named)

    models = importlib.import_module("gluon_made.models")
    body = models.NetL3VpnPortCreateBody.from_dict(
        {"tenant_id": TENANT, "mac_address": "c8:2a:14:04:43:80", "name": "made", "profile": {"trusted": ["a", 1]}}
    )
    made = call("port_create", body=body)
    assert made.status_code == 201
    port = made.parsed
    assert (port.name, port.revision_number) == ("made", 1)
    changed = call("port_update", port.id, body=models.NetL3VpnPortUpdate.from_dict({"name": "changed"}))
    assert (changed.parsed.name, changed.parsed.revision_number) == ("changed", 2)
    assert call("port_show", port.id).parsed.name == "changed"
    renamed = models.NetL3VpnPortUpdate.from_dict({"name": "again"})
    refused = call("port_update", port.id, body=renamed, if_match="revision_number=1")
    assert (refused.status_code, refused.parsed.error.code) == (412, "precondition_failed")
    assert call("port_delete", port.id, if_match='"1-1"').status_code == 412
    listed = call("port_list", name=["changed"], limit=5).parsed
    assert [each.id for each in listed.ports] == [port.id]
    assert call("port_binding_list", port.id).parsed.bindings == []
    interface = call("interface_show", port.id)
    assert interface.parsed.port_id == port.id
    assert call("port_delete", port.id).status_code == 204
    gone = call("port_show", port.id)
    assert (gone.status_code, gone.parsed.error.code) == (404, "not_found")
