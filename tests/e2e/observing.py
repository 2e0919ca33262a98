"""How the tests look at a running stack: etcd as an operator would, the API over HTTP, and with patience."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
from typing import Any

import httpx

from gluon.testing.etcd import LocalEtcd
from gluon.testing.process import ServerProcess, console_script
from gluon.testing.stack import LocalStack
from gluon.testing.waiting import until

TENANT = "5b1a2d3c-0000-4000-8000-000000000001"
MAC = "c8:2a:14:04:43:80"
CLIENT_TIMEOUT = 30.0
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Every client would load all certificates otherwise, which takes longer than its requests."""


def dump(etcd: LocalEtcd, prefix: str) -> dict[str, Any]:
    """All below a prefix, by what follows it."""
    key, end = prefix.encode(), prefix.encode()[:-1] + bytes([ord(prefix[-1]) + 1])
    answer = etcd.call("kv/range", key=base64.b64encode(key).decode(), range_end=base64.b64encode(end).decode())
    pairs = [(base64.b64decode(kv["key"]), base64.b64decode(kv.get("value", ""))) for kv in answer.get("kvs", [])]
    return {key.decode().removeprefix(prefix): json.loads(value or b"null") for key, value in pairs}


def write(etcd: LocalEtcd, key: str, value: Any) -> None:
    """Writes a value by hand."""
    data = (base64.b64encode(each.encode()).decode() for each in (key, json.dumps(value)))
    etcd.call("kv/put", **dict(zip(("key", "value"), data, strict=True)))


def wait_until_empty(etcd: LocalEtcd, prefix: str) -> None:
    """Waits until no key begins with the prefix."""
    until(lambda: dump(etcd, prefix) == {}, f"{prefix} is empty")


def api(stack: LocalStack, proton: str = "net-l3vpn") -> httpx.Client:
    """The REST API of one proton."""
    url = f"{stack.url}/proton/{proton}/v1.0"
    return httpx.Client(base_url=url, timeout=CLIENT_TIMEOUT, trust_env=False, verify=_NO_TLS)


def create_port(client: httpx.Client, **attributes: Any) -> dict[str, Any]:
    """Creates a port through the API."""
    return create(client, "ports", mac_address=MAC, **attributes)


def create(client: httpx.Client, plural: str, **attributes: Any) -> dict[str, Any]:
    """Creates an object through the API."""
    answer = client.post(f"/{plural}", json={"tenant_id": TENANT, **attributes})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def put(client: httpx.Client, path: str, **attributes: Any) -> dict[str, Any]:
    """Changes an object through the API."""
    answer = client.put(path, json=attributes)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def get(client: httpx.Client, path: str) -> dict[str, Any]:
    """Shows an object through the API."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def shows(client: httpx.Client, port: str, **attributes: Any) -> dict[str, Any]:
    """The port, once the API shows it with these attributes."""
    seen: dict[str, Any] = {}

    def look() -> bool:
        seen.update(get(client, f"/ports/{port}"))
        return attributes.items() <= seen.items()

    try:
        until(look, f"port {port} shows {attributes}")
    except AssertionError as error:
        raise AssertionError(f"{error}: {seen}") from None
    return seen


def status(shim: ServerProcess) -> dict[str, Any]:
    """What a shim says of itself."""
    return dict(
        httpx.get(f"{shim.health}/status", timeout=5, trust_env=False, verify=_NO_TLS).raise_for_status().json()
    )


def checks(server: ServerProcess) -> tuple[int, dict[str, Any]]:
    """The code of a server's `/readyz`, and what it says of each check."""
    answer = httpx.get(f"{server.health}/readyz", timeout=5, trust_env=False, verify=_NO_TLS)
    return answer.status_code, {name: check["state"] for name, check in answer.json()["checks"].items()}


def manage(stack: LocalStack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs gluon-manage for the stack's proton-server."""
    config = ("--config-file", str(stack.directory / "proton-server.conf"))
    command = [console_script("gluon-manage"), *arguments, *config]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=CLIENT_TIMEOUT, check=False, cwd=stack.directory
    )


def protonclient(stack: LocalStack, *arguments: str) -> Any:
    """Runs the command line, which must succeed; its JSON output, None for a command without any."""
    port = stack.url.rpartition(":")[2]
    shows = not any(part.endswith("-delete") for part in arguments[:3])
    command = [console_script("protonclient"), "--port", port, *arguments, *(["-f", "json"] if shows else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=CLIENT_TIMEOUT, check=False)
    assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}"
    return json.loads(done.stdout) if shows else None
