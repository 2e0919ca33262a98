"""Ids that nobody else makes, without a system call for each: a request needs several."""

from __future__ import annotations

import os
from uuid import UUID

AT_ONCE = 256
"""Ids whose random bytes are read at once."""

_SIZE = 16
_unused: list[bytes] = []


def unique_id() -> UUID:
    """A random uuid (RFC 9562, version 4), as from `uuid.uuid4`; may be called from any thread."""
    try:
        random = _unused.pop()
    except IndexError:
        read = os.urandom(_SIZE * AT_ONCE)
        _unused.extend(read[start : start + _SIZE] for start in range(_SIZE, len(read), _SIZE))
        random = read[:_SIZE]
    return UUID(bytes=random, version=4)


os.register_at_fork(after_in_child=_unused.clear)
