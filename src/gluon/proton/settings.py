"""The configuration of proton-server and gluon-manage, read once into frozen values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from oslo_config.cfg import Locations

from gluon.etcd import Endpoints, EtcdError
from gluon.process import config, etcd_options, guard
from gluon.process.logs import LogSettings
from gluon.process.run import StartFailed
from gluon.proton.options import OPTIONS

NO_AUTHENTICATION = "noauth"

SAMPLE = "proton"
"""`etc/proton.conf` is the sample."""


class ApiSettings(Struct, frozen=True, kw_only=True):
    """Section `[api]`; times in seconds."""

    host: str
    port: int
    """0: any free one."""
    public_url: str
    """Empty: where the server listens."""
    service_list: tuple[str, ...]
    model_dirs: tuple[Path, ...]
    bind_timeout: float
    answer_grace: float
    max_body_size: int
    """Bytes."""
    limits: guard.Limits

    def url(self, port: int) -> str:
        """Where clients reach this server: `public_url`, or else where it listens.

        Args:
            port: that is listened on.
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url.rstrip("/") or f"http://{host}:{port}"


class DatabaseSettings(Struct, frozen=True, kw_only=True):
    """Section `[database]`."""

    connection: str
    """SQLAlchemy URL."""
    configured: bool
    """A configuration file names it; False: it is the default, relative to the working directory."""


class Settings(Struct, frozen=True, kw_only=True):
    """All that the two programs are told."""

    log: LogSettings
    api: ApiSettings
    etcd: Endpoints
    database: DatabaseSettings


def read(program: str, argv: Sequence[str] | None) -> Settings:
    """Reads the command line and the files that it names.

    Args:
        program: the program's name, for usage and for the default files.
        argv: the arguments; None for those of this process.

    Raises:
        SystemExit: wrong usage, after it was said.
        StartFailed: a file or an option that can't be used, in a sentence.
    """
    conf = config.read(program, OPTIONS, argv, sample=SAMPLE)
    config.refuse_unknown(conf, OPTIONS)
    if conf.api.auth_strategy != NO_AUTHENTICATION:
        raise StartFailed(
            f"[api] auth_strategy = {conf.api.auth_strategy} can't be honoured yet, and nobody shall rely on it; write "
            f"{NO_AUTHENTICATION}, and put a proxy that authenticates in front"
        )
    return Settings(
        log=config.log_settings(conf), api=_api(conf.api), etcd=_etcd(conf.api), database=_database(conf, conf.database)
    )


def _api(group: Any) -> ApiSettings:
    return ApiSettings(
        host=str(group.host),
        port=group.port,
        public_url=group.public_url,
        service_list=tuple(group.service_list),
        model_dirs=tuple(Path(each) for each in group.model_dirs),
        bind_timeout=group.bind_timeout,
        answer_grace=group.answer_grace,
        max_body_size=group.max_body_size,
        limits=guard.Limits(
            connections=group.max_connections,
            header_size=group.max_header_size,
            header_timeout=group.header_timeout,
            body_timeout=group.body_timeout,
        ),
    )


def _etcd(group: Any) -> Endpoints:
    try:
        return etcd_options.endpoints(group)
    except (EtcdError, ValueError) as error:
        raise StartFailed(f"[api] etcd options: {error}") from error


def _database(conf: Any, group: Any) -> DatabaseSettings:
    location = conf.get_location("connection", "database")
    return DatabaseSettings(connection=group.connection, configured=location.location is not Locations.opt_default)
