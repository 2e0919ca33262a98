"""One model file as it is written: its sections checked one by one, nothing merged yet.

Belongs here: checks that need nothing but the file itself.  Inheritance, references and rules
for a whole proton are in `gluon.schema.resolve` and `gluon.schema.rules`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from msgspec import Struct, structs

from gluon.schema.addresses import KINDS
from gluon.schema.checks import show
from gluon.schema.document import Section, load
from gluon.schema.errors import ModelError
from gluon.schema.types import META_ATTRIBUTES, Api, Info, Policies, Subnet

FILE_VERSION = "1.0"
"""The version of the modelling language that this package reads."""

MAX_LENGTH = 65_535
"""Largest `length` of a string attribute."""

Properties: TypeAlias = Mapping[str, Any]
"""The properties that a model gives one attribute, by name; each is of the right type."""

_API_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}").fullmatch
_OBJECT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}").fullmatch
_VERSION = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4})*").fullmatch
_IMPORT = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*/)*[A-Za-z0-9_][A-Za-z0-9._-]*").fullmatch


class Place(Struct, frozen=True):
    """A place in a model, for messages."""

    file: str
    line: int | None = None
    object_name: str = ""
    attribute: str = ""

    def error(self, message: str) -> ModelError:
        """An error that names this place."""
        return ModelError(
            message, file=self.file, line=self.line, object_name=self.object_name, attribute=self.attribute
        )

    def at(self, section: Mapping[str, Any], key: str) -> Place:
        """The same place, at the line of one of the section's keys."""
        line = section.lines.get(key, self.line) if isinstance(section, Section) else self.line
        return structs.replace(self, line=line)


class AttributeDeclaration(Struct, frozen=True):
    """One attribute of one object, as written."""

    name: str
    place: Place
    properties: Properties


class RuleDeclaration(Struct, frozen=True):
    """One of an object's rules, as written."""

    name: str
    place: Place
    properties: Properties | None
    """None: the inherited rule of this name is dropped."""


class ObjectDeclaration(Struct, frozen=True):
    """One object, as written.  Without `api` it is a base object."""

    name: str
    place: Place
    api: Api | None
    extends: str
    description: str
    attributes: Mapping[str, AttributeDeclaration]
    policies: Mapping[str, str]
    subnet: Subnet | None
    rules: Mapping[str, RuleDeclaration]


class ModelFile(Struct, frozen=True):
    """One file, as written."""

    name: str
    imports: tuple[str, ...]
    info: Info | None
    objects: Mapping[str, ObjectDeclaration]


def read_file(name: str, text: str) -> ModelFile:
    """Reads one file of a model, a proton's own or an imported one.

    Raises:
        ModelError: the text is not YAML, or a section breaks a rule of the language.
    """
    return read_document(name, load(name, text))


def read_document(name: str, value: Any) -> ModelFile:
    """Reads one file of a model whose YAML is read.

    Raises:
        ModelError: a section breaks a rule of the language.
    """
    place = Place(name)
    document = _section(place, "a model", value)
    _known(place, document, "top-level key", ("file_version", "imports", "info", "objects"))
    version = document.get("file_version")
    if version != FILE_VERSION:
        raise place.at(document, "file_version").error(
            f'file_version: expected "{FILE_VERSION}", quotes included, got {show(version)}'
        )
    objects = _section(place.at(document, "objects"), "objects", document.get("objects", Section()))
    return ModelFile(
        name=name,
        imports=_read_imports(place.at(document, "imports"), document.get("imports", [])),
        info=_read_info(place.at(document, "info"), document["info"]) if "info" in document else None,
        objects={key: _read_object(place.at(objects, key), key, objects[key]) for key in objects},
    )


def _read_imports(place: Place, value: Any) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    for name in names:
        if not isinstance(name, str) or not _IMPORT(name):
            raise place.error(f"imports: expected a file name such as base.yaml, or a list of them, got {show(name)}")
    return tuple(names)


def _read_info(place: Place, value: Any) -> Info:
    info = _section(place, "info", value)
    _known(place, info, "property of info", ("name", "version", "description", "author"))
    name, version = info.get("name"), info.get("version")
    _require_name(place.at(info, "name"), "info: name", name, api=True)
    if not isinstance(version, str) or not _VERSION(version):
        number = f'; without quotes it is a number, write version: "{version}"' if _is_number(version) else ""
        raise place.at(info, "version").error(
            f'info: version: expected digits and dots in quotes, such as "1.0", got {show(version)}{number}'
        )
    author = _section(place.at(info, "author"), "author", info.get("author", Section()))
    _known(place.at(info, "author"), author, "property of author", ("name", "url", "email"))
    return Info(
        name=str(name),
        version=version,
        description=_text(place, info, "description"),
        author_name=_text(place, author, "name"),
        author_url=_text(place, author, "url"),
        author_email=_text(place, author, "email"),
    )


