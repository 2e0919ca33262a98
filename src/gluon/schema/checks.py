"""Checks of single values: each takes a value and returns its one canonical form, or refuses it.

Belongs here: rules for a single value, and how a refused one is shown.  Which check
an attribute has is in `gluon.schema.attribute`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection
from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec

from gluon.schema.formats import UUID, Mismatch

Value: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | None
"""An attribute's value, in JSON's native types.  An attribute of format `json` holds any
JSON value; every other attribute a scalar, or None where nothing is set."""

Check: TypeAlias = Callable[[Any], Value]
"""Takes any value but None, returns its canonical form, raises `Mismatch`.

None returned means that nothing is set: the JSON text `null`, an empty list."""

MAX_JSON_DEPTH = 32
"""Deepest nesting of a `json` value."""

MAX_KEY_BYTES = 765
"""Longest key, percent-encoded.  Every etcd key that holds it stays below 1,024 bytes."""

_encode = msgspec.json.Encoder().encode
_JSON_INTEGERS = (-(2**63), 2**64 - 1)
_ENCODED_CHARACTER = len("%F0%9F%99%82")  # the longest that one character can become
_SHOWN_LENGTH = 80
_SHOWN_BITS = 128


def refusal(expectation: str, value: object, mismatch: Mismatch) -> str:
    """The sentence for a value that was refused."""
    why = str(mismatch)
    return f"expected {expectation}, got {show(value)}" + (f": {why}" if why else "")


def show(value: object) -> str:
    """A refused value, short and printable; the contents of objects and lists are left out."""
    match value:
        case bool() | None | str():
            text = json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace").decode()
        case dict():
            return "an object"
        case list():
            return "a list"
        case int() if value.bit_length() > _SHOWN_BITS:
            return "a very large integer"
        case int() | float():
            text = str(value)
        case _:
            return f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."


def integer_check(low: int, high: int, excluded: Collection[int] = ()) -> Check:
    """The check of an integer, `low` and `high` included."""

    def check(value: Any) -> Value:
        # `type is`, not isinstance: True is an int, and no integer.
        if type(value) is not int or not low <= value <= high:
            raise Mismatch
        if value in excluded:
            raise Mismatch("it is reserved")
        return value

    return check


def check_number(value: Any) -> Value:
    """A finite number; an integer becomes a float."""
    if type(value) not in {int, float}:
        raise Mismatch
    try:
        number = float(value)
    except OverflowError as error:
        raise Mismatch from error
    if not math.isfinite(number):
        raise Mismatch
    return number


def check_boolean(value: Any) -> Value:
    """True or false."""
    if value is True or value is False:
        return bool(value)
    raise Mismatch


def check_uuid(value: Any) -> Value:
    """A UUID."""
    if not isinstance(value, str):
        raise Mismatch
    return UUID.canonical(value)


def enum_check(values: frozenset[str]) -> Check:
    """The check of an enum."""

    def check(value: Any) -> Value:
        if not isinstance(value, str) or value not in values:
            raise Mismatch
        return value

    return check


def text_check(length: int) -> Check:
    """The check of plain text of at most `length` characters."""

    def check(value: Any) -> Value:
        if not isinstance(value, str):
            raise Mismatch
        if len(value) > length:
            raise Mismatch(f"it has {len(value)}")
        refuse_unstorable(value)
        return value

    return check


def _any(_: str) -> None:
    """Refuses nothing."""


def format_check(canonical: Callable[[str], str], length: int, refuse: Callable[[str], None] = _any) -> Check:
    """The check of text in a format, whose canonical form has at most `length` characters.

    Args:
        canonical: the one spelling of a text.
        length: most characters.
        refuse: raises `Mismatch` for a canonical text that the format takes, and the attribute does not.
    """

    def check(value: Any) -> Value:
        if not isinstance(value, str):
            raise Mismatch
        text = canonical(value)
        if len(text) > length:
            raise Mismatch(f"at most {length} characters fit, it has {len(text)}")
        refuse(text)
        return text or None

    return check


def check_or_empty(check: Check) -> Check:
    """The check of an attribute for which an empty text means that nothing is set."""

    def check_text(value: Any) -> Value:
        return None if value == "" else check(value)

    return check_text


def refuse_unstorable(text: str) -> None:
    """Raises Mismatch for text that a database or etcd's JSON can't hold."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Mismatch("it holds a lone surrogate") from error
    if "\0" in text:
        raise Mismatch("it holds a NUL character")


def json_check(length: int, *, only_objects: bool = False) -> Check:
    """The check of a JSON value, whose compact text has at most `length` characters."""

    def check(value: Any) -> Value:
        if isinstance(value, str):
            value = _parse_json(value)
        if isinstance(value, str):
            # A string is read as JSON text, so a bare string would have to be quoted twice,
            # and once more each time that it is sent back.
            raise Mismatch("a bare string")
        if only_objects and value is not None and not isinstance(value, dict):
            raise Mismatch
        _refuse_bad_json(value, MAX_JSON_DEPTH)
        text = _encode(value)
        if len(text) > length and len(text.decode()) > length:
            raise Mismatch(f"it has {len(text.decode())}")
        result: Value = value
        return result

    return check


def _parse_json(text: str) -> Any:
    refuse_unstorable(text)
    try:
        decoded = msgspec.json.decode(text)
        # msgspec keeps the last of two members of one name; which one was meant can't be told.
        json.loads(text, object_pairs_hook=_refuse_duplicates)
    except _DuplicateMember as error:
        raise Mismatch(str(error)) from error
    except RecursionError as error:
        raise Mismatch(f"nested deeper than {MAX_JSON_DEPTH}") from error
    except ValueError as error:
        raise Mismatch(str(error)) from error
    return decoded


class _DuplicateMember(ValueError):
    """An object has two members of one name."""


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise _DuplicateMember("a member is given twice")


def _refuse_bad_json(value: Any, depth: int) -> None:
    if isinstance(value, str):
        refuse_unstorable(value)
    elif value is None or isinstance(value, bool):
        pass
    elif isinstance(value, int):
        if not _JSON_INTEGERS[0] <= value <= _JSON_INTEGERS[1]:
            raise Mismatch("an integer beyond 64 bits")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise Mismatch("a number that is not finite")
    elif isinstance(value, dict | list):
        _refuse_bad_members(value, depth)
    else:
        raise Mismatch(f"a {type(value).__name__} is not JSON")


def _refuse_bad_members(value: dict[Any, Any] | list[Any], depth: int) -> None:
    if depth == 0:
        raise Mismatch(f"nested deeper than {MAX_JSON_DEPTH}")
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise Mismatch("the name of a member is not a string")
            refuse_unstorable(name)
    for item in value.values() if isinstance(value, dict) else value:
        _refuse_bad_json(item, depth - 1)


def key_check(check: Check) -> Check:
    """The check of a primary key, from the check of its type."""

    def check_key(value: Any) -> Value:
        key = check(value)
        if not isinstance(key, str) or not key:
            raise Mismatch("a key cannot be empty")
        if key in {".", ".."}:
            raise Mismatch("a URL cannot hold it as a key")
        if len(key) * _ENCODED_CHARACTER > MAX_KEY_BYTES and len(quote(key, safe="")) > MAX_KEY_BYTES:
            raise Mismatch(f"a key is at most {MAX_KEY_BYTES} bytes long, percent-encoded")
        return key

    return check_key
