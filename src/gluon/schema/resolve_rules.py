"""An object's rules: each against the attributes that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gluon.schema.attribute import Attribute, AttributeType
from gluon.schema.checks import show
from gluon.schema.declarations import Properties, RuleDeclaration
from gluon.schema.formats import JSON
from gluon.schema.inheritance import MergedObject
from gluon.schema.object_rules import CountsDown, Different, Range, Rule, SameFamily, Unique

_ADDRESS_FORMATS = ("ip", "ipv4", "ipv6")


def resolve_rules(item: MergedObject, attributes: Mapping[str, Attribute]) -> tuple[Rule, ...]:
    """Makes the rules, and checks that they can be judged.

    Raises:
        ModelError: names the rule, and what is wrong with the attribute that it names.
    """
    return tuple(_rule(item, declaration, attributes) for declaration in item.rules.values())


class _Named:
    """The attributes that one rule names."""

    def __init__(self, declaration: RuleDeclaration, attributes: Mapping[str, Attribute]) -> None:
        self._declaration = declaration
        self._attributes = attributes

    def get(self, name: str, fits: Callable[[Attribute], bool], expected: str) -> Attribute:
        attribute = self._attributes.get(name)
        where = f"rules: {self._declaration.name}"
        if attribute is None:
            known = ", ".join(sorted(self._attributes))
            raise self._declaration.place.error(f"{where}: unknown attribute {show(name)}; expected one of {known}")
        if attribute.read_only:
            raise self._declaration.place.error(f"{where}: {name} is read-only, nobody gives it a value")
        if not fits(attribute):
            raise self._declaration.place.error(f"{where}: {name} does not fit; expected {expected}")
        return attribute

    def all(self, names: Iterable[str], fits: Callable[[Attribute], bool], expected: str) -> tuple[str, ...]:
        return tuple(self.get(name, fits, expected).name for name in names)


def _rule(item: MergedObject, declaration: RuleDeclaration, attributes: Mapping[str, Attribute]) -> Rule:
    properties: Properties = declaration.properties or {}
    named = _Named(declaration, attributes)
    shared: dict[str, Any] = {"name": declaration.name, "source": properties.get("source", "").strip()}
    if "unique" in properties:
        unique = named.all(properties["unique"], _has_one_value, "attributes of one value, no list and no JSON")
        unless = properties.get("unless", "")
        if unless:
            named.get(unless, _is_boolean, "unless to name a boolean")
        return Unique(unique=unique, unless=unless, nulls_equal=tuple(properties.get("nulls_equal", ())), **shared)
    if "different" in properties:
        different = named.all(properties["different"], _has_one_value, "attributes of one value, no list and no JSON")
        kinds = {(attributes[name].type, attributes[name].format) for name in different}
        if len({type_ for type_, _ in kinds}) > 1:
            several = ", ".join(different)
            raise declaration.place.error(
                f"rules: {declaration.name}: different: {several} are of several types; expected attributes of one type"
            )
        return Different(different=different, **shared)
    if "same_family" in properties:
        same = named.all(properties["same_family"], _is_address, f"attributes of format {', '.join(_ADDRESS_FORMATS)}")
        return SameFamily(same_family=same, **shared)
    if "counts_down" in properties:
        attribute = named.get(properties["counts_down"], _is_integer, "counts_down to name an integer")
        along = named.get(properties["along"], _is_list, "along to name a list")
        return CountsDown(attribute=attribute.name, along=along.name, **shared)
    return _range(item, declaration, named, shared)


def _range(item: MergedObject, declaration: RuleDeclaration, named: _Named, shared: Mapping[str, Any]) -> Range:
    properties: Properties = declaration.properties or {}
    attribute = named.get(properties["range"], _is_integer, "range to name an integer")
    by = named.get(properties["by"], _is_enum, "by to name an enum")
    ranges = dict(properties["values"])
    # An inherited rule may know more values than an enum that is given again has left.
    own = declaration.place.object_name == item.name
    for value, bounds in properties["values"].items():
        if value not in by.values:
            if own:
                raise declaration.place.error(
                    f"rules: {declaration.name}: values: {by.name} has no value {show(value)}; "
                    f"expected {', '.join(by.values)}"
                )
            del ranges[value]
            continue
        low, high = attribute.integer_range
        if own and not (low <= bounds[0] and bounds[1] <= high):
            raise declaration.place.error(
                f"rules: {declaration.name}: values: {value}: expected a range in {low}..{high}, as {attribute.name} "
                f"has it; got {bounds[0]}..{bounds[1]}"
            )
    return Range(attribute=attribute.name, by=by.name, ranges=ranges, **shared)


def _has_one_value(attribute: Attribute) -> bool:
    return not attribute.is_list and attribute.format != JSON


def _is_list(attribute: Attribute) -> bool:
    return attribute.is_list


def _is_boolean(attribute: Attribute) -> bool:
    return attribute.type is AttributeType.BOOLEAN


def _is_integer(attribute: Attribute) -> bool:
    return attribute.type is AttributeType.INTEGER


def _is_enum(attribute: Attribute) -> bool:
    return attribute.type is AttributeType.ENUM


def _is_address(attribute: Attribute) -> bool:
    return attribute.type is AttributeType.STRING and attribute.format in _ADDRESS_FORMATS
