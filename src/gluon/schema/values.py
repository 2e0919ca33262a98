"""What one attribute accepts: compiles an Attribute into a check of its values.

Belongs here: rules that concern a single value.  Rules between the attributes of an object
are in `gluon.schema.validation`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec

from gluon.schema.formats import INTEGER_RANGES, JSON, TEXT_FORMATS, UUID, Mismatch
from gluon.schema.types import Attribute, AttributeType, Value

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


def expected(attribute: Attribute) -> str:  # noqa: PLR0911 - one line a type
    """What the attribute accepts, to complete `expected ...`; also fit for a help text."""
    match attribute.type:
        case AttributeType.INTEGER:
            low, high = integer_range(attribute)
            return f"an integer {low}..{high}"
        case AttributeType.NUMBER:
            return "a finite number"
        case AttributeType.BOOLEAN:
            return "true or false"
        case AttributeType.UUID:
            return UUID.expected
        case AttributeType.ENUM:
            return f"one of {', '.join(attribute.values)}"
        case AttributeType.STRING if attribute.format == JSON:
            return f"a JSON object, list, number or boolean of at most {attribute.length} characters"
        case AttributeType.STRING if attribute.format:
            return TEXT_FORMATS[attribute.format].expected
        case AttributeType.STRING:
            return f"text of at most {attribute.length} characters"


def problem_message(expectation: str, value: object, mismatch: Mismatch) -> str:
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


def integer_range(attribute: Attribute) -> tuple[int, int]:
    """Smallest and largest value of an integer attribute."""
    low, high = INTEGER_RANGES[attribute.format]
    return (
        low if attribute.minimum is None else max(low, attribute.minimum),
        high if attribute.maximum is None else min(high, attribute.maximum),
    )


def compile_check(attribute: Attribute) -> Check:
    """The check for one attribute.  What it closes over is bound once, for speed."""
    check = _compile_by_type(attribute)
    # A UUID is a good key as it is.
    return _key_check(check) if attribute.primary and attribute.type is not AttributeType.UUID else check


def _compile_by_type(attribute: Attribute) -> Check:
    match attribute.type:
        case AttributeType.INTEGER:
            return _integer_check(*integer_range(attribute))
        case AttributeType.NUMBER:
            return _number
        case AttributeType.BOOLEAN:
            return _boolean
        case AttributeType.UUID:
            return _uuid
        case AttributeType.ENUM:
            return _enum_check(frozenset(attribute.values))
        case AttributeType.STRING:
            return _string_check(attribute)


def _string_check(attribute: Attribute) -> Check:
    length = attribute.length
    if length is None:
        raise ValueError(f"string attribute {attribute.name} has no length; build it with parse_proton")
    if attribute.format == JSON:
        return _json_check(length)
    if attribute.format:
        return _format_check(TEXT_FORMATS[attribute.format].canonical, length)
    return _text_check(length)


def _integer_check(low: int, high: int) -> Check:
    def check(value: Any) -> Value:
        # `type is`, not isinstance: True is an int, and no integer.
        if type(value) is not int or not low <= value <= high:
            raise Mismatch
        return value

    return check


def _number(value: Any) -> Value:
    if type(value) not in {int, float}:
        raise Mismatch
    try:
        number = float(value)
    except OverflowError as error:
        raise Mismatch from error
    if not math.isfinite(number):
        raise Mismatch
    return number


def _boolean(value: Any) -> Value:
    if value is True or value is False:
        return bool(value)
    raise Mismatch


def _uuid(value: Any) -> Value:
    if not isinstance(value, str):
        raise Mismatch
    return UUID.canonical(value)


def _enum_check(values: frozenset[str]) -> Check:
    def check(value: Any) -> Value:
        if not isinstance(value, str) or value not in values:
            raise Mismatch
        return value

    return check


def _text_check(length: int) -> Check:
    def check(value: Any) -> Value:
        if not isinstance(value, str):
            raise Mismatch
        if len(value) > length:
            raise Mismatch(f"it has {len(value)}")
        refuse_unstorable(value)
        return value

    return check


def _format_check(canonical: Callable[[str], str], length: int) -> Check:
    def check(value: Any) -> Value:
        if not isinstance(value, str):
            raise Mismatch
        text = canonical(value)
        if len(text) > length:
            raise Mismatch(f"at most {length} characters fit, it has {len(text)}")
        return text or None

    return check


def refuse_unstorable(text: str) -> None:
    """Raises Mismatch for text that a database or etcd's JSON can't hold."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Mismatch("it holds a lone surrogate") from error
    if "\0" in text:
        raise Mismatch("it holds a NUL character")


def _json_check(length: int) -> Check:
    def check(value: Any) -> Value:
        if isinstance(value, str):
            value = _parse_json(value)
        if isinstance(value, str):
            # A string is read as JSON text, so a bare string would have to be quoted twice,
            # and once more each time that it is sent back.
            raise Mismatch("a bare string")
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
        return msgspec.json.decode(text)
    except RecursionError as error:
        raise Mismatch(f"nested deeper than {MAX_JSON_DEPTH}") from error
    except ValueError as error:
        raise Mismatch(str(error)) from error


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


def _key_check(check: Check) -> Check:
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
