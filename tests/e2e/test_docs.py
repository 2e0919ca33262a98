"""The commands in the docs run, links lead somewhere, and the sentences are those of the programs."""

from __future__ import annotations

import ast
import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gluon.models import catalog
from gluon.testing.etcd import LocalEtcd
from gluon.testing.process import console_script
from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

from .observing import api, create_port

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")])
STACK_IS_UP = {"make dev", "make demo", "make test"}
"""What a console block may say that another test runs."""
MIGRATED = [
    ("bind_port", "1", ""),
    ("bind_port", "2", " (inactive)"),
    ("bind_port", "2", ""),
    ("unbind_port", "1", ""),
    ("bind_port", "3", " (inactive)"),
    ("bind_port", "3", ""),
    ("unbind_port", "2", ""),
]
"""The callbacks of the page about live migration, and their hosts."""


def commands(page: Path) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [line.removeprefix("$ ") for line in lines if line.removeprefix("$ ") not in STACK_IS_UP]


def run(script: str, stack: LocalStack) -> subprocess.CompletedProcess[str]:
    """Runs commands of a page on the stack, as if it were at the addresses and files that pages name."""
    for named, there in {
        "http://127.0.0.1:2705": stack.url,
        "http://127.0.0.1:2706": stack.shim.health,
        "/etc/gluon/proton.conf": str(stack.directory / "proton-server.conf"),
    }.items():
        script = script.replace(named, there)
    environment = {
        **os.environ,
        "OS_PROTON_PORT": stack.url.rpartition(":")[2],
        "OS_PROTON_API": "net-l3vpn",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    return subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=stack.directory,  # Where the configuration's database is relative to.
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.parametrize(
    "name",
    ["docs/tutorial.md", "docs/how-to/run-it.md", "docs/how-to/troubleshoot.md", "docs/how-to/live-migration.md"],
)
def test_the_commands_of_a_page_work_in_their_order(name, tmp_path):
    script = "\n".join(commands(ROOT / name))
    assert script
    with LocalStack(tmp_path) as stack:
        done = run(script, stack)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        if name == "docs/how-to/live-migration.md":
            moves = re.compile(r"dummy: (bind_port|unbind_port) \S+ (?:on|from) compute-(\d)( \(inactive\))?")
            until(lambda: len(moves.findall(stack.shim.log)) == len(MIGRATED), "all is bound and unbound as it says")
            assert moves.findall(stack.shim.log) == MIGRATED
        log = stack.shim.log
    if name == "docs/tutorial.md":
        calls = re.findall(r"dummy: (\w+)", log)
        for callback in ("bind_port", "modify_service_binding", "unbind_port", "delete_service"):
            assert callback in calls
        assert calls.count("delete_port") == 1


def test_the_proton_of_the_how_to_loads(tmp_path):
    page = (ROOT / "docs/how-to/write-a-proton.md").read_text()
    [model] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "l2bridge" / "api.yaml"
    file.parent.mkdir()
    file.write_text("\n".join(line.removeprefix("   ") for line in model.splitlines()))
    proton = catalog.load(["l2bridge"], [tmp_path])["l2bridge"]
    assert set(proton.objects) == {"Port", "Interface", "Bridge", "BridgeMember"}


def grant_as_the_page_says(etcd: LocalEtcd) -> None:
    """Adds a user for each program, with the grants of the table in run-it.md."""
    page = (ROOT / "docs/how-to/run-it.md").read_text()
    [table] = re.findall(r"^\| keys \| .*?(?=\n\n)", page, re.MULTILINE | re.DOTALL)
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    for column, program in enumerate(header[1:], 1):
        etcd.add_user(program, "secret")
        for row in rows:
            for kind, name in re.findall(r"(prefix|key) `(\S+)`", row[0]) if row[column] else ():
                key = name.replace("<c>", "SimServer").encode()
                end = key[:-1] + bytes([key[-1] + 1]) if kind == "prefix" else b""
                permission = {
                    "permType": row[column].replace(", ", "").upper(),
                    "key": base64.b64encode(key).decode(),
                    "range_end": base64.b64encode(end).decode(),
                }
                etcd.call("auth/role/grant", name=program, perm=permission)


def user(name: str) -> dict[str, str]:
    return {"etcd_user": name, "etcd_password": "secret"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack on an etcd with users, each with the grants of the page."""
    tmp_path = tmp_path_factory.mktemp("guarded")
    with LocalEtcd(tmp_path / "etcd", root_password="root") as etcd:
        grant_as_the_page_says(etcd)
        options = {"proton": {"api": user("proton-server")}, "shim": {"shim": user("proton-shim-server")}}
        with LocalStack(tmp_path, etcd=etcd, **options) as stack:
            conf = (tmp_path / "proton-server.conf").read_text()
            (tmp_path / "manage.conf").write_text(conf.replace("= proton-server\n", "= gluon-manage\n"))
            yield stack


def manage(stack: LocalStack, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [console_script("gluon-manage"), *arguments, "--config-file", "manage.conf"]
    return subprocess.run(command, cwd=stack.directory, capture_output=True, text=True, timeout=60, check=False)


def test_the_grants_of_the_page_suffice(guarded):
    with api(guarded) as client:
        assert create_port(client, host_id="h1", device_id="vm-1")["vif_type"] == "ovs"
    for command in (["resync"], ["audit", "--reapply"], ["accept"]):
        done = manage(guarded, *command)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "refuses" not in guarded.proton.log + guarded.shim.log


def test_the_grants_of_the_page_suffice_to_release(guarded):
    with api(guarded) as client:
        create_port(client, host_id="h1", device_id="vm-1")
    guarded.shim.stop()
    done = manage(guarded, "release", "--controller", "SimServer")
    guarded.shim.start()
    guarded.shim.wait_ready()
    assert "ports released: " in done.stdout, done.stderr


def sentences_of_the_code() -> str:
    """Every text of the programs, with a newline wherever a value is put in."""
    found = []
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                found += [part.value if isinstance(part, ast.Constant) else "\n" for part in node.values] + ["\n"]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found += [re.sub(r"%[sdg.\d]*[sdgf]", "\n", node.value), "\n"]
    return "".join(found)


def test_what_the_programs_say_is_quoted_as_they_say_it():
    page = (ROOT / "docs/how-to/troubleshoot.md").read_text()
    cells = re.findall(r"^\| (.*?) \|", page, re.MULTILINE)
    quoted = [span for cell in cells for span in re.findall(r"`([^`]+ [^`]+)`", cell)]
    parts = {part.strip(" :;,") for span in quoted for part in re.split(r"<[^>]+>", span)}
    said = sentences_of_the_code()
    assert len(parts) > 50
    assert sorted(part for part in parts if part not in said) == []


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(page):
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target
