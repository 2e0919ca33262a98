"""schemathesis drives the server by its own OpenAPI document."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from gluon.models import catalog
from gluon.proton.api.openapi import document as make_document

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)

BEYOND_JSON_SCHEMA = (
    # Within a JSON value, which may be anything.
    "beyond 64 bits", "NUL character", "nested deeper",
    # Of two attributes.
    "expected another value than that of", "expected another address than",
    # An address in its subnet.
    "expected an address of a host in", "expected an address inside", "expected the address of a router in",
    "at most 32 for IPv4",
    # A network without bits beyond its prefix would be an expression of a page.
    "expected a network such as", "expected networks separated by commas",
)  # fmt: skip
"""Reasons for which the server refuses what the schema allows; every other one is a fault."""


def without_conditions(document: dict) -> dict:
    """The document without If-Match and If-None-Match: one that is made up never holds."""
    for operation in (each for path in document["paths"].values() for each in path.values() if "responses" in each):
        operation["parameters"] = [each for each in operation.get("parameters", []) if each["in"] != "header"]
    return document


SCHEMA = schemathesis.openapi.from_dict(without_conditions(make_document(catalog.load(["net-l3vpn", "test"]))))
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


@pytest.fixture(scope="module")
def server(shared_etcd, tmp_path_factory, server_class):
    made = server_class(
        tmp_path_factory.mktemp("openapi"), shared_etcd.endpoint, service_list="net-l3vpn,test", bind_timeout=0.1
    )
    made.start()
    yield made
    made.end()


@pytest.fixture(scope="module")
def document(server):
    with httpx.Client(base_url=server.root, trust_env=False) as client:
        return client.get("/openapi.json").json()


def cases() -> list:
    """Bad requests only where there is something to get wrong; a key that nothing can have is just not found."""
    return [
        pytest.param(operation, mode, id=f"{operation.label} {mode}")
        for operation in OPERATIONS
        for mode in GenerationMode
        if mode is GenerationMode.POSITIVE or operation.method in ("post", "put") or list(operation.query)
    ]


@pytest.mark.parametrize(("operation", "mode"), cases())
def test_every_answer_is_as_documented(operation, mode, server):
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=5,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case):
        response = case.call(base_url=server.root, timeout=20)
        beyond = response.status_code == 400 and any(words in response.text for words in BEYOND_JSON_SCHEMA)
        case.validate_response(response, checks=[c for c in CHECKS if not beyond or c is not positive_data_acceptance])

    check()


def test_every_route_and_object_is_documented(server, document):
    with httpx.Client(base_url=server.root, trust_env=False) as client:
        for proton in ("net-l3vpn", "test"):
            resources = client.get(f"/proton/{proton}/v1.0/").json()["resources"]
            for resource in resources:
                path = f"/proton/{proton}/v1.0/{resource['plural_name']}"
                assert {"get", "post"} <= document["paths"][path].keys()
                assert {"get", "put", "delete"} <= document["paths"][f"{path}/{{key}}"].keys()
                shown = document["components"]["schemas"][f"{proton}.{resource['object']}"]["properties"]
                assert {attribute["name"] for attribute in resource["attributes"]} < shown.keys()
    assert "/proton/net-l3vpn/v1.0/ports/{parent_key}/interfaces/{key}" in document["paths"]


def test_the_bindings_of_ports_are_documented(document):
    for proton in ("net-l3vpn", "test"):
        path = f"/proton/{proton}/v1.0/ports/{{key}}/bindings"
        assert {"get", "post"} <= document["paths"][path].keys()
        assert {"get", "delete"} <= document["paths"][f"{path}/{{host}}"].keys()
        assert "put" in document["paths"][f"{path}/{{host}}/activate"]


class Links(HTMLParser):
    """Everything that the page would load by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded = []

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.loaded += [named[name] for name in ("src", "srcset", "data") if name in named]
        self.loaded += [named["href"]] if tag == "link" else []


def test_the_page_for_people_needs_no_network(server):
    with httpx.Client(base_url=server.root, trust_env=False) as client:
        page = client.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    links = Links()
    links.feed(page.text)
    assert links.loaded == []
    assert "//" not in re.sub(r"(^|\s)//.*", "", page.text)  # no address of another server, comments aside
    assert 'fetch("openapi.json")' in page.text
