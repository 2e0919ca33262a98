"""Validation of an object's values, at the two places where they enter a program.

* `validate_attributes`, `validate_key`: values that a client sends to proton-server.
* `conform`: objects that a shim reads from etcd.

All three canonicalise, by the same checks (`Attribute.check`).

Null means that nothing is set, so an attribute with a default gets that: after validation it is
never None.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from gluon.schema.attribute import Attribute
from gluon.schema.checks import Value, show
from gluon.schema.errors import InvalidAttributes, Problem
from gluon.schema.formats import Mismatch
from gluon.schema.subnets import subnet_problems
from gluon.schema.types import ObjectType

_NAME_LENGTH = 64


def validate_attributes(
    object_type: ObjectType, values: Mapping[str, Value], *, existing: Mapping[str, Value] | None = None
) -> dict[str, Value]:
    """Checks and canonicalises the values that a client gives for one object.

    Args:
        object_type: whose attributes these are.
        values: the given values by attribute; null unsets.
        existing: None for a create; for an update the stored object, which is not changed itself.
            Attributes that `values` doesn't name keep the values that they have there, and are not
            judged again: an object that was made under other rules can be changed, and mended.

    Returns:
        The whole object: every attribute in the model's order, None where nothing is set,
        read-only ones as stored or at their default.  One exception: a generated key
        (`Attribute.is_generated`) that a create leaves out is not in the result; the caller adds it.

    Raises:
        InvalidAttributes: with all problems; nothing is to be changed.
    """
    key = object_type.primary_key.name
    problems: list[Problem] = []
    given = _check_given(object_type, values, problems)
    if existing is not None and key in given and given[key] != existing.get(key):
        message = f"the key of an object never changes; leave it out or give {show(existing.get(key))}"
        problems.append(Problem(key, message))
    stored = existing or {}
    if existing is not None:
        _keep_immutable(object_type, given, stored, problems)
    merged: dict[str, Value] = {}
    for name, attribute in object_type.attributes.items():
        value = given[name] if name in given else stored.get(name)
        merged[name] = attribute.default if value is None else value
    _complete(object_type, merged, problems, None if existing is None else given.keys())
    if problems:
        raise InvalidAttributes(problems)
    if merged[key] is None:
        del merged[key]
    return merged


def validate_key(object_type: ObjectType, text: str) -> str:
    """Canonicalises a primary key as it stands, decoded, in a URL.

    Raises:
        InvalidAttributes: no object of this type can have this key.
    """
    key = object_type.primary_key
    try:
        return str(key.check(text))
    except Mismatch as mismatch:
        raise InvalidAttributes([_problem(key, text, mismatch)]) from mismatch


def conform(object_type: ObjectType, values: Mapping[str, Value], key: str) -> dict[str, Value]:
    """Checks and canonicalises an object as it is read from etcd.

    Lenient where another version of the server may have written: attributes that the model
    doesn't know are dropped, optional ones that are missing take their default or None.

    Args:
        object_type: whose attributes these are.
        values: the decoded JSON object.
        key: the object's key in etcd, decoded.

    Returns:
        Every attribute but the read-only ones, in the model's order.  In those the server repeats
        the answers of shims; there is nothing in them for a shim to act on.

    Raises:
        InvalidAttributes: with all problems.  Among them: the primary key isn't the key that
            the object is stored under, or that key isn't canonical.  Where the value leaves
            the primary key out, `key` is it.
    """
    primary_key = object_type.primary_key
    problems: list[Problem] = []
    result: dict[str, Value] = {}
    get = values.get
    for attribute in object_type.writable:
        value = get(attribute.name)
        if value is not None:
            try:
                value = attribute.check(value)
            except Mismatch as mismatch:
                problems.append(_problem(attribute, value, mismatch))
        result[attribute.name] = attribute.default if value is None else value
    if result[primary_key.name] is None:
        result[primary_key.name] = _key_of_path(primary_key, key, problems)
    if result[primary_key.name] != key:
        problems.append(Problem(primary_key.name, f"expected the key that it is stored under, {show(key)}"))
    _complete(object_type, result, problems)
    if problems:
        raise InvalidAttributes(problems)
    return result


def violations(object_type: ObjectType, stored: Mapping[str, Value]) -> list[Problem]:
    """What is wrong with an object that is stored already: made by an older version, or under another model.

    Args:
        object_type: whose attributes these are.
        stored: all of them.
    """
    problems: list[Problem] = []
    for attribute in object_type.writable:
        value = stored[attribute.name]
        if value is not None:
            try:
                attribute.check(value)
            except Mismatch as mismatch:
                problems.append(_problem(attribute, value, mismatch))
    _complete(object_type, dict(stored), problems)
    return problems


def _keep_immutable(
    object_type: ObjectType, given: dict[str, Value], stored: Mapping[str, Value], problems: list[Problem]
) -> None:
    for name in list(given):
        attribute, former = object_type.attributes[name], stored.get(name)
        if not attribute.immutable or former is None:
            continue
        value = given.pop(name)
        if value not in attribute.spellings(former):
            problems.append(Problem(name, f"it never changes; leave it out or give {show(former)}"))


def _key_of_path(primary_key: Attribute, key: str, problems: list[Problem]) -> Value:
    try:
        return primary_key.check(key)
    except Mismatch as mismatch:
        problems.append(_problem(primary_key, key, mismatch))
        return key


def _check_given(object_type: ObjectType, values: Mapping[str, Value], problems: list[Problem]) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for name, value in values.items():
        attribute = object_type.attributes.get(name)
        if attribute is None:
            known = ", ".join(sorted(a.name for a in object_type.writable))
            shown = name.encode(errors="replace").decode()[:_NAME_LENGTH]
            problems.append(Problem(shown, f"unknown attribute; {object_type.name} has {known}"))
        elif attribute.read_only:
            problems.append(Problem(name, "read-only: the server sets it; leave it out"))
        else:
            try:
                given[name] = None if value is None else attribute.check(value)
            except Mismatch as mismatch:
                problems.append(_problem(attribute, value, mismatch))
    return given


def _problem(attribute: Attribute, value: Value, mismatch: Mismatch) -> Problem:
    return Problem(attribute.name, attribute.refusal(value, mismatch))


def _complete(
    object_type: ObjectType,
    values: dict[str, Value],
    problems: list[Problem],
    named: AbstractSet[str] | None = None,
) -> None:
    """Fills what defaults to another attribute, then applies the rules of the whole object.

    Args:
        object_type: whose attributes these are.
        values: all of them; filled here.
        problems: appended to.
        named: the attributes that a change names; None: all are new, so all rules hold.
    """
    for name in object_type.mutable_defaults:
        if name in values:
            values[name] = copy.deepcopy(values[name])
    for attribute in object_type.derived:
        if values[attribute.name] is None and values[attribute.default_from] is not None:
            _derive(attribute, values, problems)
    if missing := [a for a in object_type.required if values[a.name] is None and (named is None or a.name in named)]:
        already = {problem.attribute for problem in problems}
        problems.extend(Problem(a.name, f"required; expected {a.expected}") for a in missing if a.name not in already)
    if not problems:
        problems.extend(_rule_problems(object_type, values, named))


def _rule_problems(
    object_type: ObjectType, values: Mapping[str, Value], named: AbstractSet[str] | None
) -> list[Problem]:
    """The first thing wrong by each rule that a named attribute has a part in."""
    problems: list[Problem] = []
    subnet = object_type.subnet
    if subnet is not None and (named is None or not named.isdisjoint(subnet.attributes)):
        problems += subnet_problems(subnet, values)
    for rule in object_type.rules:
        if named is None or not named.isdisjoint(rule.attributes):
            problems += rule.problems(values)
    return problems


def _derive(attribute: Attribute, values: dict[str, Value], problems: list[Problem]) -> None:
    source = attribute.default_from
    value = values[source]
    try:
        values[attribute.name] = attribute.check(value)
    except Mismatch as mismatch:
        message = attribute.refusal(value, mismatch)
        problems.append(Problem(attribute.name, f"{message} (it defaults to {source}; give it a value of its own)"))
