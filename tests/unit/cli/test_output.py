from __future__ import annotations

import csv
import io

import pytest
import yaml


def test_json_is_what_the_server_said(protonclient, server, port):
    server.objects["ports"][port]["vif_details"] = {"port_filter": False, "bridge_name": "br-gluon"}
    shown = protonclient("port-show", port, "-f", "json").json
    assert shown == {
        **server.objects["ports"][port],
        "updated_at": None,
        "status_reason": None,
        "revision_number": None,
    }
    assert protonclient("port-list", "--long", "-f", "json").json == [shown]


def test_yaml_is_what_the_server_said(protonclient, server, port):
    server.objects["ports"][port]["vif_details"] = {"port_filter": False}
    shown = yaml.safe_load(protonclient("port-show", port, "-f", "yaml").out)
    assert (shown["vif_details"], shown["mtu"], shown["host_id"]) == ({"port_filter": False}, 1500, None)


def test_text_formats_read_like_json(protonclient, server, port):
    server.objects["ports"][port]["vif_details"] = {"port_filter": False}
    columns = "-c", "mtu", "-c", "admin_state_up", "-c", "vif_details", "-c", "host_id"
    assert protonclient("port-show", port, "-f", "value", *columns).out.split("\n") == [
        "true", "1500", "", '{"port_filter":false}', "",
    ]  # fmt: skip
    table = protonclient("port-show", port).out
    assert '| vif_details     | {"port_filter":false} |' in table
    assert "None" not in table
    rows = list(csv.DictReader(io.StringIO(protonclient("port-list", "--long", "-f", "csv").out)))
    assert (rows[0]["admin_state_up"], rows[0]["mtu"], rows[0]["host_id"]) == ("true", "1500", "")


@pytest.mark.parametrize("quote", ["all", "minimal", "nonnumeric", "none"])
@pytest.mark.parametrize("name", ["C:\\b", 'a "b", c', "\\", "plain"])
def test_csv_is_read_back_as_it_was(protonclient, server, port, name, quote):
    server.objects["ports"][port]["name"] = name
    text = protonclient("port-list", "-c", "name", "-f", "csv", "--quote", quote).out
    # Only where nothing is quoted, something else has to stand before a comma.
    unquoted = {"quoting": csv.QUOTE_NONE, "escapechar": "\\"} if quote == "none" else {}
    assert list(csv.reader(io.StringIO(text), **unquoted)) == [["name"], [name]]


def test_show_begins_with_the_key_and_shows_what_the_schema_lacks(protonclient, server, port):
    server.objects["ports"][port]["of_a_newer_server"] = 1
    names = list(protonclient("port-show", port, "-f", "json").json)
    assert names[:4] == ["id", "tenant_id", "name", "mac_address"]
    assert names[-5:] == ["created_at", "updated_at", "status_reason", "revision_number", "of_a_newer_server"]


@pytest.mark.parametrize(
    ("command", "columns"),
    [
        ("port-list", ["id", "name", "mac_address", "status", "vif_type"]),
        ("interface-list", ["id", "name", "port_id", "tenant_id"]),
        ("static-route-list", ["destination", "peer_as", "host", "port", "format"]),
    ],
)
def test_columns_of_a_list(protonclient, command, columns):
    header = protonclient(command, "-f", "csv").out.splitlines()[0]
    assert header.replace('"', "").split(",") == columns


def test_chosen_columns(protonclient, port):
    assert protonclient("port-list", "-c", "host_id", "-c", "id", "-f", "json").json == [{"id": port, "host_id": None}]


def test_sorting_puts_null_first_and_numbers_in_order(protonclient, server):
    for key, mtu, host in (("a", 9000, None), ("b", 1500, "z"), ("c", None, "y")):
        server.objects.setdefault("ports", {})[key] = {"id": key, "mtu": mtu, "host_id": host}

    def keys(*options):
        return protonclient("port-list", "-c", "id", "-f", "value", *options).out.split()

    assert keys() == ["a", "b", "c"]
    assert keys("--sort-column", "mtu") == ["c", "b", "a"]
    assert keys("--sort-column", "mtu", "--sort-descending") == ["a", "b", "c"]
    assert keys("--sort-column", "host_id", "--sort-column", "id") == ["a", "c", "b"]


def test_proton_list_needs_no_choice(protonclient, server):
    server.protons["ietf-sfc"] = ()
    assert protonclient("proton-list", "-f", "json").json == [
        {"name": "net-l3vpn", "status": "CURRENT", "url": "/proton/net-l3vpn/"},
        {"name": "ietf-sfc", "status": "CURRENT", "url": "/proton/ietf-sfc/"},
    ]
    assert [r.path for r in server.requests] == ["/proton/"]
