"""The options of proton-server and gluon-manage."""

from __future__ import annotations

from collections.abc import Sequence

from oslo_config import cfg

from gluon.process import config
from gluon.process.etcd_options import ETCD_OPTIONS

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
    cfg.FloatOpt(
        "answer_grace",
        default=30.0,
        min=0.0,
        help="Time that controllers have to confirm bound ports after the server has started or etcd was filled again, "
        "in seconds; a port that none has confirmed by then is DOWN.",
    ),
    cfg.StrOpt(
        "auth_strategy",
        default="noauth",
        deprecated_group="DEFAULT",
        help="How requests are authenticated. Only noauth can be honoured yet, so nothing else is taken: put a proxy "
        "that authenticates in front.",
    ),
    cfg.IntOpt("max_body_size", default=2**20, min=1024, help="Longest body of a request, in bytes."),
    cfg.IntOpt(
        "max_header_size",
        default=32 * 1024,
        min=1024,
        help="Longest request line and header of a request, in bytes; a longer one is answered 431.",
    ),
    cfg.FloatOpt(
        "header_timeout",
        default=10.0,
        min=0.1,
        help="Time for a request's header, from the connection or the request's first byte, in seconds.",
    ),
    cfg.FloatOpt("body_timeout", default=30.0, min=0.1, help="Time for a request's body, in seconds."),
    cfg.IntOpt(
        "max_connections",
        default=1000,
        min=10,
        help="Most connections at once; beyond, the one that has waited longest for its request is closed for a new "
        "one. Fewer where the process may not have as many descriptors (LimitNOFILE, ulimit -n).",
    ),
    *ETCD_OPTIONS,
]

DATABASE_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "connection",
        default="sqlite:///gluon.db",
        secret=True,
        help="SQLAlchemy URL of the database: sqlite:///<file> is relative to the working directory, "
        "sqlite:////<file> absolute. No other database is supported yet.",
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
