"""Places in OpenDaylight's data, and how each RESTCONF writes them in a URL."""

from __future__ import annotations

from enum import StrEnum
from typing import Self
from urllib.parse import quote

from msgspec import Struct

from gluon.shim.backends.opendaylight.options import Flavour


class Store(StrEnum):
    """Which of OpenDaylight's two datastores."""

    CONFIG = "config"
    OPERATIONAL = "operational"


class Step(Struct, frozen=True):
    """One name of a path, of a list's entry with the values of its keys."""

    name: str
    keys: tuple[str, ...] = ()


class Path(Struct, frozen=True):
    """A container, a list's entry or a leaf; the first name has its module's prefix."""

    steps: tuple[Step, ...]

    @classmethod
    def of(cls, top: str) -> Self:
        """A container at the top, e.g. `neutron:neutron`."""
        return cls((Step(top),))

    def to(self, name: str, *keys: str) -> Self:
        """What is below, e.g. `.to("networks").to("network", uuid)`."""
        return type(self)((*self.steps, Step(name, keys)))

    @property
    def module(self) -> str:
        """The module's name."""
        return self.steps[0].name.partition(":")[0]

    @property
    def name(self) -> str:
        """The last name, without a prefix."""
        return self.steps[-1].name.rpartition(":")[2]

    @property
    def is_entry(self) -> bool:
        """Whether it is an entry of a list."""
        return bool(self.steps[-1].keys)

    def __str__(self) -> str:
        return "/".join(f"{step.name}={','.join(step.keys)}" if step.keys else step.name for step in self.steps)


def render(path: Path, flavour: Flavour, store: Store = Store.CONFIG) -> str:
    """The path of its URL; what is read needs `query` as well.

    Sources: draft-bierman-netconf-restconf-02 5.1.1; RFC 8040 3.5.3.
    """
    if flavour is Flavour.DRAFT02:
        parts = (part for step in path.steps for part in (step.name, *step.keys))
        return f"/restconf/{store}/" + "/".join(map(_quoted, parts))
    return "/rests/data/" + "/".join(map(_rfc8040_step, path.steps))


def query(flavour: Flavour, store: Store = Store.CONFIG) -> dict[str, str]:
    """Parameters of a GET: RFC 8040 answers with both datastores merged unless it is told."""
    if flavour is Flavour.DRAFT02:
        return {}
    return {"content": "config" if store is Store.CONFIG else "nonconfig"}


def operation(name: str, flavour: Flavour) -> str:
    """The path of an RPC's URL."""
    root = "/restconf" if flavour is Flavour.DRAFT02 else "/rests"
    return f"{root}/operations/{_quoted(name)}"


def _rfc8040_step(step: Step) -> str:
    name = _quoted(step.name)
    return f"{name}={','.join(quote(key, safe='') for key in step.keys)}" if step.keys else name


def _quoted(part: str) -> str:
    """A key's `/` must not part it; the `:` after a module's name stays as it is everywhere."""
    return quote(part, safe=":")