_OBJECT_PROPERTIES = ("api", "attributes", "description", "extends", "policies", "rules", "subnet")


def _read_object(place: Place, name: str, value: Any) -> ObjectDeclaration:
    place = structs.replace(place, object_name=name)
    _require_name(place, "object name", name, api=False)
    section = _section(place, "an object", value)
    _known(place, section, "property of an object", _OBJECT_PROPERTIES)
    attributes = _section(place.at(section, "attributes"), "attributes", section.get("attributes", Section()))
    return ObjectDeclaration(
        name=name,
        place=place,
        api=_read_api(place.at(section, "api"), section["api"]) if "api" in section else None,
        extends=_text(place, section, "extends"),
        description=_text(place, section, "description"),
        attributes={key: _read_attribute(place.at(attributes, key), key, attributes[key]) for key in attributes},
        policies=_read_policies(place.at(section, "policies"), section.get("policies", Section())),
        subnet=_read_subnet(place.at(section, "subnet"), section["subnet"]) if "subnet" in section else None,
        rules=_read_rules(place.at(section, "rules"), section.get("rules", Section())),
    )


def _read_api(place: Place, value: Any) -> Api:
    api = _section(place, "api", value)
    _known(place, api, "property of api", ("name", "plural_name", "parent", "parent_key"))
    name = api.get("name")
    _require_name(place.at(api, "name"), "api: name", name, api=True)
    plural_name = api.get("plural_name", f"{name}s")
    _require_name(place.at(api, "plural_name"), "api: plural_name", plural_name, api=True)
    parent, parent_key = _text(place, api, "parent"), _text(place, api, "parent_key")
    if bool(parent) != bool(parent_key):
        given, missing = ("parent", "parent_key") if parent else ("parent_key", "parent")
        raise place.error(f"api: {given} without {missing}; give both: the object, and the attribute that refers to it")
    return Api(name=str(name), plural_name=str(plural_name), parent=parent, parent_key=parent_key)


def _read_policies(place: Place, value: Any) -> Mapping[str, str]:
    policies = _section(place, "policies", value)
    _known(place, policies, "operation", Policies.__struct_fields__)
    rules = {}
    for operation, policy in policies.items():
        here = place.at(policies, operation)
        rule = policy.get("role") if isinstance(policy, Section) and set(policy) == {"role"} else None
        if not isinstance(rule, str) or not rule.strip():
            raise here.error(
                f'policies: {operation}: expected an oslo.policy rule such as {{role: "rule:admin_or_owner"}}, '
                f"got {show(policy)}"
            )
        rules[operation] = rule
    return rules


def _read_subnet(place: Place, value: Any) -> Subnet:
    subnet = _section(place, "subnet", value)
    fields = Subnet.__struct_fields__
    _known(place, subnet, "property of subnet", fields)
    if missing := [field for field in fields if not _text(place, subnet, field)]:
        raise place.error(f"subnet: {missing[0]} is missing; expected the names of attributes: {', '.join(fields)}")
    return Subnet(**{field: subnet[field] for field in fields})


_RULES = {
    "unique": ("unique", "unless", "nulls_equal", "source"),
    "range": ("range", "by", "values", "source"),
    "different": ("different", "source"),
    "same_family": ("same_family", "source"),
    "counts_down": ("counts_down", "along", "source"),
}
"""The kinds of rules, each with its properties."""
_SINGLE_NAMES = {"range": ("range", "by"), "counts_down": ("counts_down", "along")}
"""The properties that are the name of one attribute, and must be there."""


def _read_rules(place: Place, value: Any) -> Mapping[str, RuleDeclaration]:
    rules = _section(place, "rules", value)
    read = {}
    for name, rule in rules.items():
        here = place.at(rules, name)
        _require_name(here, "rules: name", name, api=False)
        properties = None if rule is None else _read_rule(here, name, rule)
        read[name] = RuleDeclaration(name, here, properties)
    return read


def _read_rule(place: Place, name: str, value: Any) -> Properties:
    rule = _section(place, f"rules: {name}", value)
    kinds = [kind for kind in _RULES if kind in rule]
    if len(kinds) != 1:
        raise place.error(
            f"rules: {name}: expected exactly one of {', '.join(_RULES)}, got {' and '.join(kinds) or 'none'}"
        )
    kind = kinds[0]
    _known(place, rule, f"property of a rule {kind}", _RULES[kind])
    _text(place, rule, "source")
    needed = _SINGLE_NAMES.get(kind, ())
    for key in (*needed, "unless"):
        if (key in rule or key in needed) and not _is_text(rule.get(key)):
            raise place.at(rule, key).error(
                f"rules: {name}: {key}: expected the name of an attribute, got {show(rule.get(key))}"
            )
    if kind == "range":
        return {**rule, "values": _read_ranges(place.at(rule, "values"), name, rule.get("values", Section()))}
    if kind == "counts_down":
        return dict(rule)
    fewest = 1 if kind == "unique" else 2
    names = rule[kind]
    if not _are_names(names, fewest):
        many = "attributes" if fewest == 1 else "two or more attributes"
        raise place.error(
            f"rules: {name}: {kind}: expected a list of the names of {many}, none twice, got {show(names)}"
        )
    equal = rule.get("nulls_equal", [])
    if not _are_names(equal, 0) or not set(equal) <= set(names):
        raise place.at(rule, "nulls_equal").error(
            f"rules: {name}: nulls_equal: expected a list of names out of {', '.join(names)}, got {show(equal)}"
        )
    return dict(rule)


