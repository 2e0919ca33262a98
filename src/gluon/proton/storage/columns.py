"""From attributes to columns."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Dialect, Double, Integer, String, Text, TypeDecorator
from sqlalchemy.types import TypeEngine

from gluon.schema import Attribute, AttributeType, Value

UUID_LENGTH = 36
TIME_LENGTH = 27
"""`2026-01-31T12:00:00.000000Z`.  Kept as text: the same in every database, and sorted by time."""
DEFAULT_LENGTH = 255

ID = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself for INTEGER only; its INTEGER has 64 bits."""

ADDED = "added"
"""In a column's `info`: whether the attribute came later than its object, so that a table may lack it."""

_encoder = msgspec.json.Encoder(order="deterministic")


class JsonText(TypeDecorator[Value]):
    """Any JSON value as its compact text, members sorted, so that equal values are equal text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Value, dialect: Dialect) -> str | None:
        """Encodes; null stays NULL."""
        del dialect
        return None if value is None else _encoder.encode(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Value:
        """Decodes."""
        del dialect
        decoded: Value = None if value is None else msgspec.json.decode(value)
        return decoded

    @property
    def python_type(self) -> type[Any]:
        """That of the column."""
        return str


def column_type(attribute: Attribute) -> TypeEngine[Any]:  # noqa: PLR0911 - one line a type
    """The SQL type that holds every value the attribute allows."""
    match attribute.type:
        case AttributeType.INTEGER:
            return BigInteger()
        case AttributeType.NUMBER:
            return Double()
        case AttributeType.BOOLEAN:
            return Boolean()
        case AttributeType.UUID:
            return String(UUID_LENGTH)
        case AttributeType.ENUM:
            return String(max(map(len, attribute.values)))
        case AttributeType.STRING if attribute.format == "json":
            return JsonText()
        case AttributeType.STRING:
            return String(attribute.length or DEFAULT_LENGTH)


def column(attribute: Attribute) -> Column[Any]:
    """The attribute's column, without its foreign key."""
    return Column(
        attribute.name,
        column_type(attribute),
        info={ADDED: True} if attribute.added else {},
        primary_key=attribute.primary,
        nullable=not (attribute.primary or (attribute.required and not attribute.added)),
        index=bool(attribute.reference) and not attribute.is_list and not attribute.primary,
    )
