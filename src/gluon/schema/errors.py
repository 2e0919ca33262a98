"""The errors for a bad model and for bad values.

SchemaError
├── ModelError          in a model file; the model is not loaded
└── InvalidAttributes   in the values given for an object; nothing is changed
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class SchemaError(ValueError):
    """Base of the two."""


class ModelError(SchemaError):
    """A model can't be loaded.  The message names file, line, object and attribute."""

    def __init__(
        self, message: str, *, file: str, line: int | None = None, object_name: str = "", attribute: str = ""
    ) -> None:
        where = file if line is None else f"{file}:{line}"
        if object_name:
            where += f": object {object_name}"
        if attribute:
            where += f", attribute {attribute}"
        super().__init__(f"{where}: {message}")
        self.message = message
        self.file = file
        self.line = line
        self.object_name = object_name
        self.attribute = attribute


class Problem(Struct, frozen=True):
    """One thing wrong with one attribute."""

    attribute: str
    message: str
    """Says what was expected and what was given, e.g. `expected an integer 68..65535, got 12`."""


class InvalidAttributes(SchemaError):
    """Values that the model doesn't allow; all problems at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{p.attribute}: {p.message}" for p in problems))
        self.problems = tuple(problems)
