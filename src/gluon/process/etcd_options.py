"""The etcd of a configuration: its options, and a client made from them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from oslo_config import cfg

from gluon.etcd import Client, Endpoints, EtcdError
from gluon.process.run import StartFailed

ETCD_OPTIONS: list[cfg.Opt] = [
    cfg.HostAddressOpt("etcd_host", default="127.0.0.1", help="Host of etcd, when there is one endpoint."),
    cfg.PortOpt("etcd_port", default=2379, help="Client port of etcd, when there is one endpoint."),
    cfg.ListOpt(
        "etcd_endpoints",
        default=[],
        help="Endpoints of an etcd cluster, `host:port` separated by commas. When set, etcd_host and "
        "etcd_port are not used.",
    ),
    cfg.StrOpt("etcd_user", default="", help="User name in etcd; empty when etcd has no authentication."),
    cfg.StrOpt("etcd_password", default="", secret=True, help="Password of etcd_user."),
    cfg.StrOpt("etcd_ca_file", default="", help="CA certificates (PEM) that etcd's is checked with; turns TLS on."),
    cfg.StrOpt("etcd_cert_file", default="", help="Client certificate (PEM), where etcd asks for one."),
    cfg.StrOpt("etcd_key_file", default="", help="Key (PEM) of etcd_cert_file."),
    cfg.FloatOpt("etcd_timeout", default=5.0, min=0.1, help="Longest wait for one request to etcd, in seconds."),
]


def endpoints(group: cfg.ConfigOpts.GroupAttr) -> Endpoints:
    """How to reach etcd, from a group that has `ETCD_OPTIONS`."""
    host = f"[{group.etcd_host}]" if ":" in group.etcd_host else group.etcd_host
    return Endpoints(
        hosts=tuple(group.etcd_endpoints) or (f"{host}:{group.etcd_port}",),
        user=group.etcd_user,
        password=group.etcd_password,
        ca_file=group.etcd_ca_file,
        cert_file=group.etcd_cert_file,
        key_file=group.etcd_key_file,
        timeout=group.etcd_timeout,
    )


@asynccontextmanager
async def opened(group: cfg.ConfigOpts.GroupAttr, section: str) -> AsyncGenerator[Client]:
    """A client of the configured etcd, which need not be running.

    Args:
        group: has `ETCD_OPTIONS`.
        section: its name, for messages.

    Raises:
        StartFailed: an option can't be used.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(Client(endpoints(group)))
        except (EtcdError, ValueError) as error:
            raise StartFailed(f"[{section}] etcd options: {error}") from error
        yield client
