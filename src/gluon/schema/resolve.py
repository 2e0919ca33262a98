"""Merged objects to ObjectTypes: types and references resolved, every attribute checked.

Belongs here: checks of one object, given the others that it names.  Rules for a proton as a whole
are in `gluon.schema.rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType

from msgspec import structs

from gluon.schema.addresses import ADDRESS_FORMATS
from gluon.schema.attribute import FORMATS, Attribute, AttributeType
from gluon.schema.checks import show
from gluon.schema.declarations import AttributeDeclaration, Place, Properties
from gluon.schema.formats import DEFAULT_INTEGER_FORMAT, INTEGER_RANGES, JSON, Mismatch
from gluon.schema.inheritance import MergedObject
from gluon.schema.resolve_rules import resolve_rules
from gluon.schema.types import ObjectType, Subnet

DEFAULT_LENGTH = 255
"""Length of a string that gives none."""

_MAX_KEY_LENGTH = 255

_OWNERS = {
    "length": (AttributeType.STRING,),
    "references": (AttributeType.STRING,),
    "object_only": (AttributeType.STRING,),
    "repeats": (AttributeType.STRING,),
    "format": (AttributeType.STRING, AttributeType.INTEGER, AttributeType.UUID),
    "address": (AttributeType.STRING,),
    "min": (AttributeType.INTEGER,),
    "max": (AttributeType.INTEGER,),
    "except": (AttributeType.INTEGER,),
    "values": (AttributeType.ENUM,),
}
"""The properties that only some types have."""

_KEY_TYPES = (AttributeType.UUID, AttributeType.STRING, AttributeType.ENUM)


def resolve(merged: Mapping[str, MergedObject]) -> dict[str, ObjectType]:
    """Makes the API objects, each after those that it refers to; checks the base objects as well.

    Raises:
        ModelError: an attribute breaks a rule of the language, or references form a cycle.
    """
    bases = {name: item for name, item in merged.items() if item.api is None}
    resolved: dict[str, ObjectType] = {}
    for name in _order({name: item for name, item in merged.items() if item.api is not None}):
        # A base object is looked at first, so that its mistakes are reported as its own; but
        # one that refers to an API object can only be once that is there.
        _check_bases(bases, merged, resolved)
        resolved[name] = _resolve_object(merged[name], merged, resolved)
    _check_bases(bases, merged, resolved)
    return resolved


def _check_bases(
    unchecked: dict[str, MergedObject], merged: Mapping[str, MergedObject], resolved: Mapping[str, ObjectType]
) -> None:
    for name, item in list(unchecked.items()):
        if _targets(item, merged) <= set(resolved):
            _resolve_attributes(item, merged, resolved)
            del unchecked[name]


def _targets(item: MergedObject, merged: Mapping[str, MergedObject]) -> set[str]:
    """The API objects that an object refers to, right or wrong."""
    named: list[str] = [
        attribute.properties[key]
        for attribute in item.attributes.values()
        for key in ("type", "references")
        if key in attribute.properties
    ]
    return {name for name in named if name in merged and merged[name].api is not None}


def _order(objects: Mapping[str, MergedObject]) -> list[str]:
    graph = {name: sorted(_targets(item, objects), key=list(objects).index) for name, item in objects.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        cycle: list[str] = list(reversed(error.args[1]))
        raise objects[cycle[0]].place.error(
            f"the references {' -> '.join(cycle)} form a cycle; leave one of them out"
        ) from error


def _resolve_object(
    item: MergedObject, merged: Mapping[str, MergedObject], resolved: Mapping[str, ObjectType]
) -> ObjectType:
    attributes = _resolve_attributes(item, merged, resolved)
    primary = [name for name, attribute in attributes.items() if attribute.primary]
    if len(primary) != 1:
        raise item.place.error(f"expected exactly one attribute with primary: true, got {', '.join(primary) or 'none'}")
    if item.api is None:
        raise item.place.error("a base object has no API")
    return ObjectType(
        name=item.name,
        api=item.api,
        base=item.base,
        attributes=MappingProxyType(attributes),
        policies=item.policies,
        subnet=item.subnet,
        rules=resolve_rules(item, attributes),
        description=item.description,
    )


def _resolve_attributes(
    item: MergedObject, merged: Mapping[str, MergedObject], resolved: Mapping[str, ObjectType]
) -> dict[str, Attribute]:
    attributes = {
        name: _with_default(_attribute(declaration, merged, resolved), declaration)
        for name, declaration in item.attributes.items()
    }
    for name, attribute in attributes.items():
        if attribute.default_from:
            _check_default_from(item.attributes[name].place, attribute, attributes)
    if item.subnet is not None:
        _check_subnet(item, item.subnet, attributes)
    resolve_rules(item, attributes)
    return attributes


def _attribute(
    declaration: AttributeDeclaration, merged: Mapping[str, MergedObject], resolved: Mapping[str, ObjectType]
) -> Attribute:
    place, properties = declaration.place, declaration.properties
    type_name: str = properties.get("type", "")
    if type_name in resolved:
        attribute = _reference(declaration, resolved[type_name])
    elif type_name in set(AttributeType):
        attribute = _plain(declaration, AttributeType(type_name), resolved)
    else:
        objects = ", ".join(name for name, item in merged.items() if item.api is not None)
        known = f"{', '.join(AttributeType)}, or an API object ({objects or 'none is defined'})"
        what = "type is missing" if not type_name else f"unknown type {show(type_name)}"
        raise place.error(f"{what}; expected {known}")
    if attribute.primary:
        _check_primary(place, attribute, properties)
        if attribute.type is not AttributeType.UUID or attribute.reference:
            attribute = structs.replace(attribute, required=True)
    if attribute.read_only and (attribute.required or attribute.default_from or attribute.immutable):
        other = "required" if attribute.required else "default_from" if attribute.default_from else "immutable"
        raise place.error(f"read_only and {other} exclude each other: only the server sets it")
    if attribute.added and (attribute.primary or (attribute.required and "default" not in properties)):
        raise place.error(
            "added: an object that was made before has no value; give it a default, or leave required out"
        )
    return attribute


def _flags(declaration: AttributeDeclaration) -> Attribute:
    """The attribute with those properties that any type has."""
    properties = declaration.properties
    return Attribute(
        name=declaration.name,
        type=AttributeType.STRING,
        description=properties.get("description", ""),
        primary=properties.get("primary", False),
        required=properties.get("required", False),
        read_only=properties.get("read_only", False),
        default_from=properties.get("default_from", ""),
        immutable=properties.get("immutable", False),
        added=properties.get("added", False),
    )


def _reference(declaration: AttributeDeclaration, target: ObjectType) -> Attribute:
    for name in _OWNERS:
        if name in declaration.properties:
            raise declaration.place.error(
                f"{name}: a reference has none of its own; it is that of {target.name}'s primary key"
            )
    key = target.primary_key
    return structs.replace(
        _flags(declaration),
        type=key.type,
        reference=target.name,
        length=key.length,
        values=key.values,
        format=key.format,
        address=key.address,
    )


def _plain(declaration: AttributeDeclaration, type_: AttributeType, resolved: Mapping[str, ObjectType]) -> Attribute:
    place, properties = declaration.place, declaration.properties
    for name, owners in _OWNERS.items():
        if name in properties and type_ not in owners:
            raise place.error(f"{name}: only for type {' or '.join(owners)}, and the type is {type_}")
    attribute = structs.replace(_flags(declaration), type=type_, format=_format(place, type_, properties))
    match type_:
        case AttributeType.STRING:
            attribute = _string(place, attribute, properties, resolved)
        case AttributeType.INTEGER:
            _check_bounds(place, properties, attribute.format)
            attribute = structs.replace(
                attribute,
                minimum=properties.get("min"),
                maximum=properties.get("max"),
                excluded=tuple(properties.get("except", ())),
            )
        case AttributeType.ENUM:
            if "values" not in properties:
                raise place.error("an enum without values; expected a list of strings")
            attribute = structs.replace(attribute, values=tuple(properties["values"]))
    return attribute


def _string(
    place: Place, attribute: Attribute, properties: Properties, resolved: Mapping[str, ObjectType]
) -> Attribute:
    attribute = structs.replace(
        attribute,
        length=properties.get("length", DEFAULT_LENGTH),
        address=properties.get("address", ""),
        object_only=properties.get("object_only", False),
        repeats=properties.get("repeats", False),
    )
    if attribute.object_only and attribute.format != JSON:
        raise place.error(f"object_only: only for format {JSON}")
    if attribute.repeats and not attribute.is_list:
        raise place.error(f"repeats: only for a list format ({_list_formats()})")
    if attribute.address and attribute.format not in ADDRESS_FORMATS:
        raise place.error(f"address: only for format {', '.join(ADDRESS_FORMATS)}")
    if "references" not in properties:
        return attribute
    _check_references(place, attribute, properties["references"], resolved)
    return structs.replace(attribute, reference=properties["references"])


def _format(place: Place, type_: AttributeType, properties: Properties) -> str:
    name: str = properties.get("format", DEFAULT_INTEGER_FORMAT if type_ is AttributeType.INTEGER else "")
    if name and name not in FORMATS.get(type_, ()):
        raise place.error(f"unknown format {show(name)} for type {type_}; expected {', '.join(FORMATS[type_])}")
    return name


def _check_bounds(place: Place, properties: Properties, format_name: str) -> None:
    low, high = INTEGER_RANGES[format_name]
    for name in ("min", "max"):
        if name in properties and not low <= properties[name] <= high:
            raise place.error(
                f"{name}: expected an integer {low}..{high} for format {format_name}, got {show(properties[name])}"
            )
    if properties.get("min", low) > properties.get("max", high):
        most = properties.get("max", high)
        raise place.error(f"min: expected an integer of at most {most}, which is max, got {properties.get('min', low)}")


def _list_formats() -> str:
    return ", ".join(name for name in FORMATS[AttributeType.STRING] if name.endswith("-list"))


def _check_references(place: Place, attribute: Attribute, target: str, resolved: Mapping[str, ObjectType]) -> None:
    if not attribute.is_list:
        raise place.error(
            f"references: only for a list format ({_list_formats()}); for a single reference write type: {target}"
        )
    if target not in resolved:
        raise place.error(f"references: unknown object {show(target)}; expected an API object of this model")
    key = resolved[target].primary_key
    wanted = f"{key.format or key.type}-list"
    if attribute.format != wanted:
        raise place.error(
            f"references: the items of format {attribute.format} are no keys of {target}, whose primary key "
            f"{key.name} would need {wanted}"
        )


def _check_primary(place: Place, attribute: Attribute, properties: Properties) -> None:
    if attribute.read_only:
        raise place.error("read_only: a primary key is set by the client or generated")
    if "default" in properties or "default_from" in properties:
        raise place.error("default: a primary key has none, no two objects have the same key")
    if attribute.type not in _KEY_TYPES or attribute.format == JSON or attribute.is_list:
        kind = attribute.format if attribute.type is AttributeType.STRING else attribute.type
        raise place.error(f"primary: expected type uuid, string (one text) or enum, got {kind}")
    if attribute.length is not None and attribute.length > _MAX_KEY_LENGTH:
        raise place.error(f"length: a primary key has at most {_MAX_KEY_LENGTH} characters, got {attribute.length}")


def _with_default(attribute: Attribute, declaration: AttributeDeclaration) -> Attribute:
    default = declaration.properties.get("default")
    if default is None:
        return attribute
    if attribute.default_from:
        raise declaration.place.error("default and default_from exclude each other")
    try:
        return structs.replace(attribute, default=attribute.check(default))
    except Mismatch as mismatch:
        raise declaration.place.error(f"default: {attribute.refusal(default, mismatch)}") from mismatch


def _check_default_from(place: Place, attribute: Attribute, attributes: Mapping[str, Attribute]) -> None:
    source = attributes.get(attribute.default_from)
    if source is None:
        names = ", ".join(sorted(attributes))
        raise place.error(f"default_from: unknown attribute {show(attribute.default_from)}; expected one of {names}")
    if source.read_only:
        raise place.error(f"default_from: {source.name} is read-only, nobody gives it a value")
    if source.type is not attribute.type or (source.format == JSON) is not (attribute.format == JSON):
        raise place.error(
            f"default_from: expected an attribute of type {attribute.type}, {source.name} is of type {source.type}"
            + (f" and format {source.format}" if source.format else "")
        )
    seen = [attribute.name]
    while source is not None and source.default_from:
        seen.append(source.name)
        if source.default_from in seen:
            raise place.error(f"default_from: cycle {' -> '.join([*seen, source.default_from])}")
        source = attributes.get(source.default_from)
    if attribute.default_from == attribute.name:
        raise place.error(f"default_from: cycle {attribute.name} -> {attribute.name}")


_ADDRESS_FORMATS = ("ip", "ipv4", "ipv6")


def _check_subnet(item: MergedObject, subnet: Subnet, attributes: Mapping[str, Attribute]) -> None:
    for role, name in structs.asdict(subnet).items():
        attribute = attributes.get(name)
        if attribute is None:
            names = ", ".join(sorted(attributes))
            raise item.place.error(f"subnet: {role}: unknown attribute {show(name)}; expected one of {names}")
        if attribute.read_only:
            raise item.place.error(f"subnet: {role}: {name} is read-only, nobody gives it a value")
        is_right = attribute.type is AttributeType.INTEGER if role == "prefix" else attribute.format in _ADDRESS_FORMATS
        if not is_right:
            wanted = "type integer" if role == "prefix" else f"format {', '.join(_ADDRESS_FORMATS)}"
            raise item.place.error(f"subnet: {role}: {name} does not fit; expected an attribute of {wanted}")
