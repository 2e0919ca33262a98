"""Objects are found by their name where that is unique; several are deleted at once."""

from __future__ import annotations

import uuid

import pytest

A, B, C = (str(uuid.UUID(int=number)) for number in (10, 11, 12))


@pytest.fixture
def ports(server):
    server.objects["ports"] = {
        A: {"id": A, "name": "web"}, B: {"id": B, "name": "db"}, C: {"id": C, "name": "db"},
    }  # fmt: skip
    return server.objects["ports"]


def test_a_unique_name_stands_for_the_key(protonclient, server, ports):
    assert protonclient("port-show", "web", "-f", "json").json["id"] == A
    assert protonclient("port-update", "web", "--mtu", "9000").code == 0
    assert ports[A]["mtu"] == 9000
    assert protonclient("port-binding-create", "web", "h2").code == 0
    assert list(server.bindings) == [A]
    assert protonclient("port-delete", "web").out == f"Deleted port {A}\n"


def test_a_name_of_several_names_their_keys_and_changes_nothing(protonclient, ports):
    for words in (("port-show", "db"), ("port-delete", "web", "db"), ("port-update", "db", "--mtu", "9000")):
        result = protonclient(*words)
        assert (result.code, result.out) == (2, "")
        assert result.err == f"several ports have the name 'db': {B}, {C}; give the key\n"
    assert len(ports) == 3


@pytest.mark.usefixtures("ports")
def test_a_key_is_never_looked_up(protonclient, server):
    assert protonclient("port-show", A).code == 0
    assert [r.path for r in server.requests if "ports" in r.path] == [f"/proton/net-l3vpn/v1.0/ports/{A}"]


@pytest.mark.usefixtures("ports")
def test_a_reference_is_found_by_name(protonclient):
    made = protonclient("interface-create", "--tenant_id", "t", "--port_id", "web", "-f", "json")
    assert (made.code, made.json["port_id"]) == (0, A)
    assert [row["port_id"] for row in protonclient("interface-list", "--port_id", "web", "-f", "json").json] == [A]
    for name, message in (("db", "several ports"), ("gone", "no port has the name 'gone'")):
        result = protonclient("interface-create", "--tenant_id", "t", "--port_id", name)
        assert (result.code, result.out) == (2, "")
        assert message in result.err


def test_several_are_deleted_at_once(protonclient, ports):
    result = protonclient("port-delete", "web", B, C)
    assert (result.code, result.out, result.err) == (0, "".join(f"Deleted port {key}\n" for key in (A, B, C)), "")
    assert not ports


def test_what_can_be_deleted_is_and_the_exit_code_says_partly(protonclient, ports):
    gone = str(uuid.uuid4())
    result = protonclient("port-delete", A, gone, B)
    assert (result.code, list(ports)) == (4, [C])
    assert result.err == f"There is no Port {gone}.\n2 of 3 were deleted\n"


@pytest.mark.parametrize(("status", "code"), [(409, 1), (503, 3)])
def test_none_could_be_deleted(protonclient, server, ports, answer_error, status, code):
    server.canned = lambda r: answer_error(status, "c", "No.") if r.method == "DELETE" else None
    result = protonclient("port-delete", A, B)
    assert (result.code, result.out, result.err) == (code, "", "No.\nNo.\n")
    assert len(ports) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("port-list",), "There are no ports.\n"),
        (("port-list", "-f", "json"), "[]\n"),
        (("port-list", "-f", "value"), ""),
    ],
)
def test_an_empty_list_says_so(protonclient, words, said):
    result = protonclient(*words)
    assert (result.code, result.out, result.err) == (0, said, "")
