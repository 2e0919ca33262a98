"""Where etcd is and how to log in."""

from __future__ import annotations

from dataclasses import dataclass, field

from gluon.etcd.errors import InvalidRequest

_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class Endpoints:
    """The servers of one etcd cluster, and what they ask for.

    TLS is used when `ca_file` or `cert_file` is set; each server's certificate must name the host
    that is given here.

    Raises:
        InvalidRequest: no host, a host without a port, half of a client certificate, a password
            without a user, or a timeout that is not positive.
    """

    hosts: tuple[str, ...]
    """Each `host:port`; IPv6 addresses in brackets."""
    user: str = ""
    """Empty: no authentication."""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    """PEM file with the certificate authority of the servers; empty: the system's."""
    cert_file: str = ""
    """PEM file with our certificate; empty: none."""
    key_file: str = ""
    """PEM file with its key."""
    timeout: float = 5.0
    """Seconds that each call may take."""

    def __post_init__(self) -> None:
        """Refuses what could never connect."""
        if not self.hosts:
            raise InvalidRequest("etcd endpoints: no host given; expected host:port")
        for host in self.hosts:
            name, _, port = host.rpartition(":")
            if not name or not port.isdecimal() or not 0 < int(port) <= _HIGHEST_PORT:
                raise InvalidRequest(f"etcd endpoint {host!r}: expected host:port")
        if bool(self.cert_file) != bool(self.key_file):
            raise InvalidRequest("etcd endpoints: cert_file and key_file go together; only one is set")
        if self.password and not self.user:
            raise InvalidRequest("etcd endpoints: a password is set, but no user")
        if self.timeout <= 0:
            raise InvalidRequest(f"etcd endpoints: timeout must be positive, got {self.timeout}")

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return bool(self.ca_file or self.cert_file)

    def __str__(self) -> str:
        return ",".join(self.hosts)
