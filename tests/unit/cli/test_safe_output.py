"""What a name holds acts neither on a terminal nor on a shell, and a failing output is told as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gluon.cli.output import shell_quoted
from gluon.terminal import escaped

EVIL = "x\x1b]0;pwned\x07\x9b31m\u202etxt\u2028\r\n| forged |\x7f$(touch hit)`touch hit`\"'\\"
PROGRAM = [sys.executable, "-c", "import sys; from gluon.programs import protonclient; sys.exit(protonclient())"]


def is_harmless(text):
    return not any(unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} for c in text if c != "\n")


@pytest.mark.parametrize("output_format", ["table", "value", "shell", "json", "yaml"])
def test_a_terminal_is_safe_from_what_is_shown(protonclient, server, port, output_format):
    server.objects["ports"][port]["name"] = EVIL
    shown = protonclient("port-show", port, "-f", output_format)
    assert shown.code == 0
    assert is_harmless(shown.out)
    if output_format == "json":
        assert shown.json["name"] == EVIL
    elif output_format == "yaml":
        assert yaml.safe_load(shown.out)["name"] == EVIL
    elif output_format != "shell":
        assert "\n| forged" not in shown.out


@pytest.mark.parametrize("output_format", ["table", "value", "csv", "json", "yaml"])
def test_a_terminal_is_safe_from_what_is_listed(protonclient, server, port, output_format):
    server.objects["ports"][port]["name"] = EVIL
    shown = protonclient("port-list", "-f", output_format)
    assert shown.code == 0
    assert is_harmless(shown.out)
    assert output_format != "value" or shown.out.count("\n") == 1


def test_a_terminal_is_safe_from_messages_and_help(protonclient, server, answer_error):
    server.canned = lambda r: answer_error(404, "not_found", f"No {EVIL}.") if r.path.endswith("/p") else None
    assert is_harmless(protonclient("port-delete", "p").err)
    assert is_harmless(protonclient("port-show", EVIL).err)
    assert is_harmless(protonclient("port-list", f"--{EVIL}").err)


@pytest.mark.parametrize(
    "value", ["$(touch hit)", "`touch hit`", '"; touch hit; "', "'; touch hit; '", "a\nb", "\\", EVIL]
)
def test_a_shell_runs_nothing_of_a_value(protonclient, server, port, tmp_path, value):
    server.objects["ports"][port]["name"] = value
    shown = protonclient("port-show", port, "-f", "shell", "--prefix", "p_").out
    for shell in ("sh", "bash"):
        done = subprocess.run(
            [shell, "-c", 'eval "$1"; printf "%s" "$p_name"', shell, shown],
            cwd=tmp_path,
            capture_output=True,
            check=True,
        )
        if shell == "bash":
            assert done.stdout.decode() == value
    assert not list(tmp_path.iterdir())


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
def test_quoted_text_is_what_a_shell_reads(text):
    done = subprocess.run(["bash", "-c", f"printf %s {shell_quoted(text)}"], capture_output=True, check=True)
    assert done.stdout.decode() == text


@given(st.text())
def test_escaped_text_is_harmless(text):
    assert is_harmless(escaped(text).replace("\u200c", "").replace("\u200d", ""))
    assert "\n" not in escaped(text)


def run(server, *words, **options):
    return subprocess.run(
        [*PROGRAM, "--port", str(server.port), *words], stderr=subprocess.PIPE, timeout=60, check=False, **options
    )


CREATE = ("port-create", "--mac_address", "c8:2a:14:04:43:80", "--tenant_id", "t", "--name", "ü\u4e2d")


def test_an_encoding_that_lacks_a_character(server):
    done = run(server, *CREATE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert b"\\xfc\\u4e2d" in done.stdout
    assert done.stderr.count(b"\n") == 1
    assert b"shown as escapes" in done.stderr


@pytest.mark.parametrize("output_format", ["table", "json", "value"])
def test_a_full_disk_says_that_the_change_is_made(server, output_format):
    with Path("/dev/full").open("wb") as full:
        done = run(server, *CREATE, "-f", output_format, stdout=full)
    assert done.returncode == 74
    assert len(server.objects["ports"]) == 1
    assert done.stderr.decode().count("\n") == 1
    assert "what the command did is done all the same" in done.stderr.decode()


def test_a_closed_output_sends_nothing(server):
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *PROGRAM, "--port", str(server.port), *CREATE],
        stderr=subprocess.PIPE, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, b"protonclient: standard output is closed; nothing was sent\n")
    assert not server.requests


def test_closed_errors_do_no_harm(server):
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *PROGRAM, "--port", str(server.port), "port-show", "gone"],
        stdout=subprocess.PIPE, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, b"")


def test_completion_without_the_package_bash_completion(protonclient, tmp_path):
    script = tmp_path / "completion.bash"
    script.write_text(protonclient("complete").out)
    ask = """source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _protonclient; echo "${COMPREPLY[@]}" """

    def completed(*words):
        command = ["bash", "--noprofile", "--norc", "-c", ask, "bash", str(script), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]})
        assert done.stderr == ""
        return done.stdout.split()

    assert completed("protonclient", "port-cr") == ["port-create"]
    assert completed("protonclient", "port-create", "--mac") == ["--mac_address"]
    assert "--tenant_id" in completed("protonclient", "port-create", "--mac_address", "x", "--te")


def test_a_schema_with_names_that_a_shell_would_run_is_refused(protonclient, server, answer_raw):
    schema = {"resources": [{"resource_name": "a'$(touch hit)", "plural_name": "as", "object": "A", "primary_key": "id",
                             "attributes": [{"name": "id", "type": "uuid", "primary": True}]}]}  # fmt: skip
    server.canned = lambda r: answer_raw(200, json.dumps(schema).encode()) if r.path.endswith("/v1.0/") else None
    result = protonclient("--api", "net-l3vpn", "complete")
    assert (result.code, result.out) == (3, "")
