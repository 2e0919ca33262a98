"""The options of proton-server and gluon-manage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oslo_config import cfg

from gluon.process import config

API_OPTIONS: list[cfg.Opt] = [
    cfg.HostAddressOpt("host", default="127.0.0.1", help="Address that the REST API listens on."),
    cfg.PortOpt("port", default=2705, help="Port that the REST API listens on; 0 for any free one."),
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
    *config.ETCD_OPTIONS,
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
    """Reads the command line and the files that it names; raises what `gluon.process.config.read` does."""
    return config.read(program, OPTIONS, argv)
