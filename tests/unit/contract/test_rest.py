"""Golden files of what proton-server and its clients say to each other."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gluon.contract import rest
from gluon.contract.rest import (
    Error,
    ErrorBody,
    ErrorDetail,
    Link,
    PortBinding,
    PortBindingBody,
    PortBindingList,
    ProtonEntry,
    ProtonList,
    ResourceList,
    Version,
    VersionList,
)
from gluon.models import catalog
from gluon.schema import ModelError, parse_proton

GOLDEN = Path(__file__).parent / "golden" / "rest"
L3VPN = catalog.load(["net-l3vpn"])["net-l3vpn"]
BINDING = L3VPN.objects["VpnBinding"]

ACTIVE = PortBinding(
    host="host-1",
    vnic_type="normal",
    profile={"migrating_to": "host-2"},
    vif_type="ovs",
    vif_details={"port_filter": False},
    status="ACTIVE",
    status_reason=None,
)
PREPARED = PortBinding(
    host="host-2",
    vnic_type="normal",
    profile=None,
    vif_type="binding_failed",
    vif_details=None,
    status="INACTIVE",
    status_reason="no bridge",
)

BODIES: dict[str, Any] = {
    "protons": ProtonList((ProtonEntry(proton_service="net-l3vpn", links=(Link(href="/proton/net-l3vpn/"),)),)),
    "versions": VersionList(default_version=Version(id="v1.0"), versions=(Version(id="v1.0"),)),
    "resources": ResourceList((rest.resource(L3VPN, BINDING), rest.resource(L3VPN, L3VPN.interface))),
    "port-binding": PortBindingBody(ACTIVE),
    "port-bindings": PortBindingList((ACTIVE, PREPARED)),
    "error": ErrorBody(Error(status=404, code="not_found", message="no port has the key x")),
    "error-details": ErrorBody(
        Error(
            status=400,
            code="invalid_attributes",
            message="mtu: expected an integer 68..65535, got 12",
            details=(ErrorDetail(attribute="mtu", message="expected an integer 68..65535, got 12"),),
        )
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_are_golden_both_ways(name: str) -> None:
    body, file = BODIES[name], GOLDEN / f"{name}.json"
    plain = msgspec.to_builtins(body)
    if os.environ.get("GLUON_WRITE_GOLDEN"):
        file.write_text(json.dumps(plain, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    golden = json.loads(file.read_text(encoding="utf-8"))
    assert json.loads(msgspec.json.encode(body)) == golden
    assert msgspec.json.decode(file.read_bytes(), type=type(body)) == body


def test_no_golden_file_is_left_over() -> None:
    assert {file.stem for file in GOLDEN.glob("*.json")} == set(BODIES)


def test_paths() -> None:
    assert rest.proton_path("net-l3vpn") == "/proton/net-l3vpn/"
    assert rest.version_path(L3VPN) == "/proton/net-l3vpn/v1.0/"
    assert rest.collection_path(L3VPN, BINDING) == "/proton/net-l3vpn/v1.0/vpnbindings"
    assert rest.object_path(L3VPN, BINDING, "k") == "/proton/net-l3vpn/v1.0/vpnbindings/k"
    assert rest.object_path(L3VPN, L3VPN.objects["VpnAfConfig"], "65000:1").endswith("/vpnafconfigs/65000:1")


def test_the_port_alone_has_bindings() -> None:
    for proton in catalog.load(["*"]).values():
        resources = [rest.resource(proton, object_type) for object_type in proton.objects.values()]
        assert [each.object for each in resources if each.is_port] == [proton.port.name]


def test_no_model_takes_the_path_of_the_bindings() -> None:
    text = (catalog.SHIPPED / "net-l3vpn" / "api.yaml").read_text(encoding="utf-8")
    taken = text.replace("plural_name: interfaces", f"plural_name: {rest.BINDINGS}")
    with pytest.raises(ModelError, match="api: below a port, bindings are the port's own"):
        parse_proton("api.yaml", taken, lambda name: (catalog.SHIPPED / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("key", "shown"), [("a/b", "a%2Fb"), ("50 %", "50%20%25"), ("é", "%C3%A9"), ("a?b#c", "a%3Fb%23c")]
)
def test_odd_keys_stay_one_part_of_the_path(key: str, shown: str) -> None:
    assert rest.object_path(L3VPN, BINDING, key) == f"/proton/net-l3vpn/v1.0/vpnbindings/{shown}"
