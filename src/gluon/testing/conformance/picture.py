"""Compares what a controller holds with what it should hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gluon.shim.plan.steps import Call
from gluon.testing.conformance.told import Told

_SHOWN = 400
"""Characters of a value that a message shows."""

_NAMED = 10
"""Differences that a message names."""


class Picture:
    """What the author of a backend says of its controller.

    Args:
        expected: what the controller should hold of what the backend was told.
        held: what it holds, in the same shape.
    """

    def __init__(self, expected: Callable[[Told], Any], held: Callable[[], Any]) -> None:
        self._expected, self._held = expected, held

    def difference(self, told: Told) -> str:
        """How the controller differs from what it should hold, as a sentence; empty when it does not."""
        expected, held = _plain(self._expected(told)), _plain(self._held())
        return "" if expected == held else _difference(expected, held)

    def is_changed_by(self, call: Call, told: Told) -> bool:
        """Whether the call has to change anything at the controller."""
        return bool(_plain(self._expected(told)) != _plain(self._expected(told.after(call))))


def _plain(value: Any) -> Any:
    """Dicts and lists as JSON has them: what was read from a controller has no tuples."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _difference(expected: Any, held: Any) -> str:
    found = list(_differences("", expected, held))
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"the controller {'; '.join(found[:_NAMED])}{more}"


def _differences(path: str, expected: Any, held: Any) -> Iterator[str]:
    """Each place where the two differ: dicts are looked into."""
    if not (isinstance(expected, dict) and isinstance(held, dict)):
        yield f"has {path.removesuffix('/') or 'all in all'} as {_shown(held)}, expected {_shown(expected)}"
        return
    for name, value in expected.items():
        if name not in held:
            yield f"lacks {path}{name}: {_shown(value)}"
        elif held[name] != value:
            yield from _differences(f"{path}{name}/", value, held[name])
    for name in held:
        if name not in expected:
            yield f"has {path}{name}, which it should not: {_shown(held[name])}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
