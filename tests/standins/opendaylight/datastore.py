"""A tree of configuration or of operational data, and whoever wants to know of its changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | tuple[str, ...], ...]
"""Names, and after a list's name the values of its keys.  The first name has its module's prefix."""
Tree: TypeAlias = Mapping[Any, Any]
Watcher: TypeAlias = Callable[[Tree, Tree], None]


class Datastore:
    """Trees are never changed in place, so that the one before a write can be compared with the one after."""

    def __init__(self) -> None:
        self.tree: Tree = {}
        self._watcher: Watcher | None = None

    def watch(self, watcher: Watcher) -> None:
        """Calls this after each write, with the trees before and after it."""
        self._watcher = watcher

    def read(self, path: Path) -> Any:
        """What is there, or None."""
        return find(self.tree, path)

    def write(self, path: Path, value: Any) -> None:
        """Puts a value in place of what is there; parents that are not there are made."""
        self._become(_with(self.tree, path, value))

    def delete(self, path: Path) -> bool:
        """Says whether there was anything.  A container goes with its last member."""
        if self.read(path) is None:
            return False
        self._become(_with(self.tree, path, None))
        return True

    def clear(self) -> None:
        """Forgets everything, and tells nobody."""
        self.tree = {}

    def _become(self, tree: Tree) -> None:
        before, self.tree = self.tree, tree
        if self._watcher:
            self._watcher(before, tree)


def find(tree: Tree, path: Path) -> Any:
    """What a tree has there, or None."""
    value: Any = tree
    for part in path:
        value = value.get(part)
        if value is None:
            return None
    return value


def merged(below: Any, above: Any) -> Any:
    """Both trees as one; where both have a leaf, the second one counts."""
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return below if above is None else above
    return {**below, **{name: merged(below.get(name), value) for name, value in above.items()}}


def canonical(value: Any) -> Any:
    """A copy to compare: entries by their keys as one string, leaf-lists sorted."""
    if isinstance(value, Mapping):
        named = {"/".join(key) if isinstance(key, tuple) else key: canonical(item) for key, item in value.items()}
        return dict(sorted(named.items()))
    return sorted(value) if isinstance(value, tuple) else value


def _with(tree: Tree, path: Path, value: Any) -> Tree:
    first, *rest = path
    member = _with(tree.get(first) or {}, tuple(rest), value) if rest else value
    changed = dict(tree)
    if member is None or member in ({}, ()):
        changed.pop(first, None)
    else:
        changed[first] = member
    return changed
