from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gluon.cli import app, global_options
from gluon.cli.app import main
from gluon.cli.global_options import GlobalOptions

MAC = "c8:2a:14:04:43:80"
PORT = ("port-create", "--mac_address", MAC, "--tenant_id", "t")


# Requests


def test_create_with_one_schema_request(protonclient, server):
    result = protonclient("--api", "net-l3vpn", *PORT, "--name", "p1", "-f", "json")
    assert (result.code, result.err) == (0, "")
    assert [(r.method, r.path) for r in server.requests] == [
        ("GET", "/proton/net-l3vpn/v1.0/"),
        ("POST", "/proton/net-l3vpn/v1.0/ports"),
    ]
    assert server.requests[-1].body == {"mac_address": MAC, "tenant_id": "t", "name": "p1"}


def test_options_with_a_hyphen(protonclient, server):
    assert protonclient("port-create", "--mac-address", MAC, "--tenant-id=t", "--admin-state-up", "false").code == 0
    assert server.requests[-1].body == {"mac_address": MAC, "tenant_id": "t", "admin_state_up": False}


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("mtu", "9000", 9000),
        ("mtu", "-1", -1),
        ("admin_state_up", "True", True),
        ("admin_state_up", "false", False),
        ("vnic_type", "direct", "direct"),
        ("profile", '{"a": [1, 2.5, null, true]}', {"a": [1, 2.5, None, True]}),
        ("profile", '"text"', "text"),
        ("name", "7", "7"),
        ("name", "", ""),
        ("name", "ü", "ü"),
    ],
)
def test_values_are_sent_in_their_native_type(protonclient, server, option, text, value):
    assert protonclient(*PORT, f"--{option}", text).code == 0
    sent = server.requests[-1].body[option]
    assert sent == value
    assert type(sent) is type(value)


@pytest.mark.parametrize(("text", "value"), [("2", 2), ("2.5", 2.5), ("1e3", 1000.0)])
def test_numbers(protonclient, server, text, value):
    assert protonclient("static-route-create", "--destination", "d", "--weight", text).code == 0
    assert server.requests[-1].body["weight"] == value


def test_attributes_that_are_called_like_options(protonclient, server):
    given = {
        "--destination": "10.0.0.0/8", "--host": "h", "--port": "1", "--attribute_format": "f",
        "--attribute-prefix": "p", "--unset": "u", "--limit": "l", "--attribute_help": "?",
    }  # fmt: skip
    result = protonclient("static-route-create", *(word for pair in given.items() for word in pair))
    assert result.code == 0, result.err
    assert server.requests[-1].body == {
        "destination": "10.0.0.0/8", "host": "h", "port": "1", "format": "f",
        "prefix": "p", "unset": "u", "limit": "l", "help": "?",
    }  # fmt: skip


def test_update_sends_what_changes_and_null_for_what_is_unset(protonclient, server, port):
    result = protonclient("port-update", port, "--mtu", "9000", "--unset", "host_id", "--unset", "device-id")
    assert result.code == 0, result.err
    assert server.requests[-1].body == {"mtu": 9000, "host_id": None, "device_id": None}


