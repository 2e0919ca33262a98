"""One attribute of an object: its declaration, and everything that follows from that alone.

Belongs here: properties that need no other attribute and no value of another one.  The checks themselves are in
`gluon.schema.checks`; rules between the attributes of an object are in `gluon.schema.validation`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType

from msgspec import Struct

from gluon.schema import checks
from gluon.schema.checks import Check, Value
from gluon.schema.formats import INTEGER_RANGES, JSON, TEXT_FORMATS, UUID, Mismatch


class AttributeType(enum.StrEnum):
    """The type of an attribute's value.

    A reference to another API object has the type of that object's primary key.
    """

    INTEGER = "integer"
    NUMBER = "number"
    STRING = "string"
    BOOLEAN = "boolean"
    UUID = "uuid"
    ENUM = "enum"


FORMATS: Mapping[AttributeType, tuple[str, ...]] = MappingProxyType(
    {
        AttributeType.INTEGER: tuple(INTEGER_RANGES),
        AttributeType.STRING: (JSON, *TEXT_FORMATS),
    }
)
"""The formats of each type; a type that isn't here has none."""


# `dict=True` gives an attribute room for what `cached_property` works out.  The alternative, a cache
# beside it keyed by `id()`, would have to keep the attribute alive and to be emptied by somebody.
class Attribute(Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """One attribute of an API object, base objects merged in.

    The fields are what the server serves to clients (`gluon.contract.rest.Resource`), so a field
    renamed here is a change of the REST API; the properties follow from them.
    """

    name: str
    type: AttributeType
    description: str = ""
    primary: bool = False
    """The object's key: settable at create only; a `uuid` left out is generated."""
    required: bool = False
    """Must have a value.  The loader sets it for a primary key that isn't generated, too."""
    read_only: bool = False
    """Only the server sets it; a request that names it is refused."""
    reference: str = ""
    """The API object (same proton) whose key this value is; for a list format, each item is."""
    length: int | None = None
    """Longest value in characters (of a `json` value: of its compact text)."""
    values: tuple[str, ...] = ()
    """The values of an enum, in the model's order."""
    format: str = ""
    """Empty, or one of `FORMATS` for this type."""
    minimum: int | None = None
    maximum: int | None = None
    default: Value = None
    default_from: str = ""
    """The attribute whose value is the default of this one."""

    @cached_property
    def is_list(self) -> bool:
        """Whether the value is a comma-separated list."""
        return self.format.endswith("-list")

    @property
    def is_generated(self) -> bool:
        """Whether the server generates the value when a create leaves it out.

        It does for a primary key that is a plain `uuid`; not for one that the model requires, nor
        for one that refers to another object.
        """
        return self.primary and self.type is AttributeType.UUID and not self.required and not self.reference

    @property
    def must_be_given(self) -> bool:
        """Whether a create without it is refused, since nothing else gives it a value."""
        return self.never_null and not self.is_generated

    @property
    def never_null(self) -> bool:
        """Whether it can't be null.  An attribute with a default can: the default takes the place of null."""
        return (self.required or self.primary) and self.default is None and not self.default_from

    @property
    def integer_range(self) -> tuple[int, int]:
        """Smallest and largest value of an integer."""
        low, high = INTEGER_RANGES[self.format]
        return (
            low if self.minimum is None else max(low, self.minimum),
            high if self.maximum is None else min(high, self.maximum),
        )

    @cached_property
    def expected(self) -> str:
        """The accepted values, to complete `expected ...`; also fit for a help text."""
        match self.type:
            case AttributeType.INTEGER:
                low, high = self.integer_range
                return f"an integer {low}..{high}"
            case AttributeType.NUMBER:
                return "a finite number"
            case AttributeType.BOOLEAN:
                return "true or false"
            case AttributeType.UUID:
                return UUID.expected
            case AttributeType.ENUM:
                return f"one of {', '.join(self.values)}"
            case AttributeType.STRING:
                return self._expected_text

    @property
    def _expected_text(self) -> str:
        if self.format == JSON:
            return f"a JSON object, list, number or boolean of at most {self.length} characters"
        if self.format:
            return TEXT_FORMATS[self.format].expected
        return f"text of at most {self.length} characters"

    @cached_property
    def check(self) -> Check:
        """Checks a value and gives its canonical form; raises `Mismatch`.  Compiled once, for speed."""
        check = self._check_by_type()
        # A UUID is a good key as it is.
        return checks.key_check(check) if self.primary and self.type is not AttributeType.UUID else check

    def _check_by_type(self) -> Check:
        match self.type:
            case AttributeType.INTEGER:
                return checks.integer_check(*self.integer_range)
            case AttributeType.NUMBER:
                return checks.check_number
            case AttributeType.BOOLEAN:
                return checks.check_boolean
            case AttributeType.UUID:
                return checks.check_uuid
            case AttributeType.ENUM:
                return checks.enum_check(frozenset(self.values))
            case AttributeType.STRING:
                return self._string_check()

    def _string_check(self) -> Check:
        if self.length is None:
            raise ValueError(f"string attribute {self.name} has no length; build it with parse_proton")
        if self.format == JSON:
            return checks.json_check(self.length)
        if self.format:
            return checks.format_check(TEXT_FORMATS[self.format].canonical, self.length)
        return checks.text_check(self.length)

    def refusal(self, value: object, mismatch: Mismatch) -> str:
        """A sentence for a value that `check` refused; it says what was expected and what was given."""
        return checks.refusal(self.expected, value, mismatch)

    def items(self, value: Value) -> tuple[str, ...]:
        """The items of a list, or a single value as text; none where nothing is set.

        For a reference these are the keys of the objects that it names.
        """
        if value is None or value == "":
            return ()
        return tuple(str(value).split(",")) if self.is_list else (str(value),)
