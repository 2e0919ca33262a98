"""Validation of an object's values, at the two places where they come in.

* `validate_attributes`, `validate_key`: what a client sends to proton-server.
* `conform`: what a shim reads from etcd.

All three canonicalise, by the same checks, which are compiled once for each ObjectType.

Null means that nothing is set, so an attribute with a default takes it: after validation an
attribute with a default is never None.
"""

from __future__ import annotations

import copy
import ipaddress
from collections.abc import Mapping
from typing import NamedTuple

from gluon.schema.errors import InvalidAttributes, Problem
from gluon.schema.formats import Mismatch, address_number
from gluon.schema.types import Attribute, AttributeType, ObjectType, Subnet, Value
from gluon.schema.values import Check, compile_check, expected, problem_message, show

_NAME_LENGTH = 64
_FAMILIES = {32: "IPv4", 128: "IPv6"}


class _Rules(NamedTuple):
    """What an ObjectType demands of its values, compiled."""

    checks: Mapping[str, Check]
    defaults: Mapping[str, Value]
    """Of every attribute, None for those that have none."""
    mutable: tuple[str, ...]
    """Attributes with a default that two objects must not share."""
    writable: tuple[tuple[str, Check, Value], ...]
    """The attributes that a client may set, with their defaults."""
    derived: tuple[tuple[str, str], ...]
    """Attributes with default_from and the attribute each follows, in the order to fill them."""
    required: tuple[str, ...]
    key: str


_compiled: dict[int, tuple[ObjectType, _Rules]] = {}
"""By id(), since hashing a whole ObjectType costs more than a validation.  The entry holds the
ObjectType, so that its id is not given to another."""

_COMPILED_LIMIT = 1024


def _rules(object_type: ObjectType) -> _Rules:
    entry = _compiled.get(id(object_type))
    if entry is None:
        if len(_compiled) >= _COMPILED_LIMIT:
            _compiled.clear()
        entry = _compiled[id(object_type)] = (object_type, _compile(object_type))
    return entry[1]


def _compile(object_type: ObjectType) -> _Rules:
    attributes = object_type.attributes
    checks = {name: compile_check(attribute) for name, attribute in attributes.items()}
    generated = is_generated(object_type.primary_key)
    return _Rules(
        checks=checks,
        defaults={name: a.default for name, a in attributes.items()},
        mutable=tuple(name for name, a in attributes.items() if isinstance(a.default, dict | list)),
        writable=tuple((name, checks[name], a.default) for name, a in attributes.items() if not a.read_only),
        derived=_derived(attributes),
        required=tuple(name for name, a in attributes.items() if a.required or (a.primary and not generated)),
        key=object_type.primary_key.name,
    )


def _derived(attributes: Mapping[str, Attribute]) -> tuple[tuple[str, str], ...]:
    ordered: dict[str, str] = {}

    def add(name: str) -> None:
        source = attributes[name].default_from
        if source and name not in ordered:
            add(source)
            ordered[name] = source

    for name in attributes:
        add(name)
    return tuple(ordered.items())


def is_generated(primary_key: Attribute) -> bool:
    """Whether the server generates this key when a create leaves it out.

    So for a plain `uuid`; not for one that is required or that refers to another object.
    """
    return primary_key.type is AttributeType.UUID and not primary_key.required and not primary_key.reference


def validate_attributes(
    object_type: ObjectType, values: Mapping[str, Value], *, existing: Mapping[str, Value] | None = None
) -> dict[str, Value]:
    """Checks and canonicalises what a client gives for one object.

    Args:
        object_type: whose attributes these are.
        values: what the client gives, by attribute; null unsets.
        existing: None for a create.  For an update the object as it is stored; what `values`
            doesn't name stays as it is, and `existing` itself is not changed.

    Returns:
        The whole object: every attribute in the model's order, None where nothing is set,
        read-only ones as stored or at their default.  One exception: a generated key
        (`is_generated`) that a create leaves out is not in the result; the caller adds it.

    Raises:
        InvalidAttributes: with all problems; nothing is to be changed.
    """
    rules = _rules(object_type)
    problems: list[Problem] = []
    given = _check_given(object_type, rules, values, problems)
    if existing is not None and rules.key in given and given[rules.key] != existing.get(rules.key):
        message = f"the key of an object never changes; leave it out or give {show(existing.get(rules.key))}"
        problems.append(Problem(rules.key, message))
    stored = existing or {}
    merged: dict[str, Value] = {}
    for name, default in rules.defaults.items():
        value = given[name] if name in given else stored.get(name)
        merged[name] = default if value is None else value
    _complete(object_type, rules, merged, problems)
    if problems:
        raise InvalidAttributes(problems)
    if merged[rules.key] is None:
        del merged[rules.key]
    return merged


def validate_key(object_type: ObjectType, text: str) -> str:
    """Canonicalises a primary key as it stands, decoded, in a URL.

    Raises:
        InvalidAttributes: no object of this type can have this key.
    """
    rules = _rules(object_type)
    key = object_type.primary_key
    try:
        return str(rules.checks[rules.key](text))
    except Mismatch as mismatch:
        raise InvalidAttributes([Problem(key.name, problem_message(expected(key), text, mismatch))]) from mismatch


