"""Encrypted connections, with a certificate on both sides."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gluon.etcd import Client, Endpoints, InvalidRequest, Unavailable
from gluon.testing.etcd import LocalEtcd, Tls, free_ports

from .faults import assert_exact, following

pytestmark = pytest.mark.asyncio


def make_tls(directory: Path, name: str) -> Tls:
    """An authority, and a certificate for `localhost` and 127.0.0.1 that serves both sides."""
    directory.mkdir(exist_ok=True)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} authority")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    hosts = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    authority = (
        _certificate(ca_name, ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    certificate = _certificate(subject, ca_name, key).add_extension(hosts, critical=False).sign(ca_key, hashes.SHA256())
    files = {
        "ca": authority.public_bytes(serialization.Encoding.PEM),
        "cert": certificate.public_bytes(serialization.Encoding.PEM),
        "key": key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    }
    for kind, data in files.items():
        (directory / f"{name}-{kind}.pem").write_bytes(data)
    return Tls(*(str(directory / f"{name}-{kind}.pem") for kind in files))


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
    )


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
