"""Configurations of 2017 are taken as far as they can be honoured, and otherwise say what to write."""

from __future__ import annotations

import pytest

from gluon.process.run import StartFailed
from gluon.proton import settings
from gluon.shim import plugins
from gluon.shim import settings as shim_settings
from gluon.shim.backends.dummy import DummyBackend
from gluon.shim.backends.opendaylight import OpenDaylightBackend


def read(tmp_path, text, *words):
    file = tmp_path / "proton.conf"
    file.write_text(text)
    return settings.read("proton-server", ["--config-file", str(file), *words])


@pytest.mark.parametrize("section", ["DEFAULT", "api"])
def test_auth_strategy(tmp_path, section):
    read(tmp_path, f"[{section}]\nauth_strategy = noauth\n")
    for other in ("keystone", "none", "NOAUTH", ""):
        with pytest.raises(StartFailed, match=r"can't be honoured yet.*write noauth, and put a proxy"):
            read(tmp_path, f"[{section}]\nauth_strategy = {other}\n")


@pytest.mark.parametrize("option", ["--log-file", "--logfile"])
def test_the_log_file(tmp_path, option):
    assert read(tmp_path, "", option, "a.log").log.file.name == "a.log"
    assert read(tmp_path, "[DEFAULT]\nlogfile = b.log\n").log.file.name == "b.log"


def test_the_handler_of_the_dummy(tmp_path):
    file = tmp_path / "proton-shim.conf"
    file.write_text("[DEFAULT]\ndebug = true\n[shim]\nhandlers = net-l3vpn:net-l3vpn-dummy\n")
    shim = shim_settings.read(["--config-file", str(file)])
    assert plugins.load(shim.handlers["net-l3vpn"]) is DummyBackend
    assert shim.log.level == "DEBUG"


def test_the_handler_of_opendaylight(tmp_path):
    file = tmp_path / "proton-shim.conf"
    section = "[shim_odl]\nodl_host = 192.0.2.1\nodl_port = 8282\nodl_user = gluon\nodl_passwd = secret\n"
    file.write_text(f"[shim]\nhandlers = net-l3vpn:net-l3vpn-odl\n{section}")
    shim = shim_settings.read(["--config-file", str(file)])
    assert plugins.load(shim.handlers["net-l3vpn"]) is OpenDaylightBackend


def test_a_handler_that_is_not_installed():
    with pytest.raises(StartFailed, match=r"no backend is named 'net-l3vpn-acme'; installed: .*dummy, net-l3vpn-dummy"):
        plugins.load("net-l3vpn-acme")