def conform(object_type: ObjectType, values: Mapping[str, Value], key: str) -> dict[str, Value]:
    """Checks and canonicalises an object as it is read from etcd.

    Lenient where another version of the server may have written: attributes that the model
    doesn't know are dropped, optional ones that are missing take their default or None.

    Args:
        object_type: whose attributes these are.
        values: the decoded JSON object.
        key: the object's key in etcd, decoded.

    Returns:
        Every attribute but the read-only ones, in the model's order.  Those are the server's
        account of what the shims answered, no wish that a shim could act on.

    Raises:
        InvalidAttributes: with all problems.  Among them: the primary key isn't the key that
            the object is stored under, or that key isn't canonical.  Where the value leaves
            the primary key out, `key` is it.
    """
    rules = _rules(object_type)
    problems: list[Problem] = []
    result: dict[str, Value] = {}
    get = values.get
    for name, check, default in rules.writable:
        value = get(name)
        if value is not None:
            try:
                value = check(value)
            except Mismatch as mismatch:
                problems.append(_problem(object_type.attributes[name], value, mismatch))
        result[name] = default if value is None else value
    if result[rules.key] is None:
        result[rules.key] = _key_of_path(object_type, rules, key, problems)
    if result[rules.key] != key:
        problems.append(Problem(rules.key, f"expected the key that it is stored under, {show(key)}"))
    _complete(object_type, rules, result, problems)
    if problems:
        raise InvalidAttributes(problems)
    return result


def _key_of_path(object_type: ObjectType, rules: _Rules, key: str, problems: list[Problem]) -> Value:
    try:
        return rules.checks[rules.key](key)
    except Mismatch as mismatch:
        problems.append(_problem(object_type.primary_key, key, mismatch))
        return key


def _check_given(
    object_type: ObjectType, rules: _Rules, values: Mapping[str, Value], problems: list[Problem]
) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for name, value in values.items():
        attribute = object_type.attributes.get(name)
        if attribute is None:
            known = ", ".join(sorted(n for n, _, _ in rules.writable))
            shown = name.encode(errors="replace").decode()[:_NAME_LENGTH]
            problems.append(Problem(shown, f"unknown attribute; {object_type.name} has {known}"))
        elif attribute.read_only:
            problems.append(Problem(name, "read-only: the server sets it; leave it out"))
        else:
            try:
                given[name] = None if value is None else rules.checks[name](value)
            except Mismatch as mismatch:
                problems.append(_problem(attribute, value, mismatch))
    return given


def _problem(attribute: Attribute, value: Value, mismatch: Mismatch) -> Problem:
    return Problem(attribute.name, problem_message(expected(attribute), value, mismatch))


def _complete(object_type: ObjectType, rules: _Rules, values: dict[str, Value], problems: list[Problem]) -> None:
    """Fills what defaults to another attribute, then applies the rules of the whole object."""
    for name in rules.mutable:
        if name in values:
            values[name] = copy.deepcopy(values[name])
    for name, source in rules.derived:
        if values[name] is None and values[source] is not None:
            _derive(object_type.attributes[name], rules.checks[name], values, source, problems)
    if missing := [name for name in rules.required if values[name] is None]:
        already = {problem.attribute for problem in problems}
        problems.extend(
            Problem(name, f"required; expected {expected(object_type.attributes[name])}")
            for name in missing
            if name not in already
        )
    if object_type.subnet is not None and not problems:
        problems.extend(_subnet_problems(object_type.subnet, values))


def _derive(attribute: Attribute, check: Check, values: dict[str, Value], source: str, problems: list[Problem]) -> None:
    value = values[source]
    try:
        values[attribute.name] = check(value)
    except Mismatch as mismatch:
        message = problem_message(expected(attribute), value, mismatch)
        problems.append(Problem(attribute.name, f"{message} (it defaults to {source}; give it a value of its own)"))


def _subnet_problems(subnet: Subnet, values: Mapping[str, Value]) -> list[Problem]:
    address, prefix, gateway = values[subnet.address], values[subnet.prefix], values[subnet.gateway]
    first = address if isinstance(address, str) else gateway
    if not isinstance(first, str):
        return []
    bits, number = address_number(first)
    family = _FAMILIES[bits]
    other_bits, other_number = address_number(gateway) if isinstance(gateway, str) else (bits, number)
    if other_bits != bits:
        return [Problem(subnet.gateway, f"expected an {family} address as {first} is, got {show(gateway)}")]
    if not isinstance(prefix, int):
        return []
    if not 0 <= prefix <= bits:
        return [Problem(subnet.prefix, f"expected 0..{bits} for {family}, got {prefix}")]
    if number >> (bits - prefix) != other_number >> (bits - prefix):
        network = ipaddress.ip_interface(f"{first}/{prefix}").network
        return [Problem(subnet.gateway, f"expected an address inside {network}, got {show(gateway)}")]
    return []
