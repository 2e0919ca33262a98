"""The objects that the benchmark writes: as request bodies, as values in etcd, and as rows."""

from __future__ import annotations

import uuid

from gluon.contract.keys import ObjectKey
from gluon.contract.records import AppliedRecord, decode_attributes, encode, encode_attributes, encode_port
from gluon.models import catalog
from gluon.schema import ObjectType, Value, conform, validate_attributes

PROTON = catalog.load(["net-l3vpn"], [])["net-l3vpn"]
TENANT = "5d1f6c3e-6a51-4b0c-9a55-0e3c1b7f2a10"
HOST = "compute-0017.example.org"


def new_keys(count: int) -> list[str]:
    """Keys for so many objects."""
    return [str(uuid.uuid4()) for _ in range(count)]


def port_body(key: str) -> dict[str, Value]:
    """What a client sends to create a port."""
    return {"id": key, "tenant_id": TENANT, "name": f"port-{key[:8]}", "mac_address": mac(key)}


def bind_body(key: str) -> dict[str, Value]:
    """What a client sends to bind a port; a VM of its own for each."""
    return {"host_id": HOST, "device_id": f"vm-{key}"}


def port(key: str, **more: Value) -> dict[str, Value]:
    """All attributes of a port."""
    return {**_PORT, **port_body(key), **more}


def interface(key: str) -> dict[str, Value]:
    """All attributes of a port's default interface."""
    return {**_INTERFACE, "id": key, "port_id": key, "name": f"port-{key[:8]}_default"}


def port_key(key: str) -> ObjectKey:
    """Names a port."""
    return ObjectKey(PROTON.name, PROTON.port.name, key)


def interface_key(key: str) -> ObjectKey:
    """Names a default interface."""
    return ObjectKey(PROTON.name, PROTON.interface.name, key)


def port_value(key: str, token: str = "", **more: Value) -> bytes:
    """A port as proton-server publishes it: without what only the server sets."""
    types = PROTON.port.attributes
    wanted = {name: value for name, value in port(key, **more).items() if not types[name].read_only}
    return encode_port(wanted, token)


def interface_value(key: str) -> bytes:
    """A default interface as proton-server publishes it."""
    return encode_attributes(interface(key))


def record(object_type: ObjectType, key: str, value: bytes, revision: int) -> bytes:
    """What a shim that has applied the object, published as `value`, has recorded."""
    attributes = conform(object_type, decode_attributes(value), key)
    return encode(AppliedRecord(attributes=dict(attributes), revision=revision))


def mac(key: str) -> str:
    """An address made from the key."""
    digits = key.replace("-", "")[:10]
    return ":".join(("fa", *(digits[at : at + 2] for at in range(0, 10, 2))))


_SAMPLE = "00000000-0000-4000-8000-000000000000"
# Checked once: a floor has no model to check against.
_PORT = validate_attributes(PROTON.port, port_body(_SAMPLE))
_INTERFACE = validate_attributes(
    PROTON.interface, {"id": _SAMPLE, "tenant_id": TENANT, "port_id": _SAMPLE, "name": "default"}
)
