"""Options of `[shim_odl]`, and what they mean together."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct
from oslo_config import cfg

from gluon.shim.backend import BackendError

SECTION = "shim_odl"
AUTO = "auto"
MAX_VNI = 0xFFFFFF


class Flavour(StrEnum):
    """A RESTCONF: its roots, its form of keys, its queries."""

    DRAFT02 = "draft02"
    """draft-bierman-netconf-restconf-02."""
    RFC8040 = "rfc8040"


class Dialect(StrEnum):
    """A release's model of VPNs."""

    A = "A"
    """Boron."""
    B1 = "B1"
    """Carbon and its SR1."""
    B2 = "B2"
    """Carbon from SR2 on, and Nitrogen."""
    C = "C"
    """Oxygen to Sodium."""
    D = "D"
    """Magnesium."""
    E = "E"
    """Aluminium."""


class Mode(StrEnum):
    """Who makes a VPN's vpn-instance and vpn-interfaces."""

    L3VPN = "l3vpn"
    """Gluon does."""
    BGPVPN = "bgpvpn"
    """netvirt does, out of a BGPVPN of Neutron and its networks."""


_TUNNEL_TYPES = ("mpls-over-gre", "gre", "vxlan", "vxlan-gpe")

OPTIONS = [
    cfg.StrOpt("odl_host", default="127.0.0.1", help="Host name or address of OpenDaylight."),
    cfg.PortOpt("odl_port", default=8181, help="Port of its RESTCONF."),
    cfg.StrOpt("odl_user", default="admin", help="User of its RESTCONF."),
    cfg.StrOpt("odl_passwd", secret=True, default="", help="That user's password."),
    cfg.StrOpt("odl_scheme", default="http", choices=["http", "https"], help="Whether it speaks TLS."),
    cfg.BoolOpt("odl_verify", default=True, help="Whether its certificate is verified."),
    cfg.StrOpt("odl_cafile", default="", help="Certificates to verify it with (PEM); empty: those of the system."),
    cfg.FloatOpt("odl_timeout", default=5.0, min=0.01, help="Seconds in which it has to answer a request."),
    cfg.IntOpt(
        "odl_retries",
        default=3,
        min=0,
        max=10,
        help="How often a request is made again that it answers with a passing error (5xx, a lock).",
    ),
    cfg.FloatOpt(
        "odl_settle_timeout",
        default=10.0,
        min=0.1,
        help="Seconds in which netvirt has to make out of a write what it makes: interfaces, VPN instances.",
    ),
    cfg.FloatOpt("odl_poll_interval", default=5.0, min=0.05, help="Seconds between two looks at the ports' states."),
    cfg.StrOpt(
        "odl_restconf",
        default=AUTO,
        choices=[AUTO, *Flavour],
        help="The RESTCONF to use; auto: draft02 where there is one.",
    ),
    cfg.StrOpt(
        "odl_profile",
        default=AUTO,
        choices=[AUTO, *Dialect],
        help="The release's model of VPNs: A Boron, B1 Carbon to SR1, B2 Carbon from SR2 and Nitrogen, C Oxygen to "
        "Sodium, D Magnesium, E Aluminium; auto: it is asked.",
    ),
    cfg.StrOpt(
        "odl_mode",
        default=str(Mode.L3VPN),
        choices=list(Mode),
        help="l3vpn: Gluon writes vpn-instances and vpn-interfaces; bgpvpn: it writes BGPVPNs of Neutron, of which "
        "netvirt makes them.",
    ),
    cfg.StrOpt(
        "vni_range",
        default="10000:19999",
        help=f"VXLAN network identifiers for the networks of VPNs, first and last, each 1..{MAX_VNI}.",
    ),
    cfg.IntOpt(
        "odl_rd_as",
        default=64512,
        min=1,
        max=65535,
        help="AS number in the route distinguisher that a VPN without one is given.",
    ),
    cfg.StrOpt("odl_bridge", default="br-int", help="The bridge that bound ports are plugged into."),
    cfg.StrOpt("odl_tunnel_type", default=_TUNNEL_TYPES[0], choices=_TUNNEL_TYPES, help="Type of DataplaneTunnels."),
]


class Settings(Struct, frozen=True, kw_only=True):
    """The options, checked."""

    url: str
    """Scheme, host and port."""
    user: str
    verify: bool
    cafile: str
    timeout: float
    retries: int
    settle_timeout: float
    poll_interval: float
    flavour: Flavour | None
    """None: to be found out."""
    dialect: Dialect | None
    """None: to be found out."""
    mode: Mode
    vnis: range
    rd_as: int
    bridge: str
    tunnel_type: str


def read(conf: Any) -> tuple[Settings, str]:
    """The settings, and the password, which is kept apart so that no message shows it.

    Raises:
        BackendError: an option can't be; a sentence for the operator.
    """
    section = conf[SECTION]
    settings = Settings(
        url=f"{section.odl_scheme}://{_host(section.odl_host)}:{section.odl_port}",
        user=section.odl_user,
        verify=section.odl_verify,
        cafile=section.odl_cafile,
        timeout=section.odl_timeout,
        retries=section.odl_retries,
        settle_timeout=section.odl_settle_timeout,
        poll_interval=section.odl_poll_interval,
        flavour=None if section.odl_restconf == AUTO else Flavour(section.odl_restconf),
        dialect=None if section.odl_profile == AUTO else Dialect(section.odl_profile),
        mode=Mode(section.odl_mode),
        vnis=_vnis(section.vni_range),
        rd_as=section.odl_rd_as,
        bridge=section.odl_bridge,
        tunnel_type=section.odl_tunnel_type,
    )
    if not section.odl_passwd:
        raise BackendError(
            f"[{SECTION}] odl_passwd is not set: it is the password of {settings.user} at {settings.url}"
        )
    return settings, section.odl_passwd


def _host(text: str) -> str:
    if not text or set(text) & set("/@?# "):
        raise BackendError(f"[{SECTION}] odl_host: expected a host name or an address, got {text.rpartition('@')[2]!r}")
    return f"[{text}]" if ":" in text and not text.startswith("[") else text


def _vnis(text: str) -> range:
    first, _, last = text.partition(":")
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last) <= MAX_VNI):
        raise BackendError(f"[{SECTION}] vni_range: expected first:last, each 1..{MAX_VNI}, got {text!r}")
    return range(int(first), int(last) + 1)