def test_list_filters(protonclient, server, port):
    result = protonclient(
        "port-list", "--tenant_id", "t", "--status", "DOWN", "--admin-state-up", "true",
        "--limit", "7", "--marker", "a", "-f", "json",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert server.requests[-1].query == {
        "tenant_id": "t", "status": "DOWN", "admin_state_up": "true", "limit": "7", "marker": "a",
    }  # fmt: skip
    assert [p["id"] for p in result.json] == [port]


def test_delete(protonclient, server, port):
    result = protonclient("port-delete", port)
    assert (result.code, result.out, result.err) == (0, "Deleted port p\n", "")
    assert server.objects["ports"] == {}


def test_quiet_delete(protonclient, port):
    result = protonclient("-q", "port-delete", port)
    assert (result.code, result.out, result.err) == (0, "", "")


def test_a_live_migration_by_hand(protonclient, server, port):
    def json(*words):
        result = protonclient(*words, "-f", "json")
        assert (result.code, result.err) == (0, "")
        return result.json

    made = json("port-binding-create", port, "compute-2", "--vnic-type", "direct", "--profile", '{"a": [1]}')
    assert server.requests[-1].body == {"binding": {"host": "compute-2", "vnic_type": "direct", "profile": {"a": [1]}}}
    assert list(made) == [
        "host", "vnic_type", "profile", "vif_type", "vif_details", "status", "status_reason",
    ]  # fmt: skip
    assert json("port-binding-show", port, "compute-2") == made
    assert json("port-binding-activate", port, "compute-2")["status"] == "ACTIVE"
    json("port-binding-create", port, "compute-1")
    rows = json("port-binding-list", port, "--sort-column", "host")
    assert [(row["host"], row["status"]) for row in rows] == [("compute-1", "INACTIVE"), ("compute-2", "ACTIVE")]
    assert "profile" not in rows[0]
    assert json("port-binding-list", port, "--long")[0] == server.bindings[port]["compute-2"]
    result = protonclient("port-binding-delete", port, "compute-1")
    assert (result.code, result.out, result.err) == (0, "Deleted the binding of port p to compute-1\n", "")
    assert list(server.bindings[port]) == ["compute-2"]


def test_only_ports_have_bindings(protonclient):
    assert "interface-binding" not in protonclient("help").out


# Refused


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("port-create", "--tenant_id", "t"), "required: --mac_address"),
        ((*PORT, "--mtu", "big"), "--mtu: expected an integer, got 'big'"),
        ((*PORT, "--mtu", "1.5"), "--mtu: expected an integer, got '1.5'"),
        ((*PORT, "--mtu", "1_500"), "--mtu: expected an integer, got '1_500'"),
        ((*PORT, "--mtu", "\u0661\u0665"), "--mtu: expected an integer"),
        ((*PORT, "--mtu", " 9"), "--mtu: expected an integer, got ' 9'"),
        ((*PORT, "--mtu", "+9"), "--mtu: expected an integer, got '+9'"),
        ((*PORT, "--mtu", "007"), "--mtu: expected an integer, got '007'"),
        ((*PORT, "--mtu", "1" * 5000), "--mtu: expected an integer"),
        (("port-list", "--mtu", "1_500"), "--mtu: expected an integer, got '1_500'"),
        ((*PORT, "--profile", '{"a": 1, "a": 2}'), "the name 'a' is given twice"),
        ((*PORT, "--profile", '[{"b": {"a": 1, "a": 2}}]'), "the name 'a' is given twice"),
        ((*PORT, "--profile", "[NaN]"), "--profile: expected JSON text"),
        ((*PORT, "--profile", "[1e999]"), "--profile: expected JSON text"),
        ((*PORT, "--admin_state_up", "yes"), "--admin_state_up: expected true or false, got 'yes'"),
        ((*PORT, "--vnic_type", "sriov"), "--vnic_type: invalid choice: 'sriov' (choose from "),
        ((*PORT, "--profile", "{a: 1}"), "--profile: expected JSON text, got '{a: 1}'"),
        ((*PORT, "--profile", "[" * 100_000), "--profile: expected JSON text"),
        ((*PORT, "--name", "\udcff"), "--name: expected UTF-8 text"),
        ((*PORT, "--status", "ACTIVE"), "unrecognized arguments: --status ACTIVE"),
        ((*PORT, "--mac", MAC), "unrecognized arguments: --mac"),
        (("static-route-create", "--destination", "d", "--weight", "nan"), "--weight: expected a number, got 'nan'"),
        (("static-route-create", "--host", "h"), "required: --destination"),
        (("static-route-create", "--destination", "d", "--weight", "1_0"), "--weight: expected a number, got '1_0'"),
        (("static-route-create", "--destination", "d", "--weight", ".5"), "--weight: expected a number, got '.5'"),
        (("static-route-create", "--destination", "d", "--weight", "\u0663.5"), "--weight: expected a number"),
        (("--timeout", "1_0", "port-list"), "--timeout: expected seconds above 0, got '1_0'"),
        (("--timeout", "\u0663", "port-list"), "--timeout: expected seconds above 0"),
        (("port-update", "p"), "nothing to change"),
        (("port-update", "p", "--id", "q"), "unrecognized arguments: --id q"),
        (("port-update", "p", "--unset", "mac_address"), "--unset: invalid choice: 'mac_address'"),
        (("port-update", "p", "--unset", "mtu", "--mtu", "9"), "mtu is both given and unset"),
        (("port-show",), "required: <id>"),
        (("port-show", ".."), "'..' can't be the key of a port"),
        (("port-show", "p", "-c", "colour"), "no column 'colour'; there are id, tenant_id"),
        (("port-list", "--sort-column", "colour"), "no column 'colour'"),
        (("port-list", "--limit", "2", "--limit", "3"), "--limit: given twice; give one value"),
        (("port-list", "--marker", "a", "--marker", "b"), "--marker: given twice"),
        (("port-list", "--name", "a", "--name", "a"), "--name: given twice"),
        (("port-update", "p", "--device-id", "a", "--device_id", "b"), "--device_id: given twice"),
        (("port-list", "--limit", "01"), "--limit: expected an integer above 0, got '01'"),
        (("port-list", "--limit", "0"), "--limit: expected an integer above 0, got '0'"),
        (("port-list", "--profile", "{}"), "unrecognized arguments: --profile"),
        (("port-binding-show", "p"), "required: <host>"),
        (("port-binding-show", "p", ".."), "'..' can't be the host of a binding"),
        (("port-binding-show", "p", "h", "-c", "colour"), "no column 'colour'; there are host, vnic_type"),
        (("port-binding-create", "p", "h", "--vnic_type", "sriov"), "--vnic_type: invalid choice: 'sriov'"),
        (("port-binding-create", "p", "h", "--name", "n"), "unrecognized arguments: --name n"),
        (("proton-list", "-c", "colour"), "no column 'colour'; there are name, status, url"),
        (("--api", "net-l2", "port-list"), "no proton 'net-l2'"),
        (("--colour", "port-list"), "unknown option --colour; a command's own options go after the command"),
        (("--timeout", "0", "port-list"), "--timeout: expected seconds above 0, got '0'"),
        (("--port", "0", "port-list"), "--port: expected a TCP port 1..65535"),
        (("--host", "a/b", "port-list"), "--host: expected a host name"),
        ((), "no command given"),
    ],
)  # fmt: skip
def test_wrong_usage_names_the_culprit_and_changes_nothing(protonclient, server, words, message):
    result = protonclient(*words)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert "Traceback" not in result.err
    assert all(r.method == "GET" for r in server.requests)


