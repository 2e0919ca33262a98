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

from gluon.schema import addresses, checks
from gluon.schema.checks import Check, Value
from gluon.schema.formats import (
    INTEGER_RANGES,
    JSON,
    PROJECT_ID,
    REPEATING,
    TEXT_FORMATS,
    UUID,
    Mismatch,
    project_id,
    project_id_spellings,
)


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
        AttributeType.UUID: (PROJECT_ID,),
    }
)
"""The formats of each type; a type that isn't here has none."""


_UUID_LENGTH = 36


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
    excluded: tuple[int, ...] = ()
    """Integers of its range that it does not take, since they are reserved."""
    default: Value = None
    default_from: str = ""
    """The attribute whose value is the default of this one."""
    address: str = ""
    """The kind of address that it takes, one of `gluon.schema.addresses.KINDS`; empty: any that the format takes."""
    object_only: bool = False
    """Of a `json` value: only an object will do."""
    repeats: bool = False
    """Of a list: an item may stand in it more than once."""
    immutable: bool = False
    """Given at create, and the same from then on."""
    added: bool = False
    """Came later than its object: objects made before have its default, or null."""

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
    def accepted(self) -> str:
        """The same with the kind of address, for help texts; a refusal says the kind that it got."""
        excluded = f"not {', '.join(map(str, self.excluded))}" if self.excluded else ""
        return ", ".join(part for part in (self.expected, excluded, self.kind_of_address) if part)

    @property
    def kind_of_address(self) -> str:
        """The kind of address that it takes, for help texts; empty: any."""
        return addresses.expected(self.address, self.format) if self.address else ""

    @property
    def _expected_text(self) -> str:
        if self.object_only:
            return f"a JSON object of at most {self.length} characters"
        if self.format == JSON:
            return f"a JSON object, list, number or boolean of at most {self.length} characters"
        if self.format:
            return TEXT_FORMATS[self.format].expected
        return f"text of at most {self.length} characters"

    @cached_property
    def has_empty_text(self) -> bool:
        """Whether the empty string is a value; everywhere else it means null, if it means anything."""
        return self.type is AttributeType.STRING and not self.format and not self.reference

    @cached_property
    def check(self) -> Check:
        """Checks a value and gives its canonical form; raises `Mismatch`.  Compiled once, for speed.

        The form of an empty string is None, for every type whose values are text but none is empty.
        """
        check = self._check_by_type()
        if self.primary:
            # A UUID is a good key as it is.
            return check if self.type is AttributeType.UUID else checks.key_check(check)
        return checks.check_or_empty(check) if self._empty_is_null else check

    @property
    def _empty_is_null(self) -> bool:
        text = (AttributeType.UUID, AttributeType.ENUM, AttributeType.STRING)
        return self.type in text and not self.has_empty_text

    def spellings(self, value: Value) -> tuple[Value, ...]:
        """All values that mean the same as a canonical one: that alone, but for a project id."""
        if self.format == PROJECT_ID and isinstance(value, str):
            return project_id_spellings(value)
        return (value,)

    def _check_by_type(self) -> Check:
        match self.type:
            case AttributeType.INTEGER:
                return checks.integer_check(*self.integer_range, self.excluded)
            case AttributeType.NUMBER:
                return checks.check_number
            case AttributeType.BOOLEAN:
                return checks.check_boolean
            case AttributeType.UUID:
                return checks.format_check(project_id, _UUID_LENGTH) if self.format else checks.check_uuid
            case AttributeType.ENUM:
                return checks.enum_check(frozenset(self.values))
            case AttributeType.STRING:
                return self._string_check()

    def _string_check(self) -> Check:
        if self.length is None:
            raise ValueError(f"string attribute {self.name} has no length; build it with parse_proton")
        if self.format == JSON:
            return checks.json_check(self.length, only_objects=self.object_only)
        if not self.format:
            return checks.text_check(self.length)
        canonical = (REPEATING if self.repeats else TEXT_FORMATS)[self.format].canonical
        if not self.address:
            return checks.format_check(canonical, self.length)
        kind = addresses.address_check(self.address, self.format)
        return checks.format_check(addresses.spelling(self.address, self.format) or canonical, self.length, kind)

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
