"""The paths of an object type: plain, and below its parent."""

from __future__ import annotations

from gluon.contract import rest
from gluon.schema import ObjectType, Proton


def families(proton: Proton, object_type: ObjectType) -> tuple[ObjectType | None, ...]:
    """Below what an object type is served: None for the proton itself, then its parent."""
    parent = object_type.api.parent
    return (None, proton.objects[parent]) if parent else (None,)


def collection_template(proton: Proton, object_type: ObjectType, below: ObjectType | None) -> str:
    """The path of a collection, with `{parent_key}` when it is below a parent."""
    if below is None:
        return rest.collection_path(proton, object_type)
    return f"{rest.collection_path(proton, below)}/{{parent_key}}/{object_type.api.plural_name}"
