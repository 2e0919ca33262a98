"""Refuses objects that are too large for what becomes of them later, while their author is there to be told."""

from __future__ import annotations

from collections.abc import Mapping

from gluon.contract.records import LARGEST_OBJECT, recorded_size
from gluon.schema import InvalidAttributes, ObjectType, Problem, Value


def refuse_too_large(object_type: ObjectType, attributes: Mapping[str, Value]) -> None:
    """Looks whether a controller can record the object.

    Raises:
        InvalidAttributes: it can't; names the attribute that takes the most.
    """
    sizes = recorded_size(object_type, attributes)
    size = sum(sizes.values())
    if size > LARGEST_OBJECT:
        name = max(sizes, key=lambda each: sizes[each])
        raise InvalidAttributes(
            [
                Problem(
                    name,
                    f"too large: it takes {sizes[name]} of the object's {size} bytes, and a controller can record "
                    f"{LARGEST_OBJECT}; make it smaller",
                )
            ]
        )
