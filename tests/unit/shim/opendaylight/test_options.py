from __future__ import annotations

import pytest
from oslo_config import cfg

from gluon.shim.backend import BackendError
from gluon.shim.backends.opendaylight import options
from gluon.shim.backends.opendaylight.options import Dialect, Flavour, Mode


def read(tmp_path, **given):
    file = tmp_path / "shim.conf"
    lines = "\n".join(f"{name} = {value}" for name, value in {"odl_passwd": "s3cret", **given}.items())
    file.write_text(f"[{options.SECTION}]\n{lines}\n")
    conf = cfg.ConfigOpts()
    conf.register_opts(options.OPTIONS, group=options.SECTION)
    conf(["--config-file", str(file)], project="test")
    return options.read(conf)


def test_defaults(tmp_path):
    settings, password = read(tmp_path)
    assert settings.url == "http://127.0.0.1:8181"
    assert (settings.flavour, settings.dialect, settings.mode) == (None, None, Mode.L3VPN)
    assert password == "s3cret"
    assert "s3cret" not in repr(settings)


def test_all_given(tmp_path):
    spoken = {"odl_restconf": "rfc8040", "odl_profile": "B2", "odl_mode": "bgpvpn"}
    settings, _ = read(tmp_path, odl_host="2001:db8::1", odl_scheme="https", **spoken)
    assert settings.url == "https://[2001:db8::1]:8181"
    assert (settings.flavour, settings.dialect, settings.mode) == (Flavour.RFC8040, Dialect.B2, Mode.BGPVPN)


@pytest.mark.parametrize("given", ["", "5", "9:5", "0:5", "1:16777216", "a:b", "-1:5"])
def test_a_wrong_range_is_told(tmp_path, given):
    with pytest.raises(BackendError, match="vni_range: expected first:last"):
        read(tmp_path, vni_range=given)


def test_a_missing_password_is_told(tmp_path):
    with pytest.raises(BackendError, match="odl_passwd is not set: it is the password of admin"):
        read(tmp_path, odl_passwd="")


def test_a_host_with_credentials_is_refused_without_showing_them(tmp_path):
    with pytest.raises(BackendError) as refused:
        read(tmp_path, odl_host="admin:s3cret@odl")
    assert "odl" in str(refused.value)
    assert "s3cret" not in str(refused.value)
