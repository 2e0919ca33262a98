"""From the failures of gRPC and etcd's sentences to the errors of this package.

etcd has few status codes and many sentences, so both are looked at; the sentences are those of
etcd's `rpctypes`, unchanged from 3.4 to 3.6.
"""

from __future__ import annotations

from typing import Protocol

import grpc

from gluon.etcd.errors import (
    AuthenticationFailed,
    ClusterReplaced,
    Compacted,
    EtcdError,
    InvalidRequest,
    LeaseLost,
    OutOfSpace,
    PermissionDenied,
    TimedOut,
    Unavailable,
)

_STALE_TOKEN = ("invalid auth token", "revision of auth store is old", "auth revision in the header is old")
_NEVER_SENT = ("failed to connect to all addresses", "DNS resolution failed")

_BY_SENTENCE: tuple[tuple[str, type[EtcdError]], ...] = (
    ("required revision has been compacted", Compacted),
    ("required revision is a future revision", ClusterReplaced),
    ("requested lease not found", LeaseLost),
    ("authentication failed", AuthenticationFailed),
    ("user name is empty", AuthenticationFailed),
    ("user name not found", AuthenticationFailed),
    ("database space exceeded", OutOfSpace),
    ("timed out", TimedOut),
    ("too many requests", Unavailable),
    ("leader", Unavailable),
)
"""Looked at first, and in this order: one code stands for several of them."""

_BY_CODE: dict[grpc.StatusCode, type[EtcdError]] = {
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.UNAUTHENTICATED: AuthenticationFailed,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.FAILED_PRECONDITION: InvalidRequest,
    grpc.StatusCode.DEADLINE_EXCEEDED: TimedOut,
    # What is left of it after `_BY_SENTENCE`: a message beyond a size limit.
    grpc.StatusCode.RESOURCE_EXHAUSTED: InvalidRequest,
}


_CERTIFICATE_ALERTS = ("ALERT_BAD_CERTIFICATE", "CERTIFICATE_REQUIRED", "ALERT_UNKNOWN_CA")
_CERTIFICATE_ADVICE = (
    "it asks for a client certificate and has got none, or none that it trusts; give it one with its key"
    " (etcd_cert_file, etcd_key_file)"
)
_ADVICE = (
    "to make room, compact and defragment it or raise --quota-backend-bytes, then disarm its alarm"
    " (etcdctl alarm disarm)"
)


class Failed(Protocol):
    """A failed call, of gRPC's synchronous or asynchronous kind."""

    def code(self) -> grpc.StatusCode:
        """What kind of failure."""

    def details(self) -> str | None:
        """The sentence that goes with it."""


def translate(error: Failed, what: str, host: str, user: str = "") -> EtcdError:
    """The error to raise for a failed call; names the call, the server and the reason."""
    sentence = error.details() or error.code().name
    kind = _classify(error.code(), sentence)
    if kind is OutOfSpace:
        return kind(f"etcd {host} is out of space: {what}: {sentence}; {_ADVICE}")
    if kind is AuthenticationFailed or kind is PermissionDenied:
        return kind(f"etcd {host} refuses {who(user)}: {what}: {sentence}")
    if never_sent(error):
        if any(alert in sentence for alert in _CERTIFICATE_ALERTS):
            return kind(f"etcd {host} is unreachable: {what}: {_CERTIFICATE_ADVICE}")
        return kind(f"etcd {host} is unreachable: {what}: {sentence}")
    return kind(f"etcd {host}: {what}: {sentence}")


def who(user: str) -> str:
    """The user as sentences name it."""
    return f"user {user!r}" if user else "a client without a user"


def stale_token(error: Failed, *, has_token: bool) -> bool:
    """The call was refused, undone, for a token that a new one would replace."""
    sentence = error.details() or ""
    return any(s in sentence for s in _STALE_TOKEN) or (not has_token and "user name is empty" in sentence)


def never_sent(error: Failed) -> bool:
    """No connection was made, so nothing happened in etcd."""
    return error.code() is grpc.StatusCode.UNAVAILABLE and (error.details() or "").startswith(_NEVER_SENT)


def authentication_disabled(error: Failed) -> bool:
    """The etcd server runs without authentication."""
    return "authentication is not enabled" in (error.details() or "")


def _classify(code: grpc.StatusCode, sentence: str) -> type[EtcdError]:
    for part, kind in _BY_SENTENCE:
        if part in sentence:
            return kind
    return _BY_CODE.get(code, Unavailable)