@pytest.mark.parametrize(
    "words", [("--api", "net-l3vpn"), ("--api=net-l3vpn",), ("--timeout", "9", "--api", "net-l3vpn")]
)
def test_global_options_after_the_command(protonclient, server, words):
    server.protons["ietf-sfc"] = ()
    result = protonclient("port-list", *words, "-f", "json")
    assert (result.code, result.json) == (0, [])
    assert protonclient("port-list", "--api", "net-l2").code == 2
    assert protonclient("-q", *PORT[:1], "--api", "net-l3vpn", *PORT[1:]).code == 0
    assert protonclient("help", "port-create", *words).code == 0
    assert "port-create" in protonclient("complete", *words).out


def test_the_server_may_be_named_after_the_command(server, capsys, closed_port):
    for before in ((), ("--port", str(closed_port))):
        assert main([*before, "proton-list", "--host", "127.0.0.1", "--port", str(server.port), "-f", "json"]) == 0
        assert "net-l3vpn" in capsys.readouterr().out


def test_what_the_command_has_itself_is_not_global(protonclient, server):
    result = protonclient(
        "static-route-create", "--destination", "d", "--peer_as", "1", "--host", "h", "--api=net-l3vpn"
    )
    assert result.code == 0, result.err
    assert server.requests[-1].body["host"] == "h"


def test_verbosity_and_debug_after_the_command(protonclient, port):
    assert "HTTP Request: GET" in protonclient("proton-list", "-v").err
    assert "Traceback" in protonclient("port-show", "x", "--debug").err
    assert protonclient("port-list", "--version").out.startswith("protonclient 0.")
    result = protonclient("port-delete", port, "-q")
    assert (result.code, result.out, result.err) == (0, "", "")


@pytest.mark.parametrize("words", [("prot-create",), ("help", "prot-create")])
def test_an_unknown_command_suggests_known_ones(protonclient, words):
    result = protonclient(*words)
    assert (result.code, result.out) == (2, "")
    assert "no command 'prot-create'" in result.err
    assert "\n  port-create\n" in result.err


