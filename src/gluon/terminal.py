"""Text that somebody else chose, made safe to show.

A name is any text that somebody with access to the API chose.  It may hold escape sequences that
a terminal obeys, line breaks that forge a line of a table or of a log, and directions of writing
that make a line read as another one.
"""

from __future__ import annotations

import unicodedata

_JOINERS = "\u200c\u200d"
"""Zero-width characters that Persian, Indic scripts and emoji are written with; they change no order."""
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories: controls (C0, C1, DEL), formats (bidi, tags), surrogates, line and paragraph separators."""
SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def escaped(text: str, keep: str = "") -> str:
    """The text, with JSON's escapes for the characters that could act on a terminal.

    Args:
        text: any.
        keep: characters that stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or not is_harmful(c) else _escape(c) for c in text)


def is_harmful(character: str) -> bool:
    """Whether a character does more than stand in its place."""
    return unicodedata.category(character) in _HARMFUL and character not in _JOINERS


def _escape(character: str) -> str:
    number = ord(character)
    # JSON's spelling, so that JSON text stays JSON text.
    return SHORT.get(character) or (f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}")  # noqa: PLR2004
