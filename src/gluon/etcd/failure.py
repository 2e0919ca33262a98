"""From the failures of gRPC and etcd's sentences to the errors of this package.

etcd has few status codes and many sentences, so both are looked at; the sentences are those of
etcd's `rpctypes`, unchanged from 3.4 to 3.6.
"""

from __future__ import annotations

import grpc

from gluon.etcd.errors import (
    AuthenticationFailed,
    ClusterReplaced,
    Compacted,
    EtcdError,
    InvalidRequest,
    LeaseLost,
    PermissionDenied,
    TimedOut,
    Unavailable,
)

_STALE_TOKEN = ("invalid auth token", "revision of auth store is old", "auth revision in the header is old")
_BAD_LOGIN = ("authentication failed", "user name is empty", "user name not found")
_NEVER_SENT = ("failed to connect to all addresses", "DNS resolution failed")
_TRY_LATER = ("request timed out", "too many requests", "database space exceeded", "leader")

_BY_CODE: dict[grpc.StatusCode, type[EtcdError]] = {
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.UNAUTHENTICATED: AuthenticationFailed,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.FAILED_PRECONDITION: InvalidRequest,
    grpc.StatusCode.DEADLINE_EXCEEDED: TimedOut,
    # What is left of it after `_TRY_LATER`: a message beyond a size limit.
    grpc.StatusCode.RESOURCE_EXHAUSTED: InvalidRequest,
}


def translate(error: grpc.aio.AioRpcError, what: str, host: str) -> EtcdError:
    """The error to raise for a failed call; names the call, the server and the reason."""
    sentence = error.details() or error.code().name
    return _classify(error.code(), sentence)(f"etcd {host}: {what}: {sentence}")


def stale_token(error: grpc.aio.AioRpcError, *, has_token: bool) -> bool:
    """The call was refused, undone, for a token that a new one would replace."""
    sentence = error.details() or ""
    return any(s in sentence for s in _STALE_TOKEN) or (not has_token and "user name is empty" in sentence)


def never_sent(error: grpc.aio.AioRpcError) -> bool:
    """No connection was made, so nothing happened in etcd."""
    return error.code() is grpc.StatusCode.UNAVAILABLE and (error.details() or "").startswith(_NEVER_SENT)


def authentication_disabled(error: grpc.aio.AioRpcError) -> bool:
    """The etcd server runs without authentication."""
    return "authentication is not enabled" in (error.details() or "")


def _classify(code: grpc.StatusCode, sentence: str) -> type[EtcdError]:
    if "required revision has been compacted" in sentence:
        return Compacted
    if "required revision is a future revision" in sentence:
        return ClusterReplaced
    if "requested lease not found" in sentence:
        return LeaseLost
    if any(s in sentence for s in _BAD_LOGIN):
        return AuthenticationFailed
    if any(s in sentence for s in _TRY_LATER):
        return TimedOut if "timed out" in sentence else Unavailable
    return _BY_CODE.get(code, Unavailable)