def test_the_beginning_of_a_command_lists_how_it_goes_on(protonclient):
    suggested = protonclient("port").err.split("Did you mean:")[1].split()
    bindings = [f"port-binding-{verb}" for verb in ("activate", "create", "delete", "list", "show")]
    assert suggested == [*bindings, *(f"port-{verb}" for verb in ("create", "delete", "list", "show", "update"))]


def test_a_command_is_never_guessed(protonclient, server, port):
    assert protonclient("port-del", port).code == 2
    assert port in server.objects["ports"]


@given(words=st.lists(st.text(max_size=8) | st.sampled_from(["--", "--host", "--api=x", "-h", "-q", "--foo"])))
def test_what_follows_the_command_belongs_to_it(words):
    options, command = GlobalOptions("", "").parse_known_args(["--api", "a", "port-list", *words])
    assert command == ["port-list", *words]
    assert (options.api, options.host, options.deferred_help) == ("a", "127.0.0.1", False)


def test_one_of_several_protons_must_be_chosen(protonclient, server):
    server.protons["ietf-sfc"] = ()
    result = protonclient("port-list")
    assert result.code == 2
    assert (
        "serves several protons, ietf-sfc, net-l3vpn: choose one (api in Python; --api or OS_PROTON_API" in result.err
    )


def test_a_refusal_reads_as_the_server_wrote_it(protonclient, server, answer_error):
    details = {"mac_address": "expected a MAC", "mtu": "no"}
    refusal = answer_error(400, "invalid_attributes", "The Port has wrong attributes.", **details)
    server.canned = lambda r: refusal if r.method == "POST" else None
    result = protonclient(*PORT)
    assert (result.code, result.out) == (1, "")
    assert result.err == "The Port has wrong attributes.\n  mac_address: expected a MAC\n  mtu: no\n"


def test_a_traceback_only_with_debug(protonclient):
    assert "Traceback" not in protonclient("port-show", "x").err
    result = protonclient("--debug", "port-show", "x")
    assert result.code == 1
    assert "Traceback" in result.err


@pytest.mark.parametrize(("status", "code"), [(404, 1), (409, 1), (500, 3), (503, 3)])
def test_exit_codes_of_error_answers(protonclient, server, answer_error, status, code):
    server.canned = lambda r: answer_error(status, "c", "No.") if r.path.endswith("/p") else None
    result = protonclient("port-delete", "p")
    assert (result.code, result.err) == (code, "No.\n")


@pytest.mark.parametrize("words", [("help",), ("port-list",), ("proton-list",), ("--api", "x", "help", "port-list")])
def test_an_unreachable_server_is_named(capsys, closed_port, words):
    assert main(["--port", str(closed_port), *words]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        f"can't reach a proton-server at http://127.0.0.1:{closed_port} (Connection refused);"
        " check that it runs, and that host and port are right\n"
    )


def test_no_answer_in_time(protonclient, server, answer_raw):
    server.canned = lambda r: answer_raw(200, silent=True) if r.method == "DELETE" else None
    result = protonclient("--timeout", "1", "port-delete", "p")
    assert result.code == 3
    assert "no answer within 1 s; the server may have carried it out" in result.err


# Help and the environment


def test_help_shows_the_rules(protonclient, server):
    assert "rules:" not in protonclient("help", "port-create").out
    port, *others = server.protons["net-l3vpn"]
    ruled = structs.replace(port, rules=("no two have the same 100 % of a",))
    server.protons["net-l3vpn"] = (ruled, *others)
    for verb in ("create", "update"):
        result = protonclient("help", f"port-{verb}")
        assert "rules: no two have the same 100 % of a" in " ".join(result.out.split())


def test_help_without_a_server(capsys, closed_port):
    assert main(["--port", str(closed_port), "--help"]) == 0
    captured = capsys.readouterr()
    assert "--host <host>" in captured.out
    assert "exit codes:" in captured.out
    assert "The commands can't be listed: can't reach" in captured.err


@pytest.mark.parametrize("words", [("--help",), ("help",)])
def test_help_lists_the_commands(protonclient, words):
    result = protonclient(*words)
    assert (result.code, result.err) == (0, "")
    listed = [line.split(maxsplit=1) for line in result.out.partition("\ncommands:\n")[2].splitlines()]
    for command, description in (
        ("port-create", "Create a port"),
        ("port-binding-activate", "Make the binding of a port to a host the active one"),
        ("static-route-list", "List static-routes"),
        ("proton-list", "List the protons that the server serves"),
    ):
        assert [command, description] in listed


