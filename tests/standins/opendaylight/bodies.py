"""Bodies: from JSON to what is stored, strictly, and back.

Stored is: a container or an entry as a dict of its members by local names, a list as a dict of its
entries by their keys, a leaf-list as a tuple.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .yang import Container, Leaf, LeafList, List, Malformed, Node


def parse(node: Node, module: str, value: Any) -> Any:
    """What is stored for a value of JSON."""
    match node:
        case Leaf():
            return node.type(value)
        case LeafList():
            if not isinstance(value, list):
                raise Malformed(f"A leaf-list is expected here, not {value!r}")
            return tuple(dict.fromkeys(node.type(item) for item in value))
        case Container():
            return _members(node.children, module, value)
        case List():
            # The real one takes an object for a list of one.
            entries = value if isinstance(value, list) else [value]
            return dict(_entry(node, module, entry) for entry in entries)


def render(node: Node, module: str, stored: Any) -> Any:
    """JSON of what is stored; a member has a prefix where the module is another than its parent's."""
    match node:
        case Leaf():
            return stored
        case LeafList():
            return list(stored)
        case List():
            return [_rendered(node.children, module, entry) for entry in stored.values()]
        case Container():
            return _rendered(node.children, module, stored)


def render_entry(node: List, module: str, entry: Mapping[str, Any]) -> list[Any]:
    """JSON of a single entry, a list of one."""
    return [_rendered(node.children, module, entry)]


def missing(node: Node, stored: Any) -> str:
    """The name of a mandatory leaf that is not there, or an empty string."""
    match node:
        case List():
            found = (_missing_member(node.children, entry) for entry in stored.values())
            return next(filter(None, found), "")
        case Container():
            return _missing_member(node.children, stored)
    return ""


def split(name: str) -> tuple[str, str]:
    """The prefix (empty if there is none) and the local name."""
    prefix, _, local = name.rpartition(":")
    return prefix, local


def _members(children: Mapping[str, Node], module: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"An object is expected here, not {value!r}")
    stored = {}
    for name, member in value.items():
        prefix, local = split(name)
        node = children.get(local)
        if node is None or (prefix and prefix != (node.module or module)):
            raise Malformed(f"Schema node with name {name} was not found under {module}")
        stored[local] = parse(node, node.module or module, member)
    return {name: member for name, member in stored.items() if member not in ({}, ())}


def _entry(node: List, module: str, value: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    stored = _members(node.children, module, value)
    lacking = [key for key in node.keys if key not in stored]
    if lacking:
        raise Malformed(f"Input is missing some of the keys: {', '.join(lacking)}")
    return tuple(str(stored[key]) for key in node.keys), stored


def _rendered(children: Mapping[str, Node], module: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    result = {}
    for name, member in stored.items():
        node = children[name]
        qualified = f"{node.module}:{name}" if node.module and node.module != module else name
        result[qualified] = render(node, node.module or module, member)
    return result


def _missing_member(children: Mapping[str, Node], stored: Mapping[str, Any]) -> str:
    for name, node in children.items():
        if isinstance(node, Leaf) and node.mandatory and name not in stored:
            return name
        if name in stored and (deeper := missing(node, stored[name])):
            return deeper
    return ""
