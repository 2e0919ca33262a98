"""A resource's attributes as options of a command, and the given options back as values."""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from gluon.contract.rest import Resource
from gluon.schema import Attribute, AttributeType, Value

_DEST = "attribute:"
"""Before an attribute's name in the namespace, so that it can't meet an option of the command."""


class Once(argparse.Action):
    """Stores a value, and refuses a second one: argparse would take the last."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse's
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,  # noqa: ARG002 - argparse's
    ) -> None:
        """Takes the value of an option."""
        if getattr(namespace, self.dest, None) is not None:
            raise argparse.ArgumentError(self, "given twice; give one value")
        setattr(namespace, self.dest, values)


def settable(resource: Resource) -> list[Attribute]:
    """The attributes that a create may name."""
    return [a for a in resource.attributes if not a.read_only]


def changeable(resource: Resource) -> list[Attribute]:
    """The attributes that an update may name."""
    return [a for a in resource.attributes if not a.read_only and not a.primary]


def filterable(resource: Resource) -> list[Attribute]:
    """The attributes that filter a list; `limit` and `marker` mean something else in a query."""
    return [a for a in resource.attributes if a.format != "json" and a.name not in ("limit", "marker")]


def rules(resource: Resource) -> str:
    """The rules between the attributes of an object, and between the objects, for a help text; empty for none."""
    return f"rules: {'; '.join(resource.rules)}" if resource.rules else ""


def add_attribute_options(
    parser: argparse.ArgumentParser, attributes: Iterable[Attribute], *, creating: bool = False
) -> None:
    """Gives the parser one option for each attribute.

    Args:
        parser: of the command; its own options are there already.
        attributes: in the order of the help.
        creating: whether the command creates an object: some must be given, and the help names the
            defaults of the others.
    """
    for attribute in attributes:
        required = creating and attribute.must_be_given
        keywords = {
            "dest": _DEST + attribute.name,
            "metavar": f"<{placeholder(attribute)}>",
            "type": _parser_of(attribute),
            "choices": attribute.values or None,
            "action": Once,
            "required": required,
            "default": argparse.SUPPRESS,
            "help": _help(attribute, creating=creating).replace("%", "%%"),
        }
        add_option(parser, attribute.name, keywords)


def add_option(parser: argparse.ArgumentParser, name: str, keywords: dict[str, object]) -> None:
    """Adds `--<name>`, accepted with `_` and with `-`; the help shows the first.

    Where the command has an option of that name already, it becomes `--attribute_<name>`.
    """
    try:
        action = _add(parser, name, keywords)
    except argparse.ArgumentError:
        action = _add(parser, f"attribute_{name}", keywords)
    # argparse looks options up elsewhere; help and messages show this list.
    action.option_strings = action.option_strings[:1]


def _add(parser: argparse.ArgumentParser, name: str, keywords: dict[str, object]) -> argparse.Action:
    spellings = dict.fromkeys((f"--{name}", f"--{name.replace('_', '-')}"))
    return parser.add_argument(*spellings, **keywords)  # type: ignore[arg-type]


def given(arguments: argparse.Namespace) -> dict[str, Value]:
    """The attributes that the command line names, with their values."""
    return {name.removeprefix(_DEST): value for name, value in vars(arguments).items() if name.startswith(_DEST)}


def placeholder(attribute: Attribute) -> str:
    """Stands for the value in the help: the object it names, its format or its type."""
    if attribute.reference:
        return attribute.reference + ("-list" if attribute.is_list else "")
    if attribute.type is AttributeType.BOOLEAN:
        return "true|false"
    if attribute.type is AttributeType.INTEGER:
        return "integer"
    return attribute.format or attribute.type.value


def _help(attribute: Attribute, *, creating: bool) -> str:
    """The attribute's description, its possible values, and the value that it gets when left out."""
    notes = []
    if creating and attribute.must_be_given:
        notes.append("required")
    if attribute.values:
        notes.append(f"one of {', '.join(attribute.values)}")
    if attribute.minimum is not None or attribute.maximum is not None:
        lowest = "" if attribute.minimum is None else attribute.minimum
        highest = "" if attribute.maximum is None else attribute.maximum
        notes.append(f"{lowest}..{highest}")
    if attribute.excluded:
        notes.append(f"not {', '.join(map(str, attribute.excluded))}")
    if attribute.is_list:
        notes.append("separated by commas")
    if attribute.kind_of_address:
        notes.append(attribute.kind_of_address)
    if attribute.immutable:
        notes.append("never changes")
    if creating:
        notes += _when_left_out(attribute)
    description = attribute.description.strip()
    notes = [note for note in notes if note not in description]
    return f"{description} ({'; '.join(notes)})".strip() if notes else description


def _when_left_out(attribute: Attribute) -> Iterator[str]:
    if attribute.default is not None:
        yield f"default {msgspec.json.encode(attribute.default).decode()}".replace('"', "")
    if attribute.default_from:
        yield f"default: the value of {attribute.default_from}"
    if attribute.is_generated:
        yield "generated when left out"


def _parser_of(attribute: Attribute) -> Callable[[str], Value]:
    """Reads the text given for an attribute as JSON's native type; the server checks the rest."""
    if attribute.format == "json":
        return _json
    return {
        AttributeType.INTEGER: _integer,
        AttributeType.NUMBER: _number,
        AttributeType.BOOLEAN: _boolean,
    }.get(attribute.type, unicode_text)


def unicode_text(text: str) -> str:
    """The text itself.

    Raises:
        ArgumentTypeError: the shell passed bytes that are no text.
    """
    if not text.isprintable() and any("\ud800" <= c <= "\udfff" for c in text):
        raise argparse.ArgumentTypeError(f"expected UTF-8 text, got {text!r}")
    return text


_is_integer = re.compile(r"-?(?:0|[1-9][0-9]*)").fullmatch
_is_number = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?").fullmatch
"""JSON's spellings: Python's own would also take `1_0`, blanks and the digits of other scripts."""


def _integer(text: str) -> int:
    try:
        if _is_integer(text):
            return int(text)
    except ValueError:  # thousands of digits
        pass
    raise argparse.ArgumentTypeError(f"expected an integer, got {text!r}")


def _number(text: str) -> int | float:
    if _is_integer(text):
        return _integer(text)
    number = float(text) if _is_number(text) else math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}")
    return number


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}")
    return text.lower() == "true"


def _json(text: str) -> Value:
    try:
        value: Value = msgspec.json.decode(unicode_text(text))
        json.loads(text, object_pairs_hook=_members)
    except (ValueError, RecursionError) as error:  # msgspec.DecodeError is a ValueError
        raise argparse.ArgumentTypeError(f"expected JSON text, got {text!r} ({error})") from None
    return value


def _members(pairs: list[tuple[str, Any]]) -> None:
    """Refuses a name that is given twice: msgspec, and the server behind it, would see the last one only."""
    names = set()
    for name, _ in pairs:
        if name in names:
            raise ValueError(f"the name {name!r} is given twice")
        names.add(name)
