"""The shim's options, `[shim]` in its configuration file."""

from __future__ import annotations

from importlib.metadata import entry_points

from oslo_config import cfg

from gluon.process.config import LOG_OPTIONS
from gluon.process.etcd_options import ETCD_OPTIONS

ENTRY_POINT_GROUP = "gluon.shim.backends"

SHIM_OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "controller",
        default="SimServer",
        regex=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        help="The name that this shim signs its answers with. Shims of one name are active and standby: one works, "
        "the others wait to take over.",
    ),
    cfg.ListOpt(
        "host_list",
        default=["*"],
        help="The hosts (host_id) whose ports this shim binds, separated by commas; `*` for all.",
    ),
    cfg.DictOpt(
        "handlers",
        default={"net-l3vpn": "dummy"},
        help="Which backend handles which proton: `<proton>:<backend>`, separated by commas. A backend is named as in "
        f"the entry-point group {ENTRY_POINT_GROUP}.",
    ),
    cfg.ListOpt("model_dirs", default=[], help="Directories of models beside the shipped ones."),
    cfg.IntOpt("workers", default=64, min=1, max=4096, help="Objects that are worked on at once."),
    cfg.IntOpt(
        "leader_ttl",
        default=10,
        min=2,
        help="Seconds after which a standby takes over from an active shim that went silent.",
    ),
    cfg.FloatOpt("retry_min", default=0.25, min=0.001, help="Pause before the first retry of a callback, in seconds."),
    cfg.FloatOpt("retry_max", default=60.0, min=0.001, help="Longest pause between two retries, in seconds."),
    cfg.FloatOpt(
        "report_after",
        default=5.0,
        min=0.01,
        help="Seconds after which a callback that has not succeeded is reported to the API; a port that waits for its "
        "bind becomes binding_failed. Below proton-server's bind_timeout, so that the reason arrives in time.",
    ),
    cfg.FloatOpt(
        "callback_timeout",
        default=60.0,
        min=0.01,
        help="Seconds after which an asynchronous callback is cancelled and tried again.",
    ),
    cfg.FloatOpt(
        "audit_interval",
        default=3600.0,
        min=0.0,
        help="Seconds between two audits of what the SDN controller holds, for backends that can list it; 0: only at "
        "the start of a term and on demand (`gluon-manage audit`).",
    ),
    cfg.FloatOpt(
        "health_interval",
        default=10.0,
        min=0.1,
        help="Seconds between two questions to a backend whether its SDN controller can be reached.",
    ),
    cfg.FloatOpt(
        "max_delete_percent",
        default=25.0,
        min=0.0,
        max=100.0,
        help="When an audit, an etcd or a database that came back would delete more than this part of what is applied, "
        "and more than 10 objects, nothing is deleted until an operator accepts it (`gluon-manage accept`).",
    ),
    cfg.HostAddressOpt("http_host", default="127.0.0.1", help="Address for /healthz, /readyz, /metrics and /status."),
    cfg.PortOpt("http_port", default=2706, help="Port for the same; 0 for any free one."),
    *ETCD_OPTIONS,
]

OPTIONS = {"DEFAULT": LOG_OPTIONS, "shim": SHIM_OPTIONS}


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """All options for oslo-config-generator, those of the installed backends included."""
    found: dict[str, list[cfg.Opt]] = dict(OPTIONS)
    # A backend may have several names.
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda e: e.name):
        found.update((section, list(options)) for section, options in entry.load().options.items())
    return list(found.items())
