"""What can go wrong with etcd, and whether to try again.

EtcdError
├── Unavailable             etcd is not reached, or can't answer now: try again later
│   └── TimedOut            no answer within the timeout: try again later
├── OutOfSpace              the database is full, nothing was written: an operator must act
├── AuthenticationFailed    user or password refused: an operator must act
├── PermissionDenied        the user lacks a permission: an operator must act
├── InvalidRequest          the request can never succeed as it is: change it
│   └── WriteRefused        one write of a batch can never succeed as it is: change it
├── LeaseLost               the lease that the request names is gone: grant a new one
├── FenceBroken             the right to write is over: win it again
├── Compacted               the revision asked for is no longer kept: list again
└── ClusterReplaced         this is not the etcd known so far: load everything again

After `Unavailable` (with `TimedOut`) the outcome of a write is unknown: it may have happened.
"""

from __future__ import annotations


class EtcdError(Exception):
    """Base of all errors of this package."""


class Unavailable(EtcdError):
    """No etcd server was reached, or the one reached can't answer now; the outcome of a write is unknown."""


class TimedOut(Unavailable):
    """No answer within the timeout; the outcome of a write is unknown."""


class OutOfSpace(EtcdError):
    """etcd's database has reached its quota: it takes deletes, but no writes, until an operator acts."""


class AuthenticationFailed(EtcdError):
    """etcd refused the user or the password, or wants some and got none."""


class PermissionDenied(EtcdError):
    """The user has no permission for this key or range."""


class InvalidRequest(EtcdError):
    """The request can't succeed as it is: malformed, too large, too many operations, unreadable TLS files."""


class WriteRefused(InvalidRequest):
    """etcd will never take this one write as it is, e.g. because it is too large; the others were made."""


class LeaseLost(EtcdError):
    """The lease that the request names has expired or was revoked."""


class FenceBroken(EtcdError):
    """The fence of a write no longer holds: somebody else may write now, and nothing was written."""


class Compacted(EtcdError):
    """The revision that was asked for has been compacted away."""


class ClusterReplaced(EtcdError):
    """The etcd that answers is not the one known so far: another cluster, or its data was lost or restored."""


WAIT_FOR_OPERATOR = (OutOfSpace, AuthenticationFailed, PermissionDenied)
"""Outages that end when an operator acts; trying again often is of no use."""

OUTAGES = (Unavailable, *WAIT_FOR_OPERATOR)
"""What passes: the same request may succeed later.  Loops that try again catch these and no others."""
