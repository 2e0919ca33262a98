"""Objects by their name, where a command asks for a key.

A name need not be unique, so it stands for an object only while no other one has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gluon.contract.rest import Resource
from gluon.schema import Attribute, AttributeType, Value
from gluon.sdk import Client, UsageError

_MOST_KEYS = 5
"""Most keys of objects of one name that a message lists."""

_NO_NAMES = ("", ".", "..")
"""Refused as keys, whatever they were meant to be."""

_is_uuid = re.compile(r"\{?[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}\}?").fullmatch


def key_of(client: Client, resource: Resource, text: str) -> str:
    """The key that a command's argument stands for.

    Returns:
        The key of the one object of that name, or of the one that the key refers to; else the text
        itself, for the server to judge.

    Raises:
        UsageError: several objects have the name.
    """
    primary = next(a for a in resource.attributes if a.name == resource.primary_key)
    target = _target(client, primary) if primary.reference else resource
    if target is None or not _is_found_by_name(target) or text in _NO_NAMES or _is_uuid(text):
        return text
    return _named(client, target, text) or text


def with_keys(client: Client, resource: Resource, attributes: Mapping[str, Value]) -> dict[str, Value]:
    """The attributes, with the names of referenced objects replaced by their keys.

    Raises:
        UsageError: no object has the name, or several have.
    """
    known = {attribute.name: attribute for attribute in resource.attributes}
    return {name: _referred(client, known[name], value) for name, value in attributes.items()}


def _referred(client: Client, attribute: Attribute, value: Value) -> Value:
    if not attribute.reference or not isinstance(value, str) or not value:
        return value
    target = _target(client, attribute)
    if target is None or not _is_found_by_name(target):
        return value
    words = [word.strip() for word in value.split(",")] if attribute.is_list else [value]
    return ",".join(_required(client, target, word) for word in words)


def _required(client: Client, target: Resource, text: str) -> str:
    if not text or _is_uuid(text):
        return text
    key = _named(client, target, text)
    if key is None:
        raise UsageError(f"no {target.resource_name} has the name {text!r}, and it is no UUID")
    return key


def _target(client: Client, attribute: Attribute) -> Resource | None:
    """The resource that holds what an attribute refers to; its key may be a reference itself."""
    seen = set()
    resources = {resource.object: resource for resource in client.resources().values()}
    reference = attribute.reference
    while reference in resources and reference not in seen:
        seen.add(reference)
        target = resources[reference]
        reference = next(a.reference for a in target.attributes if a.name == target.primary_key)
        if not reference:
            return target
    return None


def _is_found_by_name(resource: Resource) -> bool:
    """Whether a text can't be mistaken: a name is found where keys are UUIDs."""
    types = {attribute.name: attribute.type for attribute in resource.attributes}
    return "name" in types and types[resource.primary_key] is AttributeType.UUID


def _named(client: Client, resource: Resource, name: str) -> str | None:
    found = client.list(resource.resource_name, name=name, limit=_MOST_KEYS + 1)
    keys = [str(each[resource.primary_key]) for each in found]
    if len(keys) > 1:
        more = ", ..." if len(keys) > _MOST_KEYS else ""
        raise UsageError(
            f"several {resource.plural_name} have the name {name!r}: {', '.join(keys[:_MOST_KEYS])}{more}; give the key"
        )
    return keys[0] if keys else None
