"""Encrypted connections, with a certificate on both sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from gluon.etcd import Client, Endpoints, InvalidRequest, Unavailable
from gluon.testing.etcd import LocalEtcd, free_ports

from .certificates import make_tls
from .faults import assert_exact, following

pytestmark = pytest.mark.asyncio


async def test_certificates_on_both_sides_and_several_endpoints(tmp_path: Path) -> None:
    tls = make_tls(tmp_path, "gluon")
    with LocalEtcd(tmp_path / "etcd", tls=tls, root_password="root") as etcd:
        endpoints = Endpoints(
            (f"127.0.0.1:{free_ports(1)[0]}", etcd.endpoint.replace("127.0.0.1", "localhost"), etcd.endpoint),
            user="root",
            password="root",
            ca_file=tls.ca_file,
            cert_file=tls.cert_file,
            key_file=tls.key_file,
        )
        async with Client(endpoints) as client, following(client) as follower:
            assert await client.put(b"/proton/a", b"1") > 0
            await assert_exact(follower, client)


async def test_a_server_of_another_authority_is_not_trusted(tmp_path: Path) -> None:
    tls, other = make_tls(tmp_path, "gluon"), make_tls(tmp_path, "other")
    with LocalEtcd(tmp_path / "etcd", tls=tls) as etcd:
        hosts = (etcd.endpoint,)
        async with Client(Endpoints(hosts, ca_file=other.ca_file, timeout=2.0)) as client:
            with pytest.raises(Unavailable, match=r"(?i)certificate.verify"):
                await client.get(b"a")
        async with Client(Endpoints(hosts, ca_file=tls.ca_file, timeout=2.0)) as client:
            with pytest.raises(Unavailable):
                await client.get(b"a")


async def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    with pytest.raises(InvalidRequest, match=r"ca_file .*missing\.pem: No such file"):
        async with Client(Endpoints(("localhost:2379",), ca_file=missing)):
            raise AssertionError
