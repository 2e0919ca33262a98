"""The rules for a proton as a whole, checked once its objects are resolved.

Belongs here: rules between objects, and the attributes that the programs rely on in an object of a
certain base.
"""

from __future__ import annotations

from collections.abc import Mapping

from gluon.schema.checks import show
from gluon.schema.declarations import AttributeDeclaration, Place
from gluon.schema.inheritance import MergedObject
from gluon.schema.types import AttributeType, Base, ObjectType

_RELIED_ON: Mapping[Base, Mapping[str, AttributeType]] = {
    Base.PORT: {
        "tenant_id": AttributeType.UUID,
        "name": AttributeType.STRING,
        "admin_state_up": AttributeType.BOOLEAN,
        "status": AttributeType.ENUM,
        "device_id": AttributeType.STRING,
        "host_id": AttributeType.STRING,
        "vnic_type": AttributeType.ENUM,
        "profile": AttributeType.STRING,
        "vif_type": AttributeType.STRING,
        "vif_details": AttributeType.STRING,
    },
    Base.INTERFACE: {
        "tenant_id": AttributeType.UUID,
        "name": AttributeType.STRING,
        "port_id": AttributeType.UUID,
        "segmentation_type": AttributeType.ENUM,
        "segmentation_id": AttributeType.INTEGER,
    },
    Base.SERVICE_BINDING: {
        "interface_id": AttributeType.UUID,
        "service_id": AttributeType.UUID,
    },
}
"""Attributes that proton-server and the shims use by name, and their types."""

_BINDINGS = "bindings"
"""The collection that the server itself serves below a port."""


def check_names(merged: Mapping[str, MergedObject]) -> None:
    """Refuses two names that a database, a URL or a command line would take for the same.

    Raises:
        ModelError: names both.
    """
    _check_case(merged, "objects")
    for item in merged.values():
        if item.name in set(AttributeType):
            raise item.place.error(f"an object cannot have the name of a type: {', '.join(AttributeType)}")
        _check_case(item.attributes, "attributes")
    taken: dict[str, str] = {}
    for item in merged.values():
        names = {item.api.name, item.api.plural_name} if item.api else set()
        for name in sorted(names):
            if name in taken:
                raise item.place.error(f"api: {show(name)} is already an API name of {taken[name]}; choose another")
            taken[name] = item.name


def _check_case(named: Mapping[str, MergedObject] | Mapping[str, AttributeDeclaration], what: str) -> None:
    taken: dict[str, str] = {}
    for name, item in named.items():
        other = taken.setdefault(name.lower(), name)
        if other != name:
            raise item.place.error(f"{what} {other} and {name} differ in case only; a database takes them for one")


def check_parents(merged: Mapping[str, MergedObject], objects: Mapping[str, ObjectType]) -> None:
    """Checks that every parent exists and that parent_key refers to it.

    A cycle of parents needs no check of its own: it is a cycle of references.

    Raises:
        ModelError: names what the parent or parent_key could have been.
    """
    for name, object_type in objects.items():
        api, place = object_type.api, merged[name].place
        if not api.parent:
            continue
        if api.parent not in objects:
            raise place.error(f"api: parent {show(api.parent)} does not exist; expected one of {', '.join(objects)}")
        attribute = object_type.attributes.get(api.parent_key)
        if attribute is None or attribute.reference != api.parent or attribute.is_list:
            fit = [a.name for a in object_type.references if a.reference == api.parent and not a.is_list]
            hint = f"expected {' or '.join(fit) or f'an attribute of type {api.parent}, and there is none'}"
            raise place.error(f"api: parent_key {show(api.parent_key)} does not refer to {api.parent}; {hint}")


def check_bases(place: Place, merged: Mapping[str, MergedObject], objects: Mapping[str, ObjectType]) -> None:
    """Checks for one port, one interface and at least one service, with the attributes that programs rely on.

    Raises:
        ModelError: names the objects that extend the base, the attribute that is missing, or the URL
            that is taken.
    """
    for base in (Base.PORT, Base.INTERFACE):
        names = [name for name, object_type in objects.items() if object_type.base is base]
        if len(names) != 1:
            got = ", ".join(names) or "none"
            raise place.error(
                f"expected exactly one API object that extends {base}, got {got}{_hint(base, merged, names)}"
            )
    if not any(object_type.base is Base.SERVICE for object_type in objects.values()):
        raise place.error(f"expected at least one API object that extends {Base.SERVICE}, got none")
    for name, object_type in objects.items():
        _check_relied_on(merged[name].place, object_type)
        parent = objects.get(object_type.api.parent)
        if parent is not None and parent.base is Base.PORT and object_type.api.plural_name == _BINDINGS:
            raise merged[name].place.error(
                f"api: below a port, {_BINDINGS} are the port's own, served by the server; choose another plural_name"
            )


def _hint(base: Base, merged: Mapping[str, MergedObject], names: list[str]) -> str:
    """Why the object was not added by itself; see `left_out`."""
    if names:
        return ""
    name = base.removeprefix("Base")
    if base not in merged:
        return f"; with `imports: base.yaml` the model gets {name} by itself"
    return (
        f"; the model would get one by itself, but {name} is something else here: have it extend {base}, or rename it"
    )


def _check_relied_on(place: Place, object_type: ObjectType) -> None:
    for name, type_ in _RELIED_ON.get(object_type.base, {}).items():
        attribute = object_type.attributes.get(name)
        if attribute is None or attribute.type is not type_:
            got = "none" if attribute is None else f"{attribute.type}; write {name}: {{type: {type_}}}"
            raise place.error(
                f"every object that extends {object_type.base} needs attribute {name} of type {type_}, got {got}"
            )
    key = object_type.primary_key
    if object_type.base in (Base.PORT, Base.INTERFACE) and (key.type is not AttributeType.UUID or key.reference):
        raise place.error(f"the primary key of an object that extends {object_type.base} is a plain uuid")
