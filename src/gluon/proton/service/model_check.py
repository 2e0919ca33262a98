"""The server's own demands on a model, beside those of the modelling language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gluon.proton.service import default_interface
from gluon.schema import InvalidAttributes, ModelError, ObjectType, Policies, Proton

_PORT = ("tenant_id", "name", "admin_state_up", "status", "vnic_type", "profile", "device_id", "host_id")
_BINDING = ("vif_type", "vif_details")
_INTERFACE = ("tenant_id", "name", "port_id", "segmentation_type", "segmentation_id")
_SAMPLE = "00000000-0000-4000-8000-000000000000"


def check_models(protons: Iterable[Proton]) -> None:
    """Checks that ports can be bound, default interfaces be made, and nothing be promised that isn't kept.

    A base file of an operator's own may define BasePort and BaseInterface differently.  Policies are
    not enforced so far, so a model that relies on any but the default ones would be open to everybody.

    Raises:
        ModelError: names the proton, the object and the attribute.
    """
    for proton in protons:
        for fault in model_faults(proton):
            raise fault


def model_faults(proton: Proton) -> Iterator[ModelError]:
    """What the server would refuse in a model that is right by the modelling language."""
    lacking = [
        *_lacking(proton, proton.port, (*_PORT, *_BINDING), "the server binds ports by it"),
        *_lacking(proton, proton.interface, _INTERFACE, "a port's default interface has it"),
    ]
    yield from lacking
    if not lacking:
        yield from _faults_of_default_interface(proton)
    for object_type in proton.objects.values():
        yield from _faults_of_policies(proton, object_type)


def _lacking(proton: Proton, object_type: ObjectType, names: Iterable[str], why: str) -> Iterator[ModelError]:
    for name in names:
        if name not in object_type.attributes:
            yield ModelError(
                f"the attribute is missing; {why}",
                file=f"proton {proton.name}",
                object_name=object_type.name,
                attribute=name,
            )


def _faults_of_policies(proton: Proton, object_type: ObjectType) -> Iterator[ModelError]:
    for operation in Policies.__struct_fields__:
        rule, default = getattr(object_type.policies, operation), getattr(Policies(), operation)
        if rule != default:
            yield ModelError(
                f'policies: {operation}: "{rule}" would not be kept: the server enforces no policies yet; leave it '
                f'at "{default}", and put the server behind a proxy that checks who may do what',
                file=f"proton {proton.name}",
                object_name=object_type.name,
            )


def _faults_of_default_interface(proton: Proton) -> Iterator[ModelError]:
    key = proton.port.primary_key.name
    try:
        default_interface.attributes(proton, {key: _SAMPLE, "tenant_id": _SAMPLE, "name": "p"})
    except InvalidAttributes as error:
        yield ModelError(
            f"a port's default interface can't be made: {error}; make these attributes optional or give them a default",
            file=f"proton {proton.name}",
            object_name=proton.interface.name,
        )
