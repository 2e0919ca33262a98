"""The options of proton-server and gluon-manage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oslo_config import cfg

from gluon.process import config
from gluon.process.etcd import ETCD_OPTIONS

API_OPTIONS: list[cfg.Opt] = [
    cfg.HostAddressOpt("host", default="127.0.0.1", help="Address that the REST API listens on."),
    cfg.PortOpt("port", default=2705, help="Port that the REST API listens on; 0 for any free one."),
    cfg.StrOpt(
        "public_url",
        default="",
        help="Where others reach the REST API, e.g. `https://gluon.example.org`; it is published with each port. "
        "Empty: `http://<host>:<port>`. Set it where host is a wildcard, and alike on all servers of a database.",
    ),
    cfg.ListOpt(
        "service_list",
        default=["net-l3vpn"],
        help="Names of the protons that are served, separated by commas; `*` for all there are.",
    ),
    cfg.ListOpt(
        "model_dirs",
        default=[],
        help="Directories with further models, separated by commas: one folder for each proton.",
    ),
    cfg.FloatOpt(
        "bind_timeout",
        default=8.0,
        min=0.1,
        help="Longest wait of a request for a controller's answer to a bind, in seconds.",
    ),
    cfg.IntOpt("max_body_size", default=2**20, min=1024, help="Longest body of a request, in bytes."),
    *ETCD_OPTIONS,
]

DATABASE_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "connection",
        default="sqlite:///gluon.db",
        secret=True,
        help="SQLAlchemy URL of the database. sqlite:///<file> is relative to the working directory, "
        "sqlite:////<file> absolute; any other database needs the URL of an async driver that is installed.",
    ),
]

OPTIONS: dict[str, Sequence[cfg.Opt]] = {
    "DEFAULT": config.LOG_OPTIONS,
    "api": API_OPTIONS,
    "database": DATABASE_OPTIONS,
}


def list_opts() -> list[tuple[str, Sequence[cfg.Opt]]]:
    """All options by group, for the generator of the sample file."""
    return list(OPTIONS.items())


def read(program: str, argv: Sequence[str] | None) -> Any:
    """Reads the command line and the files that it names; raises what `gluon.process.config` does."""
    conf = config.read(program, OPTIONS, argv)
    config.refuse_unknown(conf, OPTIONS)
    return conf


def public_url(settings: Any, port: int) -> str:
    """Where clients reach this server: `[api] public_url`, or else where it listens.

    Args:
        settings: the configuration.
        port: what is listened on.
    """
    host = settings.api.host
    return settings.api.public_url.rstrip("/") or f"http://{f'[{host}]' if ':' in host else host}:{port}"
