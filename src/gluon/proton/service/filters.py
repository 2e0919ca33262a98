"""The attribute filters of a list, from the text of a query."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from gluon.schema import Attribute, AttributeType, InvalidAttributes, Mismatch, ObjectType, Problem, Value

Filters: TypeAlias = Mapping[str, tuple[Value, ...]]
"""By attribute, the values of which it has one; None among them: it may also be unset."""

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,19})").fullmatch
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?").fullmatch
"""As JSON has them: neither `1_0` nor `+1` nor the digits of another script, which Python would all take."""


def parse_filters(object_type: ObjectType, given: Iterable[tuple[str, str]]) -> dict[str, tuple[Value, ...]]:
    """Reads filters: attributes of the object type, each with the values of which it has one.

    A filter that is given several times names alternatives.  An empty one finds what is unset.

    Raises:
        InvalidAttributes: an unknown attribute, or a value that it can never have.
    """
    filters: dict[str, tuple[Value, ...]] = {}
    problems: list[Problem] = []
    for name, text in given:
        attribute = object_type.attributes.get(name)
        if attribute is None:
            known = ", ".join(object_type.attributes)
            problems.append(Problem(name[:64], f"unknown filter; use limit, marker or an attribute: {known}"))
            continue
        try:
            filters[name] = filters.get(name, ()) + _values(attribute, text)
        except Mismatch as mismatch:
            problems.append(Problem(name, attribute.refusal(text, mismatch)))
    if problems:
        raise InvalidAttributes(problems)
    return filters


def _values(attribute: Attribute, text: str) -> tuple[Value, ...]:
    """All values that one text stands for."""
    if text == "":
        return (None, "") if attribute.has_empty_text else (None,)
    return attribute.spellings(attribute.check(_native(attribute, text)))


def _native(attribute: Attribute, text: str) -> Value:
    match attribute.type:
        case AttributeType.INTEGER if _INTEGER(text):
            return int(text)
        case AttributeType.NUMBER if _NUMBER(text):
            return float(text)
        case AttributeType.BOOLEAN if text.lower() in {"true", "false"}:
            return text.lower() == "true"
        case AttributeType.INTEGER | AttributeType.NUMBER | AttributeType.BOOLEAN:
            raise Mismatch
        case _:
            return text
