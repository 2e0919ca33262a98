from __future__ import annotations

from ..stand_in import (  # noqa: TID252 - tests are not installed, so it has no other name
    answer_error,
    answer_raw,
    closed_port,
    environment,
    server,
)

__all__ = ["answer_error", "answer_raw", "closed_port", "environment", "server"]
