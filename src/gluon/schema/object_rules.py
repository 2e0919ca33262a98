"""The rules between the attributes of an object, and between the objects of one type.

Belongs here: what each kind of rule means, its sentence, and its judgement of one object.  Which other object has
the same values is asked of the database, in `gluon.proton.service.uniqueness`, and of a shim's state, in
`gluon.shim.plan.uniqueness`.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from gluon.schema.checks import Value, show
from gluon.schema.errors import Problem
from gluon.schema.formats import address_number
from gluon.schema.subnets import FAMILIES


class Rule(Struct, frozen=True, kw_only=True):
    """One entry of an object's `rules`."""

    name: str
    source: str = ""
    """The standard or the practice that it comes from."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that it is about; a change of one of them is judged by it."""
        raise NotImplementedError

    @property
    def sentence(self) -> str:
        """The rule, for people."""
        raise NotImplementedError

    def problems(self, values: Mapping[str, Value]) -> list[Problem]:
        """What one object, all of whose attributes are given, does wrong; empty: nothing."""
        del values
        return []


class Unique(Rule, frozen=True, kw_only=True):
    """No two objects have the same values in all of these attributes.

    An object in which one of them is not set has nothing in common with any other, as in SQL.
    """

    unique: tuple[str, ...]
    unless: str = ""
    """A boolean attribute: objects in all of which it is true may have the same values."""
    nulls_equal: tuple[str, ...] = ()
    """Those of the attributes for which not being set is a value as any other (SQL's NULLS NOT DISTINCT)."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """Those of the values, and the one that makes the exception."""
        return (*self.unique, self.unless) if self.unless else self.unique

    @property
    def sentence(self) -> str:
        """The rule, for people."""
        exception = f", unless {self.unless} is true in all of them" if self.unless else ""
        nulls = f"; an unset {_listed(self.nulls_equal, 'or')} counts as a value" if self.nulls_equal else ""
        return f"no two have the same {_listed(self.unique)}{exception}{nulls}"

    @property
    def words(self) -> str:
        """The attributes, for people."""
        return _listed(self.unique)

    def claim(self, values: Mapping[str, Value]) -> tuple[Value, ...] | None:
        """What an object has so that no other can have it as well.

        Plain text may be empty, which is as good as unset.

        Returns:
            The values in the order of the attributes, None for one that is unset and counts as a value; None where the
            object is like no other.
        """
        found: list[Value] = []
        for name in self.unique:
            value = values.get(name)
            if value is None or value == "":
                if name not in self.nulls_equal:
                    return None
                value = None
            found.append(value)
        return tuple(found)

    def is_excepted(self, values: Mapping[str, Value]) -> bool:
        """Whether the object may have what others have of which this is true as well."""
        return bool(self.unless) and values.get(self.unless) is True


class Range(Rule, frozen=True, kw_only=True):
    """The range of an integer depends on the value of an enum."""

    attribute: str
    by: str
    ranges: Mapping[str, tuple[int, int]]
    """Smallest and largest value, by the enum's value; one that isn't here has no range of its own."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """The integer and the enum."""
        return (self.attribute, self.by)

    @property
    def sentence(self) -> str:
        """The rule, for people."""
        ranges = "; ".join(f"{value}: {_range(*bounds)}" for value, bounds in self.ranges.items())
        return f"{self.attribute} by {self.by}: {ranges}"

    def problems(self, values: Mapping[str, Value]) -> list[Problem]:
        """An integer outside its range."""
        value, by = values[self.attribute], values[self.by]
        bounds = self.ranges.get(by) if isinstance(by, str) else None
        if bounds is None or not isinstance(value, int) or bounds[0] <= value <= bounds[1]:
            return []
        expected = f"{bounds[0]}" if bounds[0] == bounds[1] else f"an integer {_range(*bounds)}"
        return [Problem(self.attribute, f"expected {expected} where {self.by} is {by}, got {value}")]


class Different(Rule, frozen=True, kw_only=True):
    """These attributes have different values, as far as they are set."""

    different: tuple[str, ...]

    @property
    def attributes(self) -> tuple[str, ...]:
        """All of them."""
        return self.different

    @property
    def sentence(self) -> str:
        """The rule, for people."""
        return f"{_listed(self.different)} are different"

    def problems(self, values: Mapping[str, Value]) -> list[Problem]:
        """The second one of two that are equal."""
        seen: dict[str, str] = {}
        for name in self.different:
            value = values[name]
            if value is None or value == "":
                continue
            other = seen.setdefault(str(value), name)
            if other != name:
                return [Problem(name, f"expected another value than that of {other}, got {show(value)} for both")]
        return []


class SameFamily(Rule, frozen=True, kw_only=True):
    """These addresses are all IPv4 or all IPv6, as far as they are set."""

    same_family: tuple[str, ...]

    @property
    def attributes(self) -> tuple[str, ...]:
        """All of them."""
        return self.same_family

    @property
    def sentence(self) -> str:
        """The rule, for people."""
        return f"{_listed(self.same_family)} are of one family, IPv4 or IPv6"

    def problems(self, values: Mapping[str, Value]) -> list[Problem]:
        """The first one that is of another family than those before it."""
        given = [(name, str(values[name])) for name in self.same_family if values[name] is not None]
        for name, address in given[1:]:
            first, other = given[0]
            bits = address_number(other)[0]
            if address_number(address)[0] != bits:
                return [Problem(name, f"expected an {FAMILIES[bits]} address as {first} is, got {show(address)}")]
        return []


class CountsDown(Rule, frozen=True, kw_only=True):
    """An integer that is counted down by one at each item of a list reaches the last item above zero."""

    attribute: str
    along: str

    @property
    def attributes(self) -> tuple[str, ...]:
        """The integer and the list."""
        return (self.attribute, self.along)

    @property
    def sentence(self) -> str:
        """The rule, for people."""
        return f"{self.attribute} is at least the number of items of {self.along}, at each of which it is counted down"

    def problems(self, values: Mapping[str, Value]) -> list[Problem]:
        """An integer that is used up before the last item."""
        value, items = values[self.attribute], values[self.along]
        count = len(items.split(",")) if isinstance(items, str) and items else 0
        if not isinstance(value, int) or value >= count:
            return []
        return [Problem(self.attribute, f"expected at least {count}, one for each item of {self.along}, got {value}")]


def _range(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low}..{high}"


def _listed(names: tuple[str, ...], last: str = "and") -> str:
    return f" {last} ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]
