"""What a YANG schema node is, and the types of its leaves.

A type takes a value as JSON has it and returns it as it is stored, or raises `Malformed`.  The types
are as lax as the real one's JSON codecs: a number is taken for a string, and a string of digits for a
number.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias


class Malformed(Exception):
    """A body does not fit the schema."""


Type: TypeAlias = Callable[[Any], Any]


def string(shortest: int = 0, longest: int = 1 << 16, pattern: str = "") -> Type:
    """A string of a length, and of a pattern if one is given."""
    expected = re.compile(pattern) if pattern else None

    def check(value: Any) -> str:
        text = _scalar(value)
        if not shortest <= len(text) <= longest:
            raise Malformed(f"Invalid length of {text!r}, expected {shortest}..{longest}")
        if expected and not expected.fullmatch(text):
            raise Malformed(f"Supplied value {text!r} does not match required pattern {pattern}")
        return text

    return check


def integer(smallest: int = 0, largest: int = (1 << 32) - 1) -> Type:
    """A whole number in a range."""

    def check(value: Any) -> int:
        try:
            number = int(_scalar(value))
        except ValueError as error:
            raise Malformed(f"Invalid number {value!r}") from error
        if not smallest <= number <= largest:
            raise Malformed(f"Invalid range of {number}, expected {smallest}..{largest}")
        return number

    return check


def enumeration(*names: str) -> Type:
    """One of these names."""

    def check(value: Any) -> str:
        text = _scalar(value)
        if text not in names:
            raise Malformed(f"Invalid value {text!r} for enum type, allowed values are {', '.join(names)}")
        return text

    return check


def identity(module: str, *names: str) -> Type:
    """An identity, with the prefix of its module."""
    return enumeration(*(f"{module}:{name}" for name in names))


def boolean(value: Any) -> bool:
    """True or false."""
    return bool(_truth(value) == "true")


def ip_address(value: Any) -> str:
    """An address of either version."""
    return _address(value, ipaddress.ip_address)


def ipv4_address(value: Any) -> str:
    """An address of IPv4."""
    return _address(value, ipaddress.IPv4Address)


def _address(value: Any, parse: Callable[[str], object]) -> str:
    text = _scalar(value)
    try:
        parse(text)
    except ValueError as error:
        raise Malformed(str(error)) from error
    return text


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return str(value)
    raise Malformed(f"A single value is expected here, not {value!r}")


text = string()
_truth = enumeration("true", "false")
uuid = string(pattern="[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
mac_address = string(pattern="[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")


@dataclass(frozen=True)
class Leaf:
    """One value.  `module` is where it is defined, if that is not where its parent is."""

    type: Type = text
    mandatory: bool = False
    module: str = ""


@dataclass(frozen=True)
class LeafList:
    """Values."""

    type: Type = text
    module: str = ""


@dataclass(frozen=True)
class Container:
    """Members by their names."""

    children: Mapping[str, Node] = field(default_factory=dict)
    module: str = ""


@dataclass(frozen=True)
class List:
    """Entries, told apart by the values of their keys."""

    keys: tuple[str, ...]
    children: Mapping[str, Node]
    module: str = ""


Node: TypeAlias = Leaf | LeafList | Container | List
