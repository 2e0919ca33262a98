"""YAML text to plain Python values, with the line of every mapping's key.

Belongs here: the rules for any YAML text.  Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from gluon.schema.errors import ModelError


class Section(dict[str, Any]):
    """A YAML mapping, which knows the line (from 1) of each of its keys."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}


class _Loader(yaml.SafeLoader):
    """A SafeLoader that keeps line numbers, and refuses a key that is given twice or is not a string.

    YAML itself would silently let the last of two equal keys win.
    """

    def construct_section(self, node: yaml.MappingNode) -> Iterator[Section]:
        section = Section()
        yield section
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise self._refusal(f"expected a string as key, got {key!r}; put it in quotes", key_node)
            if key in section.lines:
                raise self._refusal(f"{key} is given twice, first in line {section.lines[key]}", key_node)
            section.lines[key] = key_node.start_mark.line + 1
        section.update({str(key): value for key, value in self.construct_mapping(node).items()})

    @staticmethod
    def _refusal(message: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
        return yaml.constructor.ConstructorError(None, None, message, node.start_mark)


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_section)


def load(file: str, text: str) -> Any:
    """Reads one YAML document; its mappings are Sections.

    Raises:
        ModelError: not YAML, or a key is given twice or is not a string.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = None if mark is None else mark.line + 1
        raise ModelError(error.problem or "not YAML", file=file, line=line) from error
    except RecursionError as error:
        raise ModelError("nested too deeply", file=file) from error
    # PyYAML's constructors let any exception of int(), datetime() or a lookup pass through,
    # for example for `2024-13-41` or `!!bool x`.
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        raise ModelError(f"not YAML: {error}", file=file) from error
