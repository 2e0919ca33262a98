"""The shim's configuration, parsed once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from oslo_config import cfg

from gluon.etcd import Endpoints
from gluon.process import config, etcd_options
from gluon.process.logs import LogSettings
from gluon.shim.options import OPTIONS
from gluon.shim.plan import Identity
from gluon.shim.reconcile.reconciler import Pace
from gluon.shim.terms.brake import Limits
from gluon.shim.terms.term import Watchfulness


class ShimSettings(Struct, frozen=True, kw_only=True):
    """`[shim]` of the configuration file, and what is around it."""

    log: LogSettings
    identity: Identity
    handlers: dict[str, str]
    """The backend's name, by proton."""
    model_dirs: tuple[Path, ...]
    endpoints: Endpoints
    leader_ttl: int
    pace: Pace
    limits: Limits
    watchfulness: Watchfulness
    http_host: str
    http_port: int
    conf: cfg.ConfigOpts
    """The oslo.config namespace: a backend registers and reads options of its own there."""


def read(argv: Sequence[str] | None) -> ShimSettings:
    """Reads the command line and the configuration files.

    Raises:
        StartFailed: says what is wrong.
        SystemExit: wrong usage, after a message.
    """
    conf = config.read("proton-shim-server", OPTIONS, argv, sample="proton-shim")
    shim = conf.shim
    return ShimSettings(
        log=config.log_settings(conf),
        identity=Identity(controller=shim.controller, hosts=frozenset(shim.host_list)),
        handlers=dict(shim.handlers),
        model_dirs=tuple(map(Path, shim.model_dirs)),
        endpoints=etcd_options.endpoints(shim),
        leader_ttl=shim.leader_ttl,
        pace=Pace(
            workers=shim.workers,
            retry_min=shim.retry_min,
            retry_max=shim.retry_max,
            report_after=shim.report_after,
            callback_timeout=shim.callback_timeout,
        ),
        limits=Limits(percent=shim.max_delete_percent),
        watchfulness=Watchfulness(audit_interval=shim.audit_interval, health_interval=shim.health_interval),
        http_host=shim.http_host,
        http_port=shim.http_port,
        conf=conf,
    )
