"""Objects with everything that they inherit merged in.

Belongs here: `extends`, and how an attribute given again changes the inherited one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gluon.schema.checks import show
from gluon.schema.declarations import AttributeDeclaration, ObjectDeclaration, Place, Properties, RuleDeclaration
from gluon.schema.types import Api, Base, Policies, Subnet

_KEPT_ON_TYPE_CHANGE = ("description", "primary", "required", "read_only", "immutable", "added")
"""The properties that an attribute keeps when its type is overridden."""

_EXCLUSIVE = {"default": "default_from", "default_from": "default"}


class MergedObject(Struct, frozen=True):
    """An object as declared, everything inherited included."""

    name: str
    place: Place
    api: Api | None
    base: Base
    description: str
    attributes: Mapping[str, AttributeDeclaration]
    policies: Policies
    subnet: Subnet | None
    rules: Mapping[str, RuleDeclaration]


def merge(declarations: Mapping[str, ObjectDeclaration]) -> dict[str, MergedObject]:
    """Resolves `extends` of every object, base objects included.

    Raises:
        ModelError: extends names no base object, or a cycle.
    """
    return {name: _merge(_lineage(declarations, declaration)) for name, declaration in declarations.items()}


def _lineage(declarations: Mapping[str, ObjectDeclaration], declaration: ObjectDeclaration) -> list[ObjectDeclaration]:
    """The object and all that it extends, the root first."""
    lineage = {declaration.name: declaration}
    while declaration.extends:
        base = declarations.get(declaration.extends)
        if base is None or base.api is not None:
            bases = ", ".join(name for name, other in declarations.items() if other.api is None) or "none is defined"
            problem = "does not exist" if base is None else "is an API object"
            raise declaration.place.error(
                f"extends: {show(declaration.extends)} {problem}; expected a base object: {bases}"
            )
        if base.name in lineage:
            raise next(iter(lineage.values())).place.error(f"extends: cycle {' -> '.join([*lineage, base.name])}")
        lineage[base.name] = declaration = base
    return list(reversed(lineage.values()))


def _merge(lineage: list[ObjectDeclaration]) -> MergedObject:
    own = lineage[-1]
    attributes: dict[str, AttributeDeclaration] = {}
    policies: dict[str, str] = {}
    subnet = None
    rules: dict[str, RuleDeclaration] = {}
    for declaration in lineage:
        for name, attribute in declaration.attributes.items():
            inherited = attributes[name].properties if name in attributes else {}
            properties = _override(inherited, attribute.properties)
            attributes[name] = AttributeDeclaration(name, attribute.place, properties)
        policies.update(declaration.policies)
        subnet = declaration.subnet or subnet
        _merge_rules(rules, declaration)
    return MergedObject(
        name=own.name,
        place=own.place,
        api=own.api,
        base=_base(lineage),
        description=own.description,
        attributes=attributes,
        policies=Policies(**policies),
        subnet=subnet,
        rules=rules,
    )


def _merge_rules(rules: dict[str, RuleDeclaration], declaration: ObjectDeclaration) -> None:
    for name, rule in declaration.rules.items():
        if rule.properties is not None:
            rules[name] = rule
        elif rules.pop(name, None) is None:
            raise rule.place.error(f"rules: {name}: there is no such rule to drop; {_inherited(rules)}")


def _inherited(rules: Mapping[str, RuleDeclaration]) -> str:
    return f"inherited are {', '.join(rules)}" if rules else "none is inherited"


def _override(inherited: Properties, own: Properties) -> dict[str, Any]:
    kept = dict(inherited)
    if "type" in own and own["type"] != inherited.get("type"):
        kept = {key: value for key, value in inherited.items() if key in _KEPT_ON_TYPE_CHANGE}
    elif own.get("format", inherited.get("format")) != inherited.get("format"):
        kept.pop("address", None)  # It was said of the other format.
    for key, other in _EXCLUSIVE.items():
        if key in own:
            kept.pop(other, None)
    return {**kept, **own}


def _base(lineage: list[ObjectDeclaration]) -> Base:
    special = {str(base): base for base in Base if base is not Base.OBJECT}
    extended = (declaration.name for declaration in reversed(lineage[:-1]))
    return next((special[name] for name in extended if name in special), Base.OBJECT)
