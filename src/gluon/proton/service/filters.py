"""The attribute filters of a list, from the text of a query."""

from __future__ import annotations

from collections.abc import Iterable

from gluon.schema import Attribute, AttributeType, InvalidAttributes, Mismatch, ObjectType, Problem, Value


def parse_filters(object_type: ObjectType, given: Iterable[tuple[str, str]]) -> dict[str, Value]:
    """Reads filters: attributes of the object type, each with the value that it must equal.

    Raises:
        InvalidAttributes: an unknown attribute, one that is given twice, or a value that it can
            never have.
    """
    filters: dict[str, Value] = {}
    problems: list[Problem] = []
    for name, text in given:
        attribute = object_type.attributes.get(name)
        if attribute is None:
            known = ", ".join(object_type.attributes)
            problems.append(Problem(name[:64], f"unknown filter; use limit, marker or an attribute: {known}"))
        elif name in filters:
            problems.append(Problem(name, "given twice; give one value"))
        else:
            try:
                filters[name] = attribute.check(_native(attribute, text))
            except Mismatch as mismatch:
                problems.append(Problem(name, attribute.refusal(text, mismatch)))
    if problems:
        raise InvalidAttributes(problems)
    return filters


def _native(attribute: Attribute, text: str) -> Value:
    try:
        match attribute.type:
            case AttributeType.INTEGER:
                return int(text)
            case AttributeType.NUMBER:
                return float(text)
            case AttributeType.BOOLEAN:
                return {"true": True, "false": False}[text.lower()]
            case _:
                return text
    except (ValueError, KeyError) as error:
        raise Mismatch from error
