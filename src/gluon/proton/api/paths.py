"""The paths of an object type: plain, and below its parent; and those of a port's bindings."""

from __future__ import annotations

from typing import NamedTuple

from gluon.contract import rest
from gluon.schema import ObjectType, Proton


def families(proton: Proton, object_type: ObjectType) -> tuple[ObjectType | None, ...]:
    """The places where an object type is served: None for the proton itself, then below its parent."""
    parent = object_type.api.parent
    return (None, proton.objects[parent]) if parent else (None,)


def collection_template(proton: Proton, object_type: ObjectType, below: ObjectType | None) -> str:
    """The path of a collection, with `{parent_key}` when it is below a parent."""
    if below is None:
        return rest.collection_path(proton, object_type)
    return f"{rest.collection_path(proton, below)}/{{parent_key}}/{object_type.api.plural_name}"


class BindingTemplates(NamedTuple):
    """The paths of a port's bindings, with `{key}` for the port's and `{host}`."""

    collection: str
    item: str
    activate: str


def binding_templates(proton: Proton) -> BindingTemplates:
    """The three paths of the bindings of this proton's ports."""
    collection = f"{rest.collection_path(proton, proton.port)}/{{key}}/{rest.BINDINGS}"
    item = f"{collection}/{{host}}"
    return BindingTemplates(collection, item, f"{item}/{rest.ACTIVATE}")
