"""URLs: which flavour they speak, and which node of the schema they name."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from .bodies import split
from .datastore import Path
from .schema import Schema
from .yang import Container, List, Node


class NoSuchModule(Exception):
    """The first step names a module that is not there."""


class NoSuchTop(Exception):
    """The first step names what its module does not have."""


class NoSuchNode(Exception):
    """A step names what its parent does not have."""


class BadPath(Exception):
    """The path can't be read: a key is missing, or one too many is given."""


@dataclass(frozen=True)
class Target:
    """What a URL names."""

    path: Path
    node: Node
    module: str
    name: str
    keys: tuple[str, ...] | None
    """The values of the keys, if it is an entry of a list."""


@dataclass(frozen=True)
class _Step:
    name: str
    keys: tuple[str, ...] | None


def resolve_draft02(schema: Schema, text: str) -> Target:
    """`module:container/list/key/leaf`: how many keys follow a name is for the schema to say."""
    segments = [unquote(segment) for segment in text.split("/")]
    target: Target | None = None
    while segments:
        name = segments.pop(0)
        node, _ = _child(schema, target, name)
        count = len(node.keys) if isinstance(node, List) else 0
        keys = tuple(segments[:count])
        if len(keys) < count:
            raise BadPath(f"Missing key for list {name!r}")
        del segments[:count]
        target = _further(schema, target, _Step(name, keys if count else None))
    return _found(target)


def resolve_rfc8040(schema: Schema, text: str) -> Target:
    """`module:container/list=key,key/leaf`."""
    target: Target | None = None
    for segment in text.split("/"):
        name, equals, values = segment.partition("=")
        keys = tuple(unquote(value) for value in values.split(",")) if equals else None
        target = _further(schema, target, _Step(unquote(name), keys))
    return _found(target)


def _found(target: Target | None) -> Target:
    if target is None:
        raise BadPath("The path is empty")
    if isinstance(target.node, List) and target.keys is None:
        raise BadPath(f"Missing key for list {target.name!r}")
    return target


def _further(schema: Schema, target: Target | None, step: _Step) -> Target:
    node, module = _child(schema, target, step.name)
    if isinstance(node, List):
        if step.keys is None or len(step.keys) != len(node.keys):
            raise BadPath(f"Missing key for list {step.name!r}")
    elif step.keys is not None:
        raise BadPath(f"{step.name!r} is no list")
    path = target.path if target else ()
    _, local = split(step.name)
    here: Path = (*path, step.name if target is None else local)
    return Target(here if step.keys is None else (*here, step.keys), node, module, local, step.keys)


def _child(schema: Schema, target: Target | None, name: str) -> tuple[Node, str]:
    prefix, local = split(name)
    if target is None:
        if prefix not in schema.modules:
            raise NoSuchModule(name)
        if name not in schema.top:
            raise NoSuchTop(name)
        return schema.top[name], prefix
    node = target.node.children.get(local) if isinstance(target.node, Container | List) else None
    if node is None or (prefix or target.module) != (node.module or target.module):
        raise NoSuchNode(name)
    return node, node.module or target.module
