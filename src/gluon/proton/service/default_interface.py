"""The Interface that every port has from its creation to its deletion.

It has the port's own uuid, so it is found without a search, and a port needs no further request
before a service can be bound to it.
"""

from __future__ import annotations

from collections.abc import Mapping

from gluon.schema import Proton, Value, validate_attributes

_SUFFIX = "default"


def attributes(proton: Proton, port: Mapping[str, Value]) -> dict[str, Value]:
    """All attributes of the default interface of a port.

    Raises:
        InvalidAttributes: the proton's Interface requires more than a default one has.
    """
    interface = proton.interface
    given = {
        interface.primary_key.name: port[proton.port.primary_key.name],
        "tenant_id": port["tenant_id"],
        "port_id": port[proton.port.primary_key.name],
        "name": _name(port["name"], interface.attributes["name"].length),
        "segmentation_type": "none",
        "segmentation_id": 0,
    }
    return validate_attributes(interface, given)


def is_default(proton: Proton, interface: Mapping[str, Value]) -> bool:
    """Whether this is a port's default interface."""
    return interface[proton.interface.primary_key.name] == interface["port_id"]


def _name(port_name: Value, longest: int | None) -> str:
    if not port_name:
        return _SUFFIX
    room = None if longest is None else max(longest - len(_SUFFIX) - 1, 0)
    return f"{str(port_name)[:room]}_{_SUFFIX}"