def _are_names(value: Any, fewest: int) -> bool:
    return (
        isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value) and len(value) >= fewest
    )


def _read_ranges(place: Place, name: str, value: Any) -> Mapping[str, tuple[int, int]]:
    section = _section(place, f"rules: {name}: values", value)
    ranges = {}
    for key, bounds in section.items():
        low, high = (bounds, bounds) if _is_integer(bounds) else bounds if _is_pair(bounds) else (1, 0)
        if low > high:
            raise place.at(section, key).error(
                f"rules: {name}: values: {key}: expected an integer, or smallest and largest one such as [1, 4094], "
                f"got {bounds if _is_pair(bounds) else show(bounds)}"
            )
        ranges[key] = (low, high)
    if not ranges:
        raise place.error(f"rules: {name}: values is missing; expected a range for each value, such as vlan: [1, 4094]")
    return ranges


def _read_attribute(place: Place, name: str, value: Any) -> AttributeDeclaration:
    place = structs.replace(place, attribute=name)
    _require_name(place, "attribute name", name, api=False)
    if name in META_ATTRIBUTES:
        raise place.error(f"the server itself adds {', '.join(META_ATTRIBUTES)} to every object; choose another name")
    section = _section(place, "an attribute", value)
    _known(place, section, "property of an attribute", tuple(_PROPERTIES))
    for key, item in section.items():
        kind, is_right = _PROPERTIES[key]
        if not is_right(item):
            raise place.at(section, key).error(f"{key}: expected {kind}, got {show(item)}")
    return AttributeDeclaration(name, place, dict(section))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return type(value) is int


def _are_integers(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_integer, value))


def _is_number(value: Any) -> bool:
    return type(value) in {int, float}


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_integer, value))  # noqa: PLR2004


def _is_length(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_LENGTH


def _is_enum(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(v, str) and 0 < len(v) <= 255 and v.isprintable() for v in value) and len(  # noqa: PLR2004
        set(value)
    ) == len(value)


_PROPERTIES = {
    "type": ("the name of a type", _is_text),
    "description": ("text", _is_text),
    "primary": ("true or false", _is_boolean),
    "required": ("true or false", _is_boolean),
    "read_only": ("true or false", _is_boolean),
    "references": ("the name of an API object", _is_text),
    "length": (f"an integer 1..{MAX_LENGTH}", _is_length),
    "values": ("a list of different strings, each in quotes if YAML reads it as anything else", _is_enum),
    "format": ("the name of a format", _is_text),
    "min": ("an integer", _is_integer),
    "max": ("an integer", _is_integer),
    "except": ("a list of integers", _are_integers),
    "default": ("a value", lambda _: True),
    "default_from": ("the name of an attribute", _is_text),
    "address": (f"one of {', '.join(KINDS)}", lambda value: value in KINDS),
    "object_only": ("true or false", _is_boolean),
    "repeats": ("true or false", _is_boolean),
    "immutable": ("true or false", _is_boolean),
    "added": ("true or false", _is_boolean),
}


def _section(place: Place, what: str, value: Any) -> Section:
    if not isinstance(value, Section):
        raise place.error(f"{what}: expected a mapping, got {show(value)}")
    return value


def _known(place: Place, section: Section, what: str, allowed: tuple[str, ...]) -> None:
    for key in section:
        if key not in allowed:
            raise place.at(section, key).error(f"unknown {what} {show(key)}; expected {', '.join(allowed)}")


def _text(place: Place, section: Section, key: str) -> str:
    value = section.get(key, "")
    if not isinstance(value, str):
        raise place.at(section, key).error(f"{key}: expected text, got {show(value)}")
    return value.strip()


def _require_name(place: Place, what: str, value: Any, *, api: bool) -> None:
    if api and not (isinstance(value, str) and _API_NAME(value)):
        raise place.error(
            f"{what}: expected a lower-case letter, then up to 62 lower-case letters, digits or hyphens, "
            f"got {show(value)}"
        )
    if not api and not (isinstance(value, str) and _OBJECT_NAME(value)):
        raise place.error(f"{what}: expected a letter, then up to 62 letters, digits or underscores, got {show(value)}")
