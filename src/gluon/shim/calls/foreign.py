"""What foreign code hands over, made safe to print."""

from __future__ import annotations


def short(value: object) -> str:
    """A foreign value in at most 80 characters."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a foreign object's
        text = f"an unprintable {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - what fits a log line


MAX_REASON = 1000
"""Characters of a reason: it goes into etcd, and to whoever asks for the object."""


def printable(text: str) -> str:
    """A reason as it can be stored and shown: no lone surrogates, and not too long."""
    shown = text.encode(errors="backslashreplace").decode()
    return shown if len(shown) <= MAX_REASON else f"{shown[: MAX_REASON - 3]}..."


def told(error: BaseException) -> str:
    """A foreign exception, by its type and its message."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a foreign exception's
        text = "its message can't be shown"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
