"""The port and the interface of a model that declares none: those of the base objects, as they are.

Belongs here: what a model need not say.  What it must not say is in `gluon.schema.rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gluon.schema.declarations import FILE_VERSION, ObjectDeclaration, read_file
from gluon.schema.inheritance import MergedObject
from gluon.schema.types import Base

PORT = "Port"
INTERFACE = "Interface"

_PORT = """
  Port:
    extends: BasePort
    description: Where a VM is plugged in
    api: {name: port}
"""
_INTERFACE = """
  Interface:
    extends: BaseInterface
    description: One stream of traffic of a port, all of it or one segment
    api: {name: interface, parent: $port, parent_key: port_id}
    attributes:
      port_id: {type: $port}
"""


def left_out(
    file: str, declared: Mapping[str, ObjectDeclaration], merged: Mapping[str, MergedObject]
) -> Mapping[str, ObjectDeclaration]:
    """The declarations to be added.

    Nothing is added where the base object is not imported or the name means something else: the
    model is refused then, in the words of `rules`.

    Args:
        file: of the model, for messages.
        declared: all objects as written.
        merged: the same with what they inherit.
    """
    ports = _names(merged.values(), Base.PORT)
    text = ""
    if not ports and Base.PORT in declared and PORT not in declared:
        ports = [PORT]
        text += _PORT
    lacks_interface = not _names(merged.values(), Base.INTERFACE)
    if lacks_interface and len(ports) == 1 and Base.INTERFACE in declared and INTERFACE not in declared:
        text += _INTERFACE.replace("$port", ports[0])
    if not text:
        return {}
    return read_file(f"{file} (added)", f'file_version: "{FILE_VERSION}"\nobjects:{text}').objects


def _names(objects: Iterable[MergedObject], base: Base) -> list[str]:
    return [item.name for item in objects if item.api is not None and item.base is base]
