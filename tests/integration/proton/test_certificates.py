"""An etcd that asks for a client certificate, and a server without one."""

from __future__ import annotations

import time

from tests.integration.etcd.certificates import make_tls

from gluon.testing.etcd import LocalEtcd
from gluon.testing.waiting import until


def test_a_missing_client_certificate_is_one_line(tmp_path, server_class):
    tls = make_tls(tmp_path, "gluon")
    with LocalEtcd(tmp_path / "etcd", tls=tls) as etcd:
        server = server_class(tmp_path, etcd.endpoint, etcd_ca_file=tls.ca_file)
        try:
            server.start()
            until(lambda: "asks for a client certificate" in server.etcd_state(), "/readyz says why")
            assert "etcd_cert_file, etcd_key_file" in server.etcd_state()
            time.sleep(4)  # gRPC tries again meanwhile
            lines = server.log.read_text().splitlines()
        finally:
            server.end()
    assert len([line for line in lines if "is unreachable" in line and "gluon.etcd" in line]) == 1, lines
    assert len(lines) <= 4, lines
    assert not [line for line in lines if "ssl_transport" in line or "Handshake" in line]