@pytest.mark.parametrize("words", [("help", "port-create"), ("port-create", "--help")])
def test_help_of_a_command(protonclient, words):
    result = protonclient(*words)
    assert (result.code, result.err) == (0, "")
    text = " ".join(result.out.split())
    assert "--mac_address <mac> 100 % unique (required)" in text
    assert "--mac-address" not in text
    assert "--vnic_type <enum> (one of normal, direct; default normal)" in text
    assert "--mtu <integer> (68..65535; default 1500)" in text
    assert "--admin_state_up <true|false> (default true)" in text
    assert "--id <uuid> Key of the object (generated when left out)" in text
    assert "--status" not in text


def test_help_of_an_update_names_no_defaults(protonclient):
    text = " ".join(protonclient("help", "port-update").out.split())
    assert "--unset <attribute>" in text
    assert "--mtu <integer> (68..65535)" in text
    assert "default 1500" not in text


def test_help_of_lists_and_derived_defaults(protonclient):
    text = " ".join(protonclient("help", "static-route-create").out.split())
    assert "--peers <ip-list> (separated by commas)" in text
    assert "--peer_as <integer> (default: the value of local_as)" in text


def test_environment(server, monkeypatch, capsys):
    server.protons["ietf-sfc"] = ()
    monkeypatch.setenv("OS_PROTON_HOST", "127.0.0.1")
    monkeypatch.setenv("OS_PROTON_PORT", str(server.port))
    monkeypatch.setenv("OS_PROTON_API", "net-l3vpn")
    assert main(["port-list", "-f", "json"]) == 0
    assert capsys.readouterr().out == "[]\n"
    monkeypatch.setenv("OS_PROTON_PORT", "http")
    assert main(["port-list"]) == 2
    assert "expected a TCP port 1..65535 (OS_PROTON_PORT), got 'http'" in capsys.readouterr().err


def test_verbose_shows_each_request(protonclient):
    assert protonclient("-v", "proton-list").err.count("HTTP Request: GET") == 1


def test_a_log_file_has_requests_and_errors(protonclient, tmp_path, port):
    file = tmp_path / "client.log"
    assert protonclient("--log-file", str(file), "port-show", port).err == ""
    assert protonclient("port-show", "gone\x1b", "--log-file", str(file)).code == 1
    lines = file.read_text().splitlines()
    assert any("INFO httpx: " in line and f"/ports/{port}" in line for line in lines)
    assert any("ERROR protonclient: " in line for line in lines)
    assert "\x1b" not in file.read_text()
    refused = protonclient("--log-file", str(tmp_path / "no" / "log"), "port-show", port)
    assert refused.code == 2
    assert "--log-file: cannot write" in refused.err


def test_every_exit_code_is_documented():
    codes = {str(value) for name, value in vars(app).items() if name.startswith("EXIT_")} | {"0", "130"}
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "command-line.md").read_text()
    assert set(re.findall(r"^\| ([0-9]+) \|", page, re.MULTILINE)) == codes
    assert set(re.findall(r"^  ([0-9]+) ", global_options.EPILOG, re.MULTILINE)) == codes


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("protonclient 0.")


def test_completion_knows_the_generated_commands(protonclient):
    result = protonclient("complete")
    assert result.code == 0, result.err
    assert "--mac_address" in result.out
    assert "--host " not in next(line for line in result.out.splitlines() if "cmds_port_create" in line)


def test_the_program_as_a_process(server):
    command = [sys.executable, "-c", "import sys; from gluon.cli.app import main; sys.exit(main())"]
    done = subprocess.run(
        [*command, "--port", str(server.port), *PORT, "-f", "value", "-c", "mac_address"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{MAC}\n", "")


def test_a_reader_that_stops_reading(server):
    for number in range(2000):
        server.objects.setdefault("ports", {})[str(number)] = {"id": str(number), "name": "n" * 200}
    command = [sys.executable, "-c", "import sys; from gluon.cli.app import main; sys.exit(main())"]
    with subprocess.Popen(
        [*command, "--port", str(server.port), "port-list", "-f", "value"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=60) == 141
        assert process.stderr.read() == b""
