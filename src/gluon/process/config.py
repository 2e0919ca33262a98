"""Options that both servers have, and how a configuration file is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oslo_config import cfg

from gluon.etcd import Endpoints

LOG_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "log_level",
        default="INFO",
        choices=["DEBUG", "INFO", "WARNING", "ERROR"],
        ignore_case=True,
        help="The least severe messages that are logged, to standard output.",
    ),
]

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


def read(program: str, options: Mapping[str, Sequence[cfg.Opt]], argv: Sequence[str] | None) -> Any:
    """Reads the command line and the files that `--config-file` names.

    Args:
        program: the program's name, for usage and for the default files of oslo.config.
        options: by group; `DEFAULT` is the group of options without a section.
        argv: the arguments; None for those of this process.

    Returns:
        The oslo.config namespace, e.g. `.api.port`.

    Raises:
        SystemExit: wrong usage (argparse), after it said what is wrong.
        cfg.Error: a file that is missing or can't be parsed, a value that an option refuses.
    """
    conf = cfg.ConfigOpts()
    for group, opts in options.items():
        conf.register_opts(opts, group=None if group == "DEFAULT" else group)
    conf(args=argv, project="gluon", prog=program)
    for group, opts in options.items():
        section = conf if group == "DEFAULT" else conf[group]
        for opt in opts:
            getattr(section, opt.dest)  # oslo.config checks a value when it is read: read all now.
    return conf
