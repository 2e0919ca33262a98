"""How the publisher stands, in words for `/readyz`, for the log, and for the reason of a failed bind."""

from __future__ import annotations

from msgspec import Struct

from gluon.etcd import WAIT_FOR_OPERATOR, EtcdError


class Standing(Struct, frozen=True):
    """The publisher's state at one moment."""

    words: str
    ok: bool = False
    """Changes go to etcd."""
    ready: bool = True
    """The server can do its work.  An etcd that is away doesn't keep it from that: changes wait."""
    kind: str = ""
    """The kind of an outage; its words may change from try to try."""

    @property
    def trouble(self) -> str:
        """Why changes don't go to etcd; empty: they do."""
        return "" if self.ok else self.words


CONNECTED = Standing("connected", ok=True)
STARTING = Standing("not connected to etcd yet")


def outage(error: EtcdError) -> Standing:
    """Changes can't be published because of this error, which a call raised."""
    words = str(error)
    if not isinstance(error, WAIT_FOR_OPERATOR) and "is unreachable" not in words:
        words = f"etcd is unreachable: {words}"
    return Standing(words, kind=type(error).__name__)
