"""What is wrong over HTTP and passes a test of the callbacks alone: the suite sees what the controller holds."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from .vendor import DOCS, Package

PUT = '        await self._request("PUT", _path(obj), call, _document(obj, model))\n'
WRITE_VPN = "        await self._put(service, model, call)\n"

MISTAKES = {
    "an error is logged and lost": (
        '        raise BackendError(f"Borealis answered',
        '        if method == "GET":\n            raise BackendError(f"Borealis answered',
        "test_a_controller_that_can_not_be_used",
        "bind_port .* returned while the controller could not be used",
    ),
    "a connection that fails is logged and lost": (
        '            raise RetryLater(f"Borealis',
        '            return {"instance": said}\n            raise RetryLater(f"Borealis',
        "test_a_request_that_fails",
        "the controller lacks plugs/.*@host-1: {'mac_address'",
    ),
    "every error is Refused": (
        '        raise BackendError(f"Borealis answered',
        '        raise Refused(f"Borealis answered',
        "test_a_controller_that_can_not_be_used",
        "raised Refused while the controller could not be used: Borealis answered 500",
    ),
    "the second of two requests is not looked at": (
        PUT,
        PUT
        + "        if obj.type == 'VpnService':\n            await self._http.put(_path(obj) + '.targets', json={})\n",
        "test_a_request_that_fails",
        "after the last call the controller",
    ),
    "route targets are never sent": (
        '        return {"route_targets": {target.key: target["vrf_rt_type"] for target in targets}}',
        '        return {"route_targets": {}}',
        "test_every_callback",
        "the controller lacks vpns/.*/route_targets/65000:40: ",
    ),
    "the route targets of IPv6 are not sent": (
        ' + model.referenced(obj, "ipv6_family")',
        "",
        "test_each_attribute_changes",
        "the controller lacks vpns/.*/route_targets/65000:",
    ),
    "a changed route target is ignored": (
        WRITE_VPN,
        "        if previous is None or previous.attributes != service.attributes:\n    " + WRITE_VPN,
        "test_each_attribute_changes",
        "the controller has vpns/.*/route_targets/65000:40 as '.*', expected",
    ),
    "a port is unbound everywhere": (
        '    name = f"{obj.key}@{obj[\'host_id\']}" if obj.type == "Port" else obj.key',
        "    name = obj.key",
        "test_a_live_migration",
        "the controller lacks plugs/.*@host-1: ",
    ),
    "it is always well": (
        '        await self._request("GET", "/v1/status")\n\n',
        "        return None\n\n",
        "test_a_controller_that_can_not_be_used",
        r"health\(\) says nothing of a controller that can't be used",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_it_finds_over_http(mistake: str, tmp_path: Path) -> None:
    right, wrong, test, message = MISTAKES[mistake]
    package = Package(DOCS / "write-a-backend-over-http.md", tmp_path / "gluon-borealis")
    shutil.copy(Path(__file__).parent / "fake_controller.py", package.folder)
    module = package.folder / "gluon_borealis.py"
    assert module.read_text().count(right) == 1
    module.write_text(module.read_text().replace(right, wrong))
    code, output = package.run_suite("-x", "-k", test)
    assert code == 1, output
    assert re.search(f"NotConforming: .*{message}", output, re.DOTALL), output
