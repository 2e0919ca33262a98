"""Doubt about what is shown: it may not be so, or the network may not know it yet.

While database and etcd don't belong together, nobody knows which controller has a port: the answers in etcd may
be those to another database.  The rows stay as they are, since an operator may put the right database or etcd back;
the reason says that they may not be true.

While etcd takes no changes, an object that was changed is as it was before for all controllers: a port that is shown
unbound is still plugged.
"""

from __future__ import annotations

from msgspec.structs import replace

from gluon.proton.storage import Stored


def with_doubt(stored: Stored, refusal: str) -> Stored:
    """The object as it is to be shown.

    Args:
        stored: as the database has it.
        refusal: why changes are refused; empty: they are not, and the object is shown as it is.
    """
    return replace(stored, status_reason=doubtful(stored.status_reason, refusal)) if refusal else stored


def unpublished(stored: Stored, trouble: str) -> Stored:
    """The object with the reason for which its last change has reached nobody, in etcd's words."""
    if trouble in (stored.status_reason or ""):
        return stored
    said = f"not published yet: {trouble}"
    return replace(stored, status_reason="; ".join(part for part in (said, stored.status_reason) if part))


def doubtful(reason: str | None, refusal: str) -> str | None:
    """A reason with the doubt before it; None for neither.  Arguments as of `with_doubt`."""
    doubt = f"this may not be so: {refusal}" if refusal else ""
    return "; ".join(part for part in (doubt, reason) if part) or None
