"""Which attributes a table shows, and how a value reads in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gluon.contract.rest import Resource
from gluon.schema import META_ATTRIBUTES, Attribute, Value
from gluon.sdk import UsageError
from gluon.terminal import escaped

SHORT = 5
"""Columns of a list unless more are asked for: about what a terminal has room for."""

NATIVE_FORMATS = ("json", "yaml")
"""Output formats that keep JSON's native types."""


def all_columns(resource: Resource) -> list[str]:
    """The key, then every attribute in the model's order, then those that the server adds."""
    attributes = sorted(resource.attributes, key=lambda a: not a.primary)
    return [*(a.name for a in attributes), *META_ATTRIBUTES]


def short_columns(resource: Resource) -> list[str]:
    """The most telling attributes: those that identify an object, then those that tell it from others.

    The key; the name; attributes that must be given or name other objects; the state that the
    server reports; attributes without a default; the rest.  The tenant comes last, since a list
    mostly holds one tenant's objects, and JSON values never, since they are too wide.
    """
    candidates = [a for a in resource.attributes if a.format != "json"]
    return [a.name for a in sorted(candidates, key=_rank)[:SHORT]]


def _rank(attribute: Attribute) -> int:
    order = (
        attribute.primary,
        attribute.name == "name",
        attribute.name != "tenant_id" and (attribute.required or bool(attribute.reference)),
        attribute.read_only,
        attribute.name != "tenant_id" and attribute.default is None,
        attribute.name != "tenant_id",
    )
    return order.index(True) if True in order else len(order)


def check_columns(names: Sequence[str], known: Sequence[str]) -> None:
    """Refuses columns that don't exist.

    Raises:
        UsageError: names the first unknown one, and lists those there are.
    """
    for name in names:
        if name not in known:
            raise UsageError(f"no column {name!r}; there are {', '.join(known)}")


def row(attributes: Mapping[str, Value], columns: Sequence[str], output_format: str) -> tuple[Value, ...]:
    """One object's values for those columns, as the output format wants them."""
    values = (attributes.get(name) for name in columns)
    if output_format in NATIVE_FORMATS:
        return tuple(values)
    # A shell is given the text itself; its formatter quotes it.
    shown = map(cell, values) if output_format == "shell" else (escaped_cell(cell(value)) for value in values)
    return tuple(shown)


def escaped_cell(value: str | float) -> str | int | float:
    """A cell that stays on its line and can't act on a terminal."""
    return escaped(value) if isinstance(value, str) else value


def cell(value: Value) -> str | int | float:
    """A value in a table: empty for null, JSON text unless it is a text or a number."""
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        return msgspec.json.encode(value).decode()
    return value


def sort_rows(objects: list[dict[str, Value]], names: Sequence[str], *, descending: bool) -> None:
    """Sorts in place by those attributes, the first one first; null before anything else."""
    for name in reversed(names):
        objects.sort(key=lambda o: _sort_key(o.get(name)), reverse=descending)


def _sort_key(value: Value) -> tuple[bool, float, str]:
    number = value if isinstance(value, int | float) else 0
    return value is not None, number, value if isinstance(value, str) else str(cell(value))
